import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { TryCall, UsageOfDay } from '../../host/types';
import { bars, duration, size, summary } from './chart';
import { indented } from './json';
import { callOf, jsonFault, pathFault, pathToEnter } from './request';
import { snippets } from './snippets';

const draft = { method: 'GET', path: '/v1/users', query: '', body: '' };

const sentBody = (method: string, body: string): unknown[] => {
  const call = callOf({ ...draft, method, body });
  return [call.body, call.content_type];
};

describe('a call as it is entered', () => {
  it.each([
    ['/v1/users', '', '/v1/users', null],
    ['v1/users', '', '/v1/users', null],
    [' /v1/users?page=2 ', '', '/v1/users', 'page=2'],
    ['/v1/users?a=1', 'b=2\n\n c = 3 ', '/v1/users', 'a=1&b=2&c=3'],
    ['/a b/ü', '', '/a%20b/%C3%BC', null],
    ['/a%2Fb/100%', '', '/a%2Fb/100%25', null],
    ['/a#b', '', '/a%23b', null],
    ['/search', 'q=a&b=c\nflag', '/search', 'q=a%26b%3Dc&flag='],
    ['/search', 'q=x=y', '/search', 'q=x%3Dy'],
    ['/a?b?c', '', '/a', 'b?c'],
    ['', '', '/', null],
    ['/\ud800', '', '/%EF%BF%BD', null],
  ])('sends %j with %j to %s with %s', (path, query, sentPath, sentQuery) => {
    const call = callOf({ ...draft, path, query });
    expect([call.path, call.query]).toEqual([sentPath, sentQuery]);
  });

  it('sends a body only with methods that have one, and says its type', () => {
    expect(sentBody('POST', '{"a": 1}')).toEqual(['{"a": 1}', 'application/json']);
    expect(sentBody('PATCH', 'hello')).toEqual(['hello', 'text/plain; charset=utf-8']);
    expect(sentBody('POST', ' ')).toEqual([null, null]);
    expect(sentBody('GET', '{"a": 1}')).toEqual([null, null]);
    expect(sentBody('HEAD', 'x')).toEqual([null, null]);
  });

  it('says when a body looks like JSON and isn’t', () => {
    expect(jsonFault('{"a": 1,}')).toContain('isn’t valid JSON');
    expect(jsonFault(' [1')).not.toBeNull();
    for (const fine of ['', '{"a": 1}', '[1]', 'hello', '"x"']) expect(jsonFault(fine)).toBeNull();
  });
});

describe('a path of a definition', () => {
  it.each([
    ['/users/{{id}}', '/users/{id}'],
    ['/{{context.org}}/users/{{ id:str }}', '/{org}/users/{id}'],
    ['/users', '/users'],
  ])('%s is entered as %s', (path, entered) => expect(pathToEnter(path)).toBe(entered));

  it('says what is still to be filled in', () => {
    expect(pathFault('/users/{id}/x')).toBe('Replace {id} with a value.');
    expect(pathFault('/users/1?filter={x}')).toBeNull();
    expect(pathFault('')).toBeNull();
  });
});

describe('indented JSON', () => {
  it('keeps every value as it was sent', () => {
    const text = String.raw`{"b":[1,2.50,{}],"a":{"x":12345678901234567890,"y":"{\"[\\\u00e9"},"c":[ ],"b":null}`;
    expect(indented(text)).toBe(
      [
        '{',
        '  "b": [',
        '    1,',
        '    2.50,',
        '    {}',
        '  ],',
        '  "a": {',
        '    "x": 12345678901234567890,',
        String.raw`    "y": "{\"[\\\u00e9"`,
        '  },',
        '  "c": [],',
        '  "b": null',
        '}',
      ].join('\n'),
    );
    for (const value of ['1', '"x"', 'true', '-1.5e3']) expect(indented(` ${value} `)).toBe(value);
  });

  it('is nothing for a text that isn’t JSON', () => {
    for (const text of ['', '{', 'hello', '{"a":1}x', '<html>']) expect(indented(text)).toBeNull();
  });
});

describe('a call as code', () => {
  const base = 'http://127.0.0.1:7417';
  const odd = `{"it's": "a \\"quoted\\" $HOME \`x\` \\\\ ünï 🎉\u2028"}\n`;
  const call: TryCall = {
    method: 'POST',
    path: "/it's/a%20b",
    query: "q=$HOME&x='",
    body: odd,
    content_type: 'application/json',
  };
  const url = `${base}/via/0192${call.path}?${call.query}`;
  const codeOf = (name: string, of: TryCall): string =>
    snippets(base, '0192', of).find((snippet) => snippet.name === name)?.code ?? '';

  it('is one that a shell passes to curl as it was entered', () => {
    const script = `curl() { printf '%s\\0' "$@"; }\n${codeOf('curl', call)}`;
    const env = { ...process.env, RELINK_TOKEN: 'the-token' };
    const passed = execFileSync('bash', ['-c', script], { env }).toString().split('\0').slice(0, -1);
    expect(passed).toEqual([
      '-X',
      'POST',
      url,
      '-H',
      'Authorization: Bearer the-token',
      '-H',
      'Content-Type: application/json',
      '--data-binary',
      odd,
    ]);
    expect(codeOf('curl', { ...call, method: 'HEAD', body: null, content_type: null })).toContain(
      'curl --head ',
    );
    const plain = { method: 'GET', path: '/', query: null, body: null, content_type: null };
    expect(codeOf('curl', plain)).toBe(
      `curl '${base}/via/0192/' \\\n  -H "Authorization: Bearer $RELINK_TOKEN"`,
    );
  });

  it('is one that JavaScript fetches as it was entered', async () => {
    const asked: unknown[] = [];
    const fetch = (...args: unknown[]): unknown => {
      asked.push(...args);
      return { status: 200, text: () => '' };
    };
    const AsyncFunction = (async () => undefined).constructor as new (
      ...args: string[]
    ) => (...args: unknown[]) => Promise<void>;
    const run = new AsyncFunction('fetch', 'process', 'console', codeOf('JavaScript', call));
    await run(fetch, { env: { RELINK_TOKEN: 'the-token' } }, { log: () => undefined });
    const headers = { Authorization: 'Bearer the-token', 'Content-Type': 'application/json' };
    expect(asked).toEqual([url, { method: 'POST', headers, body: odd }]);
  });

  it('is one that Python requests as it was entered', () => {
    const fake = [
      'import sys, types, json',
      'def request(method, url, headers, data=None):',
      '    print(json.dumps([method, url, headers, data.decode()]))',
      '    return types.SimpleNamespace(status_code=200, text="")',
      'sys.modules["requests"] = types.SimpleNamespace(request=request)',
    ].join('\n');
    const env = { ...process.env, RELINK_TOKEN: 'the-token' };
    const printed = execFileSync('python3', ['-c', `${fake}\n${codeOf('Python', call)}`], { env }).toString();
    const headers = { Authorization: 'Bearer the-token', 'Content-Type': 'application/json' };
    expect(JSON.parse(printed.split('\n')[0] ?? '')).toEqual(['POST', url, headers, odd]);
  });

  it('has a placeholder where the token goes', () => {
    for (const { code } of snippets(base, '0192', call)) expect(code).toContain('RELINK_TOKEN');
  });
});

const day = (date: string, calls: number, errors = 0, p50: number | null = null): UsageOfDay => ({
  date,
  calls,
  errors,
  p50_ms: p50,
  p95_ms: p50 === null ? null : p50 * 4,
});

describe('usage', () => {
  it('is summed up in a sentence', () => {
    expect(summary([])).toBe('No calls in the last days.');
    expect(summary([day('2026-03-01', 0), day('2026-03-02', 0)])).toBe('No calls in the last 2 days.');
    expect(summary([day('2026-03-01', 1)])).toBe('1 call today, without an error.');
    expect(summary([day('2026-03-01', 1200, 1), day('2026-03-02', 34, 0)])).toBe(
      `${(1234).toLocaleString()} calls in the last 2 days, 1 of them with an error.`,
    );
    expect(summary([day('2026-03-01', 4, 2), day('2026-03-02', 0)])).toBe(
      '4 calls in the last 2 days, 2 of them with an error.',
    );
  });

  it('is drawn to scale, and what is small is still seen', () => {
    const drawn = bars([day('a', 0), day('b', 1000, 1, 100), day('c', 1, 1, 50), day('d', 500, 250)]);
    expect(drawn.map(({ calls }) => calls)).toEqual([0, 100, 4, 50]);
    expect(drawn.map(({ errors }) => errors)).toEqual([0, 4, 4, 25]);
    expect(drawn.map(({ p95 }) => p95)).toEqual([0, 100, 50, 0]);
    expect(drawn.map(({ p50 }) => p50)).toEqual([0, 25, 12.5, 0]);
    expect(bars([day('a', 0)])[0]).toMatchObject({ calls: 0, errors: 0, p50: 0, p95: 0 });
  });

  it('has short durations and sizes', () => {
    expect([0.4, 12.34, 120.4, 999.6, 1234, 61_000].map(duration)).toEqual([
      '0.4 ms',
      '12 ms',
      '120 ms',
      '1 s',
      '1.2 s',
      '61 s',
    ]);
    expect([0, 1, 999, 1000, 1500, 2_500_000, 3_000_000_000].map(size)).toEqual([
      '0 bytes',
      '1 byte',
      '999 bytes',
      '1 kB',
      '1.5 kB',
      '2.5 MB',
      '3 GB',
    ]);
  });
});
