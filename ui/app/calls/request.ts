import type { TryCall } from '../../host/types';

/** What a person entered to try a call. */
export interface Draft {
  method: string;
  path: string;
  /** A parameter on each line: `name=value`. */
  query: string;
  body: string;
}

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;

/** Whether requests with this method usually have a body. */
export const hasBody = (method: string): boolean => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method);

/** Without halves of characters, which no text that is sent may have. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd');

/** A path as it is sent: what a URL can’t contain is encoded, and what is encoded stays. */
function encodePath(path: string): string {
  const encoded = encodeURI(wellFormed(path))
    .replace(/%25(?=[0-9a-f]{2})/gi, '%')
    .replace(/#/g, '%23');
  return encoded.startsWith('/') ? encoded : `/${encoded}`;
}

/** The parameters of a query, encoded. Lines without `=` are parameters without a value. */
function encodeQuery(lines: string): string {
  const pairs = lines
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line): [string, string] => {
      const at = line.indexOf('=');
      return at < 0 ? [line, ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    });
  return new URLSearchParams(pairs).toString();
}

/** The call to make. A query that was entered with the path goes first. */
export function callOf({ method, path, query, body }: Draft): TryCall {
  const [before = '', ...rest] = path.trim().split('?');
  const inPath = encodePath(rest.join('?')).slice(1);
  const parts = [inPath, encodeQuery(query)].filter((part) => part !== '');
  const sent = hasBody(method) && body.trim() !== '' ? body : null;
  return {
    method,
    path: encodePath(before),
    query: parts.length > 0 ? parts.join('&') : null,
    body: sent,
    content_type: sent === null ? null : isJson(sent) ? 'application/json' : 'text/plain; charset=utf-8',
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Why a body that looks like JSON isn’t; `null` if it may be sent as it is. */
export function jsonFault(body: string): string | null {
  if (!/^\s*[[{]/.test(body)) return null;
  try {
    JSON.parse(body);
    return null;
  } catch {
    return 'This isn’t valid JSON. It is sent as plain text.';
  }
}

/** A path of a definition as it is entered: `/users/{id}` for `/users/{{id}}`. */
export const pathToEnter = (path: string): string =>
  path.replace(/\{\{\s*([^}|:]+)[^}]*\}\}/g, (_, name: string) => `{${name.trim().split('.').at(-1) ?? ''}}`);

/** What is still to be filled in; `null` if nothing is. */
export function pathFault(path: string): string | null {
  const open = /\{([^{}]*)\}/.exec(path.split('?')[0] ?? '');
  return open ? `Replace {${open[1]}} with a value.` : null;
}
