import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Session } from '../connect/api';
import { arrive, expectRoomForLargeText, inspect } from './inspect';
import { connectSession, hubspot, salesforce } from './samples';
import { FakeServer } from './fake-server';
import { openTab, openHarness, type Tab, type Harness } from './browser';

/** The authentication methods of an integration, as tabs. */

let harness: Harness;
let tab: Tab;

beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());
beforeEach(() => {
  harness.relink = new FakeServer();
  harness.relink.session = { ...connectSession, integrations: [threeMethods] };
});
afterEach(() => tab.context.close());

async function open(): Promise<Tab['page']> {
  tab = await openTab(harness);
  await tab.page.goto(`${harness.base}/connect-account/open/n`);
  return tab.page;
}

/** One integration with every kind of method. */
const threeMethods: Session['integrations'][number] = {
  ...salesforce,
  methods: [{ ...salesforce.methods[0]!, not_ready: null }, hubspot.methods[0]!, salesforce.methods[1]!],
};

it('shows the methods in light and dark, wide and narrow, and with larger text', async () => {
  const page = await open();
  await arrive(page, 'Connect Salesforce');
  await page.getByRole('tab', { name: 'API key' }).click();
  await page.getByLabel('Portal ID').waitFor();
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1000, 360]) await inspect(tab, { scheme, width }, 'three-methods');
  }
  await expectRoomForLargeText(page, 'three-methods');
});

it('chooses a method with the keyboard, and keeps the focus in the tabs', async () => {
  const page = await open();
  await arrive(page, 'Connect Salesforce');
  const selected = () =>
    page.evaluate(() => {
      const { activeElement: focused } = document;
      return focused?.getAttribute('aria-selected') === 'true' ? focused.textContent : null;
    });
  await page.keyboard.press('Tab');
  expect(await selected()).toBe('Sign in');
  for (const [key, name, inPanel] of [
    ['ArrowRight', 'API key', 'Connect Salesforce'],
    ['ArrowRight', 'Client credentials', 'Connect Salesforce'],
    ['ArrowRight', 'Sign in', 'Continue to Salesforce'],
    ['ArrowLeft', 'Client credentials', 'Connect Salesforce'],
    ['Home', 'Sign in', 'Continue to Salesforce'],
    ['End', 'Client credentials', 'Connect Salesforce'],
  ] as const) {
    await page.keyboard.press(key);
    expect(await selected()).toBe(name);
    const panel = page.getByRole('tabpanel', { name });
    await panel.getByRole('button', { name: inPanel }).waitFor();
    expect(await page.getByRole('tab', { selected: true }).count()).toBe(1);
  }
  // One key leaves the tabs.
  await page.keyboard.press('Tab');
  const panel = page.getByRole('tabpanel', { name: 'Client credentials' });
  expect(await panel.evaluate((element) => element.contains(document.activeElement))).toBe(true);
});

it('keeps the method while its values are tested', async () => {
  harness.relink.onCreate = () => new Promise(() => {});
  const page = await open();
  await page.getByRole('tab', { name: 'Sign in' }).waitFor();
  await page.getByRole('button', { name: 'Continue to Salesforce' }).click();
  const other = page.getByRole('tab', { name: 'API key' });
  await page.locator('[role="tab"][aria-disabled="true"]').first().waitFor();
  const selected = page.getByRole('tab', { selected: true });
  await other.click({ force: true });
  expect(await selected.textContent()).toBe('Sign in');
  await selected.press('ArrowRight');
  expect(await selected.textContent()).toBe('Sign in');
});
