import { expect, it } from 'vitest';
import { errorView } from './fake-relink';
import { relinkWithAccounts } from './fixtures';
import { inspect } from './inspect';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();

async function openAccount(): Promise<AppWindow> {
  const app = await openWindow(relinkWithAccounts());
  await app.page
    .getByRole('option', { name: /ada@example.com/ })
    .first()
    .click();
  await app.page.getByRole('heading', { name: 'Agents' }).scrollIntoViewIfNeeded();
  return app;
}

it('makes an MCP server for an account, whose settings are copied, and deletes it', async () => {
  const app = await openAccount();
  const { page, relink } = app;
  await page.getByRole('button', { name: 'Add an MCP server…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('claude');
  await dialog.getByLabel('Tools').selectOption('Only these methods…');
  await dialog.getByLabel('Methods').fill('list, get');
  await dialog.getByLabel('Tags').fill('crm');
  await dialog.getByLabel('Ends').selectOption('In 30 days');
  await inspect(app, 'mcp-server-add');
  await dialog.getByRole('button', { name: 'Create and copy settings' }).click();
  await page.getByText('The settings for claude are in your clipboard').waitFor();
  expect(relink.copied).toEqual(['MCP settings']);
  expect(relink.mcpServers[0]?.config).toEqual({
    methods: ['list', 'get'],
    tags: ['crm'],
    require_api_token_auth: false,
  });
  expect(await page.getByText('Only list, get · tagged crm').isVisible()).toBe(true);
  relink.mcpServers = [...relink.mcpServers, { ...relink.mcpServers[0]!, id: 'x', name: 'x'.repeat(100) }];
  await inspect(app, 'mcp-servers');

  await page.getByRole('button', { name: 'Delete claude' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete server' }).click();
  await page.getByText('claude', { exact: true }).waitFor({ state: 'detached' });
  expect(relink.mcpServers.map((server) => server.id)).toEqual(['x']);
});

it('says why a server can’t be made, and keeps what was entered', async () => {
  const app = await openAccount();
  const { page, relink } = app;
  relink.handlers.create_mcp_server = () => {
    throw errorView('no_tools', 'Not possible', 'No tool of the account has one of these tags.');
  };
  await page.getByRole('button', { name: 'Add an MCP server…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('claude');
  await dialog.getByRole('button', { name: 'Create and copy settings' }).click();
  await dialog.getByText('No tool of the account has one of these tags.').waitFor();
  expect(await dialog.getByLabel('Name').inputValue()).toBe('claude');
  await inspect(app, 'mcp-server-refused');
});

it('shows the settings for the tools of all accounts, to be copied', async () => {
  const relink = relinkWithAccounts();
  const { page } = await openWindow(relink);
  await page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: 'Settings' }).click();
  await page.getByText('"mcpServers"').waitFor();
  await page.getByRole('button', { name: 'Copy settings' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  expect(relink.copied[0]).toContain('"args"');
});
