import type { FieldsMethod, FlowOutcome, FormSession, Method, Session } from './api';
import { curly } from '../lib/typography';
import type { ErrorView } from './views';

/** The heading until the flow begins: “Reauthorize GitHub” or “Connect GitHub”. */
export function purposeTitle(session: Session | null, label: string): string {
  return `${session?.purpose === 'reauthorize' ? 'Reauthorize' : 'Connect'} ${label}`;
}

/** Who asks, and for which tenant and account. Another person may have created the link. */
export function recipientText(session: Session | null): string {
  if (!session) return '';
  const { account, tenant_id, requested_by } = session;
  const who = requesterText(requested_by);
  if (!account) return `${who} asks for this, for tenant ${tenant_id}.`;
  const identity = account.identity === null ? '' : `, connected as ${account.identity}`;
  return `${who} asks for this, for ${account.name} (tenant ${tenant_id})${identity}.`;
}

function requesterText({ team, program }: Session['requested_by']): string {
  return program === null ? team : `${program} (${team})`;
}

/** The heading of a form. */
export function formTitle({ integration_label: label }: FormSession, signedIn: boolean): string {
  return signedIn ? `Finish setting up ${label}` : `Set up ${label}`;
}

/** What a form is for. */
export function formText({ account, tenant_id, requested_by }: FormSession, signedIn: boolean): string {
  if (signedIn) return `${account.name} is connected. Fill this in to finish.`;
  const who = requested_by === null ? 'This is' : `${requesterText(requested_by)} asks for this,`;
  return `${who} for ${account.name} (tenant ${tenant_id}).`;
}

/** An authentication method, as one of several to choose from. */
export function methodText({ format }: Method): string {
  switch (format) {
    case 'oauth2':
      return 'Sign in';
    case 'api_key':
      return 'API key';
    case 'oauth2_client_credentials':
      return 'Client credentials';
  }
}

/** What Relink does with the entered credentials. */
export function storageText(label: string, { is_tried }: FieldsMethod): string {
  return is_tried
    ? `Relink tests it with ${label} first and stores it in your keychain only if it works.`
    : `Relink can’t test it with ${label} and stores it in your keychain as entered. Check it carefully.`;
}

/** An error in one line, where there is no room for a separate title. */
export function errorLine({ title, message, hint }: ErrorView): string {
  return curly([title && `${title}.`, message, hint].filter(Boolean).join(' '));
}

/** The result of a successful flow. */
export function outcomeText(
  outcome: FlowOutcome,
  label: string,
  session: Session | null,
): { title: string; description: string } {
  const { name, identity } = outcome.account;
  const as = identity === null || identity === name ? '' : ` as ${identity}`;
  if (outcome.kept_old) {
    return {
      title: 'Nothing was changed',
      description: `${name} keeps its old sign-in to ${label}${as}. The other sign-in was discarded.`,
    };
  }
  const second = session?.purpose === 'reauthorize' && !outcome.reauthorized;
  const untouched = second && session.account ? ` ${session.account.name} is unchanged.` : '';
  const unchecked = outcome.is_checked ? '' : ` Relink couldn’t test the credentials with ${label}.`;
  return {
    title: 'Connection successful',
    description: `${name} is connected to ${label}${as}${second ? ', as a second account' : ''}.${untouched}${unchecked}`,
  };
}

const REFUSALS: Record<string, { title: string; hint: string }> = {
  link_token_unknown: {
    title: 'This link isn’t known to Relink',
    hint: 'Copy the whole magic link, or get a new one in Relink.',
  },
  link_token_used: {
    title: 'This link was already used',
    hint: 'Each link works once. If the account needs attention again, get a new link in Relink.',
  },
  link_token_expired: {
    title: 'This link has expired',
    hint: 'Get a new link in Relink.',
  },
  link_token_ended: {
    title: 'This link has ended',
    hint: 'The program that created it lost its access. Get a new link in Relink.',
  },
  link_token_revoked: {
    title: 'This link was revoked',
    hint: 'Ask for a new one.',
  },
  opening_used: {
    title: 'This page was opened twice',
    hint: 'Open the link again from where you got it, or get a new one in Relink.',
  },
  opening_expired: {
    title: 'This page was opened too late',
    hint: 'Open the link again from where you got it, or get a new one in Relink.',
  },
  account_deleted: {
    title: 'The account of this link was deleted',
    hint: 'There is nothing to reauthorize. Connect the account again in Relink.',
  },
};

/** Why a link can’t be used. Relink’s own text, if it sent one, comes first. */
const withoutTitle = (title: string, message: string): string => {
  if (message === title || message === `${title}.`) return '';
  return message.startsWith(`${title}. `) ? message.slice(title.length + 2) : message;
};

export function refusalText(error: ErrorView): { title: string; message: string; hint: string | null } {
  const fallback = REFUSALS[error.code];
  const title = curly(error.title ?? fallback?.title ?? 'Relink can’t open this link');
  const message = curly(error.message);
  return {
    title,
    // For programs, a message repeats its title.
    message: withoutTitle(title, message),
    hint: curly(error.hint ?? fallback?.hint ?? '') || null,
  };
}

/** The host of a URL, for texts such as “Continue to example.com”. */
export function hostOf(address: string): string {
  return new URL(address).host;
}

/** Errors that the page itself detects, in the format of Relink’s own errors. */
export const NO_LINK = {
  statusCode: 404,
  code: 'link_token_missing',
  title: 'Open the link again',
  message:
    'This page was reloaded, or its URL is incomplete. Relink doesn’t keep links in the address bar or the history, where others could find them.',
  hint: 'Open the magic link again from where you got it, or get a new one in Relink.',
};

export const NO_FORM = {
  statusCode: 404,
  code: 'form_token_missing',
  title: 'Open the form again',
  message:
    'This page was reloaded, or its URL is incomplete. Relink doesn’t keep tokens in the address bar or the history, where others could find them.',
  hint: 'Go back to the app that opened it, and open it again from there.',
};

/** The account was connected before. */
export const FORM_INTERRUPTED = {
  statusCode: 404,
  code: 'form_interrupted',
  title: 'The form was interrupted',
  message:
    'The account is connected, but Relink was restarted before the form was saved, or the form was open for more than an hour.',
  hint: 'Open the form again from Relink, or from the app that asked for this.',
};

export function malformedParameter(name: string): {
  statusCode: number;
  code: string;
  title: string;
  message: string;
  hint: string;
} {
  return {
    statusCode: 400,
    code: 'form_parameter_malformed',
    title: 'This form was opened with a mistake',
    message: `The parameter ${name} of the page’s URL isn’t a JSON object.`,
    hint: 'Whoever made the app that opened it must correct that.',
  };
}

export const NOTHING_PASTED = {
  statusCode: 400,
  code: 'nothing_pasted',
  message: 'Paste the URL of the tab where you ended up.',
};
