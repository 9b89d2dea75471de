import { expect, it } from 'vitest';
import type { MappingView } from '../../host/types';
import { errorView, FakeRelink } from './fake-relink';
import { mapped, mappingView, RESPONSE_MAPPING, ticketing, tried } from './fake-unified';
import { inspect, inspectLargeText } from './inspect';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();

/** The window on its page of unified models. */
async function open(relink: FakeRelink): Promise<AppWindow> {
  const app = await openWindow(relink);
  await app.page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: 'Models' }).click();
  await app.page.getByRole('heading', { level: 1, name: 'Unified models' }).waitFor();
  return app;
}

function relinkWithModels(): FakeRelink {
  const relink = new FakeRelink();
  const crm = ticketing({ name: 'crm', label: 'CRM', category: 'crm', installed: false });
  relink.handlers.unified_models = () => [ticketing(), crm];
  return relink;
}

/** The window on the mapping of tickets’ list on GitHub. */
async function openMapping(change: Partial<MappingView> = {}): Promise<AppWindow> {
  const relink = relinkWithModels();
  relink.handlers.unified_mapping = () => mappingView(change);
  const app = await open(relink);
  await app.page.getByRole('button', { name: 'Ticketing' }).click();
  await app.page.getByRole('button', { name: /^tickets list on GitHub/ }).click();
  await app.page.getByRole('heading', { level: 1, name: 'tickets · list on GitHub' }).waitFor();
  return app;
}

it('lists the models, and shows a model’s schema and what is mapped in each layer', async () => {
  const app = await open(relinkWithModels());
  const { page } = app;
  await page.getByText('GitHub, Sandbox').waitFor();
  await page.getByRole('button', { name: 'Ticketing' }).click();
  await page.getByRole('heading', { level: 2, name: 'Ticketing' }).waitFor();
  await page.getByText('ticketing · built in ·').waitFor();
  const table = page.getByRole('table', { name: 'Fields of tickets' });
  await table
    .getByRole('row', { name: /^id required string The ID/ })
    .first()
    .waitFor();
  await table.getByText('One of: open, in_progress, closed').waitFor();
  for (const name of [
    'tickets get on GitHub',
    'tickets list on GitHub · changed here, own for Acme engineering',
    'tickets close on Sandbox · added here',
  ])
    await page.getByRole('button', { name, exact: true }).waitFor();
  await inspect(app, 'models');
  await inspectLargeText(app, 'models');
  await page
    .getByRole('navigation', { name: 'Resources of Ticketing' })
    .getByRole('button', { name: 'users' })
    .click();
  await page.getByText('No integration is mapped to users yet.').waitFor();
  await page.getByText('so any record fits').waitFor();
  await inspect(app, 'models-unmapped');
});

it('installs a model, and asks before it removes one', async () => {
  const app = await open(relinkWithModels());
  const { page, relink } = app;
  await page.getByRole('button', { name: 'CRM' }).click();
  await page.getByText('Only an installed model can be called.').waitFor();
  await inspect(app, 'models-not-installed');
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  relink.handlers.unified_models = () => [ticketing()];
  await app.changed('unified_models');
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByText('The 2 mappings that you changed here are deleted.').waitFor();
  await inspect(app, 'models-remove');
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const made = relink.invocations.filter(({ command }) => command.endsWith('install_unified_model'));
  expect(made.map(({ command, args }) => [command, args])).toEqual([
    ['install_unified_model', { name: 'crm' }],
    ['uninstall_unified_model', { name: 'ticketing' }],
  ]);
});

it('says when there are no models, and why they can’t be loaded', async () => {
  const relink = new FakeRelink();
  const app = await open(relink);
  await app.page.getByText('gives the records of many providers one form').waitFor();
  await inspect(app, 'models-empty');
  relink.handlers.unified_models = () => {
    throw errorView('store', 'Relink’s database can’t be used', 'The disk is full.');
  };
  await app.changed('unified_models');
  await app.page.getByText('The disk is full.').waitFor();
  await inspect(app, 'models-error');
});

it('runs a mapping while it is typed: input left, output right, with what differs from the schema', async () => {
  const app = await openMapping();
  const { page, relink } = app;
  const editor = page.getByLabel('response_mapping', { exact: true });
  expect(await editor.inputValue()).toBe(RESPONSE_MAPPING);
  const output = page.getByRole('region', { name: 'Output' });
  await output.getByText('"result_count": 1').waitFor();
  await inspect(app, 'mapping');
  await inspectLargeText(app, 'mapping');
  relink.handlers.try_mapping = ({ keys }) =>
    tried({
      output: JSON.stringify({
        result: [{ id: keys.find(({ name }) => name === 'response_mapping')!.text }],
      }),
      faults: [{ record: 1, path: 'status', problem: 'must be one of open, closed, but is done' }],
      unanswered: ['users/get'],
    });
  await editor.fill("response.{ 'id': number }");
  await output.getByText("response.{ 'id': number }").waitFor();
  await page.getByText('must be one of open, closed').waitFor();
  await page.getByText('Add it at calls').waitFor();
  await page.getByText('Not saved', { exact: true }).waitFor();
  await inspect(app, 'mapping-differs');
  await page.getByLabel('Input', { exact: true }).fill('{"response": []}');
  await expect
    .poll(() => relink.invocations.findLast(({ command }) => command === 'try_mapping')?.args)
    .toMatchObject({ sample: '{"response": []}' });
});

it('is used with the keyboard alone', async () => {
  const app = await open(relinkWithModels());
  const { page } = app;
  app.relink.handlers.unified_mapping = () => mappingView();
  const focused = (): Promise<string> =>
    page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
  const ticketingButton = page.getByRole('button', { name: 'Ticketing' });
  await ticketingButton.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^tickets list on GitHub/ }).focus();
  await page.keyboard.press('Enter');
  await expect.poll(focused).toBe('tickets · list on GitHub');
  await page.getByRole('navigation', { name: 'Keys of the mapping' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('resource');
  await page.keyboard.press('Enter');
  await page.getByLabel('resource', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Back to the model' }).focus();
  await page.keyboard.press('Enter');
  await expect.poll(focused).toContain('Ticketing');
});

it('shows a mistake in its key, and leads to it', async () => {
  const app = await openMapping();
  const { page, relink } = app;
  const editor = page.getByLabel('response_mapping', { exact: true });
  relink.handlers.try_mapping = () =>
    tried({
      output: null,
      request: null,
      problem: {
        at: 'mapping',
        key: 'response_mapping',
        place: 'ticketing/tickets list on GitHub, response_mapping',
        line: 1,
        column: 17,
        problem: 'Expected "}", but the expression ends',
      },
    });
  await editor.fill('response.{ "id": number');
  await page.getByRole('button', { name: 'Line 1, column 17' }).click();
  const selected = await editor.evaluate((area: HTMLTextAreaElement) =>
    area.value.slice(area.selectionStart, area.selectionEnd),
  );
  expect(selected).toBe(' ');
  expect(await editor.getAttribute('aria-invalid')).toBe('true');
  expect(await page.getByRole('button', { name: 'Save', exact: true }).isDisabled()).toBe(true);
  await inspect(app, 'mapping-mistake');
  relink.handlers.try_mapping = () =>
    tried({
      output: null,
      problem: {
        at: 'run',
        key: 'response_mapping',
        place: 'ticketing/tickets list on GitHub, response_mapping, record 3',
        line: 1,
        column: 18,
        problem: 'The right side of the "+" operator must evaluate to a number',
      },
    });
  await editor.fill('response.{ "id": number + 1 }');
  const output = page.getByRole('region', { name: 'Output' });
  await output.getByText('ticketing/tickets list on GitHub, response_mapping, record 3').waitFor();
  await inspect(app, 'mapping-failed');
  const keys = page.getByRole('navigation', { name: 'Keys of the mapping' });
  await keys.getByRole('button', { name: 'query_mapping' }).click();
  await output.getByText('"state": "open"').waitFor();
  await output.getByRole('button', { name: 'Show response_mapping' }).click();
  await editor.waitFor();
  relink.handlers.try_mapping = () =>
    tried({
      output: null,
      problem: {
        at: 'sample',
        key: null,
        place: 'Input',
        line: 2,
        column: 3,
        problem: 'The input can’t be read.',
      },
    });
  await page.getByLabel('Input', { exact: true }).fill('{\n  oops');
  await page.getByRole('button', { name: 'Line 2, column 3' }).waitFor();
  await inspect(app, 'mapping-input-mistake');
});

it('keeps what isn’t saved on other pages, and saves it with its version', async () => {
  const app = await openMapping({ override_version: 4 });
  const { page, relink } = app;
  const editor = page.getByLabel('response_mapping', { exact: true });
  await editor.fill('response');
  const sidebar = page.getByRole('navigation', { name: 'Relink' });
  await sidebar.getByRole('button', { name: 'Activity' }).click();
  await sidebar.getByRole('button', { name: 'Models' }).click();
  await page.getByRole('button', { name: 'Ticketing' }).click();
  await page.getByRole('button', { name: /^tickets list on GitHub · .*not saved$/ }).click();
  expect(await editor.inputValue()).toBe('response');
  const [resource, query, response] = mappingView().keys;
  const keys = [resource!, query!, { ...response!, text: 'response' }];
  relink.handlers.save_mapping = () => ['config.ours: Relink doesn’t know this key.'];
  relink.handlers.unified_mapping = () => mappingView({ override_version: 5, keys });
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Saved, with warnings').waitFor();
  expect(await page.getByText('Not saved', { exact: true }).count()).toBe(0);
  const saved = relink.invocations.find(({ command }) => command === 'save_mapping');
  expect(saved?.args).toEqual({
    of: { model: 'ticketing', resource: 'tickets', integration: 'github', method: 'list' },
    keys,
    version: 4,
  });
  await inspect(app, 'mapping-saved');
  await page.getByRole('button', { name: 'Remove changes…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const removed = relink.invocations.findLast(({ command }) => command === 'save_mapping');
  expect(removed?.args).toMatchObject({ keys: mappingView().keys, version: 5 });
});

it('adds a key, takes one back, and discards', async () => {
  const app = await openMapping();
  const { page } = app;
  await page.getByLabel('Add a key').selectOption('side_load');
  const added = page.getByLabel('side_load', { exact: true });
  await added.fill('{}');
  const keys = page.getByRole('navigation', { name: 'Keys of the mapping' });
  await keys.getByRole('button', { name: 'side_load added' }).waitFor();
  await keys.getByRole('button', { name: 'query_mapping' }).click();
  const editor = page.getByLabel('query_mapping', { exact: true });
  await page.getByLabel('JSON: an object of expressions').check();
  await editor.fill('');
  await keys.getByRole('button', { name: 'query_mapping removed' }).waitFor();
  await page.getByRole('button', { name: 'Undo this change' }).click();
  expect(await editor.inputValue()).toBe(mappingView().keys[1]!.text);
  await page.getByRole('button', { name: 'Discard' }).click();
  await keys.getByRole('button', { name: 'side_load' }).waitFor({ state: 'detached' });
  expect(await page.getByText('Not saved', { exact: true }).count()).toBe(0);
});

it('says that somebody else changed the mapping, and keeps the text', async () => {
  const app = await openMapping();
  const { page, relink } = app;
  const editor = page.getByLabel('response_mapping', { exact: true });
  await editor.fill('response.mine');
  relink.handlers.unified_mapping = () => mappingView({ override_version: 1 });
  await app.changed('unified_models');
  await page.getByText('This mapping was changed elsewhere').waitFor();
  expect(await editor.inputValue()).toBe('response.mine');
  expect(await page.getByRole('button', { name: 'Save', exact: true }).isDisabled()).toBe(true);
  await inspect(app, 'mapping-conflict');
  await page.getByRole('button', { name: 'Load the current version' }).click();
  await expect.poll(() => editor.inputValue()).toBe(RESPONSE_MAPPING);
});

it('tries an unsaved mapping with an account, after it says that the call is real', async () => {
  const app = await openMapping();
  const { page, relink } = app;
  await page.getByLabel('response_mapping', { exact: true }).fill('response.tried');
  await page.getByRole('button', { name: 'Try with account…' }).click();
  await page.getByText('This is a real call to GitHub').waitFor();
  await inspect(app, 'mapping-account');
  relink.handlers.try_mapping_with_account = () => {
    throw errorView('needs_reauth', 'GitHub no longer accepts this sign-in', 'Reauthorize the account.');
  };
  const call = page.getByRole('button', { name: 'Call GitHub' });
  await call.click();
  await page.getByText('GitHub no longer accepts this sign-in').waitFor();
  const sample = '{ "response": [{ "number": 42 }] }';
  relink.handlers.try_mapping_with_account = () => tried({ sample, output: '{ "result": ["real"] }' });
  await call.click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const output = page.getByRole('region', { name: 'Output' });
  await output.getByText('Answer to a real call with Acme engineering').waitFor();
  await output.getByText('real"').waitFor();
  expect(await page.getByLabel('Input', { exact: true }).inputValue()).toBe(sample);
  const made = relink.invocations.findLast(({ command }) => command === 'try_mapping_with_account');
  expect(made?.args).toMatchObject({ id: '2' });
  expect(JSON.stringify(made?.args)).toContain('response.tried');
  await inspect(app, 'mapping-real');
});

it('shows a mapping of a model that isn’t installed, and of a method that isn’t mapped', async () => {
  const app = await openMapping({
    installed: false,
    accounts: [],
    documentation_link: 'https://docs.github.com/rest/issues',
  });
  await app.page.getByText('This model isn’t installed').waitFor();
  await app.page.getByText('Connect an account of GitHub').waitFor();
  expect(
    await app.page.getByLabel('response_mapping', { exact: true }).getAttribute('readonly'),
  ).not.toBeNull();
  await inspect(app, 'mapping-readonly');
});

it('maps a method that isn’t mapped yet', async () => {
  const app = await open(relinkWithModels());
  const { page, relink } = app;
  await page.getByRole('button', { name: 'Ticketing' }).click();
  relink.handlers.unified_mapping = () =>
    mappingView({ keys: [], base: [], integration_label: 'Sandbox', sample: '{}' });
  await page.getByLabel('Integration', { exact: true }).selectOption('sandbox');
  await page.getByLabel('Method', { exact: true }).selectOption('create');
  await page.getByRole('button', { name: 'Open mapping' }).click();
  await page.getByText('Nothing is mapped yet').waitFor();
  await page.getByText('so it isn’t tried with an account').waitFor();
  await inspect(app, 'mapping-new');
});

it('keeps long names within the pages', async () => {
  const long = 'Department-of-Extraordinarily-Long-Names-and-Unbreakable-Identifiers-GmbH-und-Co-KG';
  const relink = new FakeRelink();
  const model = ticketing({ name: long, label: long, description: long });
  const resource = model.resources[0]!;
  const field = { ...resource.fields[0]!, name: long, kind: long, description: long, values: [long] };
  model.resources = [
    {
      ...resource,
      name: long,
      fields: [field, { ...field, depth: 3 }],
      mappings: [mapped('github', long, { accounts: [long] })],
    },
  ];
  model.integrations = [{ name: 'github', label: long, color: null }];
  relink.handlers.unified_models = () => [model];
  relink.handlers.unified_mapping = () =>
    mappingView({
      integration_label: long,
      documentation_link: `https://example.com/${long}`,
      accounts: [{ id: '1', name: long, is_overridden: true }],
      keys: [{ name: long, text: long.repeat(5), language: 'text' }],
    });
  relink.handlers.try_mapping = () =>
    tried({
      output: long.repeat(5),
      faults: [{ record: 1, path: long, problem: long }],
      problem: { at: 'run', key: null, place: long, line: null, column: null, problem: long },
      unanswered: [long],
    });
  const app = await open(relink);
  await app.page.getByRole('heading', { level: 2, name: long }).waitFor();
  await inspect(app, 'long-models');
  await app.page.getByRole('button', { name: new RegExp(`^${long} ${long} on ${long}`) }).click();
  await app.page.getByRole('heading', { level: 1 }).filter({ hasText: long }).waitFor();
  await app.page.getByRole('region', { name: 'Output' }).getByText(long).first().waitFor();
  await inspect(app, 'long-mapping');
}, 120_000);
