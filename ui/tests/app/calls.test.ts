import { expect, it } from 'vitest';
import type { TriedCall } from '../../host/types';
import { inspect, inspectLargeText } from './inspect';
import { account, errorView, FakeRelink, madeCall, usageOf } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import { at } from './fixtures';

const openWindow = setUpWindows();
let app: AppWindow;

function used(): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [
    account('1', { name: 'Acme engineering', integration_label: 'GitHub', color: '#24292f' }),
  ];
  relink.usage = usageOf([0, 12, 40, 33, 8, 0, 0, 51, 64, 48, 70, 22, 3, 37], {
    programs: [
      { api_token_id: 'token-1', name: 'nightly-report', calls: 371, errors: 49, last_at: at(3) },
      { api_token_id: null, name: 'you', calls: 14, errors: 0, last_at: at(90) },
      { api_token_id: null, name: 'Relink', calls: 3, errors: 0, last_at: at(95) },
    ],
  });
  relink.calls = [
    madeCall(20, { method: 'POST', path: '/repos/acme/web/issues', status: 201, received_bytes: 3150 }),
    madeCall(19, { status: 404, failed: true, path: '/repos/acme/gone' }),
    madeCall(18, { program: 'you', api_token_id: null, path: '/user' }),
    madeCall(17, {
      program: 'Relink',
      api_token_id: null,
      status: null,
      error: 'caller_left',
      headers_ms: null,
      received_bytes: 0,
    }),
    madeCall(16, {
      status: 502,
      failed: true,
      error: 'unreachable',
      headers_ms: 10_020,
      received_bytes: 310,
    }),
    ...Array.from({ length: 12 }, (_, index) => madeCall(15 - index)),
  ];
  relink.knownCalls = [
    { method: 'GET', path: '/user/repos', name: 'repos.list', description: 'Lists repositories.' },
    { method: 'POST', path: '/repos/{{owner}}/issues', name: 'issues.create', description: null },
  ];
  return relink;
}

/** Scrolls to this heading, so that the pictures show what is below it. */
const showSection = async (name: string): Promise<void> => {
  const heading = app.page.getByRole('heading', { level: 3, name });
  await heading.waitFor();
  await heading.evaluate((element) => element.scrollIntoView({ block: 'start' }));
};

it('shows how much an account is used, by which programs, and the last calls', async () => {
  app = await openWindow(used());
  const { page } = app;
  await showSection('Calls through Relink');
  await page.getByText('388 calls in the last 14 days, 51 of them with an error.').waitFor();
  await page.getByText('POST /repos/acme/web/issues').waitFor();
  await page.getByText('the program closed the connection').waitFor();
  await inspect(app, 'calls');
  await inspectLargeText(app, 'calls');
  // A caller without a token has one name in both lists.
  await page
    .getByRole('listitem')
    .filter({ hasText: /^Relink\s*3 calls/ })
    .waitFor();
  await page.getByRole('listitem').filter({ hasText: 'Relink · ' }).waitFor();
  // What the chart shows, for screen readers.
  const table = page.getByRole('table', { name: /Calls on each day/ });
  expect(await table.getByRole('row').count()).toBe(15);
  expect(await table.getByRole('row').nth(2).innerText()).toMatch(/12\s+1\s+/);

  const items = page.getByRole('listitem').filter({ hasText: 'GET /user/repos?per_page' });
  expect(await items.count()).toBe(5);
  await page.getByRole('button', { name: 'Show all 17' }).click();
  expect(await items.count()).toBe(14);
  await page.getByRole('button', { name: 'Show fewer' }).waitFor();
});

it('updates when a call was made', async () => {
  const relink = used();
  app = await openWindow(relink);
  await app.page.getByText('388 calls in the last 14 days').waitFor();
  relink.usage = usageOf([...Array.from({ length: 13 }, () => 0), 1]);
  relink.calls = [madeCall(21, { path: '/the/new/one' })];
  await app.changed('calls');
  await app.page.getByText('1 call in the last 14 days, without an error.').waitFor();
  await app.page.getByText('GET /the/new/one').waitFor();
});

it('says that there were no calls, and how to make one', async () => {
  const relink = new FakeRelink();
  relink.accounts = [account('1')];
  app = await openWindow(relink);
  await showSection('Calls through Relink');
  await app.page.getByText('No calls in the last 14 days.').waitFor();
  await app.page.getByText('No calls yet.').waitFor();
  await inspect(app, 'calls-empty');
});

it('says what could not be loaded, and tries again', async () => {
  const relink = used();
  const { usage, calls } = relink.handlers;
  relink.handlers.usage = relink.handlers.calls = () => {
    throw errorView('store', 'Relink could not read this', 'The disk is full.', 'Make room, and try again.');
  };
  app = await openWindow(relink);
  await showSection('Calls through Relink');
  await app.page.getByText('The disk is full.').first().waitFor();
  await inspect(app, 'calls-error');
  Object.assign(relink.handlers, { usage, calls });
  await app.page.getByRole('button', { name: 'Try again' }).first().click();
  await app.page.getByText('388 calls in the last 14 days').waitFor();
});

it('tries a call, shows the response, and copies it as code', async () => {
  const relink = used();
  relink.tried = {
    ...relink.tried,
    headers: [
      { name: 'content-type', value: 'application/json; charset=utf-8' },
      { name: 'x-ratelimit-remaining', value: '4998' },
    ],
    body: '[{"id":12345678901234567890,"full_name":"acme/web","private":true,"topics":[]}]',
  };
  app = await openWindow(relink);
  const { page } = app;
  await showSection('Try a call');
  // By keyboard alone.
  await page.getByLabel('Method').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.type('/user/repos');
  await page.keyboard.press('Tab');
  await page.keyboard.type('per_page=1');
  await page.keyboard.press('Enter');
  await page.keyboard.type('q=a&b');
  await page.getByLabel('Path').press('Enter');
  await page.getByText('92 ms to the response, 101 ms in all').waitFor();
  expect(relink.invocations.findLast(({ command }) => command === 'try_call')?.args).toEqual({
    id: '1',
    call: { method: 'GET', path: '/user/repos', query: 'per_page=1&q=a%26b', body: null, content_type: null },
  });
  const body = page.getByRole('region', { name: 'Response body' });
  expect(await body.innerText()).toContain('\n    "id": 12345678901234567890,\n');
  await page.getByText('Headers', { exact: true }).click();
  await page.getByText('x-ratelimit-remaining').waitFor();
  await page.getByText('Use it in a program').click();
  await page.getByRole('button', { name: 'Copy as curl' }).scrollIntoViewIfNeeded();
  await inspect(app, 'try-call');
  await inspectLargeText(app, 'try-call');
  for (const name of ['curl', 'Python', 'JavaScript']) {
    await page.getByRole('button', { name: `Copy as ${name}` }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
  }
  expect(relink.copied).toHaveLength(3);
  for (const code of relink.copied) {
    expect(code).toContain('http://127.0.0.1:7417/via/1/user/repos?per_page=1&q=a%26b');
    expect(code).toContain('RELINK_TOKEN');
  }
});

it('offers the calls of the integration, and asks for what is missing in a path', async () => {
  const relink = used();
  app = await openWindow(relink);
  const { page } = app;
  await showSection('Try a call');
  const known = page.getByLabel('Call of the integration');
  await known.waitFor();
  expect(await known.locator('option').count()).toBe(3);
  const path = page.getByLabel('Path');
  await known.selectOption({ index: 2 });
  expect(await path.inputValue()).toBe('/repos/{owner}/issues');
  expect(await page.getByLabel('Method').inputValue()).toBe('POST');
  await page.getByText('Replace {owner} with a value.').waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  expect(relink.invocations.some(({ command }) => command === 'try_call')).toBe(false);
  await path.fill('/repos/acme/issues');
  await page.getByLabel('Body').fill('{"title": "x",}');
  await page.getByText('This isn’t valid JSON.').waitFor();
  await inspect(app, 'try-call-body');
  await page.getByLabel('Body').fill('{"title": "x"}');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect
    .poll(() => relink.invocations.findLast(({ command }) => command === 'try_call')?.args)
    .toMatchObject({ call: { method: 'POST', body: '{"title": "x"}', content_type: 'application/json' } });
});

it('shows why a call was not made, and a response that is no text, long, or an error', async () => {
  const relink = used();
  app = await openWindow(relink);
  const { page } = app;
  await showSection('Try a call');
  const send = page.getByRole('button', { name: 'Send' });
  const fine = relink.handlers.try_call;
  relink.handlers.try_call = () => {
    throw errorView(
      'unreachable',
      'GitHub can’t be reached',
      'The connection was refused.',
      'Try again later.',
    );
  };
  await send.click();
  await page.getByRole('alert').getByText('GitHub can’t be reached').scrollIntoViewIfNeeded();
  await inspect(app, 'try-call-error');
  relink.handlers.try_call = fine;
  relink.tried = { ...relink.tried, body: null, bytes: 5_400_000, is_cut: true };
  await send.click();
  await page.getByText('The response isn’t text.').waitFor();
  await page.getByText('5.4 MB, the rest isn’t shown').waitFor();
  relink.tried = { ...relink.tried, status: 204, reason: 'No Content', body: '', bytes: 0, is_cut: false };
  await send.click();
  await page.getByText('The response has no body.').waitFor();
  const long = 'Unbreakable-'.repeat(60);
  relink.tried = {
    ...relink.tried,
    status: 422,
    reason: 'Unprocessable Content',
    headers: [{ name: `x-${long.toLowerCase()}`, value: long }],
    body: JSON.stringify({ message: long, errors: Array.from({ length: 40 }, (_, index) => ({ index })) }),
    bytes: 2_345,
  };
  await send.click();
  await page.getByText('422 Unprocessable Content').first().waitFor();
  await page.getByText('Headers', { exact: true }).click();
  await page.getByRole('region', { name: 'Response body' }).scrollIntoViewIfNeeded();
  await inspect(app, 'try-call-long');
});

it('records bodies for an hour, shows them, and forgets them', async () => {
  const relink = used();
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Record bodies for an hour' }).click();
  await page.getByText('No calls since then.').waitFor();
  const long = 'Unbreakable-'.repeat(30);
  const made = { at: at(1), program: 'nightly-report', method: 'POST', status: 201 };
  relink.bodies = {
    until: at(-59),
    calls: [
      { ...made, path: '/repos/acme/web/issues', request: '{"title":"x"}', response: '{"id":1}' },
      { ...made, path: `/${long}`, request: null, response: long },
    ],
  };
  await app.changed('calls');
  const first = page.getByText('201 · POST /repos/acme/web/issues · nightly-report');
  await first.click();
  const response = page.getByRole('region', { name: 'Response of POST /repos/acme/web/issues' });
  expect(await response.innerText()).toBe('{\n  "id": 1\n}');
  await page.getByText(/201 · POST \/Unbreakable/).click();
  await page.getByText('No text.').waitFor();
  await first.evaluate((element) => element.scrollIntoView({ block: 'start' }));
  await inspect(app, 'call-bodies');
  await page.getByRole('button', { name: 'Stop and forget' }).click();
  await page.getByRole('button', { name: 'Record bodies for an hour' }).waitFor();
  expect(await first.count()).toBe(0);
});

it('keeps long names within the panes', async () => {
  const long = 'Department-of-Extraordinarily-Long-Names-and-Unbreakable-Identifiers-GmbH-und-Co-KG';
  const relink = used();
  relink.usage = usageOf([5, 1_234_567], {
    programs: [{ api_token_id: 't', name: long, calls: 1_234_572, errors: 176_366, last_at: at(1) }],
    dropped: 12_345,
  });
  relink.calls = [
    madeCall(1, { path: `/${long}/${long}?${long}=…`, program: long, error: long, failed: true }),
  ];
  app = await openWindow(relink);
  await showSection('Calls through Relink');
  await app.page.getByText('could not be recorded').waitFor();
  await inspect(app, 'calls-long');
});

it('forgets what was entered and received when another account is opened', async () => {
  const relink = used();
  relink.accounts.push(account('2', { name: 'Beta' }));
  const answers: ((tried: TriedCall) => void)[] = [];
  relink.handlers.try_call = () => new Promise((resolve) => answers.push(resolve));
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('option', { name: /Acme/ }).click();
  const known = page.getByLabel('Call of the integration');
  await known.selectOption({ index: 1 });
  await page.getByLabel('Path').fill('/user');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect.poll(() => relink.invocations.some(({ command }) => command === 'try_call')).toBe(true);
  await page.getByRole('option', { name: /Beta/ }).click();
  await page.getByRole('heading', { level: 2, name: 'Beta' }).waitFor();
  answers[0]?.(relink.tried);
  expect(await page.getByLabel('Path').inputValue()).toBe('');
  await known.waitFor();
  expect(await known.inputValue()).toBe('');
  await app.changed('calls');
  expect(await page.getByText('to the response,').count()).toBe(0);
});

it('creates a token that is limited to accounts and to reading', async () => {
  const relink = used();
  relink.accounts.push(account('2', { name: 'Beta' }));
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Name', { exact: true }).fill('narrow');
  await page.getByLabel('Accounts', { exact: true }).selectOption('Some accounts');
  await page.getByLabel('Calls', { exact: true }).selectOption('Read only');
  const create = page.getByRole('button', { name: 'Create token' });
  await create.click();
  await page.getByRole('alert').getByText('Choose what the token may use').waitFor();
  await page.getByLabel('Beta (Google)').check();
  await create.scrollIntoViewIfNeeded();
  await inspect(app, 'token-limits');
  await create.click();
  await page.getByText('The token for narrow is in your clipboard').waitFor();
  expect(relink.invocations.findLast(({ command }) => command === 'create_api_token')?.args).toEqual({
    name: 'narrow',
    level: 'program',
    limits: { accounts: ['2'], integrations: null, read_only: true },
    days: 90,
  });
  await page.getByText('Uses accounts, 1 account, read only').waitFor();
  // The next one is unlimited again.
  expect(await page.getByLabel('Accounts', { exact: true }).inputValue()).toBe('all');
  expect(await page.getByLabel('Calls', { exact: true }).inputValue()).toBe('write');
});
