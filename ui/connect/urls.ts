import { formParameters, type FormParameters } from './form/parameters';

/** Loopback hosts, as `URL` formats them. */
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/**
 * The URL, if this page may open it: https, or http on this machine. Never script, data or file URLs, nor one that hides
 * its host behind a user name or a backslash.
 */
export function openable(address: string | null | undefined): string | null {
  if (!address || address.includes('\\') || !URL.canParse(address)) return null;
  const url = new URL(address);
  if (url.username || url.password) return null;
  if (url.protocol === 'https:') return url.href;
  if (url.protocol === 'http:' && LOOPBACK.has(url.hostname)) return url.href;
  return null;
}

/** The parameters of this page’s URL. */
export type Request =
  | {
      at: 'connect';
      /** The link token of a URL that Relink didn’t redirect, because the link isn’t valid. */
      linkToken: string | null;
      /** Is exchanged for a page token, once. */
      nonce: string | null;
      integration: string | null;
      only: string[] | null;
      /** The authentication method to use, where an integration has several. */
      authFormat: string | null;
      noBack: boolean;
      /** Whether no form follows the sign-in. */
      skipForm: boolean;
    }
  | {
      /** An account’s form. */
      at: 'form';
      /** The token of a URL that Relink didn’t redirect, because it isn’t valid. */
      accountToken: string | null;
      nonce: string | null;
      parameters: FormParameters;
    }
  | {
      at: 'return';
      flowId: string | null;
      /** Proves that the provider returned to this page. */
      returnKey: string | null;
      /** The flow’s key, in a window that the app opened for its own flow. */
      flowKey: string | null;
    };

const ACCOUNT_TOKEN = 'integrated_account_session_token';

type Address = Pick<Location, 'pathname' | 'search' | 'hash'>;

const RETURN = /\/return\/?$/;
const FORM = /\/post-connect(\/|$)/;
const OPEN = /\/open\/([^/]+)\/?$/;

/** Parses the page’s URL. */
export function requestFrom({ pathname, search, hash }: Address): Request {
  const query = new URLSearchParams(search);
  if (RETURN.test(pathname)) {
    const keys = new URLSearchParams(hash.slice(1));
    return {
      at: 'return',
      flowId: query.get('flow'),
      returnKey: keys.get('return'),
      flowKey: keys.get('key'),
    };
  }
  if (FORM.test(pathname)) {
    return {
      at: 'form',
      accountToken: query.get(ACCOUNT_TOKEN) || null,
      nonce: OPEN.exec(pathname)?.[1] ?? null,
      parameters: formParameters(query),
    };
  }
  const only = (query.get('integrations') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return {
    at: 'connect',
    linkToken: query.get('link_token') || null,
    nonce: OPEN.exec(pathname)?.[1] ?? null,
    integration: query.get('integration') || null,
    only: only.length > 0 ? only : null,
    authFormat: query.get('auth_format') || null,
    noBack: query.get('no_back') === 'true',
    skipForm: query.get('skip_rapid_form') === 'true',
  };
}

/** The page’s URL without tokens and keys, for the address bar and the history. */
export function addressWithoutSecrets({ pathname, search }: Address): string {
  if (RETURN.test(pathname)) return pathname + search;
  const query = new URLSearchParams(search);
  query.delete('link_token');
  query.delete(ACCOUNT_TOKEN);
  const rest = query.toString();
  return pathname.replace(OPEN, '') + (rest && `?${rest}`);
}
