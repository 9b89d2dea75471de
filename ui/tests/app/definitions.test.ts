import { expect, it } from 'vitest';
import type { DefinitionView } from '../../host/types';
import { errorView } from './fake-relink';
import { integration, relinkWithIntegrations } from './fixtures';
import { inspect, inspectLargeText } from './inspect';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();

const DEFINITION: DefinitionView = {
  text: JSON.stringify(
    {
      name: 'acme',
      category: 'crm',
      config: {
        label: 'Acme CRM',
        base_url: 'https://api.acme.example',
        credentials: {
          api_key: { format: 'api_key', config: { fields: [{ name: 'api_key', type: 'password' }] } },
        },
        resources: {
          contacts: { list: { path: '/contacts', description: 'Lists the contacts of the whole company.' } },
        },
      },
    },
    null,
    2,
  ),
  version: 3,
  built_in: false,
  override_text: '{}',
};

async function open(view: DefinitionView): Promise<AppWindow> {
  const relink = relinkWithIntegrations();
  relink.integrations = [
    integration('acme', {
      label: 'Acme CRM',
      built_in: view.built_in,
      wants_client: false,
      redirect_uris: [],
    }),
  ];
  relink.handlers.definition = () => view;
  const app = await openWindow(relink);
  await app.page
    .getByRole('navigation', { name: 'Relink' })
    .getByRole('button', { name: 'Integrations' })
    .click();
  await app.page.getByRole('heading', { level: 2, name: 'Acme CRM' }).waitFor();
  return app;
}

it('checks a definition while it is edited, leads to the line, and saves it with its version', async () => {
  const app = await open(DEFINITION);
  const { page, relink } = app;
  await page.getByRole('button', { name: 'Edit definition…' }).click();
  const editor = page.getByLabel('Definition, version 3');
  await editor.waitFor();
  const save = page.getByRole('button', { name: 'Save', exact: true });
  expect(await save.isDisabled(), 'nothing was changed').toBe(true);
  await inspect(app, 'definition');
  relink.handlers.check_definition = ({ text }) =>
    text.includes('ftp:')
      ? { line: 6, column: 17, field: 'config.base_url', problem: '"ftp://x" is not a web address.' }
      : null;
  await editor.fill(DEFINITION.text.replace('https://api.acme.example', 'ftp://x'));
  await page.getByText('is not a web address.').waitFor();
  expect(await save.isDisabled(), 'what is wrong is not saved').toBe(true);
  await inspect(app, 'definition-mistake');
  await inspectLargeText(app, 'definition-mistake');
  await page.getByRole('button', { name: 'Line 6, column 17 · config.base_url' }).click();
  const selected = await editor.evaluate((area: HTMLTextAreaElement) =>
    area.value.slice(area.selectionStart, area.selectionEnd),
  );
  expect(selected).toContain('ftp://x');
  const text = DEFINITION.text.replace('Acme CRM', 'Acme');
  await editor.fill(text);
  await page.getByText('is not a web address').waitFor({ state: 'detached' });
  await save.click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const saved = relink.invocations.find(({ command }) => command === 'save_definition');
  expect(saved?.args).toEqual({ name: 'acme', version: 3, text });
});

it('says that somebody else changed the definition, and keeps the text until the person loads it again', async () => {
  const app = await open(DEFINITION);
  const { page, relink } = app;
  relink.handlers.save_definition = () => {
    throw errorView('version_stale', 'The integration has version 4 by now.', 'Nothing was changed.');
  };
  await page.getByRole('button', { name: 'Edit definition…' }).click();
  const editor = page.getByLabel('Definition, version 3');
  const mine = DEFINITION.text.replace('Acme CRM', 'Mine');
  await editor.fill(mine);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('This integration was changed elsewhere').waitFor();
  expect(await editor.inputValue()).toBe(mine);
  await inspect(app, 'definition-conflict');
  const theirs = { ...DEFINITION, version: 4, text: DEFINITION.text.replace('Acme CRM', 'Theirs') };
  relink.handlers.definition = () => theirs;
  await page.getByRole('button', { name: 'Load the current version' }).click();
  await expect.poll(() => page.getByLabel('Definition, version 4').inputValue()).toBe(theirs.text);
  expect(await page.getByText('This integration was changed elsewhere').count()).toBe(0);
});

it('shows a built-in definition, and edits what is merged over it', async () => {
  const app = await open({ ...DEFINITION, built_in: true });
  const { page, relink } = app;
  await page.getByRole('button', { name: 'View definition…' }).click();
  await page.getByText('so its definition can’t be changed').waitFor();
  expect(await page.getByLabel('Definition, version 3').getAttribute('readonly')).not.toBeNull();
  expect(await page.getByRole('button', { name: 'Save', exact: true }).count()).toBe(0);
  await inspect(app, 'definition-built-in');
  await page.getByRole('dialog').locator('footer').getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'Override…' }).click();
  const editor = page.getByLabel('Override', { exact: true });
  await editor.fill('{ "label": "Ours" }');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const saved = relink.invocations.find(({ command }) => command === 'save_override');
  expect(saved?.args).toEqual({ name: 'acme', text: '{ "label": "Ours" }' });
});

it('says why a definition can’t be loaded', async () => {
  const app = await open(DEFINITION);
  app.relink.handlers.definition = () => {
    throw errorView('store', 'Relink’s database can’t be used', 'The disk is full.');
  };
  await app.page.getByRole('button', { name: 'Override…' }).click();
  await app.page.getByText('The disk is full.').waitFor();
  await inspect(app, 'definition-error');
});
