import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  connectSession,
  denied,
  github,
  hubspot,
  question,
  reauthorizeSession,
  succeeded,
} from '../tests/samples';
import { refusal, FakeServer } from '../tests/fake-server';
import { openTab, storage, viewOf } from '../tests/fake-tab';

let relink: FakeServer;
let shelf: Storage;

/** Lets everything that needs no time happen. */
async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

const tab = (address?: string) => openTab(relink, shelf, address);

/** A tab whose flow waits for the provider. */
async function waitingTab() {
  const one = tab();
  await settled();
  void one.connect.begin();
  await settled();
  expect(viewOf(one.connect, 'flow').flow.phase).toBe('waiting');
  return one;
}

beforeEach(() => {
  vi.useFakeTimers();
  relink = new FakeServer();
  shelf = storage();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a sign-in that goes well', () => {
  it('opens the provider, claims the return and ends in success', async () => {
    const { connect, opened } = tab();
    await settled();
    expect(viewOf(connect, 'ask').integration.name).toBe('github');

    void connect.begin();
    await settled();
    expect(opened).toEqual(['https://github.com/login/oauth/authorize?state=abc']);
    expect(relink.calls).toContainEqual({
      verb: 'create',
      body: { integration: 'github', format: 'oauth2', redirect: 'deep_link', fields: null },
    });

    relink.move({ phase: 'returned', authorize_url: null });
    await settled();
    expect(relink.count('claim')).toBe(1);
    expect(viewOf(connect, 'flow').flow.step).toBe('exchanging');

    relink.move(succeeded);
    await settled();
    expect(viewOf(connect, 'flow').flow.outcome?.account.name).toBe('Acme engineering');
  });

  it('goes on to where the link leads, once the success has been seen', async () => {
    const { left } = await waitingTab();
    relink.move({
      ...succeeded,
      outcome: { ...succeeded.outcome!, redirect_uri: 'https://app.example/done' },
    });
    await settled();
    expect(left).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(left).toEqual(['https://app.example/done']);
  });

  it('goes nowhere that is not https or this machine', async () => {
    const { left } = await waitingTab();
    relink.move({ ...succeeded, outcome: { ...succeeded.outcome!, redirect_uri: 'javascript:alert(1)' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(left).toEqual([]);
  });

  it('asks who it is when somebody else signed in, and sends the answer', async () => {
    const { connect } = await waitingTab();
    relink.move(question);
    await settled();
    void connect.answer('add');
    await settled();
    expect(relink.calls).toContainEqual({ verb: 'answer', body: { answer: 'add' } });
    expect(viewOf(connect, 'flow').flow.phase).toBe('working');
  });
});

describe('two tabs of one flow', () => {
  const loopback = { phase: 'waiting', redirect: 'loopback' } as const;

  it('both end in success, and only the one that was returned to goes on', async () => {
    relink.begins = () => loopback;
    const first = await waitingTab();
    relink.move({ phase: 'returned' });
    const second = tab('/connect-account/return?flow=flow-1');
    await settled();
    relink.move({
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

  it('finds the flow even when the first tab has finished it already', async () => {
    relink.begins = () => loopback;
    await waitingTab();
    relink.move(succeeded);
    await settled();
    const late = tab('/connect-account/return?flow=flow-1');
    await settled();
    expect(viewOf(late.connect, 'flow').flow.phase).toBe('succeeded');
  });

  it('sends a browser that did not begin the flow back', async () => {
    relink.begins = () => loopback;
    await waitingTab();
    shelf.clear();
    const stranger = tab('/connect-account/return?flow=flow-1');
    await settled();
    expect(stranger.connect.state.view.at).toBe('stray');
    expect(relink.count('claim')).toBe(0);
  });
});

describe('a link that opens nothing', () => {
  it.each(['link_token_unknown', 'link_token_used', 'link_token_expired', 'account_deleted'])(
    'is refused as %s',
    async (code) => {
      relink.session = refusal(404, code, 'No.');
      const { connect } = tab();
      await settled();
      expect(viewOf(connect, 'refused').error.code).toBe(code);
    },
  );

  it('is refused when it is used up between opening the page and continuing', async () => {
    const { connect } = tab();
    await settled();
    relink.begins = () => refusal(404, 'link_token_used', 'This link was used.');
    void connect.begin();
    await settled();
    expect(viewOf(connect, 'refused').error.code).toBe('link_token_used');
  });

  it('is missing from the address', async () => {
    const { connect } = tab('/connect-account');
    await settled();
    expect(viewOf(connect, 'refused').error.code).toBe('link_token_missing');
    expect(relink.calls).toEqual([]);
  });
});

describe('choosing', () => {
  beforeEach(() => {
    relink.session = connectSession;
  });

  it('goes forth and back between integrations, methods and forms', async () => {
    const { connect } = tab();
    await settled();
    expect(connect.state.view.at).toBe('integrations');
    connect.choose(connectSession.integrations[2]!);
    expect(connect.state.view.at).toBe('methods');
    connect.chooseMethod(connectSession.integrations[2]!, connectSession.integrations[2]!.methods[1]!);
    expect(connect.state.view.at).toBe('form');
    connect.back();
    expect(connect.state.view.at).toBe('methods');
    connect.back();
    expect(connect.state.view.at).toBe('integrations');
    expect(connect.previous).toBeNull();
  });

  it('is skipped for the integration that the address names, and no_back keeps it so', async () => {
    const free = tab('/connect-account?link_token=t&integration=github');
    const bound = tab('/connect-account?link_token=t&integration=github&no_back=true');
    await settled();
    expect(free.connect.state.view.at).toBe('ask');
    expect(free.connect.previous).not.toBeNull();
    expect(bound.connect.state.view.at).toBe('ask');
    expect(bound.connect.previous).toBeNull();
  });

  it('is narrowed by integrations=', async () => {
    const { connect } = tab('/connect-account?link_token=t&integrations=hubspot');
    await settled();
    expect(viewOf(connect, 'form').integration).toEqual(hubspot);
  });

  it('says so when the address names an integration that is not there', async () => {
    const { connect } = tab('/connect-account?link_token=t&integration=nosuch');
    await settled();
    expect(viewOf(connect, 'integrations').missing).toBe('nosuch');
  });

  it('stops at a method that is not ready, and goes on once it is', async () => {
    const [oauth] = github.methods;
    relink.session = {
      ...reauthorizeSession,
      integrations: [{ ...github, methods: [{ ...oauth!, not_ready: 'A client id is missing.' }] }],
    };
    const { connect } = tab();
    await settled();
    expect(viewOf(connect, 'not_ready').reason).toBe('A client id is missing.');
    relink.session = reauthorizeSession;
    void connect.start();
    await settled();
    expect(connect.state.view.at).toBe('ask');
  });
});

describe('a callback that does not get home', () => {
  it('offers the other ways after a minute', async () => {
    const { connect } = await waitingTab();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(viewOf(connect, 'flow').late).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(viewOf(connect, 'flow').late).toBe(true);
  });

  it('begins anew with the loopback redirect, and gives the first flow up', async () => {
    const { connect, opened } = await waitingTab();
    expect(viewOf(connect, 'flow').otherWay).toBe('loopback');
    void connect.useOtherWay();
    await settled();
    expect(relink.count('abandon')).toBe(1);
    expect(relink.flowIds).toHaveLength(1);
    expect(viewOf(connect, 'flow').flow.redirect).toBe('loopback');
    expect(opened).toHaveLength(2);
  });

  it('offers no other way where the running Relink has one only', async () => {
    relink.session = { ...reauthorizeSession, redirects: ['loopback'] };
    const { connect } = await waitingTab();
    expect(viewOf(connect, 'flow').flow.redirect).toBe('loopback');
    expect(viewOf(connect, 'flow').otherWay).toBeNull();
  });

  it('takes a pasted address; one that is refused changes nothing', async () => {
    const { connect } = await waitingTab();
    relink.pasted = () => refusal(400, 'state_unknown', 'That address belongs to another sign-in.');
    void connect.paste(' https://github.com/ ');
    await settled();
    expect(viewOf(connect, 'flow').error?.message).toBe('That address belongs to another sign-in.');
    expect(viewOf(connect, 'flow').flow.phase).toBe('waiting');

    relink.pasted = () => ({ phase: 'returned' });
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

describe('a provider address that is not safe', () => {
  it.each(['javascript:alert(1)', 'file:///etc/passwd', 'http://example.com/', 'https://me@example.com/'])(
    'is not opened: %s',
    async (authorize_url) => {
      relink.begins = () => ({ authorize_url });
      const { opened } = await waitingTab();
      expect(opened).toEqual([]);
    },
  );
});

describe('a key that is typed', () => {
  beforeEach(() => {
    relink.session = { ...reauthorizeSession, integrations: [hubspot] };
    relink.begins = () => ({ phase: 'working', step: 'checking', authorize_url: null, redirect: null });
  });

  it('is tried with the form still there, and refused at its field', async () => {
    const { connect } = tab();
    await settled();
    void connect.begin({ api_key: 'canary-secret' });
    await settled();
    expect(viewOf(connect, 'form').running?.step).toBe('checking');
    relink.move({ ...denied, error: { ...denied.error!, field: 'api_key' } });
    await settled();
    expect(viewOf(connect, 'form').running).toBeNull();
    expect(viewOf(connect, 'form').error?.field).toBe('api_key');
  });

  it('is sent, and kept nowhere', async () => {
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

describe('Relink stopped', () => {
  it('before the page has read its link: the page goes on by itself', async () => {
    relink.up = false;
    const { connect } = tab();
    await settled();
    expect(connect.state).toMatchObject({ unreachable: true, view: { at: 'loading' } });
    relink.up = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connect.state).toMatchObject({ unreachable: false, view: { at: 'ask' } });
  });

  it('when the person continues: the same click goes through later', async () => {
    const { connect, opened } = tab();
    await settled();
    relink.up = false;
    void connect.begin();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(connect.state).toMatchObject({ unreachable: true, busy: true, view: { at: 'ask' } });
    relink.up = true;
    await vi.advanceTimersByTimeAsync(8_000);
    expect(connect.state).toMatchObject({ unreachable: false, busy: false });
    expect(opened).toHaveLength(1);
  });

  it('while the page waits for the provider: it is followed again from where it was', async () => {
    const { connect } = await waitingTab();
    relink.up = false;
    relink.breakOff();
    await settled();
    expect(connect.state.unreachable).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connect.state.unreachable).toBe(true);
    relink.up = true;
    relink.move(succeeded);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(connect.state.unreachable).toBe(false);
    expect(viewOf(connect, 'flow').flow.phase).toBe('succeeded');
  });

  it('and no longer knows the flow: says so, and starts again', async () => {
    const { connect } = await waitingTab();
    relink.forgetFlows();
    await settled();
    expect(connect.state.view.at).toBe('lost');
    void connect.start();
    await settled();
    expect(connect.state.view.at).toBe('ask');
  });
});

describe('a flow that failed', () => {
  it('is tried again from where it began', async () => {
    const { connect } = await waitingTab();
    relink.move(denied);
    await settled();
    expect(viewOf(connect, 'flow').flow.error?.code).toBe('access_denied');
    connect.again();
    expect(connect.state.view.at).toBe('ask');
    void connect.begin();
    await settled();
    expect(viewOf(connect, 'flow').flow.phase).toBe('waiting');
  });

  it('could not begin: the words stand where the person was', async () => {
    const { connect } = tab();
    await settled();
    relink.begins = () => refusal(503, 'keychain_locked', 'Your keychain is locked.', { hint: 'Unlock it.' });
    void connect.begin();
    await settled();
    expect(viewOf(connect, 'ask').error).toMatchObject({ code: 'keychain_locked', hint: 'Unlock it.' });
    expect(connect.state.busy).toBe(false);
  });
});
