import { describe, expect, it, vi } from 'vitest';
import { asanaForm } from '../../tests/form-samples';
import { errorResponse } from '../../tests/fake-server';
import { relink, settled, setUpConnectPage, tab, waitingTab } from '../../tests/connect-page';
import { viewOf } from '../../tests/fake-tab';
import { reauthorizeSession, succeeded } from '../../tests/samples';

setUpConnectPage();

const POST_CONNECT = '/connect-account/post-connect';
const withForm = { ...succeeded, outcome: { ...succeeded.outcome!, form_token: 'form-1' } };

describe('a form after a sign-in', () => {
  it('comes before the result, which the app gets once the form is submitted', async () => {
    const { connect, reported, left } = await waitingTab();
    relink.updateFlow({
      ...withForm,
      outcome: { ...withForm.outcome, redirect_uri: 'https://app.example/done' },
    });
    await settled();
    expect(viewOf(connect, 'rapid_form')).toEqual({ at: 'rapid_form', token: 'form-1', signedIn: true });
    expect(reported).toEqual([]);
    connect.forms.saved(asanaForm, null);
    relink.updateFlow({
      ...succeeded,
      outcome: { ...succeeded.outcome!, redirect_uri: 'https://app.example/done' },
    });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(viewOf(connect, 'flow').flow.phase).toBe('succeeded');
    expect(reported).toMatchObject([{ result: 'success', integrated_account_id: '0193' }]);
    expect(left).toEqual(['https://app.example/done']);
  });

  it('is over in every tab when one of them has submitted it', async () => {
    const first = await waitingTab();
    relink.updateFlow(withForm);
    const second = tab('/connect-account/return?flow=flow-1');
    await settled();
    const views = () => [first, second].map(({ connect }) => connect.state.view.at);
    expect(views()).toEqual(['rapid_form', 'rapid_form']);
    // The answer to the other tab’s own attempt may come before the flow’s.
    second.connect.forms.refused({ ...errorView, code: 'form_submitted' }, 'asana');
    expect(views()).toEqual(['rapid_form', 'rapid_form']);
    relink.updateFlow(succeeded);
    await settled();
    expect(views()).toEqual(['flow', 'flow']);
  });

  it('says that the account is connected when Relink restarts in between', async () => {
    const { connect, reported } = await waitingTab();
    relink.updateFlow(withForm);
    await settled();
    relink.forgetFlows();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(viewOf(connect, 'form_refused').error.message).toContain('is connected');
    expect(reported).toMatchObject([{ result: 'error', error_type: 'rapid_form_error' }]);
  });

  it('doesn’t keep the browser from going on where it can’t be filled in', async () => {
    const { connect, left } = await waitingTab();
    relink.updateFlow({
      ...withForm,
      outcome: { ...withForm.outcome, redirect_uri: 'https://app.example/done' },
    });
    await settled();
    connect.forms.refused(errorView, 'asana');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(left).toEqual(['https://app.example/done']);
  });

  it('doesn’t follow where the app wants none', async () => {
    const skips = tab('/connect-account/open/n?skip_rapid_form=true');
    await settled();
    void skips.connect.begin();
    await settled();
    const request = relink.calls.find(({ verb }) => verb === 'create');
    expect(request?.body).toMatchObject({ skip_rapid_form: true });
  });
});

const errorView = { code: 'x', title: null, message: 'No.', hint: null, field: null };

describe('a form of its own', () => {
  it('opens with the page’s token, and ends with its result', async () => {
    const { connect, reported } = tab(`${POST_CONNECT}/open/n?integration=asana&iframe=true`);
    await settled();
    expect(viewOf(connect, 'rapid_form')).toEqual({ at: 'rapid_form', token: 'p', signedIn: false });
    connect.forms.saved(asanaForm, null);
    expect(viewOf(connect, 'form_saved').onward).toBeNull();
    const result = { is_truto: true, result: 'success', integration: 'asana', integrated_account_id: '0193' };
    expect(reported).toEqual([result]);
  });

  it('opens with a link for it, and ends where the link says', async () => {
    relink.session = { ...reauthorizeSession, purpose: 'post_connect_form', integrations: [] };
    const { connect, left } = tab();
    await settled();
    viewOf(connect, 'rapid_form');
    connect.forms.saved(asanaForm, 'https://app.example/done');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(left).toEqual(['https://app.example/done']);
  });

  it('reports each reason why it can’t be filled in as a form’s error', async () => {
    relink.canReopen = false;
    tab();
    const late = tab(`${POST_CONNECT}/open/n`);
    const reloaded = tab(POST_CONNECT);
    const malformed = tab(`${POST_CONNECT}?integrated_account_session_token=t&truto_disabled_fields=%5B%5D`);
    await settled();
    for (const { connect, reported } of [late, reloaded, malformed]) {
      viewOf(connect, 'form_refused');
      expect(reported).toMatchObject([{ result: 'error', error_type: 'rapid_form_error' }]);
      expect(reported[0]).not.toHaveProperty('integrated_account_id');
    }
    const { connect, reported } = tab(`${POST_CONNECT}?integrated_account_session_token=t`);
    await settled();
    viewOf(connect, 'rapid_form');
    connect.forms.optionsFailed({ ...errorView, title: 'They can’t be loaded' }, 'asana');
    expect(reported).toEqual([
      {
        is_truto: true,
        result: 'error',
        error: 'They can’t be loaded. No.',
        error_type: 'rapid_form_error',
        integration: 'asana',
      },
    ]);
    expect(viewOf(connect, 'rapid_form').token).toBe('t');
  });

  it('leaves no token in the address bar', async () => {
    relink.form = errorResponse(409, 'form_not_set_up', 'There is no form.');
    const { requestFrom, addressWithoutSecrets } = await import('../urls');
    const address = new URL(
      `${POST_CONNECT}/open/n?integrated_account_session_token=t&integration=asana`,
      'http://127.0.0.1',
    );
    expect(requestFrom(address)).toMatchObject({ at: 'form', accountToken: 't', nonce: 'n' });
    expect(addressWithoutSecrets(address)).toBe(`${POST_CONNECT}?integration=asana`);
  });
});
