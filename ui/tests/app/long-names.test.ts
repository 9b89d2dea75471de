import { it } from 'vitest';
import { inspect } from './inspect';
import { revoked, timelineEntry } from './fake-relink';
import { setUpWindows } from './window';
import { at, relinkWithIntegrations } from './fixtures';

const openWindow = setUpWindows();

it('keeps long names within every page and dialog', async () => {
  const long = 'Department-of-Extraordinarily-Long-Names-and-Unbreakable-Identifiers-GmbH-und-Co-KG';
  const relink = relinkWithIntegrations();
  relink.accounts = [revoked('1', { name: long, identity: `${long}@example.com`, integration_label: long })];
  relink.integrations = relink.integrations.map((each) => ({ ...each, label: `${each.name} ${long}` }));
  relink.entries = [
    timelineEntry(1, { account_name: long, title: `Connected as ${long}`, by: `by API token ${long}` }),
  ];
  relink.notices = [
    {
      id: 1,
      at: at(1),
      title: `${long}: ${long}`,
      body: long,
      account_id: '1',
      about_webhooks: false,
      subjects: 1,
      resolved: 1,
      delivered: false,
    },
  ];
  relink.webhooks = [
    {
      id: 'w',
      target_url: `https://example.com/${long}${long}`,
      is_active: true,
      event_types: ['integrated_account:authentication_error'],
      signature_format: 'base64',
      failing_since: at(40),
      disabled_at: null,
      created_at: at(9000),
      created_by: `API token ${long}`,
    },
  ];
  relink.deliveries = [
    {
      id: 'd',
      event: 'integrated_account:authentication_error',
      tries: 4,
      next_try: null,
      updated_at: at(3),
      state: 'failed',
      last_status: 500,
      last_error: `answered with ${long}`,
    },
  ];
  relink.tokens = [
    {
      id: 't',
      name: long,
      level: 'full',
      accounts: null,
      integrations: null,
      read_only: false,
      created_at: at(9000),
      expires_at: null,
      last_used_at: at(4),
    },
  ];
  relink.redirectUris = [`https://example.com/${long}${long}`];
  relink.overview = {
    ...relink.overview,
    data_folder: `/home/ada/${long}/${long}`,
    notifications_trouble: long,
  };
  const app = await openWindow(relink);
  const { page } = app;
  const dialog = page.getByRole('dialog');
  const close = async (): Promise<void> => {
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  };
  await page.getByRole('heading', { level: 2, name: long }).waitFor();
  await page.getByRole('button', { name: 'Reauthorize', exact: true }).click();
  await dialog.getByText('Waiting for you').waitFor();
  await inspect(app, 'long-sign-in');
  await close();
  await page.getByRole('button', { name: 'Reauthorize connection' }).click();
  await dialog.getByRole('button', { name: 'Get connection link' }).click();
  await page.getByText('Magic Link', { exact: true }).waitFor();
  await inspect(app, 'long-reauthorize');
  await close();
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.waitFor();
  await inspect(app, 'long-delete');
  await close();
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await dialog.getByText(`github ${long}`).waitFor();
  await inspect(app, 'long-connect');
  await dialog.getByText(`notion ${long}`).click();
  await dialog.getByLabel('Tenant').waitFor();
  await inspect(app, 'long-connect-tenant');
  await close();
  const sidebar = page.getByRole('navigation', { name: 'Relink' });
  await sidebar.getByRole('button', { name: 'Integrations' }).click();
  await page.getByRole('heading', { level: 2, name: long }).waitFor();
  await inspect(app, 'long-integrations');
  await sidebar.getByRole('button', { name: 'Activity' }).click();
  await page.getByText(`Connected as ${long}`).waitFor();
  await inspect(app, 'long-activity');
  await page.getByText('Notifications', { exact: true }).click();
  await page.getByText('Not shown').waitFor();
  await inspect(app, 'long-notifications');
  await sidebar.getByRole('button', { name: 'Webhooks' }).click();
  await page.getByRole('button', { name: /example.com/ }).click();
  await page.getByText('1 delivery failed').waitFor();
  await inspect(app, 'long-webhook');
  await sidebar.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: `Revoke ${long}` }).click();
  await dialog.waitFor();
  await inspect(app, 'long-revoke');
  await close();
  await inspect(app, 'long-settings');
}, 120_000);
