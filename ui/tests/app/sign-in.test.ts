import { expect, it } from 'vitest';
import { inspect, inspectLargeText } from './inspect';
import { account, revoked, errorView } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import type { SignInProgress } from '../../host/types';
import { relinkWithAccounts } from './fixtures';

const openWindow = setUpWindows();
let app: AppWindow;

it('reauthorizes an account with one click in the window, and shows what becomes of the sign-in', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  const { page } = app;
  const dialog = page.getByRole('dialog');
  const shows = async (phase: SignInProgress, text: string, picture: string | null): Promise<void> => {
    relink.signIn = phase;
    await app.changed('sign_ins');
    await dialog.getByText(text).waitFor();
    if (picture) await inspect(app, picture);
  };
  await page.getByRole('button', { name: 'Reauthorize', exact: true }).click();
  await dialog.getByText('Waiting for you at GitHub…').waitFor();
  expect(relink.opened).toEqual(['sign-in page']);
  await inspect(app, 'sign-in-waiting');
  await inspectLargeText(app, 'sign-in-waiting');
  await dialog.getByRole('button', { name: 'Open again' }).click();
  await expect.poll(() => relink.opened.length).toBe(2);

  await shows({ phase: 'checking' }, 'Checking the new sign-in…', null);
  await shows(
    { phase: 'question', expected: 'octo-acme', actual: 'somebody-else' },
    'You signed in as somebody-else, but Acme engineering belongs to octo-acme.',
    'sign-in-question',
  );
  await shows({ phase: 'kept_old' }, 'Acme engineering keeps its old sign-in', 'sign-in-kept-old');
  await shows(
    { phase: 'added', name: 'Octo two' },
    'Octo two was added as a second account.',
    'sign-in-added',
  );
  const refused = errorView(
    'access_denied',
    'GitHub access was not allowed',
    'You chose not to allow it.',
    'Start over.',
  );
  await shows({ phase: 'failed', error: refused }, 'GitHub access was not allowed', 'sign-in-failed');
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await dialog.getByText('Waiting for you at GitHub…').waitFor();

  relink.accounts = [
    account('2', { name: 'Acme engineering', integration_label: 'GitHub', identity: 'octo-acme' }),
    ...relink.accounts.filter(({ id }) => id !== '2'),
  ];
  await app.changed('accounts');
  await shows(
    { phase: 'reauthorized' },
    'Acme engineering is connected to GitHub as octo-acme.',
    'sign-in-successful',
  );
  await page.getByRole('heading', { name: 'Connection successful' }).waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await dialog.waitFor({ state: 'detached' });
  await expect.poll(() => relink.signIn).toBe(null);
});

it('cancels a sign-in with its dialog, and offers a link if the page can’t be opened', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  const { page } = app;
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Reauthorize', exact: true }).click();
  await dialog.getByText('Waiting for you at GitHub…').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(() => relink.signIn).toBe(null);

  relink.handlers.begin_sign_in = () => {
    throw errorView('browser', 'The desktop reported an error', 'There is no browser.');
  };
  await page.getByRole('button', { name: 'Reauthorize', exact: true }).click();
  await dialog.getByText('There is no browser.').waitFor();
  await inspect(app, 'sign-in-no-browser');
  await dialog.getByRole('button', { name: 'Use a connection link' }).click();
  await dialog.getByRole('button', { name: 'Get connection link' }).waitFor();
});

it('waits for the form of a new API key, and notices that the account works', async () => {
  const relink = relinkWithAccounts();
  relink.accounts = [revoked('2', { method: 'api_key', method_label: 'API key', name: 'Product wiki' })];
  relink.handlers.begin_sign_in = () => (relink.signIn = { phase: 'in_connect_window' });
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Reauthorize', exact: true }).click();
  await page.getByText('Waiting for the new credentials…').waitFor();
  await inspect(app, 'sign-in-form');
  relink.accounts = [account('2', { name: 'Product wiki' })];
  await app.changed('accounts');
  await page.getByRole('heading', { name: 'Connection successful' }).waitFor();
});
