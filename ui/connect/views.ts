import type {
  FieldsMethod,
  Flow,
  FormSession,
  Integration,
  Method,
  OAuthMethod,
  RedirectKind,
  ReturnedSignIn,
  Session,
} from './api';
import type { Request } from './urls';

/** An error, with Relink’s text or, where it sent none, the page’s own. */
export interface ErrorView {
  code: string;
  title: string | null;
  message: string;
  hint: string | null;
  field: string | null;
  /** A text to copy for the hint, such as the redirect URI to register. */
  copy?: string | null;
  /** What the provider said, in its words. */
  provider_code?: string | null;
  provider_message?: string | null;
}

interface Chosen<M extends Method> {
  integration: Integration;
  method: M;
}

/** What the page shows. One view, one heading. */
export type View =
  | { at: 'loading' }
  /** The link can’t be used. */
  | { at: 'invalid_link'; error: ErrorView }
  /** `missing`: the integration named in the URL, if it isn’t installed. */
  | { at: 'integrations'; missing: string | null }
  /** `missing`: an integration that the URL names. */
  | { at: 'nothing_offered'; missing: string | null }
  | ({ at: 'not_ready'; reason: string } & Chosen<Method>)
  | ({ at: 'authorize'; error: ErrorView | null } & Chosen<OAuthMethod>)
  /** `running`: the flow that tests the entered values. The form stays, so that nothing has to be typed twice. */
  | ({ at: 'form'; error: ErrorView | null; running: Flow | null } & Chosen<FieldsMethod>)
  | ({ at: 'flow' } & FlowView)
  /** Relink no longer knows the flow, for example after a restart. */
  | { at: 'interrupted' }
  /** The provider returned to a browser that didn’t start the flow, so the person confirms for whom they signed in. */
  | { at: 'confirm'; id: string; returned: ReturnedSignIn; returnKey: string; error: ErrorView | null }
  | { at: 'declined' }
  /** The same, and there is nothing to confirm. */
  | { at: 'wrong_browser' }
  /** A form to fill in. `signedIn`: the account was connected just now. */
  | { at: 'rapid_form'; token: string; signedIn: boolean }
  /** It can’t be filled in. */
  | { at: 'form_refused'; error: ErrorView; integrationName: string | null }
  | { at: 'form_saved'; session: FormSession; onward: string | null };

export interface FlowView {
  flow: Flow;
  look: Look;
  /** The provider returned to another page, which continues. */
  elsewhere: boolean;
  /** No callback has arrived for a minute. */
  late: boolean;
  /** The other redirect type that this flow could use. */
  otherRedirect: RedirectKind | null;
  error: ErrorView | null;
}

/** The appearance of an integration’s tile. */
export interface Look {
  color: string | null;
  logo: string | null;
}

/** The integrations to choose from: the session’s, filtered by the page’s URL. */
export function offered(session: Session, request: Request): Integration[] {
  if (session.purpose === 'reauthorize' || request.at !== 'connect' || !request.only) {
    return session.integrations;
  }
  const { only } = request;
  return session.integrations.filter(({ name }) => only.includes(name));
}

/** The first view: skips every choice with a single option. */
export function firstView(session: Session, request: Request): View {
  const choices = offered(session, request);
  const [first, ...others] = choices;
  if (!first) return { at: 'nothing_offered', missing: named(request) };
  if (session.purpose === 'reauthorize') return integrationView(first, request);
  const requested = request.at === 'connect' ? request.integration : null;
  if (requested !== null) {
    const found = choices.find(({ name }) => name === requested);
    return found ? integrationView(found, request) : { at: 'integrations', missing: requested };
  }
  return others.length === 0 ? integrationView(first, request) : { at: 'integrations', missing: null };
}

/** The first integration that the URL names. */
function named(request: Request): string | null {
  return request.at === 'connect' ? (request.integration ?? request.only?.[0] ?? null) : null;
}

/** The method that the URL names (`auth_format`), where the integration has it. */
function namedMethod({ methods }: Integration, request: Request): Method | null {
  const format = request.at === 'connect' ? request.authFormat : null;
  return methods.find((method) => method.format === format) ?? null;
}

/** The methods that the person chooses from; none where there is one, or the URL names it (contract section 2.1). */
export function methodChoices(integration: Integration, request: Request): Method[] {
  const isFixed = integration.methods.length < 2 || namedMethod(integration, request) !== null;
  return isFixed ? [] : integration.methods;
}

/** An integration with the method that the URL names, or the preferred one of those that are ready. `chosen`: by the person, before. */
export function integrationView(integration: Integration, request: Request, chosen?: Method): View {
  const { methods } = integration;
  const method =
    namedMethod(integration, request) ??
    methods.find(({ format }) => format === chosen?.format) ??
    methods.find(({ not_ready }) => not_ready === null) ??
    methods[0];
  return method ? methodView(integration, method) : { at: 'nothing_offered', missing: integration.name };
}

export function methodView(integration: Integration, method: Method): View {
  if (method.not_ready !== null) return { at: 'not_ready', integration, method, reason: method.not_ready };
  return method.format === 'oauth2'
    ? { at: 'authorize', integration, method, error: null }
    : { at: 'form', integration, method, error: null, running: null };
}

/** The view that Back leads to, or null if there is none. */
export function previous(view: View, session: Session | null, request: Request): View | null {
  if (!session || !('integration' in view)) return null;
  const fixed = session.purpose === 'reauthorize' || (request.at === 'connect' && request.noBack);
  return fixed || offered(session, request).length < 2 ? null : { at: 'integrations', missing: null };
}

/** The redirect types that both the integration and the running Relink support, best first. */
export function redirects(method: Method, session: Session): RedirectKind[] {
  if (method.format !== 'oauth2') return [];
  return session.redirects.filter((kind) => method.redirects.includes(kind));
}

export function needsSetup(integration: Integration): boolean {
  return integration.methods.every(({ not_ready }) => not_ready !== null);
}

/** Error codes that mean that the link can’t be used at all. */
const REFUSALS = new Set([
  'link_token_unknown',
  'link_token_used',
  'link_token_expired',
  'link_token_ended',
  'link_token_revoked',
  'account_deleted',
]);

export function isRefusal(code: string): boolean {
  return REFUSALS.has(code);
}

/** Error codes after which the page has no link any more. */
const NEEDS_LINK = new Set(['link_token_missing', 'opening_used', 'opening_expired']);

/** Whether only opening the link again helps. */
export function needsLinkAgain(code: string): boolean {
  return NEEDS_LINK.has(code);
}

export function isOver(flow: Flow): boolean {
  return (flow.phase === 'succeeded' && !flow.outcome?.form_token) || flow.phase === 'failed';
}

export function isRunning(flow: Flow): boolean {
  return flow.phase === 'waiting' || flow.phase === 'returned' || flow.phase === 'working';
}

/** Whether the form that began a flow stays: what was typed can be corrected, unless it was saved and a later step failed. */
export function staysInForm(flow: Flow): boolean {
  return isRunning(flow) || (flow.phase === 'failed' && !flow.error?.integrated_account_id);
}

const SHOW_ERRORS = new Set<View['at']>(['authorize', 'form', 'flow', 'confirm']);

export function canShowError(
  view: View,
): view is Extract<View, { at: 'authorize' | 'form' | 'flow' | 'confirm' }> {
  return SHOW_ERRORS.has(view.at);
}

export function withError(view: View, error: ErrorView | null): View {
  return canShowError(view) ? { ...view, error } : view;
}
