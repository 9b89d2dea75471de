import { expect, it } from 'vitest';
import type { Command } from '../../host/host';
import { inspect, inspectLargeText } from './inspect';
import { account, timelineEntry, FakeRelink, retrying, revoked, errorView } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import { at, relinkWithIntegrations, integration, relinkWithAccounts } from './fixtures';

/** The states that the other tests don’t reach. */

const openWindow = setUpWindows();
let app: AppWindow;

async function go(place: string, relink: FakeRelink): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: place }).click();
  return app.page;
}

/** Leaves these commands unanswered. */
function unanswered(relink: FakeRelink, ...commands: Command[]): FakeRelink {
  for (const command of commands)
    Object.assign(relink.handlers, { [command]: () => new Promise(() => undefined) });
  return relink;
}

/** Makes these commands fail. */
function failing(relink: FakeRelink, ...commands: Command[]): FakeRelink {
  for (const command of commands)
    Object.assign(relink.handlers, {
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
  ['Models', 'unified_models'],
  ['Activity', 'timeline'],
  ['Webhooks', 'webhooks'],
  ['Settings', 'preferences'],
] as const;

it('reports that it can be shown, and then that it is painted', async () => {
  const relink = relinkWithIntegrations();
  const reports: string[] = [];
  const painted = new Promise<void>((resolve) => {
    relink.handlers.page_ready = () => (reports.push('ready'), null);
    relink.handlers.page_painted = () => (reports.push('painted'), resolve(), null);
  });
  app = await openWindow(relink);
  await painted;
  expect(reports).toEqual(['ready', 'painted']);
  expect(await app.page.evaluate(() => performance.getEntriesByName('first-contentful-paint').length)).toBe(
    1,
  );
});

it.each(PAGES)('shows on %s that it is loading', async (place, command) => {
  const page = await go(place, unanswered(relinkWithIntegrations(), command));
  await page.getByText('Loading…').first().waitFor();
  await inspect(app, `${place.toLowerCase()}-loading`);
});

it.each(PAGES)('shows on %s what could not be loaded, and tries again', async (place, command) => {
  const relink = failing(relinkWithIntegrations(), command);
  const page = await go(place, relink);
  await page.getByText('The disk is full.').first().waitFor();
  await inspect(app, `${place.toLowerCase()}-error`);
  const before = relink.invocations.filter((invocation) => invocation.command === command).length;
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect
    .poll(() => relink.invocations.filter((invocation) => invocation.command === command).length)
    .toBeGreaterThan(before);
});

it('shows an account that is loading, and one whose health is', async () => {
  app = await openWindow(unanswered(relinkWithAccounts(), 'account'));
  await app.page.getByText('Loading…').waitFor();
  await inspect(app, 'account-loading');
  await app.context.close();
  app = await openWindow(unanswered(relinkWithAccounts(), 'health'));
  await app.page.getByRole('heading', { level: 3, name: 'Last 7 days' }).waitFor();
  await inspect(app, 'health-loading');
});

it('shows a dialog that is loading', async () => {
  app = await openWindow(unanswered(relinkWithAccounts(), 'integrations'));
  await app.page.getByRole('button', { name: 'Connect', exact: true }).click();
  await app.page.getByRole('dialog').getByText('Loading…').waitFor();
  await inspect(app, 'connect-loading');
});

it('shows when Relink retries', async () => {
  app = await openWindow(relinkWithAccounts());
  const { page } = app;
  await page.getByRole('option', { name: /Sales EU/ }).click();
  await page.getByRole('button', { name: 'Retry now' }).waitFor();
  await inspect(app, 'retrying');
});

it('says that OAuth needs setting up, and opens the integration', async () => {
  const relink = relinkWithIntegrations();
  relink.accounts = [
    revoked('1', {
      verdict: 'needs_client',
      problem: {
        code: 'invalid_client',
        title: 'GitHub doesn’t accept Relink’s client',
        message: 'The client ID or secret is wrong, or the app was removed at GitHub.',
        hint: 'Enter the client ID and secret again.',
        http_status: 401,
        provider_code: 'invalid_client',
        provider_message: null,
        occurred_at: at(3),
      },
    }),
  ];
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Set up OAuth' }).waitFor();
  await inspect(app, 'needs-client');
  await page.getByRole('button', { name: 'Set up OAuth' }).click();
  await page.getByRole('heading', { level: 2, name: 'GitHub' }).waitFor();
});

it('says which step failed after a sign-in, and runs the steps again', async () => {
  const relink = relinkWithAccounts();
  const failed = revoked('1', {
    status: 'post_install_error',
    problem: {
      code: 'post_install_error',
      title: 'A setup step for GitHub failed',
      message:
        'The sign-in was saved, but a step that the integration runs after it failed. GitHub answered 500: The index is being rebuilt.',
      hint: 'Look at what the step says. When that is solved, run the steps again.',
      http_status: null,
      provider_code: null,
      provider_message: null,
      occurred_at: at(3),
    },
  });
  relink.accounts = [failed];
  relink.handlers.run_steps = () => (relink.accounts = [account('1')])[0]!;
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('definition').getByText('Setup failed').waitFor();
  await page.getByRole('alert').getByText('The index is being rebuilt.').waitFor();
  expect(await page.getByRole('button', { name: 'Remind me later' }).count()).toBe(0);
  await inspect(app, 'setup-failed');
  await inspectLargeText(app, 'setup-failed');
  await page.getByRole('button', { name: 'Run the steps again' }).click();
  await expect.poll(() => relink.invocations.some(({ command }) => command === 'run_steps')).toBe(true);
  await app.changed('accounts');
  await page.getByRole('button', { name: 'Run the steps again' }).waitFor({ state: 'detached' });
});

it('says when it will remind, and mentions unlocking only where Relink notices it', async () => {
  const relink = relinkWithAccounts();
  relink.accounts = [revoked('2', { remind_at: at(-20 * 60 - 10) })];
  app = await openWindow(relink);
  await app.page.getByText('You will be reminded in 20 h, or when you next unlock your screen.').waitFor();
  await inspect(app, 'reminded');
  relink.overview = { ...relink.overview, detects_unlock: false };
  await app.changed('overview');
  await app.page.getByText('You will be reminded in 20 h.', { exact: true }).waitFor();
});

it('shows the success of a connection link', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Reauthorize connection' }).click();
  await page.getByRole('button', { name: 'Get connection link' }).click();
  await page.getByText('Magic Link', { exact: true }).waitFor();
  await inspectLargeText(app, 'reauthorize');
  relink.accounts = [account('2', { name: 'Acme engineering', integration_label: 'GitHub' })];
  relink.entries.unshift(timelineEntry(9, { account_id: '2', kind: 'reauthorized', title: 'Reauthorized' }));
  await app.changed('accounts');
  await app.changed('timeline');
  await page.getByRole('heading', { name: 'Connection successful' }).waitFor();
  await inspect(app, 'connection-successful');
});

it('opens the More menu and its dialogs', async () => {
  app = await openWindow(relinkWithAccounts());
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await inspect(app, 'more');
  await page.getByText('Copy account ID').click();
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

it('shows beside the button that copying failed', async () => {
  const relink = relinkWithIntegrations();
  relink.handlers.copy_text = () => {
    throw errorView('clipboard', 'The desktop reported an error', 'There is no clipboard.');
  };
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Copy account ID' }).click();
  await page.getByText('There is no clipboard.').waitFor();
  await page
    .getByRole('navigation', { name: 'Relink' })
    .getByRole('button', { name: 'Integrations' })
    .click();
  await page.getByRole('button', { name: 'Copy app.relink.desktop:/oauth/callback/github' }).click();
  await page.getByText('There is no clipboard.').waitFor();
});

it('links to the registration guide only if the integration has one', async () => {
  const relink = relinkWithIntegrations();
  relink.handlers.open_documentation = () => {
    throw errorView('browser', 'The desktop reported an error', 'There is no browser.');
  };
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'How to register an app' }).click();
  await page.getByText('There is no browser.').waitFor();
  relink.integrations = [integration('acme', { documented: false })];
  await app.changed('integrations');
  await page.getByRole('heading', { level: 2, name: 'Acme' }).waitFor();
  expect(await page.getByRole('button', { name: 'How to register an app' }).count()).toBe(0);
});

it('asks before it uninstalls an integration, removes a webhook or revokes a token', async () => {
  const relink = relinkWithIntegrations();
  relink.integrations = [integration('github', { label: 'GitHub' })];
  relink.webhooks = [
    {
      id: 'w',
      target_url: 'https://example.com/hooks',
      is_active: true,
      event_types: null,
      signature_format: 'base64',
      failing_since: null,
      disabled_at: null,
      created_by: null,
      created_at: at(9000),
    },
  ];
  relink.tokens = [
    {
      id: 't',
      name: 'my-agent',
      level: 'program',
      accounts: null,
      integrations: null,
      read_only: false,
      created_at: at(9000),
      expires_at: null,
      last_used_at: null,
    },
  ];
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'Uninstall…' }).click();
  await page.getByRole('dialog').waitFor();
  await inspect(app, 'uninstall');
  await page.keyboard.press('Escape');
  const sidebar = page.getByRole('navigation', { name: 'Relink' });
  await sidebar.getByRole('button', { name: 'Webhooks' }).click();
  await page.getByRole('button', { name: /example.com/ }).click();
  await page.getByText('No deliveries yet.').waitFor();
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').waitFor();
  await inspect(app, 'remove-webhook');
  await page.keyboard.press('Escape');
  await sidebar.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Revoke my-agent' }).click();
  await page.getByRole('dialog').waitFor();
  await inspect(app, 'revoke-token');
});

it('explains empty pages and searches without a match', async () => {
  const relink = relinkWithIntegrations();
  const page = await go('Webhooks', relink);
  await page.getByText('A webhook notifies your program').waitFor();
  await inspect(app, 'webhooks-empty');
  await page.keyboard.press('Control+k');
  await page.getByRole('searchbox', { name: 'Search accounts' }).fill('nobody');
  await page.getByText('No accounts match').waitFor();
  await inspect(app, 'accounts-not-found');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('searchbox', { name: 'Search integrations' }).fill('nothing');
  await page.getByText('No integrations match').waitFor();
  await inspect(app, 'connect-not-found');
});

it('shows in the settings a notification error, an invalid port and the allowed redirect URLs', async () => {
  const relink = relinkWithIntegrations();
  relink.overview = { ...relink.overview, notifications_trouble: 'No notification service is running.' };
  relink.redirectUris = ['https://app.example.com/connected'];
  relink.handlers.set_preferences = () => {
    const refused = errorView(
      'invalid',
      'This value isn’t valid',
      'The port must be a whole number from 1024 to 65535.',
    );
    throw { ...refused, field: 'port' };
  };
  const page = await go('Settings', relink);
  await page.getByLabel('Allowed redirect URLs').waitFor();
  await page.getByText('No notification service is running.').waitFor();
  const port = page.getByRole('spinbutton', { name: 'Port' });
  await port.fill('70000');
  await port.press('Enter');
  await page.getByText('The port must be a whole number from 1024 to 65535.').waitFor();
  await page.getByText('No notification service is running.').scrollIntoViewIfNeeded();
  await inspect(app, 'settings-refused');
});

it('removes the notification error once a notification was shown', async () => {
  const relink = relinkWithIntegrations();
  relink.overview = { ...relink.overview, notifications_trouble: 'No notification service is running.' };
  relink.handlers.test_notification = () => {
    relink.overview = { ...relink.overview, notifications_trouble: null };
    return null;
  };
  const page = await go('Settings', relink);
  // When it starts, Relink only looks for the service, so the text must not speak of a notification.
  await page.getByText('Relink couldn’t show notifications when it last tried').waitFor();
  expect(await page.getByText('The last notification').count()).toBe(0);
  await page.getByRole('button', { name: 'Send a test notification' }).click();
  await page.getByText('Notification sent.').waitFor();
  await app.changed('overview');
  await page.getByText('couldn’t show notifications').waitFor({ state: 'detached' });
});

it('keeps showing the first account, if none is selected, until it is deleted', async () => {
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

it('says that an account was deleted rather than showing another', async () => {
  app = await openWindow(relinkWithAccounts());
  const { page } = app;
  await page.getByRole('heading', { level: 2, name: 'Acme engineering' }).waitFor();
  await app.show({ account: 'deleted-long-ago' });
  await page.getByRole('heading', { name: 'This account no longer exists' }).waitFor();
  await inspect(app, 'account-deleted');
  await page.getByRole('button', { name: 'Show all accounts' }).click();
  await page.getByRole('heading', { level: 2, name: 'Acme engineering' }).waitFor();
});
