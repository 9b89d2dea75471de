import { expect, it } from 'vitest';
import { account, FakeRelink, revoked } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();
let app: AppWindow;

function three(): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [revoked('1'), account('2', { name: 'Beta' }), account('3', { name: 'Gamma' })];
  return relink;
}

/** The text of the focused element. */
const focused = (): Promise<string> =>
  app.page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');

it('moves with the arrow keys and opens with Enter when the window is too narrow for list and account', async () => {
  app = await openWindow(three());
  const { page } = app;
  await page.setViewportSize({ width: 720, height: 720 });
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  const list = page.getByRole('listbox');
  await list.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect.poll(() => page.getByRole('option', { selected: true }).textContent()).toContain('Gamma');
  expect(await list.isVisible(), 'the list stays while the arrows move').toBe(true);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 2, name: 'Beta' }).waitFor();
  await expect.poll(focused).toBe('Back to list');
  await page.keyboard.press('Enter');
  await list.waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement?.role)).toBe('listbox');
});

it('searches the accounts with Ctrl K from every page, and from an account that has replaced the list', async () => {
  app = await openWindow(three());
  const { page } = app;
  const search = page.getByRole('searchbox', { name: 'Search accounts' });
  const hasFocus = (): Promise<boolean> => search.evaluate((field) => field === document.activeElement);
  for (const name of ['Integrations', 'Activity', 'Webhooks', 'Settings']) {
    await page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name }).click();
    await page.keyboard.press('Control+k');
    await search.waitFor();
    await expect.poll(hasFocus, { message: name }).toBe(true);
  }
  // With both columns visible, the selection stays.
  await page.getByRole('option', { name: /Gamma/ }).click();
  await page.keyboard.press('Control+k');
  await page.getByRole('heading', { level: 2, name: 'Gamma' }).waitFor();
  await page.setViewportSize({ width: 480, height: 720 });
  await search.waitFor({ state: 'hidden' });
  await page.keyboard.press('Control+k');
  await search.waitFor();
  await expect.poll(hasFocus).toBe(true);
});

it('ignores Ctrl K while a dialog is open', async () => {
  app = await openWindow(three());
  const { page } = app;
  await page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: 'Webhooks' }).click();
  await page.getByRole('button', { name: 'Add a webhook' }).click();
  await page.getByLabel('URL', { exact: true }).fill('https://example.com');
  await page.keyboard.press('Control+k');
  expect(await page.getByRole('dialog').isVisible()).toBe(true);
});

it('returns the focus to the control that opened a dialog', async () => {
  app = await openWindow(three());
  const { page } = app;
  await page.getByRole('button', { name: 'Reauthorize connection' }).click();
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await focused()).toBe('Reauthorize connection');

  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Rename…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await focused()).toBe('More');

  // A dialog that replaces another returns the focus to the same button.
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('button', { name: 'Add an integration…' }).click();
  await page.getByRole('dialog', { name: 'Add an integration' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog', { name: 'Connect an account' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await focused()).toBe('Connect');
});

it('closes a dialog on a click outside it, but not on a text selection that ends there', async () => {
  app = await openWindow(three());
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Rename…' }).click();
  const field = page.getByRole('textbox', { name: 'Name' });
  const box = await field.boundingBox();
  if (!box) throw new Error('the field is not visible');
  await page.mouse.move(box.x + 20, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(10, 10);
  await page.mouse.up();
  expect(await page.getByRole('dialog').isVisible()).toBe(true);
  await page.mouse.click(10, 10);
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});
