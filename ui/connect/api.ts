/**
 * The connect UI's HTTP API, as the page sees it. This file and the borders of the browser are the only places
 * that know about fetch; nothing in here is logged or kept.
 */

export type Redirect = 'deep_link' | 'loopback';

export interface Scope {
  name: string;
  description: string | null;
}

/** One input of a form that an integration asks for. */
export interface FieldSpec {
  name: string;
  label: string;
  type: 'text' | 'password' | 'single_select';
  required: boolean;
  default: string | null;
  placeholder: string | null;
  help_text: string | null;
  pattern: string | null;
  options: { label: string; value: string }[];
}

export interface OAuthMethod {
  format: 'oauth2';
  host: string;
  scopes: Scope[];
  redirects: Redirect[];
  not_ready: string | null;
}

export interface FieldsMethod {
  format: 'api_key' | 'oauth2_client_credentials';
  fields: FieldSpec[];
  documentation_link: string | null;
  /** Whether what is typed is tried with the provider before it is kept. */
  is_tried: boolean;
  not_ready: string | null;
}

/** A way to authenticate with an integration. */
export type Method = OAuthMethod | FieldsMethod;

export interface Integration {
  name: string;
  label: string;
  category: string;
  logo: string | null;
  color: string | null;
  methods: Method[];
}

export interface Account {
  id: string;
  name: string;
  identity: string | null;
}

/** What a link token lets this page do. */
export interface Session {
  purpose: 'connect' | 'reauthorize';
  tenant_id: string;
  account: Account | null;
  integrations: Integration[];
  /** The kinds of redirect that the running Relink can take, best first. */
  redirects: Redirect[];
  expires_at: string;
}

export type Phase = 'waiting' | 'returned' | 'working' | 'question' | 'succeeded' | 'failed';
export type Step = 'exchanging' | 'checking' | 'saving';
export type Answer = 'keep' | 'replace' | 'add';

export interface FlowError {
  code: string;
  title: string;
  message: string;
  hint: string | null;
  error_type: string;
  /** The form field that the error is about. */
  field: string | null;
}

export interface Outcome {
  account: Account;
  reauthorized: boolean;
  kept_old: boolean;
  redirect_uri: string | null;
}

/** One try at connecting an account. */
export interface Flow {
  id: string;
  version: number;
  integration: string;
  integration_label: string;
  phase: Phase;
  authorize_url: string | null;
  redirect: Redirect | null;
  redirect_uri: string | null;
  step: Step | null;
  question: { expected: string; actual: string } | null;
  outcome: Outcome | null;
  error: FlowError | null;
}

/** The flow's key is told once, to the page that began it. */
export type CreatedFlow = Flow & { key: string };

export interface NewFlow {
  integration: string;
  format: Method['format'];
  redirect: Redirect | null;
  fields: Record<string, string> | null;
}

/** The body of every answer that isn't a success. */
interface ErrorBody {
  statusCode: number;
  message: string;
  code: string;
  title?: string | null;
  hint?: string | null;
  field?: string | null;
}

/** Relink answered, and refused. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly title: string | null;
  readonly hint: string | null;
  readonly field: string | null;

  constructor(body: ErrorBody) {
    super(body.message);
    this.status = body.statusCode;
    this.code = body.code;
    this.title = body.title ?? null;
    this.hint = body.hint ?? null;
    this.field = body.field ?? null;
  }
}

/** Relink didn't answer at all: stopped, restarting or asleep. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof Unreachable;
}

/** While a flow is being watched, a server that stumbles is asked again. */
export function isPassing(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof Problem && (error.status >= 500 || error.status === 429));
}

/** The flow's id and the key that opens it. */
export interface FlowKey {
  id: string;
  key: string;
}

/** Longer than the server holds a long poll (25 s), so that only a dead connection ends it. */
const ANSWER_DEADLINE_MS = 40_000;
/** Longer than the server waits for a person to answer the keychain's prompt (120 s): a flow that is asked for twice would
 * be begun twice. */
const BEGIN_DEADLINE_MS = 150_000;

type Fetch = typeof fetch;

/** The routes of `/connect-account`, typed. */
export class ConnectApi {
  readonly #fetch: Fetch;
  readonly #base: string;

  constructor(base = '/connect-account', fetchLike: Fetch = (input, init) => fetch(input, init)) {
    this.#base = base;
    this.#fetch = fetchLike;
  }

  session(linkToken: string, signal: AbortSignal): Promise<Session> {
    return this.#call('GET', '/session', signal, { 'X-Relink-Link-Token': linkToken });
  }

  create(linkToken: string, flow: NewFlow, signal: AbortSignal): Promise<CreatedFlow> {
    return this.#call(
      'POST',
      '/flows',
      signal,
      { 'X-Relink-Link-Token': linkToken },
      flow,
      BEGIN_DEADLINE_MS,
    );
  }

  /** Answers once the flow is newer than `after`, or after a while with what there is. */
  flow({ id, key }: FlowKey, after: number, signal: AbortSignal): Promise<Flow> {
    const query = `?after=${after}`;
    return this.#call('GET', `/flows/${encodeURIComponent(id)}${query}`, signal, flowHeader(key));
  }

  claim(flow: FlowKey, signal: AbortSignal): Promise<Flow> {
    return this.#verb(flow, 'claim', {}, signal);
  }

  answer(flow: FlowKey, answer: Answer, signal: AbortSignal): Promise<Flow> {
    return this.#verb(flow, 'answer', { answer }, signal);
  }

  callback(flow: FlowKey, url: string, signal: AbortSignal): Promise<Flow> {
    return this.#verb(flow, 'callback', { url }, signal);
  }

  async abandon({ id, key }: FlowKey, signal: AbortSignal): Promise<void> {
    await this.#call('DELETE', `/flows/${encodeURIComponent(id)}`, signal, flowHeader(key));
  }

  #verb({ id, key }: FlowKey, verb: string, body: object, signal: AbortSignal): Promise<Flow> {
    return this.#call('POST', `/flows/${encodeURIComponent(id)}/${verb}`, signal, flowHeader(key), body);
  }

  async #call<T>(
    method: string,
    path: string,
    signal: AbortSignal,
    headers: Record<string, string>,
    body?: object,
    deadline = ANSWER_DEADLINE_MS,
  ): Promise<T> {
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(this.#base + path, {
        method,
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadline)]),
        headers: body ? { ...headers, 'Content-Type': 'application/json' } : headers,
        body: body ? JSON.stringify(body) : null,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
      });
      text = await response.text();
    } catch {
      signal.throwIfAborted();
      throw new Unreachable();
    }
    const answer = parsed(text);
    if (!response.ok) throw new Problem(asError(response.status, answer));
    if (answer === undefined && response.status !== 204) throw new Unreachable();
    return answer as T;
  }
}

function flowHeader(key: string): Record<string, string> {
  return { 'X-Relink-Flow-Key': key };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An answer that isn't one of ours (another program took the port) still becomes a problem with words. */
function asError(status: number, answer: unknown): ErrorBody {
  const body: Partial<ErrorBody> = typeof answer === 'object' && answer !== null ? answer : {};
  return {
    statusCode: status,
    message: body.message ?? `Relink answered with status ${status} and no reason.`,
    code: body.code ?? 'unexplained',
    title: body.title ?? null,
    hint: body.hint ?? null,
    field: body.field ?? null,
  };
}
