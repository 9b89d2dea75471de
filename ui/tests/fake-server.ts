import type {
  IdentityChoice,
  CreatedFlow,
  Flow,
  FormSession,
  NewFlow,
  ReturnedSignIn,
  Session,
  SubmittedForm,
} from '../connect/api';
import type { FilledForm, FormOptions, OptionsRequest } from '../connect/types';
import { asanaForm, optionsOf } from './form-samples';
import { denied, reauthorizeSession, returnedSignIn, waitingFlow } from './samples';

/** The key of every return. */
export const RETURN_KEY = 'return-key';

/** A response: a status and JSON. */
export interface Reply {
  status: number;
  body: unknown;
}

interface FakeFlow {
  flow: Flow;
  key: string;
  /** The key of the return, once a page has confirmed with it. */
  confirmed: boolean;
  waiters: (() => void)[];
}

/**
 * A fake of Relink’s server, scripted by each test. It accepts the same calls and returns the same types, without any
 * logic of its own. The end-to-end tests cover the real server.
 */
export class FakeServer {
  session: Session | Reply = reauthorizeSession;
  /** Returns the next created flow. */
  onCreate: (request: NewFlow) => Partial<Flow> | Reply | Promise<Partial<Flow> | Reply> = (request) => ({
    redirect: request.redirect,
  });
  /** Handles a pasted URL. */
  onCallback: (url: string) => Partial<Flow> | Reply = () => ({ phase: 'returned' });
  onAnswer: (answer: IdentityChoice) => Partial<Flow> = () => ({ phase: 'working', step: 'saving' });
  /** What a page confirms to which a provider returned. */
  returned: ReturnedSignIn = returnedSignIn;
  /** The form of every page. */
  form: FormSession | Reply = asanaForm;
  onOptions: (request: OptionsRequest) => FormOptions | Reply | Promise<FormOptions> = optionsOf;
  onSubmit: (filled: FilledForm) => SubmittedForm | Reply = () => ({
    result: 'submitted',
    redirect_uri: null,
  });
  /** Whether every nonce can be exchanged, as if each page had its own. */
  canReopen = true;
  /** Whether the server responds at all. */
  up = true;
  readonly calls: { verb: string; body: unknown }[] = [];
  readonly #flows = new Map<string, FakeFlow>();

  /** The number of calls so far: `create`, `claim`, `answer`, `callback`, `abandon`, `session`, `flow`. */
  count(verb: string): number {
    return this.calls.filter((call) => call.verb === verb).length;
  }

  get flowIds(): string[] {
    return [...this.#flows.keys()];
  }

  /** Changes a flow, by default the newest, and answers its long polls. */
  updateFlow(change: Partial<Flow>, id = this.flowIds.at(-1)): void {
    const entry = this.#flows.get(id ?? '');
    if (!entry) throw new Error('there is no flow');
    entry.flow = { ...entry.flow, ...change, version: entry.flow.version + 1 };
    for (const wake of entry.waiters.splice(0)) wake();
  }

  /** Ends all long polls, as when Relink stops. */
  dropConnections(): void {
    for (const { waiters } of this.#flows.values()) for (const wake of waiters.splice(0)) wake();
  }

  /** Forgets all flows, as a restart does. */
  forgetFlows(): void {
    const waiting = [...this.#flows.values()].flatMap(({ waiters }) => waiters);
    this.#flows.clear();
    for (const wake of waiting) wake();
  }

  /** Replaces `fetch`. */
  readonly fetch: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted();
    const body = typeof init?.body === 'string' ? (JSON.parse(init.body) as unknown) : null;
    const headers = Object.fromEntries(new Headers(init?.headers));
    const reply = this.handle(init?.method ?? 'GET', String(input), headers, body);
    const given = new Promise<never>((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
    });
    const { status, body: answer } = await Promise.race([reply, given]);
    return new Response(status === 204 ? null : JSON.stringify(answer), { status });
  };

  async handle(
    method: string,
    url: string,
    headers: Record<string, string | string[] | undefined>,
    body: unknown,
  ): Promise<Reply> {
    if (!this.up) throw new TypeError('fetch failed');
    const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
    const [, , resource, id = '', action] = pathname.split('/');
    if (resource === 'open') return this.#exchange();
    if (resource === 'session') return this.#session();
    if (resource === 'form') return this.#form(method, id, body);
    if (resource !== 'flows') return errorResponse(404, 'not_found', 'There is no such route.');
    if (id === '') return this.#create(body as NewFlow);
    const entry = this.#flows.get(id);
    const returnKey = headers['x-relink-return-key'];
    if (entry && returnKey === RETURN_KEY && (action === 'return' || action === 'confirm')) {
      return this.#returned(method, entry, id, action);
    }
    const keys = entry ? [entry.key, ...(entry.confirmed ? [RETURN_KEY] : [])] : [];
    if (!entry || !keys.includes(String(headers['x-relink-flow-key']))) {
      return errorResponse(404, 'flow_unknown', 'Relink doesn’t know this flow.');
    }
    if (method === 'DELETE') return this.#abandon(id);
    if (action === undefined) return this.#flow(id, entry, Number(searchParams.get('after')));
    this.#record(action, body);
    if (action === 'claim' && entry.flow.needs_return_key && returnKey !== RETURN_KEY) {
      return errorResponse(409, 'sign_in_returned_elsewhere', 'The provider returned to another page.');
    }
    if (action === 'claim' && entry.flow.phase === 'returned')
      this.updateFlow({ phase: 'working', step: 'exchanging' }, id);
    if (action === 'answer') this.updateFlow(this.onAnswer((body as { answer: IdentityChoice }).answer), id);
    if (action === 'callback') {
      const change = this.onCallback((body as { url: string }).url);
      if ('status' in change) return change;
      this.updateFlow(change, id);
    }
    return { status: 200, body: this.#flows.get(id)?.flow };
  }

  #exchange(): Reply {
    this.#record('open', null);
    return this.count('open') === 1 || this.canReopen
      ? { status: 200, body: { page_token: 'p' } }
      : errorResponse(409, 'opening_used', 'This address was opened before.');
  }

  async #form(method: string, part: string, body: unknown): Promise<Reply> {
    if (method === 'GET') return 'status' in this.form ? this.form : { status: 200, body: this.form };
    this.#record(part === '' ? 'submit' : part, body);
    const reply =
      part === 'options' ? await this.onOptions(body as OptionsRequest) : this.onSubmit(body as FilledForm);
    return 'status' in reply ? reply : { status: 200, body: reply };
  }

  #returned(method: string, entry: FakeFlow, id: string, action: string): Reply {
    if (method === 'GET') return { status: 200, body: this.returned };
    this.#record(method === 'DELETE' ? 'decline' : action, null);
    if (method === 'DELETE') {
      this.updateFlow(denied, id);
      return { status: 204, body: null };
    }
    entry.confirmed = true;
    this.updateFlow({ phase: 'working', step: 'exchanging' }, id);
    return { status: 200, body: entry.flow };
  }

  #session(): Reply {
    this.#record('session', null);
    return 'status' in this.session ? this.session : { status: 200, body: this.session };
  }

  async #create(request: NewFlow): Promise<Reply> {
    this.#record('create', request);
    const begun = await this.onCreate(request);
    if ('status' in begun) return begun;
    const id = `flow-${this.#flows.size + 1}`;
    const flow: Flow = { ...waitingFlow, id, ...begun };
    const key = `key-of-${id}`;
    this.#flows.set(id, { flow, key, confirmed: false, waiters: [] });
    const created: CreatedFlow = { ...flow, key };
    return { status: 201, body: created };
  }

  async #flow(id: string, entry: FakeFlow, after: number): Promise<Reply> {
    this.#record('flow', null);
    if (entry.flow.version <= after) await new Promise<void>((wake) => entry.waiters.push(wake));
    if (!this.up) throw new TypeError('fetch failed');
    const now = this.#flows.get(id);
    return now
      ? { status: 200, body: now.flow }
      : errorResponse(404, 'flow_unknown', 'Relink doesn’t know this flow.');
  }

  #abandon(id: string): Reply {
    this.#record('abandon', null);
    this.#flows.delete(id);
    return { status: 204, body: null };
  }

  #record(verb: string, body: unknown): void {
    this.calls.push({ verb, body });
  }
}

/** An error response. */
export function errorResponse(status: number, code: string, message: string, more: object = {}): Reply {
  return { status, body: { statusCode: status, error: 'Refused', code, message, ...more } };
}
