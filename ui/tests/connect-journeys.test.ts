import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { arrive } from './inspect';
import { connectSession, denied, hubspot, succeeded } from './samples';
import { FakeServer } from './fake-server';
import { openTab, openWorld, type Tab, type World } from './browser';

let world: World;
let tab: Tab;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  world.relink = new FakeServer();
  tab = await openTab(world);
});
afterEach(async () => {
  expect(tab.complaints).toEqual([]);
  await tab.context.close();
});

const CONNECT = '/connect-account?link_token=t';

describe('the provider’s page', () => {
  it('opens in a new tab that knows nothing of this one', async () => {
    await tab.page.goto(world.base + CONNECT);
    const opening = tab.context.waitForEvent('page');
    await tab.page.getByRole('button', { name: 'Continue to GitHub' }).click();
    const provider = await opening;
    await provider.waitForLoadState();
    expect(provider.url()).toBe('https://github.com/login/oauth/authorize?state=abc');
    expect(await provider.evaluate(() => [window.opener, document.referrer])).toEqual([null, '']);
  });

  it('can be copied, and the button says so', async () => {
    await tab.page.goto(world.base + CONNECT);
    await tab.page.getByRole('button', { name: 'Continue to GitHub' }).click();
    await tab.page.getByRole('button', { name: 'Copy address' }).click();
    await tab.page.getByRole('button', { name: 'Copied' }).waitFor();
    await expect
      .poll(() => tab.page.evaluate(() => navigator.clipboard.readText()))
      .toContain('https://github.com/login');
  });
});

it('two tabs of one flow both end in success, and the one returned to goes on', async () => {
  world.relink.begins = () => ({ redirect: 'loopback' });
  await tab.page.goto(world.base + CONNECT);
  await tab.page.getByRole('button', { name: 'Continue to GitHub' }).click();
  await arrive(tab.page, 'Sign in on GitHub');
  world.relink.move({ phase: 'returned' });
  const second = await tab.context.newPage();
  await second.goto(`${world.base}/connect-account/return?flow=flow-1`);
  await arrive(second, 'Connecting GitHub…');
  world.relink.move({
    ...succeeded,
    outcome: { ...succeeded.outcome!, redirect_uri: 'https://app.example/done' },
  });
  await arrive(second, 'Connection successful');
  await arrive(tab.page, 'Connection successful');
  await second.waitForURL('https://app.example/done');
  expect(tab.page.url()).toBe(world.base + CONNECT);
});

it('a key that the provider refuses can be mended without typing the rest again', async () => {
  world.relink.session = { ...connectSession, integrations: [hubspot] };
  world.relink.begins = () => ({ phase: 'working', step: 'checking', redirect: null, authorize_url: null });
  const { page } = tab;
  await page.goto(world.base + CONNECT);
  await page.getByLabel('Region').selectOption('eu1');
  const key = page.getByLabel('Private app token');
  await key.fill('pat-canary');
  expect(await key.getAttribute('type')).toBe('password');
  await page.getByRole('button', { name: 'Show Private app token' }).click();
  await expect.poll(() => key.getAttribute('type')).toBe('text');
  await page.getByRole('button', { name: 'Connect HubSpot' }).click();
  await page.getByRole('status').filter({ hasText: 'Trying it with HubSpot…' }).waitFor();
  world.relink.move({
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
  world.relink.session = connectSession;
  const { page } = tab;
  await page.goto(world.base + CONNECT);
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

it('goes on by itself once Relink runs again', async () => {
  world.relink.up = false;
  await tab.page.goto(world.base + CONNECT);
  await arrive(tab.page, 'Relink isn’t answering');
  world.relink.up = true;
  await arrive(tab.page, 'Reauthorize GitHub');
  expect(world.relink.count('session')).toBe(1);
});
