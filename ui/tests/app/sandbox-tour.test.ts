import { expect, it } from 'vitest';
import { inspect, inspectLargeText } from './inspect';
import { account, timelineEntry, FakeRelink, revoked } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();
let app: AppWindow;

const SANDBOX = {
  name: 'Ada Lovelace',
  integration: 'sandbox',
  integration_label: 'Sandbox',
  is_sandbox: true,
  is_of_own_sandbox: true,
};

function connected(): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [account('1', SANDBOX)];
  relink.entries = [timelineEntry(1, { kind: 'connected', title: 'Connected as ada@example.com' })];
  return relink;
}

it('guides through connect, revoke, check and reauthorize, and checks off what happened', async () => {
  const relink = connected();
  relink.handlers.check = ({ id }) => {
    relink.accounts = [revoked('1', SANDBOX)];
    relink.entries.unshift(
      timelineEntry(2, { kind: 'refresh_failed', tone: 'bad', title: 'Refresh refused', facts: [] }),
    );
    return { outcome: 'unauthorized', account: relink.find(id) };
  };
  app = await openWindow(relink);
  const { page } = app;
  const list = page.getByRole('region', { name: 'See the full cycle in a minute' });
  const done = (): Promise<number> => list.getByText(', done').count();
  await list.waitFor();
  expect(await done()).toBe(1);
  await inspect(app, 'sandbox-tour');
  await page.getByRole('option', { name: /Ada Lovelace/ }).click();
  await inspectLargeText(app, 'sandbox-tour');
  await list.getByRole('button', { name: 'Revoke access' }).click();
  await expect.poll(done).toBe(2);
  expect(relink.invocations.find(({ command }) => command === 'control_sandbox')?.args).toEqual({
    action: 'revoke',
  });
  await list.getByRole('button', { name: 'Check now' }).click();
  await app.changed('accounts');
  await app.changed('timeline');
  await expect.poll(done).toBe(3);
  await page.getByRole('alert').first().waitFor();
  await inspect(app, 'sandbox-tour-broken');
  await list.getByRole('button', { name: 'Reauthorize' }).click();
  await page.getByRole('dialog').getByText('Waiting for you at Sandbox…').waitFor();
  await page.keyboard.press('Escape');
  relink.accounts = [account('1', SANDBOX)];
  relink.entries.unshift(
    timelineEntry(3, { kind: 'reauthorized', title: 'Reauthorized as ada@example.com' }),
  );
  await app.changed('accounts');
  await app.changed('timeline');
  const end = page.getByRole('region', { name: 'All done' });
  await end.waitFor();
  await inspect(app, 'sandbox-tour-done');
  await end.getByRole('button', { name: 'Dismiss' }).click();
  await end.waitFor({ state: 'detached' });
});

it('stays hidden once it was dismissed', async () => {
  const relink = connected();
  app = await openWindow(relink);
  const { page } = app;
  const list = page.getByRole('region', { name: 'See the full cycle in a minute' });
  await list.getByRole('button', { name: 'Dismiss' }).click();
  await list.waitFor({ state: 'detached' });
  await page.reload();
  await page.getByRole('heading', { level: 2, name: 'Ada Lovelace' }).waitFor();
  await page.getByText('Connected as ada@example.com').waitFor();
  expect(await list.count()).toBe(0);
});

it('is not shown for a real account, nor for a Sandbox account with a long timeline', async () => {
  const relink = connected();
  relink.accounts = [account('1')];
  app = await openWindow(relink);
  await app.page.getByText('Connected as ada@example.com').waitFor();
  expect(await app.page.getByText('in a minute').count()).toBe(0);
  relink.accounts = [account('1', SANDBOX)];
  relink.entries = Array.from({ length: 60 }, (_, at) => timelineEntry(60 - at));
  await app.page.reload();
  await app.page.getByRole('heading', { level: 2, name: 'Ada Lovelace' }).waitFor();
  await app.page.getByRole('button', { name: 'Show more' }).waitFor();
  expect(await app.page.getByText('in a minute').count()).toBe(0);
});
