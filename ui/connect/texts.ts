import type { FieldsMethod, Integration, Method, Outcome, Session } from './api';
import type { ErrorView } from './views';

/** "Reauthorize GitHub", "Connect GitHub": the heading of everything that leads to a flow. */
export function purposeTitle(session: Session | null, label: string): string {
  return `${session?.purpose === 'reauthorize' ? 'Reauthorize' : 'Connect'} ${label}`;
}

/** For whom, as a sentence: a link may have been made by somebody else. */
export function recipientText(session: Session | null): string {
  if (!session) return '';
  const { account, tenant_id } = session;
  if (!account) return `For tenant ${tenant_id}.`;
  const known = account.identity === null ? '' : `, connected as ${account.identity}`;
  return `For ${account.name} (tenant ${tenant_id})${known}.`;
}

/** A way to authenticate, as one offers it. */
export function methodText(integration: Integration, method: Method): { title: string; what: string } {
  switch (method.format) {
    case 'oauth2':
      return { title: `Sign in to ${integration.label}`, what: `In your browser, on ${method.host}` };
    case 'api_key':
      return { title: 'Use a key', what: `One that ${integration.label} gave you, such as an API key` };
    case 'oauth2_client_credentials':
      return { title: 'Use client credentials', what: 'A client ID and its secret, for a program' };
  }
}

/** What becomes of what is typed into a form. */
export function storageText(label: string, { is_tried }: FieldsMethod): string {
  return is_tried
    ? `Relink tries it with ${label} first, and keeps it in your keychain only if it works.`
    : `Relink can’t try it with ${label}, and keeps it in your keychain as it is. Check it twice.`;
}

/** A error in a line, where there is no room for its title above it. */
export function errorLine({ title, message, hint }: ErrorView): string {
  return [title && `${title}.`, message, hint].filter(Boolean).join(' ');
}

/** How a flow ended well. */
export function outcomeText(
  outcome: Outcome,
  label: string,
  session: Session | null,
): { title: string; what: string } {
  const { name, identity } = outcome.account;
  const as = identity === null || identity === name ? '' : ` as ${identity}`;
  if (outcome.kept_old) {
    return {
      title: 'Nothing was changed',
      what: `${name} stays connected to ${label}${as}. The other sign-in was dropped.`,
    };
  }
  const second = session?.purpose === 'reauthorize' && !outcome.reauthorized;
  const untouched = second && session.account ? ` ${session.account.name} is as it was.` : '';
  return {
    title: 'Connection successful',
    what: `${name} is connected to ${label}${as}${second ? ', as a second account' : ''}.${untouched}`,
  };
}

const REFUSED: Record<string, { title: string; hint: string }> = {
  link_token_unknown: {
    title: 'Relink doesn’t know this link',
    hint: 'Copy the whole magic link, or get a new one in Relink.',
  },
  link_token_used: {
    title: 'This link has been used',
    hint: 'A link connects once. If the account needs you again, get a new link in Relink.',
  },
  link_token_expired: {
    title: 'This link has expired',
    hint: 'Links work for 7 days. Get a new one in Relink.',
  },
  account_deleted: {
    title: 'This account is gone',
    hint: 'It was deleted in Relink, so there is nothing to reauthorize. Connect it anew there.',
  },
};

/** Why a link opens nothing; Relink's own words first. */
export function refusalText(error: ErrorView): { title: string; message: string; hint: string | null } {
  const own = REFUSED[error.code];
  return {
    title: error.title ?? own?.title ?? 'Relink can’t open this link',
    message: error.message,
    hint: error.hint ?? own?.hint ?? null,
  };
}

/** The host of an address, for words like "Continue to example.com". */
export function hostOf(address: string): string {
  return new URL(address).host;
}

/** What this page itself refuses, in the shape of Relink's own refusals. */
export const NO_LINK = {
  statusCode: 404,
  code: 'link_token_missing',
  title: 'This address has no link',
  message: 'The address of this page names no link, so there is nothing to connect.',
  hint: 'Copy the whole magic link, or get a new one in Relink.',
};

export const NOTHING_PASTED = {
  statusCode: 400,
  code: 'nothing_pasted',
  message: 'Paste the address of the tab where you ended.',
};
