import { expect, it } from 'vitest';
import { FakeRelink, revoked } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();
let app: AppWindow;

it('opens every page from the sidebar, and shows how many accounts need attention', async () => {
  const relink = new FakeRelink();
  relink.accounts = [revoked('1')];
  app = await openWindow(relink);
  const sidebar = app.page.getByRole('navigation', { name: 'Relink' });
  await sidebar.getByText('1 account needs attention').waitFor();
  for (const name of ['Integrations', 'Models', 'Sync jobs', 'Activity', 'Webhooks', 'Settings']) {
    const button = sidebar.getByRole('button', { name });
    await button.click();
    await expect.poll(() => button.getAttribute('aria-current')).toBe('page');
  }
  await app.show('accounts');
  const accounts = sidebar.getByRole('button', { name: /^Accounts/ });
  await expect.poll(() => accounts.getAttribute('aria-current')).toBe('page');
  relink.accounts = [];
  await app.changed('accounts');
  await sidebar.getByText('needs attention').waitFor({ state: 'detached' });
});
