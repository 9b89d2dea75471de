import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { arrive } from './inspect';
import { connectSession, denied, hubspot, succeeded } from './samples';
import { FakeServer } from './fake-server';
import { openTab, openHarness, type Tab, type Harness } from './browser';

let harness: Harness;
let tab: Tab;

beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());
beforeEach(async () => {
  harness.relink = new FakeServer();
  tab = await openTab(harness);
});
afterEach(async () => {
  expect(tab.consoleErrors).toEqual([]);
  await tab.context.close();
});

const CONNECT = '/connect-account/open/n';

describe('the provider’s page', () => {
  it('opens in a new tab without an opener or referrer', async () => {
    await tab.page.goto(harness.base + CONNECT);
    const opening = tab.context.waitForEvent('page');
    await tab.page.getByRole('button', { name: 'Continue to GitHub' }).click();
    const provider = await opening;
    await provider.waitForLoadState();
    expect(provider.url()).toBe('https://github.com/login/oauth/authorize?state=abc');
    expect(await provider.evaluate(() => [window.opener, document.referrer])).toEqual([null, '']);
  });

  it('can be copied as a URL', async () => {
    await tab.page.goto(harness.base + CONNECT);
    await tab.page.getByRole('button', { name: 'Continue to GitHub' }).click();
    await tab.page.getByRole('button', { name: 'Copy URL' }).click();
    await tab.page.getByRole('button', { name: 'Copied' }).waitFor();
    await expect
      .poll(() => tab.page.evaluate(() => navigator.clipboard.readText()))
      .toContain('https://github.com/login');
  });
});

it('shows the success in both tabs of a flow, and the one that the provider returned to goes on', async () => {
  harness.relink.onCreate = () => ({ redirect: 'loopback' });
  await tab.page.goto(harness.base + CONNECT);
  await tab.page.getByRole('button', { name: 'Continue to GitHub' }).click();
  await arrive(tab.page, 'Sign in on GitHub');
  harness.relink.updateFlow({ phase: 'returned' });
  const second = await tab.context.newPage();
  await second.goto(`${harness.base}/connect-account/return?flow=flow-1`);
  await arrive(second, 'Connecting GitHub…');
  harness.relink.updateFlow({
    ...succeeded,
    outcome: { ...succeeded.outcome!, redirect_uri: 'https://app.example/done' },
  });
  await arrive(second, 'Connection successful');
  await arrive(tab.page, 'Connection successful');
  await second.waitForURL('https://app.example/done');
  expect(tab.page.url()).toBe(`${harness.base}/connect-account`);
});

it('a rejected key can be corrected without typing the rest again', async () => {
  harness.relink.session = { ...connectSession, integrations: [hubspot] };
  harness.relink.onCreate = () => ({
    phase: 'working',
    step: 'checking',
    redirect: null,
    authorize_url: null,
  });
  const { page } = tab;
  await page.goto(harness.base + CONNECT);
  await page.getByLabel('Region').selectOption('eu1');
  const key = page.getByLabel('Private app token');
  await key.fill('pat-canary');
  expect(await key.getAttribute('type')).toBe('password');
  await page.getByRole('button', { name: 'Show Private app token' }).click();
  await expect.poll(() => key.getAttribute('type')).toBe('text');
  await page.getByRole('button', { name: 'Connect HubSpot' }).click();
  await page.getByRole('status').filter({ hasText: 'Testing it with HubSpot…' }).waitFor();
  harness.relink.updateFlow({
    ...denied,
    error: { ...denied.error!, message: 'HubSpot refused it.', field: 'api_key' },
  });
  await page.getByText('HubSpot refused it.').waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'api_key');
  await expect.poll(() => page.getByLabel('Region').inputValue()).toBe('eu1');
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(
    'canary',
  );
});

it('an integration is found and chosen by keyboard alone', async () => {
  harness.relink.session = connectSession;
  const { page } = tab;
  await page.goto(harness.base + CONNECT);
  await arrive(page, 'Connect an account');
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain('HubSpot');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.type('hub');
  await page.keyboard.press('Enter');
  await arrive(page, 'Connect HubSpot');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await arrive(page, 'Connect an account');
});

it('continues once Relink runs again', async () => {
  harness.relink.up = false;
  await tab.page.goto(harness.base + CONNECT);
  await arrive(tab.page, 'Relink isn’t responding');
  harness.relink.up = true;
  await arrive(tab.page, 'Reauthorize GitHub');
  expect(harness.relink.count('session')).toBe(1);
});
