import { expect, it } from 'vitest';
import type { Command } from '../../host/host';
import { inspect, inspectLargeText } from './inspect';
import { account, happened, FakeRelink, retrying, revoked, errorView } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import { at, furnished, integration, someAccounts } from './fixtures';

/** Every state that the other tests don't come by, looked at as they look at theirs. */

const openWindow = setUpWindows();
let app: AppWindow;

async function go(place: string, relink: FakeRelink): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: place }).click();
  return app.page;
}

/** These commands are never answered. */
function silent(relink: FakeRelink, ...commands: Command[]): FakeRelink {
  for (const command of commands)
    Object.assign(relink.answers, { [command]: () => new Promise(() => undefined) });
  return relink;
}

/** These commands are refused. */
function broken(relink: FakeRelink, ...commands: Command[]): FakeRelink {
  for (const command of commands)
    Object.assign(relink.answers, {
      [command]: () => {
        throw errorView(
          'store',
          'Relink could not read this',
          'The disk is full.',
          'Make room, and try again.',
        );
      },
    });
  return relink;
}

const PAGES = [
  ['Accounts', 'accounts'],
  ['Integrations', 'integrations'],
  ['Activity', 'timeline'],
  ['Webhooks', 'webhooks'],
  ['Settings', 'preferences'],
] as const;

it.each(PAGES)('says on %s that it waits', async (place, command) => {
  const page = await go(place, silent(furnished(), command));
  await page.getByText('One moment…').first().waitFor();
  await inspect(app, `${place.toLowerCase()}-loading`);
});

it.each(PAGES)('says on %s what could not be loaded, and asks again', async (place, command) => {
  const relink = broken(furnished(), command);
  const page = await go(place, relink);
  await page.getByText('The disk is full.').first().waitFor();
  await inspect(app, `${place.toLowerCase()}-error`);
  const before = relink.asked.filter((asked) => asked.command === command).length;
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect
    .poll(() => relink.asked.filter((asked) => asked.command === command).length)
    .toBeGreaterThan(before);
});

it('waits for an account, and for its health, without a picture that has no name', async () => {
  app = await openWindow(silent(someAccounts(), 'account'));
  await app.page.getByText('One moment…').waitFor();
  await inspect(app, 'account-loading');
  await app.context.close();
  app = await openWindow(silent(someAccounts(), 'health'));
  await app.page.getByRole('heading', { level: 3, name: 'Last 7 days' }).waitFor();
  await inspect(app, 'health-loading');
});

it('waits in its dialogs', async () => {
  app = await openWindow(silent(someAccounts(), 'integrations'));
  await app.page.getByRole('button', { name: 'Connect', exact: true }).click();
  await app.page.getByRole('dialog').getByText('One moment…').waitFor();
  await inspect(app, 'connect-loading');
});

it('says that Relink tries again by itself, and when', async () => {
  app = await openWindow(someAccounts());
  const { page } = app;
  await page.getByRole('option', { name: /Sales EU/ }).click();
  await page.getByRole('button', { name: 'Try now' }).waitFor();
  await inspect(app, 'trying-again');
});

it('says that the client is what is wrong, and leads there', async () => {
  const relink = furnished();
  relink.accounts = [
    revoked('1', {
      verdict: 'needs_client',
      problem: {
        code: 'invalid_client',
        title: 'GitHub refused Relink’s client',
        message: 'The client id or its secret is wrong, or was removed at GitHub.',
        hint: 'Set the client anew.',
        http_status: 401,
        provider_code: 'invalid_client',
        provider_message: null,
        occurred_at: at(3),
      },
    }),
  ];
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Set the client' }).waitFor();
  await inspect(app, 'needs-client');
  await page.getByRole('button', { name: 'Set the client' }).click();
  await page.getByRole('heading', { level: 2, name: 'GitHub' }).waitFor();
});

it('says until when it leaves the person alone, and of unlocking only where that is heard', async () => {
  const relink = someAccounts();
  relink.accounts = [revoked('2', { remind_at: at(-20 * 60 - 30) })];
  app = await openWindow(relink);
  await app.page.getByText('You will be reminded in 20 h, or when you next unlock.').waitFor();
  await inspect(app, 'reminded');
  relink.overview = { ...relink.overview, hears_unlocking: false };
  await app.changed('overview');
  await app.page.getByText('You will be reminded in 20 h.', { exact: true }).waitFor();
});

it('shows the success of a connection link', async () => {
  const relink = someAccounts();
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Reauthorize', exact: true }).click();
  await page.getByRole('button', { name: 'Get connection link' }).click();
  await page.getByText('Magic Link', { exact: true }).waitFor();
  await inspectLargeText(app, 'reauthorize');
  relink.accounts = [account('2', { name: 'Acme engineering', integration_label: 'GitHub' })];
  relink.entries.unshift(happened(9, { account_id: '2', kind: 'reauthorized', title: 'Reauthorized' }));
  await app.changed('accounts');
  await page.getByRole('heading', { name: 'Connection successful' }).waitFor();
  await inspect(app, 'connection-successful');
});

it('opens what is done seldom, and its dialogs', async () => {
  app = await openWindow(someAccounts());
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await inspect(app, 'more');
  await page.getByText('Copy account id').click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  await page.getByRole('button', { name: 'Rename…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).waitFor();
  await inspect(app, 'rename');
  await inspectLargeText(app, 'rename');
  await page.keyboard.press('Escape');
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('dialog').waitFor();
  await inspectLargeText(app, 'delete');
});

it('says where it is asked for that nothing could be copied', async () => {
  const relink = furnished();
  relink.answers.copy_text = () => {
    throw errorView('clipboard', 'This desktop didn’t do it', 'There is no clipboard.');
  };
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Copy account id' }).click();
  await page.getByText('There is no clipboard.').waitFor();
  await page
    .getByRole('navigation', { name: 'Relink' })
    .getByRole('button', { name: 'Integrations' })
    .click();
  await page.getByRole('button', { name: 'Copy app.relink.desktop:/oauth/callback/github' }).click();
  await page.getByText('There is no clipboard.').waitFor();
});

it('names how to register a client only where the provider says so', async () => {
  const relink = furnished();
  relink.answers.open_documentation = () => {
    throw errorView('browser', 'This desktop didn’t do it', 'There is no browser.');
  };
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'How to register it' }).click();
  await page.getByText('There is no browser.').waitFor();
  relink.integrations = [integration('acme', { documented: false })];
  await app.changed('integrations');
  await page.getByRole('heading', { level: 2, name: 'Acme' }).waitFor();
  expect(await page.getByRole('button', { name: 'How to register it' }).count()).toBe(0);
});

it('asks before it uninstalls, removes or revokes', async () => {
  const relink = furnished();
  relink.integrations = [integration('github', { label: 'GitHub' })];
  relink.webhooks = [
    {
      id: 'w',
      target_url: 'https://example.com/hooks',
      is_active: true,
      event_types: null,
      failing_since: null,
      created_at: at(9000),
    },
  ];
  relink.tokens = [{ id: 't', name: 'my-agent', created_at: at(9000), expires_at: null, last_used_at: null }];
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'Uninstall…' }).click();
  await page.getByRole('dialog').waitFor();
  await inspect(app, 'uninstall');
  await page.keyboard.press('Escape');
  const rail = page.getByRole('navigation', { name: 'Relink' });
  await rail.getByRole('button', { name: 'Webhooks' }).click();
  await page.getByRole('button', { name: /example.com/ }).click();
  await page.getByText('Nothing was delivered yet.').waitFor();
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').waitFor();
  await inspect(app, 'remove-webhook');
  await page.keyboard.press('Escape');
  await rail.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Revoke my-agent' }).click();
  await page.getByRole('dialog').waitFor();
  await inspect(app, 'revoke-token');
});

it('teaches where there is nothing yet, and says what no search has found', async () => {
  const relink = furnished();
  const page = await go('Webhooks', relink);
  await page.getByText('A webhook tells a program of yours').waitFor();
  await inspect(app, 'webhooks-empty');
  await page.keyboard.press('Control+k');
  await page.getByRole('searchbox', { name: 'Search accounts' }).fill('nobody');
  await page.getByText('No account is called or signed in like').waitFor();
  await inspect(app, 'accounts-not-found');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('searchbox', { name: 'Search integrations' }).fill('nothing');
  await page.getByText('No integration is called like').waitFor();
  await inspect(app, 'connect-not-found');
});

it('says in the settings that a notification was not shown, which port can be none, and where links may lead', async () => {
  const relink = furnished();
  relink.overview = { ...relink.overview, notifications_trouble: 'No notification service answers.' };
  relink.redirectUris = ['https://app.example.com/connected'];
  relink.answers.set_preferences = () => {
    const refused = errorView(
      'invalid',
      'This can’t be used',
      'The port must be a whole number from 1024 to 65535.',
    );
    throw { ...refused, field: 'port' };
  };
  const page = await go('Settings', relink);
  await page.getByLabel('Addresses that a connection link may lead back to').waitFor();
  await page.getByText('No notification service answers.').waitFor();
  const port = page.getByRole('spinbutton', { name: 'Port' });
  await port.fill('70000');
  await port.press('Enter');
  await page.getByText('The port must be a whole number from 1024 to 65535.').waitFor();
  await page.getByText('No notification service answers.').scrollIntoViewIfNeeded();
  await inspect(app, 'settings-refused');
});

it('says of notifications what was seen when they were last tried, and no more once one was shown', async () => {
  const relink = furnished();
  relink.overview = { ...relink.overview, notifications_trouble: 'No notification service answers.' };
  relink.answers.test_notification = () => {
    relink.overview = { ...relink.overview, notifications_trouble: null };
    return null;
  };
  const page = await go('Settings', relink);
  // At its start Relink only looks for the service: nothing was withheld then.
  await page.getByText('Notifications could not be shown when Relink last tried').waitFor();
  expect(await page.getByText('The last notification').count()).toBe(0);
  await page.getByRole('button', { name: 'Show a test notification' }).click();
  await page.getByText('It was shown.').waitFor();
  await app.changed('overview');
  await page.getByText('Notifications could not be shown').waitFor({ state: 'detached' });
});

it('leaves the account that nobody chose in its place until it is gone', async () => {
  const relink = new FakeRelink();
  relink.accounts = [account('1', { name: 'Alpha' }), account('2', { name: 'Beta' })];
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('heading', { level: 2, name: 'Alpha' }).waitFor();
  relink.accounts = [account('1', { name: 'Alpha' }), retrying('2', { name: 'Beta' })];
  await app.changed('accounts');
  await page.getByRole('option').first().getByText('Beta').waitFor();
  await page.getByRole('heading', { level: 2, name: 'Alpha' }).waitFor();
  relink.accounts = [retrying('2', { name: 'Beta' })];
  await app.changed('accounts');
  await page.getByRole('heading', { level: 2, name: 'Beta' }).waitFor();
});

it('says that an account is gone rather than showing somebody else’s', async () => {
  app = await openWindow(someAccounts());
  const { page } = app;
  await page.getByRole('heading', { level: 2, name: 'Acme engineering' }).waitFor();
  await app.show({ account: 'deleted-long-ago' });
  await page.getByRole('heading', { name: 'This account is gone' }).waitFor();
  await inspect(app, 'account-gone');
  await page.getByRole('button', { name: 'Show the other accounts' }).click();
  await page.getByRole('heading', { level: 2, name: 'Acme engineering' }).waitFor();
});
