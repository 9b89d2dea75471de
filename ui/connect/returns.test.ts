import { describe, expect, it } from 'vitest';
import { connectSession, denied, hubspot, question, reauthorizeSession, succeeded } from '../tests/samples';
import { RETURN_KEY } from '../tests/fake-server';
import { relink, settled, setUpConnectPage, tab, useOtherBrowser, waitingTab } from '../tests/connect-page';
import { viewOf } from '../tests/fake-tab';

setUpConnectPage();

describe('the link token', () => {
  it('is exchanged for a page token once, and the page keeps that', async () => {
    relink.canReopen = false;
    relink.session = { ...connectSession, integrations: [] };
    const { connect } = tab();
    await settled();
    relink.session = reauthorizeSession;
    void connect.start();
    await settled();
    expect(viewOf(connect, 'authorize').integration.name).toBe('github');
    expect(relink.calls.filter(({ verb }) => verb === 'open')).toHaveLength(1);
  });

  it('has to be opened again if its address was used before', async () => {
    relink.canReopen = false;
    tab();
    const { connect, reported } = tab();
    await settled();
    expect(viewOf(connect, 'invalid_link').error.code).toBe('opening_used');
    expect(reported).toMatchObject([{ result: 'error', error_type: 'invalid_token' }]);
  });
});

describe('a return that needs its key', () => {
  const needsKey = { needs_return_key: true } as const;

  it.each(['loopback', 'deep_link'] as const)(
    'is not claimed by the page that began (%s)',
    async (redirect) => {
      relink.onCreate = () => ({ ...needsKey, redirect });
      const { connect } = await waitingTab();
      relink.updateFlow({ phase: 'returned' });
      await settled();
      expect(viewOf(connect, 'flow').elsewhere).toBe(true);
      expect(relink.count('claim')).toBe(0);
    },
  );

  it('is claimed by the tab that it returned to, in the same browser', async () => {
    relink.onCreate = () => ({ ...needsKey, redirect: 'loopback' });
    const first = await waitingTab();
    relink.updateFlow({ phase: 'returned' });
    const second = tab(`/connect-account/return?flow=flow-1#return=${RETURN_KEY}`);
    await settled();
    expect(relink.count('claim')).toBe(1);
    relink.updateFlow(succeeded);
    await settled();
    for (const { connect } of [first, second]) {
      expect(viewOf(connect, 'flow').flow.phase).toBe('succeeded');
    }
  });

  /** The page in another browser that the provider returned to. */
  async function returnedElsewhere() {
    relink.onCreate = () => ({ ...needsKey, redirect: 'loopback' });
    await waitingTab();
    relink.updateFlow({ phase: 'returned' });
    useOtherBrowser();
    const other = tab(`/connect-account/return?flow=flow-1#return=${RETURN_KEY}`);
    await settled();
    expect(viewOf(other.connect, 'confirm').returned.tenant_id).toBe('acme-1');
    expect(relink.count('claim')).toBe(0);
    return other.connect;
  }

  it('to another browser is confirmed by its person, who then also answers', async () => {
    const connect = await returnedElsewhere();
    void connect.decide(true);
    await settled();
    expect(relink.count('confirm')).toBe(1);
    relink.updateFlow(question);
    await settled();
    void connect.answer('add');
    await settled();
    expect(relink.count('answer')).toBe(1);
  });

  it('to another browser is declined by its person', async () => {
    const connect = await returnedElsewhere();
    void connect.decide(false);
    await settled();
    expect(relink.count('decline')).toBe(1);
    expect(connect.state.view.at).toBe('declined');
  });

  it('asks in a window of the app with the flow’s own key', async () => {
    await waitingTab();
    relink.updateFlow(question);
    useOtherBrowser();
    const asking = tab('/connect-account/return?flow=flow-1#key=key-of-flow-1');
    await settled();
    void asking.connect.answer('replace');
    await settled();
    expect(relink.calls).toContainEqual({ verb: 'answer', body: { answer: 'replace' } });
  });
});

describe('the app that opened the pop-up', () => {
  it('gets the success', async () => {
    const { reported } = await waitingTab();
    expect(reported).toEqual([]);
    relink.updateFlow(succeeded);
    await settled();
    expect(reported).toEqual([
      { is_truto: true, result: 'success', integration: 'github', integrated_account_id: '0193' },
    ]);
  });

  it.each([
    [denied, { error_type: 'connection_error' }],
    [
      { ...denied, error: { ...denied.error!, error_type: 'validation_error' as const } },
      { error_type: 'validation_error', integrated_account_id: '0193' },
    ],
    [
      { ...succeeded, outcome: { ...succeeded.outcome!, kept_old: true } },
      { error_type: 'validation_error', integrated_account_id: '0193' },
    ],
  ])('gets the error %#', async (change, expected) => {
    const { reported } = await waitingTab();
    relink.updateFlow(change);
    await settled();
    expect(reported).toHaveLength(1);
    expect(reported[0]).toMatchObject({
      is_truto: true,
      result: 'error',
      integration: 'github',
      ...expected,
    });
    expect('integrated_account_id' in reported[0]!).toBe('integrated_account_id' in expected);
    expect(reported[0]!.error).toBeTruthy();
  });

  it('learns that the integration does not exist', async () => {
    relink.session = connectSession;
    const { reported } = tab('/connect-account/open/n?integration=nosuch');
    await settled();
    expect(reported).toMatchObject([{ error_type: 'invalid_integration', integration: 'nosuch' }]);
  });

  it('does not hear of a key that can be corrected in the form', async () => {
    relink.session = { ...connectSession, integrations: [hubspot] };
    relink.onCreate = () => ({ phase: 'working', step: 'checking', redirect: null, authorize_url: null });
    const { connect, reported } = tab();
    await settled();
    void connect.begin({ api_key: 'pat-1' });
    await settled();
    relink.updateFlow(denied);
    await settled();
    expect(viewOf(connect, 'form').error?.code).toBe('access_denied');
    expect(reported).toEqual([]);
  });

  it('gets the error of a step that failed after the key was saved', async () => {
    relink.session = { ...connectSession, integrations: [hubspot] };
    relink.onCreate = () => ({ phase: 'working', step: 'checking', redirect: null, authorize_url: null });
    const { connect, reported } = tab();
    await settled();
    void connect.begin({ api_key: 'pat-1' });
    await settled();
    const failed = { error_type: 'post_install_error' as const, integrated_account_id: '0193' };
    relink.updateFlow({ ...denied, error: { ...denied.error!, ...failed } });
    await settled();
    expect(viewOf(connect, 'flow').flow.phase).toBe('failed');
    expect(reported).toMatchObject([failed]);
  });
});
