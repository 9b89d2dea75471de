import { expect, it } from 'vitest';
import { inspect, inspectLargeText } from './inspect';
import { account, revoked, errorView } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import { at, relinkWithIntegrations, integration } from './fixtures';

const openWindow = setUpWindows();
let app: AppWindow;

async function go(place: string, relink = relinkWithIntegrations()): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: place }).click();
  return app.page;
}

it('connects an account: integration, tenant, connect page, Connection successful', async () => {
  const relink = relinkWithIntegrations();
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('searchbox', { name: 'Search integrations' }).fill('sand');
  await inspect(app, 'connect-search');
  await page.getByRole('searchbox', { name: 'Search integrations' }).press('Enter');
  await page.getByLabel('Tenant').fill('acme-1');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('The connect page is open').waitFor();
  expect(relink.invocations.map(({ command }) => command)).toContain('install');
  expect(relink.opened).toEqual(['link-1 in window']);
  await inspect(app, 'connect-waiting');
  relink.accounts = [...relink.accounts, account('2', { name: 'Ada Lovelace' })];
  await app.changed('accounts');
  await page.getByRole('heading', { name: 'Connection successful' }).waitFor();
  await page.getByRole('button', { name: 'Show account' }).click();
  await page.getByRole('heading', { level: 2, name: 'Ada Lovelace' }).waitFor();
});

it.each([true, false])(
  'leads to the OAuth setup where a link would lead nowhere (installed: %s)',
  async (installed) => {
    const relink = relinkWithIntegrations();
    const missing = 'Register an OAuth app first.';
    relink.integrations = [
      integration('github', { label: 'GitHub', installed, not_ready: installed ? missing : null }),
    ];
    relink.handlers.install = () => {
      relink.integrations = [integration('github', { label: 'GitHub', not_ready: missing })];
      return null;
    };
    app = await openWindow(relink);
    const { page } = app;
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'GitHub' }).click();
    if (!installed) await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('GitHub needs OAuth setup first').waitFor();
    expect(await page.getByRole('button', { name: 'Continue' }).count()).toBe(0);
    await inspect(app, 'connect-needs-setup');
    await page.getByRole('button', { name: 'Set up OAuth' }).click();
    await page.getByLabel('Client ID').waitFor();
    expect(relink.opened).toEqual([]);
  },
);

it('continues to connect an integration that was added from the dialog', async () => {
  const relink = relinkWithIntegrations();
  relink.handlers.add_integration = () => {
    relink.integrations = [...relink.integrations, integration('acme', { label: 'Acme CRM' })];
    return { name: 'acme', replaced_for: null, warnings: [] };
  };
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('button', { name: 'Add an integration…' }).click();
  await page.getByLabel('Or paste the JSON').fill('{ "name": "acme" }');
  await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('heading', { name: 'Connect Acme CRM' }).waitFor();
  await page.getByRole('button', { name: 'Continue' }).waitFor();
  await inspectLargeText(app, 'connect');
});

it('says that a file has replaced an integration, and how many accounts use it', async () => {
  const relink = relinkWithIntegrations();
  relink.handlers.add_integration = () => ({ name: 'acme', replaced_for: 2, warnings: [] });
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByLabel('Or paste the JSON').fill('{ "name": "acme" }');
  await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('heading', { name: 'Integration replaced' }).waitFor();
  await page.getByText('replaced its definition, which 2 accounts use.').waitFor();
  await inspect(app, 'integration-replaced');
  await page.getByRole('button', { name: 'Continue' }).click();
});

it('saves the OAuth client of a provider, and copies the redirect URIs to register', async () => {
  const page = await go('Integrations');
  await page.getByRole('heading', { level: 2, name: 'GitHub' }).waitFor();
  await inspect(app, 'integrations');
  await inspectLargeText(app, 'integrations');
  await page.getByLabel('Client ID').fill('Iv1.abc');
  await page.getByRole('textbox', { name: 'Client secret' }).fill('hush');
  await page.getByRole('button', { name: 'Save client' }).click();
  await page.getByText('The secret is in your keychain.').waitFor();
  await expect.poll(() => page.getByRole('textbox', { name: 'Client secret' }).inputValue()).toBe('');
  expect(app.relink.invocations.find(({ command }) => command === 'set_client')?.args).toEqual({
    name: 'github',
    id: 'Iv1.abc',
    secret: 'hush',
  });
  await page.getByRole('button', { name: 'Copy app.relink.desktop:/oauth/callback/github' }).click();
  await expect.poll(() => app.relink.copied).toEqual(['app.relink.desktop:/oauth/callback/github']);
});

it('says that an integration hides the built-in one of the same name', async () => {
  const relink = relinkWithIntegrations();
  relink.integrations = [
    integration('github', { label: 'GitHub', built_in: false, hides_built_in: true, client_id: 'Iv1.abc' }),
    integration('notion'),
  ];
  const page = await go('Integrations', relink);
  const notice = page.getByRole('status').filter({ hasText: 'A built-in integration is hidden' });
  await notice.waitFor();
  expect(await notice.textContent()).toContain('It is also named github. Yours is used instead.');
  await inspect(app, 'integration-hides-built-in');
  await inspectLargeText(app, 'integration-hides-built-in');
  await page.getByRole('button', { name: 'Notion' }).click();
  await notice.waitFor({ state: 'detached' });
});

it('does not uninstall an integration that still has accounts', async () => {
  const relink = relinkWithIntegrations();
  relink.integrations = [integration('github', { accounts: 2 })];
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'Uninstall…' }).click();
  await page.getByText('Github still has 2 accounts.').waitFor();
  expect(await page.getByRole('button', { name: 'Uninstall', exact: true }).count()).toBe(0);
});

it('adds an integration from a file, and names the line and field of a mistake', async () => {
  const relink = relinkWithIntegrations();
  const mistake = 'Line 4, config.base_url: “ftp://x” is not a web address.';
  relink.handlers.add_integration = () => {
    throw errorView('definition_invalid', 'This integration can’t be used', mistake);
  };
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.locator('input[type=file]').setInputFiles({
    name: 'acme.json',
    mimeType: 'application/json',
    buffer: Buffer.from('{ "name": "acme" }'),
  });
  await expect.poll(() => page.getByLabel('Or paste the JSON').inputValue()).toContain('acme');
  await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText(mistake).waitFor();
  await inspect(app, 'add-integration-mistake');
});

it('shows the activity of all accounts, and every notification', async () => {
  const relink = relinkWithIntegrations();
  relink.entries = [
    {
      seq: 2,
      account_id: '1',
      account_name: 'Account 1',
      account_gone: false,
      at: at(5),
      kind: 'refresh_failed',
      tone: 'bad',
      title: 'Refresh failed',
      detail: 'Google didn’t answer.',
      by: null,
      facts: [],
    },
    {
      seq: 1,
      account_id: '1',
      account_name: 'Account 1',
      account_gone: false,
      at: at(50),
      kind: 'connected',
      tone: 'good',
      title: 'Connected as ada@example.com',
      detail: null,
      by: null,
      facts: [],
    },
  ];
  relink.notices = [
    {
      id: 1,
      at: at(5),
      title: 'Google no longer accepts this sign-in',
      body: 'Account 1: Access was revoked.',
      account_id: '1',
      about_webhooks: false,
      subjects: 1,
      resolved: 1,
      delivered: true,
    },
    {
      id: 2,
      at: at(15),
      title: '3 accounts need attention',
      body: 'Account 1 (Google), Account 2 (Google) and Account 3 (Google).',
      account_id: null,
      about_webhooks: false,
      subjects: 3,
      resolved: 2,
      delivered: true,
    },
    {
      id: 3,
      at: at(25),
      title: 'Account 4: GitHub no longer accepts this sign-in',
      body: 'Access was revoked.',
      account_id: '1',
      about_webhooks: false,
      subjects: 1,
      resolved: 0,
      delivered: false,
    },
  ];
  const page = await go('Activity', relink);
  await page.getByText('Connected as ada@example.com').waitFor();
  await inspect(app, 'activity');
  await page.getByLabel('Problems only').check();
  await page.getByText('Connected as ada@example.com').waitFor({ state: 'detached' });
  await page.getByText('Notifications', { exact: true }).click();
  await page.getByText('Resolved', { exact: true }).waitFor();
  await page.getByText('2 of 3 resolved').waitFor();
  await inspect(app, 'notifications');
  // The state follows the account, without a new notification.
  for (const notice of relink.notices) notice.resolved = notice.subjects;
  await app.changed('accounts');
  await expect.poll(() => page.getByText('Resolved', { exact: true }).count()).toBe(3);
  await page.getByRole('button', { name: 'Open account' }).first().click();
  await page.getByRole('heading', { level: 2, name: 'Account 1' }).waitFor();
});

it('saves settings, and creates and revokes API tokens', async () => {
  const page = await go('Settings');
  await page.getByRole('heading', { level: 2, name: 'API tokens' }).waitFor();
  await inspect(app, 'settings');
  await inspectLargeText(app, 'settings');
  await page.getByLabel('Name').fill('my-agent');
  await page.getByRole('button', { name: 'Create token' }).click();
  await page.getByText('The token for my-agent is in your clipboard').waitFor();
  expect(app.relink.copied).toEqual(['API token']);
  await page.getByText('Uses accounts').waitFor();
  await page.getByLabel('Name').fill('deployer');
  await page.getByLabel('Access').selectOption('Full access');
  await page.getByText('change and delete accounts').waitFor();
  await inspect(app, 'api-tokens');
  await page.getByRole('button', { name: 'Create token' }).click();
  await page.getByText('The token for deployer is in your clipboard').waitFor();
  expect(app.relink.tokens.map(({ name, level }) => [name, level])).toEqual([
    ['my-agent', 'program'],
    ['deployer', 'full'],
  ]);
  await page.getByRole('listitem').filter({ hasText: 'deployer' }).getByText('Full access').waitFor();
  await page.getByRole('button', { name: 'Revoke deployer' }).click();
  await page.getByRole('button', { name: 'Revoke token' }).click();
  await page.getByLabel('Dark').check();
  await expect.poll(() => app.relink.preferences.appearance).toBe('dark');
  await app.changed('preferences');
  await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark');
  await page.getByRole('button', { name: 'Revoke my-agent' }).click();
  await page.getByRole('button', { name: 'Revoke token' }).click();
  await expect.poll(() => app.relink.tokens).toEqual([]);
  await page.getByRole('button', { name: 'Test sign-in redirect' }).click();
  await page.getByText('It works: your browser returned to Relink.').waitFor();
});

it('restores a setting that could not be saved, and says why', async () => {
  const relink = relinkWithIntegrations();
  relink.handlers.set_preferences = () => {
    throw errorView(
      'start_at_login',
      'The desktop reported an error',
      'There is no place for programs that start at login.',
    );
  };
  const page = await go('Settings', relink);
  await page.getByRole('checkbox', { name: /Start Relink in the tray/ }).click();
  await page.getByText('There is no place for programs that start at login.').waitFor();
  await expect
    .poll(() => page.getByRole('checkbox', { name: /Start Relink in the tray/ }).isChecked())
    .toBe(false);
});

it('keeps a port that was refused, beside what is wrong with it', async () => {
  const relink = relinkWithIntegrations();
  relink.handlers.set_preferences = () => {
    throw errorView('port_invalid', 'This port can’t be used', 'Choose one from 1024 to 65535.');
  };
  const page = await go('Settings', relink);
  await page.getByLabel('Port').fill('80');
  await page.getByLabel('Port').press('Tab');
  await page.getByText('Choose one from 1024 to 65535.').waitFor();
  expect(await page.getByLabel('Port').inputValue()).toBe('80');
});

it('shows a locked keychain, being offline and a port in use as banners', async () => {
  const relink = relinkWithIntegrations();
  relink.accounts = [revoked('1')];
  relink.overview = {
    ...relink.overview,
    online: false,
    port_problem: 'Port 8080 is used by a program of another user.',
    base_url: 'http://127.0.0.1:8080',
    keychain: { available: false, message: 'The keychain is locked.' },
  };
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText('The keychain is locked.').waitFor();
  await page.getByText('You’re offline.').waitFor();
  await page.getByText('Port 8080 is used by a program of another user.').waitFor();
  await inspect(app, 'banners');
  await page.getByRole('button', { name: 'Open Settings' }).click();
  await page.getByText('The local API is off').waitFor();
  await inspect(app, 'settings-port-taken');
});
