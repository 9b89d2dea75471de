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
      linkToken: string | null;
      integration: string | null;
      only: string[] | null;
      noBack: boolean;
    }
  | { at: 'return'; flowId: string | null };

/** Parses the page’s URL. */
export function requestFrom(location: { pathname: string; search: string }): Request {
  const query = new URLSearchParams(location.search);
  if (/\/return\/?$/.test(location.pathname)) return { at: 'return', flowId: query.get('flow') };
  const only = (query.get('integrations') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return {
    at: 'connect',
    linkToken: query.get('link_token') || null,
    integration: query.get('integration') || null,
    only: only.length > 0 ? only : null,
    noBack: query.get('no_back') === 'true',
  };
}
