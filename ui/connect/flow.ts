import {
  Problem,
  isPassing,
  isUnreachable,
  type Answer,
  type ConnectApi,
  type Flow,
  type FlowKey,
  type Integration,
  type Method,
  type Redirect,
  type Session,
} from './api';
import type { FlowKeys } from './flow-keys';
import { pause, backoff } from './time';
import { openable, type Request } from './urls';
import { NO_LINK, NOTHING_PASTED } from './texts';
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
  withError,
} from './views';
import type { Look, View } from './views';

/** How long the page waits for a callback before it offers another way. */
const LATE_AFTER_MS = 60_000;
/** How long a flow may take to begin before the person is told what it waits for. */
const PROMPTING_AFTER_MS = 3_000;
/** How long the success stays before the page goes where the link says. */
const LEAVE_AFTER_MS = 2_000;
/** Between two long polls that bring nothing new, should the server not hold them. */
const POLL_PAUSE_MS = 250;

export interface PageState {
  session: Session | null;
  view: View;
  /** What the person asked for is under way. */
  busy: boolean;
  /** The keychain seems to ask its person something. */
  prompting: boolean;
  /** Relink doesn't answer; what was under way is tried again until it does. */
  unreachable: boolean;
}

/** The browser, as far as the flow touches it. */
export interface Browser {
  keys: FlowKeys;
  /** Opens the provider's page in a new tab. */
  open(url: string): void;
  /** Leaves this page. */
  leave(url: string): void;
}

/** The flow that this page follows to its end. */
interface Followed {
  key: FlowKey;
  look: Look;
  latest: Flow;
  /** The person ends in this tab, so it is the one that goes on to where the link leads. */
  leavesHere: boolean;
}

/**
 * The connect UI's state: one person's way through connecting or reauthorizing one account. It holds no typed
 * value longer than the call that sends it, and every call is tried again while Relink doesn't answer.
 */
export class ConnectFlow {
  #state: PageState = {
    session: null,
    view: { at: 'loading' },
    busy: false,
    prompting: false,
    unreachable: false,
  };
  #task = new AbortController();
  #chosen: { integration: Integration; method: Method } | null = null;
  #followed: Followed | null = null;

  readonly #api: ConnectApi;
  readonly #browser: Browser;
  readonly #request: Request;
  readonly #changed: (state: PageState) => void;

  constructor(api: ConnectApi, browser: Browser, request: Request, changed: (state: PageState) => void) {
    this.#api = api;
    this.#browser = browser;
    this.#request = request;
    this.#changed = changed;
  }

  get state(): PageState {
    return this.#state;
  }

  /** Reads the link, or the flow that a provider returned to. */
  start(): Promise<void> {
    const request = this.#request;
    return this.#run(async (signal) => {
      this.#set({ view: { at: 'loading' }, busy: false });
      if (request.at === 'return') return this.#resume(request.flowId, signal);
      if (request.linkToken === null) return this.#fail(new Problem(NO_LINK));
      const { linkToken } = request;
      const session = await this.#insist(signal, () => this.#api.session(linkToken, signal));
      this.#set({ session });
      const before = this.#chosen?.integration.name;
      const same = offered(session, request).find(({ name }) => name === before);
      this.#go(same ? integrationView(same) : firstView(session, request));
    });
  }

  stop(): void {
    this.#task.abort();
  }

  choose(integration: Integration): void {
    this.#go(integrationView(integration));
  }

  chooseMethod(integration: Integration, method: Method): void {
    this.#go(methodView(integration, method));
  }

  /** Where Back leads, if anywhere. */
  get previous(): View | null {
    return previous(this.#state.view, this.#state.session, this.#request);
  }

  back(): void {
    const view = this.previous;
    if (!view) return;
    this.#task.abort();
    this.#go(view);
  }

  /** Begins a flow with what was chosen: opens the provider's page, or tries what was typed. */
  begin(fields: Record<string, string> | null = null, redirect?: Redirect): Promise<void> {
    const { session, busy, view } = this.#state;
    const chosen = this.#chosen;
    const request = this.#request;
    if (busy || !chosen || !session || request.at !== 'connect' || request.linkToken === null) {
      return Promise.resolve();
    }
    const { linkToken } = request;
    const { integration, method } = chosen;
    const flow = {
      integration: integration.name,
      format: method.format,
      redirect: redirect ?? redirects(method, session)[0] ?? null,
      fields,
    };
    return this.#run(async (signal) => {
      this.#set({ busy: true, view: withError(view, null) });
      const create = () => this.#insist(signal, () => this.#api.create(linkToken, flow, signal));
      const created = await this.#naming(signal, create);
      this.#set({ busy: false });
      const look = { color: integration.color, logo: integration.logo };
      const { key, ...begun } = created;
      this.#browser.keys.keep(begun.id, { key, ...look });
      const address = openable(begun.authorize_url);
      if (address) this.#browser.open(address);
      // A loopback redirect ends in a tab of its own: that one goes on to where the link leads.
      const leavesHere = begun.redirect !== 'loopback';
      await this.#follow({ key: { id: begun.id, key }, look, latest: begun, leavesHere }, signal);
    });
  }

  /** Tries again with the other redirect; the callback of the first try then finds nobody waiting. */
  useOtherWay(): Promise<void> {
    const { view } = this.#state;
    if (view.at !== 'flow' || !view.otherWay) return Promise.resolve();
    this.#abandon();
    return this.begin(null, view.otherWay);
  }

  /** Gives the flow up and goes back to where it began. */
  startOver(): void {
    this.#abandon();
    this.again();
  }

  /** After a failure: the same integration once more. */
  again(): void {
    if (this.#chosen) this.chooseMethod(this.#chosen.integration, this.#chosen.method);
    else void this.start();
  }

  answer(answer: Answer): Promise<void> {
    return this.#tell((key, signal) => this.#api.answer(key, answer, signal));
  }

  /** Takes the address at which the person ended, where no redirect got home. */
  async paste(address: string): Promise<void> {
    const url = address.trim();
    if (url === '') return this.#fail(new Problem(NOTHING_PASTED));
    await this.#tell(async (key, signal) => {
      const flow = await this.#api.callback(key, url, signal);
      if (this.#followed) this.#followed.leavesHere = true;
      return flow;
    });
  }

  async #resume(flowId: string | null, signal: AbortSignal): Promise<void> {
    const kept = flowId === null ? null : this.#browser.keys.find(flowId);
    if (flowId === null || !kept) return this.#set({ view: { at: 'stray' } });
    const key = { id: flowId, key: kept.key };
    const latest = await this.#insist(signal, () => this.#api.flow(key, 0, signal), isPassing);
    const look = { color: kept.color, logo: kept.logo };
    await this.#follow({ key, look, latest, leavesHere: true }, signal);
  }

  async #follow(followed: Followed, signal: AbortSignal): Promise<void> {
    this.#followed = followed;
    this.#show(followed.latest);
    void this.#becomeLate(signal);
    try {
      await this.#watch(followed, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof Problem)) throw error;
      return this.#lose();
    }
    this.#browser.keys.ended(followed.key.id);
    const onward = openable(followed.latest.outcome?.redirect_uri);
    if (!onward || !followed.leavesHere) return;
    await pause(LEAVE_AFTER_MS, signal);
    this.#browser.leave(onward);
  }

  /** Shows the flow as it moves, until it is over. */
  async #watch(followed: Followed, signal: AbortSignal): Promise<void> {
    while (!isOver(followed.latest)) {
      const { latest, key } = followed;
      // Whichever tab sees the return first completes the flow; the other is told how it stands.
      const ask = () =>
        latest.phase === 'returned'
          ? this.#api.claim(key, signal)
          : this.#api.flow(key, latest.version, signal);
      const next = await this.#insist(signal, ask, isPassing);
      if (next.version > followed.latest.version) this.#show(next);
      else if (followed.latest === latest) await pause(POLL_PAUSE_MS, signal);
    }
  }

  /** Sends what the person said about the flow that is being followed. */
  async #tell(call: (key: FlowKey, signal: AbortSignal) => Promise<Flow>): Promise<void> {
    const followed = this.#followed;
    const { view } = this.#state;
    if (!followed || view.at !== 'flow' || this.#state.busy) return;
    const { signal } = this.#task;
    this.#set({ busy: true, view: withError(view, null) });
    await this.#guard(signal, async () => {
      const flow = await this.#insist(signal, () => call(followed.key, signal));
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
    // Only a courtesy: an unattended flow ends by itself.
    this.#api.abandon(followed.key, new AbortController().signal).catch(() => {});
  }

  #show(flow: Flow): void {
    const followed = this.#followed;
    if (!followed) return;
    const before = this.#state.view;
    followed.latest = flow;
    if (before.at === 'form' && (isRunning(flow) || flow.phase === 'failed')) {
      const { integration, method } = before;
      const running = isRunning(flow) ? flow : null;
      this.#set({ view: { at: 'form', integration, method, running, error: flow.error } });
      return;
    }
    const late = before.at === 'flow' && before.late && flow.phase === 'waiting';
    this.#set({
      view: { at: 'flow', flow, look: followed.look, late, otherWay: this.#otherWay(flow), error: null },
    });
  }

  #otherWay(flow: Flow): Redirect | null {
    const { session } = this.#state;
    if (!session || !this.#chosen || !flow.redirect) return null;
    return redirects(this.#chosen.method, session).find((kind) => kind !== flow.redirect) ?? null;
  }

  /** A flow waits for nothing but the keychain before it begins, so whoever sees no prompt is told to look for it. */
  async #naming<T>(signal: AbortSignal, begin: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const waiting = AbortSignal.any([signal, done.signal]);
    void this.#guard(waiting, async () => {
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

  async #becomeLate(signal: AbortSignal): Promise<void> {
    await this.#guard(signal, async () => {
      await pause(LATE_AFTER_MS, signal);
      const { view } = this.#state;
      if (view.at === 'flow' && view.flow.phase === 'waiting') this.#set({ view: { ...view, late: true } });
    });
  }

  #go(view: View): void {
    if (view.at === 'ask' || view.at === 'form' || view.at === 'not_ready') {
      this.#chosen = { integration: view.integration, method: view.method };
    }
    this.#followed = null;
    this.#set({ view, busy: false, unreachable: false });
  }

  /** Only one task drives the page; a new one ends the one before. */
  #run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#task.abort();
    this.#task = new AbortController();
    const { signal } = this.#task;
    return this.#guard(signal, () => work(signal));
  }

  async #guard(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.#fail(error);
    }
  }

  /** Calls until Relink answers. */
  async #insist<T>(
    signal: AbortSignal,
    call: () => Promise<T>,
    passes: (error: unknown) => boolean = isUnreachable,
  ): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await call();
        this.#set({ unreachable: false });
        return answer;
      } catch (error) {
        if (signal.aborted) throw error;
        // One poll that broke off says nothing yet: the machine may just have woken up.
        const telling = passes === isUnreachable || tries > 0;
        this.#set({ unreachable: telling && isUnreachable(error) });
        if (!passes(error)) throw error;
        await pause(backoff(tries), signal);
      }
    }
  }

  #fail(problem: Problem): void {
    const { view, session } = this.#state;
    const { code, title, message, hint, field } = problem;
    const error = { code, title, message, hint, field };
    this.#set({ busy: false });
    if (isRefusal(code)) this.#set({ view: { at: 'refused', error } });
    else if (this.#followed && GONE.has(problem.status)) this.#lose();
    else if (view.at === 'flow' && !this.#followed && this.#chosen) {
      const { integration, method } = this.#chosen;
      this.#go(withError(methodView(integration, method), error));
    } else if (canShowError(view)) this.#set({ view: withError(view, error) });
    else if (session === null && this.#request.at === 'return') this.#set({ view: { at: 'stray' } });
    else this.#set({ view: { at: 'refused', error } });
  }

  #lose(): void {
    if (this.#followed) this.#browser.keys.forget(this.#followed.key.id);
    this.#followed = null;
    this.#task.abort();
    this.#set({ view: { at: 'lost' } });
  }

  #set(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    this.#changed(this.#state);
  }
}

/** Answers that mean that the flow, or its key, isn't known any more. */
const GONE = new Set([401, 403, 404, 410]);
