import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  connectSession,
  denied,
  github,
  hubspot,
  question,
  reauthorizeSession,
  succeeded,
} from '../tests/samples';
import type { FieldSpec, OAuthMethod } from './api';
import { errorResponse } from '../tests/fake-server';
import { relink, settled, setUpConnectPage, shelf, tab, waitingTab } from '../tests/connect-page';
import { viewOf } from '../tests/fake-tab';

setUpConnectPage();

describe('a successful sign-in', () => {
  it('opens the provider, claims the return and ends in success', async () => {
    const { connect, opened } = tab();
    await settled();
    expect(viewOf(connect, 'authorize').integration.name).toBe('github');

    void connect.begin();
    await settled();
    expect(opened).toEqual(['https://github.com/login/oauth/authorize?state=abc']);
    expect(relink.calls).toContainEqual({
      verb: 'create',
      body: {
        integration: 'github',
        format: 'oauth2',
        redirect: 'deep_link',
        fields: null,
        skip_rapid_form: false,
      },
    });

    relink.updateFlow({ phase: 'returned', authorize_url: null });
    await settled();
    expect(relink.count('claim')).toBe(1);
    expect(viewOf(connect, 'flow').flow.step).toBe('exchanging');

    relink.updateFlow(succeeded);
    await settled();
    expect(viewOf(connect, 'flow').flow.outcome?.account.name).toBe('Acme engineering');
  });

  it('goes to the link’s redirect URI after showing the success', async () => {
    const { left } = await waitingTab();
    relink.updateFlow({
      ...succeeded,
      outcome: { ...succeeded.outcome!, redirect_uri: 'https://app.example/done' },
    });
    await settled();
    expect(left).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(left).toEqual(['https://app.example/done']);
  });

  it('does not go to a redirect URI that is neither https nor on this machine', async () => {
    const { left } = await waitingTab();
    relink.updateFlow({
      ...succeeded,
      outcome: { ...succeeded.outcome!, redirect_uri: 'javascript:alert(1)' },
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(left).toEqual([]);
  });

  it('asks what to do when somebody else signed in, and sends the answer', async () => {
    const { connect } = await waitingTab();
    relink.updateFlow(question);
    await settled();
    void connect.answer('add');
    await settled();
    expect(relink.calls).toContainEqual({ verb: 'answer', body: { answer: 'add' } });
    expect(viewOf(connect, 'flow').flow.phase).toBe('working');
  });
});

describe('two tabs of one flow', () => {
  const loopback = { phase: 'waiting', redirect: 'loopback' } as const;

  it('both show the success, and only the one that the provider returned to goes on', async () => {
    relink.onCreate = () => loopback;
    const first = await waitingTab();
    relink.updateFlow({ phase: 'returned' });
    const second = tab('/connect-account/return?flow=flow-1');
    await settled();
    relink.updateFlow({
      ...succeeded,
      outcome: { ...succeeded.outcome!, redirect_uri: 'https://app.example/done' },
    });
    await vi.advanceTimersByTimeAsync(5_000);
    for (const { connect } of [first, second]) {
      expect(viewOf(connect, 'flow').flow.phase).toBe('succeeded');
    }
    expect(first.left).toEqual([]);
    expect(second.left).toEqual(['https://app.example/done']);
  });

  it('shows the success even if the first tab has already finished the flow', async () => {
    relink.onCreate = () => loopback;
    await waitingTab();
    relink.updateFlow(succeeded);
    await settled();
    const late = tab('/connect-account/return?flow=flow-1');
    await settled();
    expect(viewOf(late.connect, 'flow').flow.phase).toBe('succeeded');
  });

  it('sends back a browser that did not start the flow', async () => {
    relink.onCreate = () => loopback;
    await waitingTab();
    shelf.clear();
    const other = tab('/connect-account/return?flow=flow-1');
    await settled();
    expect(other.connect.state.view.at).toBe('wrong_browser');
    expect(relink.count('claim')).toBe(0);
  });
});

describe('a link that can’t be used', () => {
  const ended = ['unknown', 'used', 'expired', 'ended'].map((end) => `link_token_${end}`);
  it.each([...ended, 'account_deleted'])('is refused as %s', async (code) => {
    relink.session = errorResponse(404, code, 'No.');
    const { connect } = tab();
    await settled();
    expect(viewOf(connect, 'invalid_link').error.code).toBe(code);
  });

  it('is refused when it is used up between opening the page and continuing', async () => {
    const { connect } = tab();
    await settled();
    relink.onCreate = () => errorResponse(404, 'link_token_used', 'This link was used.');
    void connect.begin();
    await settled();
    expect(viewOf(connect, 'invalid_link').error.code).toBe('link_token_used');
  });

  it('is missing from the URL', async () => {
    const { connect } = tab('/connect-account');
    await settled();
    expect(viewOf(connect, 'invalid_link').error.code).toBe('link_token_missing');
    expect(relink.calls).toEqual([]);
  });
});

describe('choosing', () => {
  beforeEach(() => {
    relink.session = connectSession;
  });

  it('goes back and forth between integrations and methods', async () => {
    const { connect } = tab();
    await settled();
    expect(connect.state.view.at).toBe('integrations');
    const salesforce = connectSession.integrations[2]!;
    connect.choose(salesforce);
    expect(viewOf(connect, 'form').method.format).toBe('oauth2_client_credentials');
    connect.chooseMethod(salesforce, salesforce.methods[0]!);
    expect(viewOf(connect, 'not_ready').method.format).toBe('oauth2');
    // Once more, with the method that was chosen.
    await connect.start();
    expect(viewOf(connect, 'not_ready').method.format).toBe('oauth2');
    connect.back();
    expect(connect.state.view.at).toBe('integrations');
    expect(connect.previous).toBeNull();
  });

  it('is skipped if the URL names an integration, and no_back removes Back', async () => {
    const free = tab('/connect-account/open/n?integration=github');
    const bound = tab('/connect-account/open/n?integration=github&no_back=true');
    await settled();
    expect(free.connect.state.view.at).toBe('authorize');
    expect(free.connect.previous).not.toBeNull();
    expect(bound.connect.state.view.at).toBe('authorize');
    expect(bound.connect.previous).toBeNull();
  });

  it('is limited by integrations=', async () => {
    const { connect } = tab('/connect-account/open/n?integrations=hubspot');
    await settled();
    expect(viewOf(connect, 'form').integration).toEqual(hubspot);
  });

  it('says that the integration named in the URL is not installed', async () => {
    const { connect } = tab('/connect-account/open/n?integration=nosuch');
    await settled();
    expect(viewOf(connect, 'integrations').missing).toBe('nosuch');
  });

  it('stops at a method that needs setup, and continues once it is set up', async () => {
    const [oauth] = github.methods;
    relink.session = {
      ...reauthorizeSession,
      integrations: [{ ...github, methods: [{ ...oauth!, not_ready: 'A client ID is missing.' }] }],
    };
    const { connect } = tab();
    await settled();
    expect(viewOf(connect, 'not_ready').reason).toBe('A client ID is missing.');
    relink.session = reauthorizeSession;
    void connect.start();
    await settled();
    expect(connect.state.view.at).toBe('authorize');
  });
});

describe('a callback that does not arrive', () => {
  it('offers other ways to finish after a minute', async () => {
    const { connect } = await waitingTab();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(viewOf(connect, 'flow').late).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(viewOf(connect, 'flow').late).toBe(true);
  });

  it('starts over with the loopback redirect, and abandons the first flow', async () => {
    const { connect, opened } = await waitingTab();
    expect(viewOf(connect, 'flow').otherRedirect).toBe('loopback');
    void connect.useOtherRedirect();
    await settled();
    expect(relink.count('abandon')).toBe(1);
    expect(relink.flowIds).toHaveLength(1);
    expect(viewOf(connect, 'flow').flow.redirect).toBe('loopback');
    expect(opened).toHaveLength(2);
  });

  it('sends what was entered again, unless a secret is among it', async () => {
    const [oauth] = github.methods as [OAuthMethod];
    const [field] = hubspot.methods[0]!.fields as [FieldSpec];
    for (const type of ['text', 'password'] as const) {
      const fields = [{ ...field, type }];
      relink.session = {
        ...reauthorizeSession,
        integrations: [{ ...github, methods: [{ ...oauth, fields }] }],
      };
      const { connect } = tab();
      await settled();
      void connect.begin({ [field.name]: 'typed' });
      await settled();
      void connect.useOtherRedirect();
      await settled();
      const sent = relink.calls.findLast(({ verb }) => verb === 'create')!;
      const again = type === 'text' ? { [field.name]: 'typed' } : null;
      expect(sent.body).toMatchObject({ redirect: 'loopback', fields: again });
    }
  });

  it('offers no other redirect if Relink supports only one', async () => {
    relink.session = { ...reauthorizeSession, redirects: ['loopback'] };
    const { connect } = await waitingTab();
    expect(viewOf(connect, 'flow').flow.redirect).toBe('loopback');
    expect(viewOf(connect, 'flow').otherRedirect).toBeNull();
  });

  it('accepts a pasted URL, and changes nothing if it is rejected', async () => {
    const { connect } = await waitingTab();
    relink.onCallback = () => errorResponse(400, 'state_unknown', 'This URL belongs to another sign-in.');
    void connect.paste(' https://github.com/ ');
    await settled();
    expect(viewOf(connect, 'flow').error?.message).toBe('This URL belongs to another sign-in.');
    expect(viewOf(connect, 'flow').flow.phase).toBe('waiting');

    relink.onCallback = () => ({ phase: 'returned' });
    void connect.paste(' app.relink.desktop:/oauth/callback/github?code=1&state=abc\n');
    await settled();
    expect(relink.calls.findLast(({ verb }) => verb === 'callback')?.body).toEqual({
      url: 'app.relink.desktop:/oauth/callback/github?code=1&state=abc',
    });
    expect(viewOf(connect, 'flow').flow.phase).toBe('working');
    expect(connect.state.busy).toBe(false);
  });

  it('sends nothing when nothing was pasted', async () => {
    const { connect } = await waitingTab();
    void connect.paste('  ');
    await settled();
    expect(relink.count('callback')).toBe(0);
    expect(viewOf(connect, 'flow').error?.code).toBe('nothing_pasted');
  });
});

describe('an unsafe provider URL', () => {
  it.each(['javascript:alert(1)', 'file:///etc/passwd', 'http://example.com/', 'https://me@example.com/'])(
    'is not opened: %s',
    async (authorize_url) => {
      relink.onCreate = () => ({ authorize_url });
      const { opened } = await waitingTab();
      expect(opened).toEqual([]);
    },
  );
});

describe('an entered key', () => {
  beforeEach(() => {
    relink.session = { ...reauthorizeSession, integrations: [hubspot] };
    relink.onCreate = () => ({ phase: 'working', step: 'checking', authorize_url: null, redirect: null });
  });

  it('is tested while the form stays, and rejected at its field', async () => {
    const { connect } = tab();
    await settled();
    void connect.begin({ api_key: 'canary-secret' });
    await settled();
    expect(viewOf(connect, 'form').running?.step).toBe('checking');
    relink.updateFlow({ ...denied, error: { ...denied.error!, field: 'api_key' } });
    await settled();
    expect(viewOf(connect, 'form').running).toBeNull();
    expect(viewOf(connect, 'form').error?.field).toBe('api_key');
  });

  it('is sent but stored nowhere', async () => {
    const { connect } = tab();
    await settled();
    void connect.begin({ api_key: 'canary-secret' });
    await settled();
    expect(JSON.stringify(relink.calls)).toContain('canary-secret');
    expect(JSON.stringify(connect.state)).not.toContain('canary-secret');
    expect(
      Array.from({ length: shelf.length }, (_, at) => shelf.getItem(shelf.key(at)!)).join(),
    ).not.toContain('canary-secret');
  });
});

describe('while Relink is stopped', () => {
  it('the page waits to load its link, then continues', async () => {
    relink.up = false;
    const { connect } = tab();
    await settled();
    expect(connect.state).toMatchObject({ unreachable: true, view: { at: 'loading' } });
    relink.up = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connect.state).toMatchObject({ unreachable: false, view: { at: 'authorize' } });
  });

  it('a click on Continue takes effect later', async () => {
    const { connect, opened } = tab();
    await settled();
    relink.up = false;
    void connect.begin();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(connect.state).toMatchObject({ unreachable: true, busy: true, view: { at: 'authorize' } });
    relink.up = true;
    await vi.advanceTimersByTimeAsync(8_000);
    expect(connect.state).toMatchObject({ unreachable: false, busy: false });
    expect(opened).toHaveLength(1);
  });

  it('a flow that waits for the provider is followed again afterwards', async () => {
    const { connect } = await waitingTab();
    relink.up = false;
    relink.dropConnections();
    await settled();
    expect(connect.state.unreachable).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connect.state.unreachable).toBe(true);
    relink.up = true;
    relink.updateFlow(succeeded);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(connect.state.unreachable).toBe(false);
    expect(viewOf(connect, 'flow').flow.phase).toBe('succeeded');
  });

  it('a flow may be forgotten: the page says so and can start over', async () => {
    const { connect } = await waitingTab();
    relink.forgetFlows();
    await settled();
    expect(connect.state.view.at).toBe('interrupted');
    void connect.start();
    await settled();
    expect(connect.state.view.at).toBe('authorize');
  });
});

describe('a flow that failed', () => {
  it('can be tried again', async () => {
    const { connect } = await waitingTab();
    relink.updateFlow(denied);
    await settled();
    expect(viewOf(connect, 'flow').flow.error?.code).toBe('access_denied');
    connect.retry();
    expect(connect.state.view.at).toBe('authorize');
    void connect.begin();
    await settled();
    expect(viewOf(connect, 'flow').flow.phase).toBe('waiting');
  });

  it('shows the error where the person was if it could not start', async () => {
    const { connect } = tab();
    await settled();
    relink.onCreate = () =>
      errorResponse(503, 'keychain_locked', 'Your keychain is locked.', { hint: 'Unlock it.' });
    void connect.begin();
    await settled();
    expect(viewOf(connect, 'authorize').error).toMatchObject({ code: 'keychain_locked', hint: 'Unlock it.' });
    expect(connect.state.busy).toBe(false);
  });
});
