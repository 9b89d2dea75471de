/**
 * A typed client of the connect UI's HTTP API. It logs and stores nothing.
 */

import type {
  AuthenticationMethod,
  CreatedFlow,
  FilledForm,
  Flow,
  FormOptions,
  FormSession,
  IdentityChoice,
  NewFlow,
  OptionsRequest,
  PageToken,
  ReturnedSignIn,
  Session as WireSession,
  SessionIntegration,
  SessionMethod,
  SubmittedForm,
} from './types';

export type {
  CreatedFlow,
  FieldSpec,
  Flow,
  FlowError,
  FlowErrorType,
  FlowOutcome,
  FlowPhase,
  FlowStep,
  FormField,
  FormOption,
  FormSession,
  IdentityChoice,
  NewFlow,
  RedirectKind,
  ReturnedSignIn,
  SessionAccount,
  SessionScope,
  SubmittedForm,
} from './types';

/** OAuth. The server always sends the provider's host. */
export type OAuthMethod = Pick<
  SessionMethod,
  'scopes' | 'redirects' | 'not_ready' | 'fields' | 'documentation_link'
> & {
  format: 'oauth2';
  host: string;
};

/** Credentials that are entered into a form. */
export type FieldsMethod = Pick<
  SessionMethod,
  'fields' | 'documentation_link' | 'permissions_text' | 'is_tried' | 'not_ready'
> & {
  format: Exclude<AuthenticationMethod, 'oauth2'>;
};

/** An authentication method. */
export type Method = OAuthMethod | FieldsMethod;

export type Integration = Omit<SessionIntegration, 'methods'> & { methods: Method[] };

/** What the link token permits. */
export type Session = Omit<WireSession, 'integrations'> & { integrations: Integration[] };

/** The body of every error response. */
interface ErrorBody {
  statusCode: number;
  message: string;
  code: string;
  title?: string | null;
  hint?: string | null;
  field?: string | null;
}

/** An error response of Relink. */
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

/** Relink didn't respond: it is stopped or restarting, or the machine was asleep. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof Unreachable;
}

/** Errors after which a poll of a flow is repeated. */
export function isTransientError(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof Problem && (error.status >= 500 || error.status === 429));
}

/** Whether Relink no longer knows what was asked for, or its key. */
export function isGone({ status }: Problem): boolean {
  return [401, 403, 404, 410].includes(status);
}

/** A flow's ID and the key that authorizes its calls. */
export interface FlowKey {
  id: string;
  key: string;
}

/** Longer than a long poll lasts (25 s), so that only a dead connection times out. */
const RESPONSE_TIMEOUT_MS = 40_000;
/** Longer than the server waits for the keychain's prompt (120 s). A retry would begin a second flow. */
const BEGIN_TIMEOUT_MS = 150_000;
/** Longer than the server follows a provider’s list (120 s). */
const OPTIONS_TIMEOUT_MS = 150_000;

type Fetch = typeof fetch;

/** The routes of `/connect-account`, typed. */
export class ConnectApi {
  readonly #fetch: Fetch;
  readonly #base: string;

  constructor(base = '/connect-account', fetchLike: Fetch = (input, init) => fetch(input, init)) {
    this.#base = base;
    this.#fetch = fetchLike;
  }

  /** Exchanges the nonce of this page’s URL for the page’s token. */
  async exchange(nonce: string, signal: AbortSignal): Promise<string> {
    const { page_token } = await this.#call<PageToken>('POST', '/open', signal, {}, { nonce });
    return page_token;
  }

  session(linkToken: string, signal: AbortSignal): Promise<Session> {
    return this.#call('GET', '/session', signal, { 'X-Relink-Link-Token': linkToken });
  }

  create(linkToken: string, flow: NewFlow, signal: AbortSignal): Promise<CreatedFlow> {
    return this.#call('POST', '/flows', signal, { 'X-Relink-Link-Token': linkToken }, flow, BEGIN_TIMEOUT_MS);
  }

  /** Resolves once the flow's version is greater than `after`, or after a while with its current state. */
  flow({ id, key }: FlowKey, after: number, signal: AbortSignal): Promise<Flow> {
    const query = `?after=${after}`;
    return this.#call('GET', `/flows/${encodeURIComponent(id)}${query}`, signal, flowHeader(key));
  }

  claim({ id, key }: FlowKey, returnKey: string | null, signal: AbortSignal): Promise<Flow> {
    const headers = returnKey === null ? flowHeader(key) : { ...flowHeader(key), ...returnHeader(returnKey) };
    return this.#call('POST', `/flows/${encodeURIComponent(id)}/claim`, signal, headers, {});
  }

  /** What to confirm, on the page that the provider returned to. */
  returned(id: string, returnKey: string, signal: AbortSignal): Promise<ReturnedSignIn> {
    return this.#call('GET', `/flows/${encodeURIComponent(id)}/return`, signal, returnHeader(returnKey));
  }

  confirm(id: string, returnKey: string, signal: AbortSignal): Promise<Flow> {
    return this.#call(
      'POST',
      `/flows/${encodeURIComponent(id)}/confirm`,
      signal,
      returnHeader(returnKey),
      {},
    );
  }

  async decline(id: string, returnKey: string, signal: AbortSignal): Promise<void> {
    await this.#call('DELETE', `/flows/${encodeURIComponent(id)}/return`, signal, returnHeader(returnKey));
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

  form(token: string, signal: AbortSignal): Promise<FormSession> {
    return this.#call('GET', '/form', signal, formHeader(token));
  }

  formOptions(token: string, request: OptionsRequest, signal: AbortSignal): Promise<FormOptions> {
    return this.#call('POST', '/form/options', signal, formHeader(token), request, OPTIONS_TIMEOUT_MS);
  }

  submitForm(token: string, filled: FilledForm, signal: AbortSignal): Promise<SubmittedForm> {
    return this.#call('POST', '/form', signal, formHeader(token), filled, BEGIN_TIMEOUT_MS);
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
    deadline = RESPONSE_TIMEOUT_MS,
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

function formHeader(token: string): Record<string, string> {
  return { 'X-Relink-Form-Token': token };
}

function returnHeader(key: string): Record<string, string> {
  return { 'X-Relink-Return-Key': key };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Also handles responses of another program that took Relink's port. */
function asError(status: number, answer: unknown): ErrorBody {
  const body: Partial<ErrorBody> = typeof answer === 'object' && answer !== null ? answer : {};
  return {
    statusCode: status,
    message: body.message ?? `Relink answered with status ${status} and no reason.`,
    code: body.code ?? 'unexplained',
    // Where Relink has no separate title, it repeats the message.
    title: body.title === body.message ? null : (body.title ?? null),
    hint: body.hint ?? null,
    field: body.field ?? null,
  };
}
