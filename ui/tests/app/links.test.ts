import { expect, it } from 'vitest';
import type { IssuedLink } from '../../host/types';
import { inspect, inspectLargeText } from './inspect';
import { errorView, type FakeRelink } from './fake-relink';
import { at, relinkWithIntegrations } from './fixtures';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();
let app: AppWindow;

const issued = (id: string, change: Partial<IssuedLink> = {}): IssuedLink => ({
  id,
  purpose: 'connect',
  status: 'usable',
  tenant_id: 'acme-1',
  integrated_account_id: null,
  account_name: null,
  program: null,
  created_at: at(60),
  expires_at: at(-7 * 24 * 60),
  ...change,
});

async function settings(relink: FakeRelink): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page
    .getByRole('navigation', { name: 'Relink' })
    .getByRole('button', { name: 'Settings' })
    .click();
  await app.page.getByText('Links that can still be used.').scrollIntoViewIfNeeded();
  return app.page;
}

it('lists the links that can still be used, and revokes one', async () => {
  const relink = relinkWithIntegrations();
  const account = { tenant_id: null, integrated_account_id: '2', account_name: 'Acme engineering' };
  relink.links = [
    issued('1', { program: 'onboarding-server' }),
    issued('2', { ...account, purpose: 'reauthorize' }),
    issued('3', { ...account, purpose: 'post_connect_form' }),
  ];
  const page = await settings(relink);
  await page.getByText('Connect an account for tenant acme-1').waitFor();
  await page.getByText('Created by onboarding-server').waitFor();
  await page.getByText('Fill in the form of Acme engineering').waitFor();
  await inspect(app, 'links');
  await inspectLargeText(app, 'links');
  await page.getByRole('button', { name: 'Revoke: Reauthorize Acme engineering' }).click();
  const dialog = page.getByRole('dialog', { name: 'Revoke this link?' });
  await dialog.waitFor();
  await inspect(app, 'links-revoke');
  await dialog.getByRole('button', { name: 'Revoke link' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('Reauthorize Acme engineering').waitFor({ state: 'detached' });
  expect(relink.links.map(({ id }) => id)).toEqual(['1', '3']);
});

it('saves where links work', async () => {
  const relink = relinkWithIntegrations();
  const page = await settings(relink);
  await page.getByText('There are none.').waitFor();
  await page.getByLabel('Public address').fill('https://relink.example.com');
  await page.getByLabel('Origins that may show').fill('https://app.example.com\nhttp://localhost:3000');
  await page.getByLabel('Also open the connect page').check();
  await page.getByRole('button', { name: 'Save' }).first().click();
  await page.getByText('Saved.').waitFor();
  expect(relink.linkSettings).toMatchObject({
    public_address: 'https://relink.example.com',
    frame_origins: ['https://app.example.com', 'http://localhost:3000'],
    also_listen: true,
  });
  await page.getByText('Saved.').scrollIntoViewIfNeeded();
  await inspect(app, 'link-settings');
});

it('says why it is not at localhost:5173, and what is wrong with an address', async () => {
  const relink = relinkWithIntegrations();
  relink.linkSettings = {
    ...relink.linkSettings,
    also_listen: true,
    also_listen_problem:
      'Port 5173 is used by another program. Stop it, and Relink takes the port within seconds.',
  };
  const page = await settings(relink);
  await page.getByText('Port 5173 is used by another program.').waitFor();
  await page.getByText('Port 5173 is used by another program.').scrollIntoViewIfNeeded();
  await inspect(app, 'link-settings-port-taken');
  relink.handlers.set_link_settings = () => {
    throw errorView(
      'public_address_unfit',
      'The public address must be the https:// address of your tunnel',
      '',
    );
  };
  await page.getByLabel('Public address').fill('https://127.0.0.1');
  await page.getByRole('button', { name: 'Save' }).first().click();
  await page.getByText('The public address must be the https:// address').waitFor();
  expect(await page.getByLabel('Public address').inputValue()).toBe('https://127.0.0.1');
});
