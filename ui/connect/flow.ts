import {
  Problem,
  isGone,
  isTransientError,
  type IdentityChoice,
  type ConnectApi,
  type Flow,
  type FlowKey,
  type Integration,
  type Method,
  type RedirectKind,
} from './api';
import { hasSecret } from './fields';
import { viewResult } from './opener';
import { mayClaim, type Browser, type Followed, type PageState } from './page-state';
import { FormResults } from './form/results';
import { PageTask } from './task';
import { LATE_AFTER_MS, LEAVE_AFTER_MS, POLL_PAUSE_MS, PROMPTING_AFTER_MS, pause } from './time';
import { openable, type Request } from './urls';
import { FORM_INTERRUPTED, NO_LINK, NOTHING_PASTED } from './texts';
import {
  canShowError,
  firstView,
  integrationView,
  isOver,
  isRefusal,
  isRunning,
  methodView,
  offered,
  previous,
  redirects,
  staysInForm,
  type View,
  withError,
} from './views';

/**
 * The connect UI’s state while one account is connected or reauthorized. It holds no secret that was typed longer than
 * the call that sends it. Every call is retried while Relink doesn’t respond.
 */
export class ConnectFlow {
  #state: PageState = {
    session: null,
    view: { at: 'loading' },
    busy: false,
    prompting: false,
    unreachable: false,
  };
  #chosen: { integration: Integration; method: Method } | null = null;
  #entered: Record<string, string> | null = null;
  #followed: Followed | null = null;
  /** The page’s token, or that of an invalid link. It is only here: nobody can read it in the address bar. */
  #token: string | null;

  /** What becomes of a form that this page shows. */
  readonly forms = new FormResults({
    followsSignIn: () => this.#followed !== null,
    onward: () => this.#onward,
    show: (view) => this.#set({ view }),
    report: (result) => this.#browser.report(result),
    leaveLater: (url) => void this.#task.run((signal) => this.#leave(url, signal)),
  });
  readonly #task = new PageTask(
    (problem) => this.#fail(problem),
    (unreachable) => this.#set({ unreachable }),
  );
  readonly #api: ConnectApi;
  readonly #browser: Browser;
  readonly #request: Request;
  readonly #changed: (state: PageState) => void;

  constructor(api: ConnectApi, browser: Browser, request: Request, changed: (state: PageState) => void) {
    this.#api = api;
    this.#browser = browser;
    this.#request = request;
    this.#changed = changed;
    this.#token = request.at === 'connect' ? request.linkToken : null;
  }

  get state(): PageState {
    return this.#state;
  }

  /** Loads the link’s session, or the flow that a provider returned to. */
  start(): Promise<void> {
    const request = this.#request;
    return this.#task.run(async (signal) => {
      this.#set({ view: { at: 'loading' }, busy: false });
      if (request.at === 'return') return this.#resume(request, signal);
      const { nonce } = request;
      if (this.#token === null && nonce !== null) {
        this.#token = await this.#task.callUntilResponse(signal, () => this.#api.exchange(nonce, signal));
      }
      const token = this.#token;
      if (request.at === 'form') return this.forms.open(token ?? request.accountToken, request.parameters);
      if (token === null) return this.#fail(new Problem(NO_LINK));
      const session = await this.#task.callUntilResponse(signal, () => this.#api.session(token, signal));
      this.#set({ session });
      if (session.purpose === 'post_connect_form') {
        return this.#set({ view: { at: 'rapid_form', token, signedIn: false } });
      }
      const chosen = this.#chosen;
      const same = offered(session, request).find(({ name }) => name === chosen?.integration.name);
      this.#go(same ? integrationView(same, request, chosen?.method) : firstView(session, request));
    });
  }

  stop(): void {
    this.#task.abort();
  }

  choose(integration: Integration): void {
    this.#go(integrationView(integration, this.#request));
  }

  chooseMethod(integration: Integration, method: Method): void {
    this.#go(methodView(integration, method));
  }

  /** The view that Back leads to, if any. */
  get previous(): View | null {
    return previous(this.#state.view, this.#state.session, this.#request);
  }

  back(): void {
    const view = this.previous;
    if (!view) return;
    this.#task.abort();
    this.#go(view);
  }

  /** Starts a flow with the chosen method: opens the provider’s page, or tests the entered values. */
  begin(fields: Record<string, string> | null = null, redirect?: RedirectKind): Promise<void> {
    const { session, busy, view } = this.#state;
    const chosen = this.#chosen;
    const token = this.#token;
    if (busy || !chosen || !session || token === null) return Promise.resolve();
    const { integration, method } = chosen;
    this.#entered = hasSecret(method) ? null : fields;
    const flow = {
      integration: integration.name,
      format: method.format,
      redirect: redirect ?? redirects(method, session)[0] ?? null,
      fields,
      skip_rapid_form: this.#request.at === 'connect' && this.#request.skipForm,
    };
    return this.#task.run(async (signal) => {
      this.#set({ busy: true, view: withError(view, null) });
      const create = () => this.#task.callUntilResponse(signal, () => this.#api.create(token, flow, signal));
      const created = await this.#showPromptIfSlow(signal, create);
      this.#set({ busy: false });
      const look = { color: integration.color, logo: integration.logo };
      const { key, ...begun } = created;
      this.#browser.keys.save(begun.id, { key, ...look });
      const address = openable(begun.authorize_url);
      if (address) this.#browser.open(address);
      // A loopback redirect ends in its own tab, which then goes to the link’s redirect URI.
      const redirectsHere = begun.redirect !== 'loopback';
      const followed = { key: { id: begun.id, key }, returnKey: null, look, latest: begun, redirectsHere };
      await this.#follow(followed, signal);
    });
  }

  /** Starts over with the other redirect type. A late callback of the first attempt is ignored. */
  useOtherRedirect(): Promise<void> {
    const { view } = this.#state;
    if (view.at !== 'flow' || !view.otherRedirect) return Promise.resolve();
    this.#abandon();
    return this.begin(this.#entered, view.otherRedirect);
  }

  /** Abandons the flow and returns to where it started. */
  startOver(): void {
    this.#abandon();
    this.retry();
  }

  /** After a failure: tries the same integration again. */
  retry(): void {
    if (this.#chosen) this.chooseMethod(this.#chosen.integration, this.#chosen.method);
    else void this.start();
  }

  answer(answer: IdentityChoice): Promise<void> {
    return this.#send((key, signal) => this.#api.answer(key, answer, signal));
  }

  /** Takes the URL where the person ended up, if the redirect didn’t arrive. */
  async paste(text: string): Promise<void> {
    const url = text.trim();
    if (url === '') return this.#fail(new Problem(NOTHING_PASTED));
    await this.#send(async (key, signal) => {
      const flow = await this.#api.callback(key, url, signal);
      if (this.#followed) this.#followed.redirectsHere = true;
      return flow;
    });
  }

  /** Continues a flow on the page that the provider returned to, or in the window of the app that asks. */
  async #resume(request: Extract<Request, { at: 'return' }>, signal: AbortSignal): Promise<void> {
    const { flowId: id, returnKey, flowKey } = request;
    if (id === null) return this.#set({ view: { at: 'wrong_browser' } });
    const stored = this.#browser.keys.find(id);
    const key = flowKey ?? stored?.key;
    if (key !== undefined) {
      const look = { color: stored?.color ?? null, logo: stored?.logo ?? null };
      const get = () => this.#api.flow({ id, key }, 0, signal);
      const latest = await this.#task.callUntilResponse(signal, get, isTransientError);
      return this.#follow({ key: { id, key }, returnKey, look, latest, redirectsHere: true }, signal);
    }
    if (returnKey === null) return this.#set({ view: { at: 'wrong_browser' } });
    const get = () => this.#api.returned(id, returnKey, signal);
    const returned = await this.#task.callUntilResponse(signal, get, isTransientError);
    this.#set({ view: { at: 'confirm', id, returned, returnKey, error: null } });
  }

  /** The person confirms for whom they signed in, or discards it. Once confirmed, the key of the return follows the flow. */
  decide(isConfirmed: boolean): Promise<void> {
    const { view, busy } = this.#state;
    if (busy || view.at !== 'confirm') return Promise.resolve();
    const { id, returned, returnKey } = view;
    return this.#task.run(async (signal) => {
      this.#set({ busy: true, view: withError(view, null) });
      if (!isConfirmed) {
        await this.#task.callUntilResponse(signal, () => this.#api.decline(id, returnKey, signal));
        return this.#set({ busy: false, view: { at: 'declined' } });
      }
      const latest = await this.#task.callUntilResponse(signal, () =>
        this.#api.confirm(id, returnKey, signal),
      );
      this.#set({ busy: false });
      const look = { color: returned.color, logo: returned.logo };
      const key = { id, key: returnKey };
      await this.#follow({ key, returnKey: null, look, latest, redirectsHere: false }, signal);
    });
  }

  async #follow(followed: Followed, signal: AbortSignal): Promise<void> {
    this.#followed = followed;
    this.#show(followed.latest);
    void this.#markLate(signal);
    try {
      await this.#watch(followed, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof Problem)) throw error;
      return this.#showInterrupted();
    }
    this.#browser.keys.ended(followed.key.id);
    const onward = this.#onward;
    if (!onward) return;
    await this.#leave(onward, signal);
  }

  /** Where this page goes after its sign-in. */
  get #onward(): string | null {
    const followed = this.#followed;
    return followed?.redirectsHere ? openable(followed.latest.outcome?.redirect_uri) : null;
  }

  #leave(url: string, signal: AbortSignal): Promise<void> {
    return pause(LEAVE_AFTER_MS, signal).then(() => this.#browser.leave(url));
  }

  /** Shows each change of the flow until it ends. */
  async #watch(followed: Followed, signal: AbortSignal): Promise<void> {
    while (!isOver(followed.latest)) {
      const { latest, key } = followed;
      const poll = () =>
        latest.phase === 'returned' && mayClaim(followed)
          ? this.#api.claim(key, followed.returnKey, signal)
          : this.#api.flow(key, latest.version, signal);
      const next = await this.#task.callUntilResponse(signal, poll, isTransientError);
      if (next.version > followed.latest.version) this.#show(next);
      else if (followed.latest === latest) await pause(POLL_PAUSE_MS, signal);
    }
  }

  /** Sends the person’s input for the current flow. */
  async #send(call: (key: FlowKey, signal: AbortSignal) => Promise<Flow>): Promise<void> {
    const followed = this.#followed;
    const { view } = this.#state;
    if (!followed || view.at !== 'flow' || this.#state.busy) return;
    const { signal } = this.#task;
    this.#set({ busy: true, view: withError(view, null) });
    await this.#task.handleProblems(signal, async () => {
      const flow = await this.#task.callUntilResponse(signal, () => call(followed.key, signal));
      if (flow.version > followed.latest.version) this.#show(flow);
    });
    if (!signal.aborted) this.#set({ busy: false });
  }

  #abandon(): void {
    const followed = this.#followed;
    this.#task.abort();
    this.#followed = null;
    if (!followed) return;
    this.#browser.keys.forget(followed.key.id);
    // Best effort: an abandoned flow expires anyway.
    this.#api.abandon(followed.key, new AbortController().signal).catch(() => {});
  }

  #show(flow: Flow): void {
    const followed = this.#followed;
    if (!followed) return;
    const before = this.#state.view;
    followed.latest = flow;
    if (before.at === 'form' && staysInForm(flow)) {
      this.#set({ view: { ...before, running: isRunning(flow) ? flow : null, error: flow.error } });
      return;
    }
    const token = flow.outcome?.form_token;
    if (token) {
      // Another page may submit it, so that this one goes on following the flow.
      if (before.at !== 'rapid_form') this.#set({ view: { at: 'rapid_form', token, signedIn: true } });
      return;
    }
    const late = before.at === 'flow' && before.late && flow.phase === 'waiting';
    this.#set({
      view: {
        at: 'flow',
        flow,
        look: followed.look,
        elsewhere: flow.phase === 'returned' && !mayClaim(followed),
        late,
        otherRedirect: this.#otherRedirect(flow),
        error: null,
      },
    });
  }

  #otherRedirect(flow: Flow): RedirectKind | null {
    const { session } = this.#state;
    if (!session || !this.#chosen || !flow.redirect) return null;
    return redirects(this.#chosen.method, session).find((kind) => kind !== flow.redirect) ?? null;
  }

  /** Before a flow starts, it can only wait for the keychain. After a while the page says so. */
  async #showPromptIfSlow<T>(signal: AbortSignal, begin: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const waiting = AbortSignal.any([signal, done.signal]);
    void this.#task.handleProblems(waiting, async () => {
      await pause(PROMPTING_AFTER_MS, waiting);
      this.#set({ prompting: true });
    });
    try {
      return await begin();
    } finally {
      done.abort();
      this.#set({ prompting: false });
    }
  }

  async #markLate(signal: AbortSignal): Promise<void> {
    await this.#task.handleProblems(signal, async () => {
      await pause(LATE_AFTER_MS, signal);
      const { view } = this.#state;
      if (view.at === 'flow' && view.flow.phase === 'waiting') this.#set({ view: { ...view, late: true } });
    });
  }

  #go(view: View): void {
    if (view.at === 'authorize' || view.at === 'form' || view.at === 'not_ready') {
      this.#chosen = { integration: view.integration, method: view.method };
    }
    this.#followed = null;
    this.#set({ view, busy: false, unreachable: false });
  }

  #fail(problem: Problem): void {
    const { view, session } = this.#state;
    const { code, title, message, hint, field } = problem;
    const error = { code, title, message, hint, field };
    this.#set({ busy: false });
    if (this.#request.at === 'form') this.forms.refused(error, null);
    else if (isRefusal(code)) this.#set({ view: { at: 'invalid_link', error } });
    else if (this.#followed && isGone(problem)) this.#showInterrupted();
    else if (view.at === 'flow' && !this.#followed && this.#chosen) {
      const { integration, method } = this.#chosen;
      this.#go(withError(methodView(integration, method), error));
    } else if (canShowError(view)) this.#set({ view: withError(view, error) });
    else if (session === null && this.#request.at === 'return') this.#set({ view: { at: 'wrong_browser' } });
    else this.#set({ view: { at: 'invalid_link', error } });
  }

  #showInterrupted(): void {
    if (this.#followed) this.#browser.keys.forget(this.#followed.key.id);
    const wasConnected = this.#state.view.at === 'rapid_form';
    this.#followed = null;
    this.#task.abort();
    if (wasConnected) this.forms.refused(new Problem(FORM_INTERRUPTED), null);
    else this.#set({ view: { at: 'interrupted' } });
  }

  #set(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    this.#changed(this.#state);
    const result = change.view && viewResult(change.view, this.#state.session);
    if (result) this.#browser.report(result);
  }
}
