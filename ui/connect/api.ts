/**
 * The connect UI's HTTP API, as the page sees it. This file and the borders of the browser are the only places
 * that know about fetch; nothing in here is logged or kept.
 */

import type {
  AuthenticationMethod,
  CreatedFlow,
  Flow,
  IdentityChoice,
  NewFlow,
  Session as WireSession,
  SessionIntegration,
  SessionMethod,
} from './types';

export type {
  CreatedFlow,
  FieldSpec,
  Flow,
  FlowError,
  FlowOutcome,
  FlowPhase,
  FlowStep,
  IdentityChoice,
  NewFlow,
  RedirectKind,
  SessionAccount,
  SessionScope,
} from './types';

/** OAuth, of which the server always names the host. */
export type OAuthMethod = Pick<SessionMethod, 'scopes' | 'redirects' | 'not_ready'> & {
  format: 'oauth2';
  host: string;
};

/** A form. */
export type FieldsMethod = Pick<SessionMethod, 'fields' | 'documentation_link' | 'is_tried' | 'not_ready'> & {
  format: Exclude<AuthenticationMethod, 'oauth2'>;
};

/** A way to sign in. */
export type Method = OAuthMethod | FieldsMethod;

export type Integration = Omit<SessionIntegration, 'methods'> & { methods: Method[] };

/** What a link token lets this page do. */
export type Session = Omit<WireSession, 'integrations'> & { integrations: Integration[] };

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

  answer(flow: FlowKey, answer: IdentityChoice, signal: AbortSignal): Promise<Flow> {
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
