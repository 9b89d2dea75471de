import { expect, it } from 'vitest';
import { inspect } from './inspect';
import { errorView } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import { relinkWithIntegrations } from './fixtures';

const openWindow = setUpWindows();
let app: AppWindow;

async function go(place: string, relink = relinkWithIntegrations()): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: place }).click();
  return app.page;
}

it('adds an integration with a form, and shows the redirect URIs while its name is typed', async () => {
  const relink = relinkWithIntegrations();
  relink.handlers.create_integration = () => {
    const refused = errorView('invalid', 'This value isn’t valid', 'It must start with https://.');
    throw { ...refused, field: 'token_url' };
  };
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByLabel('With a form').check();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('Acme CRM');
  await expect.poll(() => dialog.getByLabel('API name').inputValue()).toBe('acme-crm');
  await dialog.getByText('app.relink.desktop:/oauth/callback/acme-crm').waitFor();
  await dialog.getByLabel('API base URL').fill('https://api.acme.test');
  await dialog.getByLabel('Authorization endpoint').fill('https://acme.test/authorize');
  await dialog.getByLabel('Token endpoint').fill('http://acme.test/token');
  await dialog.getByLabel('Client ID').fill('id');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await dialog.getByText('It must start with https://.').waitFor();
  await expect.poll(() => dialog.getByLabel('Token endpoint').getAttribute('aria-invalid')).toBe('true');
  await inspect(app, 'add-integration-form');
});

it('shows each mistake in the form at its field, and asks for an API name where none can be made', async () => {
  const relink = relinkWithIntegrations();
  const page = await go('Integrations', relink);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByLabel('With a form').check();
  const dialog = page.getByRole('dialog');
  const add = dialog.getByRole('button', { name: 'Add', exact: true });
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('Приложение');
  await dialog.getByLabel('API base URL').fill('https://api.acme.test');
  await dialog.getByLabel('Authorization endpoint').fill('https://acme.test/authorize');
  await dialog.getByLabel('Token endpoint').fill('https://acme.test/token');
  await dialog.getByLabel('Client ID').fill('id');
  for (const [field, label] of [
    ['label', 'Name'],
    ['name', 'API name'],
    ['base_url', 'API base URL'],
    ['authorize_url', 'Authorization endpoint'],
    ['scopes', 'Scopes'],
    ['client_id', 'Client ID'],
    ['redirect', 'Redirect type'],
  ] as const) {
    relink.handlers.create_integration = () => {
      throw { ...errorView('invalid', 'This value isn’t valid', `Something about ${field}.`), field };
    };
    await add.click();
    await dialog.getByText(`Something about ${field}.`).waitFor();
    const control = dialog.getByLabel(label, { exact: label === 'Name' }).first();
    await expect.poll(() => control.getAttribute('aria-invalid')).toBe('true');
    expect(await dialog.getByText('This value isn’t valid').count()).toBe(0);
    if (field === 'name') await inspect(app, 'add-integration-api-name');
  }
  relink.handlers.create_integration = ({ integration: { name } }) => ({
    name,
    replaced_for: null,
    warnings: [],
  });
  await dialog.getByLabel('API name').fill('prilozhenie');
  await dialog.getByText('app.relink.desktop:/oauth/callback/prilozhenie').waitFor();
  await add.click();
  await dialog.waitFor({ state: 'detached' });
  const sent = relink.invocations.findLast(({ command }) => command === 'create_integration');
  expect(sent?.args).toMatchObject({ integration: { label: 'Приложение', name: 'prilozhenie' } });
});

it('asks for at least one event, at the events, and saves nothing until then', async () => {
  const relink = relinkWithIntegrations();
  const { add_webhook: save } = relink.handlers;
  relink.handlers.add_webhook = (args) => {
    if (args.webhook.event_types?.length === 0)
      throw {
        ...errorView('invalid', 'This value isn’t valid', 'Choose at least one event.'),
        field: 'event_types',
      };
    return save(args);
  };
  const page = await go('Webhooks', relink);
  await page.getByRole('button', { name: 'Add a webhook' }).click();
  await page.getByLabel('URL', { exact: true }).fill('https://example.com/hooks');
  await page.getByLabel('Only selected events').check();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('alert').getByText('Choose at least one event.').waitFor();
  expect(relink.webhooks).toEqual([]);
  await page.getByText('An account is ready.').waitFor();
  await inspect(app, 'add-webhook-no-event');
  await page.getByLabel('integrated_account:active').check();
  await page.getByText('Choose at least one event.').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect
    .poll(() => relink.webhooks.map((each) => each.event_types))
    .toEqual([['integrated_account:active']]);
});

it('adds a webhook, whose secret goes to the clipboard and never reaches the page', async () => {
  const page = await go('Webhooks');
  await page.getByText('A webhook notifies your program').waitFor();
  await page.getByRole('button', { name: 'Add a webhook' }).click();
  await page.getByLabel('URL', { exact: true }).fill('https://example.com/hooks');
  await inspect(app, 'add-webhook');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText('The signing secret is in your clipboard').waitFor();
  expect(app.relink.copied).toEqual(['signing secret']);
});
