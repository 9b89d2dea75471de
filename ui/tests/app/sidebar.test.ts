import { expect, it } from 'vitest';
import { FakeRelink, revoked } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();
let app: AppWindow;

it('leads everywhere by its rail, and says how many need their person', async () => {
  const relink = new FakeRelink();
  relink.accounts = [revoked('1')];
  app = await openWindow(relink);
  const rail = app.page.getByRole('navigation', { name: 'Relink' });
  await rail.getByText('1 need you').waitFor();
  for (const name of ['Integrations', 'Activity', 'Webhooks', 'Settings']) {
    const button = rail.getByRole('button', { name });
    await button.click();
    await expect.poll(() => button.getAttribute('aria-current')).toBe('page');
  }
  await app.show('accounts');
  const accounts = rail.getByRole('button', { name: /^Accounts/ });
  await expect.poll(() => accounts.getAttribute('aria-current')).toBe('page');
  relink.accounts = [];
  await app.changed('accounts');
  await rail.getByText('need you').waitFor({ state: 'detached' });
});
