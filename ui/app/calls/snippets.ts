import type { TryCall } from '../../host/types';
import { wellFormed } from './request';

/** A call as code. The token is read from the environment, so that no code contains one. */
export interface Snippet {
  name: 'curl' | 'Python' | 'JavaScript';
  code: string;
}

export function snippets(base: string, account: string, call: TryCall): Snippet[] {
  const url = `${base}/via/${account}${call.path}${call.query === null ? '' : `?${call.query}`}`;
  return [
    { name: 'curl', code: curl(url, call) },
    { name: 'Python', code: python(url, call) },
    { name: 'JavaScript', code: javascript(url, call) },
  ];
}

/** In single quotes, where a shell (POSIX 2.2.2) reads everything but the quote itself as it is. */
const shell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A string of JSON is also one of Python and JavaScript. */
const literal = (text: string): string => JSON.stringify(wellFormed(text));

function curl(url: string, { method, body, content_type: type }: TryCall): string {
  const verb = method === 'HEAD' ? ['--head'] : method === 'GET' ? [] : [`-X ${method}`];
  return [
    ['curl', ...verb, shell(url)].join(' '),
    '-H "Authorization: Bearer $RELINK_TOKEN"',
    ...(type === null ? [] : [`-H ${shell(`Content-Type: ${type}`)}`]),
    ...(body === null ? [] : [`--data-binary ${shell(body)}`]),
  ].join(' \\\n  ');
}

function python(url: string, { method, body, content_type: type }: TryCall): string {
  return [
    'import os',
    '',
    'import requests',
    '',
    'response = requests.request(',
    `    ${literal(method)},`,
    `    ${literal(url)},`,
    '    headers={',
    `        "Authorization": "Bearer " + os.environ["RELINK_TOKEN"],`,
    ...(type === null ? [] : [`        "Content-Type": ${literal(type)},`]),
    '    },',
    ...(body === null ? [] : [`    data=${literal(body)}.encode(),`]),
    ')',
    'print(response.status_code, response.text)',
  ].join('\n');
}

function javascript(url: string, { method, body, content_type: type }: TryCall): string {
  return [
    `const response = await fetch(${literal(url)}, {`,
    `  method: ${literal(method)},`,
    '  headers: {',
    '    Authorization: `Bearer ${process.env.RELINK_TOKEN}`,',
    ...(type === null ? [] : [`    'Content-Type': ${literal(type)},`]),
    '  },',
    ...(body === null ? [] : [`  body: ${literal(body)},`]),
    '});',
    'console.log(response.status, await response.text());',
  ].join('\n');
}
