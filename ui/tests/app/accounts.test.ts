import { expect, it } from 'vitest';
import { inspect, inspectLargeText } from './inspect';
import { account, FakeRelink, revoked, errorView } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import { at, relinkWithAccounts } from './fixtures';

const openWindow = setUpWindows();
let app: AppWindow;

it('lists accounts that need attention first, and explains the problem', async () => {
  app = await openWindow(relinkWithAccounts());
  const { page } = app;
  await page.getByRole('option').first().getByText('Acme engineering').waitFor();
  await page.getByRole('alert').getByText('GitHub no longer accepts this sign-in').waitFor();
  await page.getByRole('img', { name: /^Working for six days/ }).waitFor();
  await page.getByText('Refresh refused').waitFor();
  await inspect(app, 'accounts');
  await inspectLargeText(app, 'accounts');
});

it('reauthorizes an account: Reauthorize connection, Get connection link, Magic Link, Connection successful', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('button', { name: 'Reauthorize connection' }).click();
  await page.getByRole('button', { name: 'Get connection link' }).click();
  await page.getByText('Magic Link', { exact: true }).waitFor();
  await page.getByText('Works on this machine only, once, for 7 days.').waitFor();
  await inspect(app, 'reauthorize');
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect.poll(() => relink.opened).toEqual(['link-1 in window']);
  expect(relink.copied).toEqual(['link-1']);

  const reauthorized = account('2', { name: 'Acme engineering', refreshed_at: at(0) });
  relink.accounts = [reauthorized, ...relink.accounts.filter(({ id }) => id !== '2')];
  await app.changed('accounts');
  await page.getByRole('heading', { name: 'Reauthorize connection' }).waitFor();
  const entry = {
    account_id: '2',
    account_name: null,
    account_gone: false,
    at: at(0),
    detail: null,
    by: null,
    facts: [],
  };
  relink.entries.unshift({
    ...entry,
    seq: 9,
    kind: 'reauthorized',
    tone: 'good',
    title: 'Reauthorized as octo-acme',
  });
  await app.changed('accounts');
  await app.changed('timeline');
  await page.getByRole('heading', { name: 'Connection successful' }).waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

it('sorts names as people expect', async () => {
  const relink = new FakeRelink();
  const names = ['Shop 427', 'shop 59', 'Ärzte', 'Zebra', 'Shop 5', 'apple', 'Shop 59'];
  relink.accounts = names.map((name, index) => account(String(index), { name }));
  app = await openWindow(relink);
  const { page } = app;
  await expect.poll(() => page.getByRole('listbox').getByRole('option').count()).toBe(names.length);
  const shown = await page.getByRole('listbox').getByRole('option').locator('.name').allTextContents();
  expect(shown).toEqual(['apple', 'Ärzte', 'Shop 5', 'shop 59', 'Shop 59', 'Shop 427', 'Zebra']);
});

it('moves through the list by keyboard, and searches it with Ctrl K', async () => {
  app = await openWindow(relinkWithAccounts());
  const { page } = app;
  await page.getByRole('listbox').focus();
  await page.keyboard.press('ArrowDown');
  await page.getByRole('heading', { level: 2, name: 'Sales EU' }).waitFor();
  await page.keyboard.press('End');
  await page.getByRole('heading', { level: 2, name: 'Product wiki' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('slack');
  await page.getByRole('heading', { level: 2, name: 'Acme HQ' }).waitFor();
  await expect.poll(() => page.getByRole('listbox').getByRole('option').count()).toBe(1);
  await page.keyboard.type('!');
  await page.getByText('No accounts match').waitFor();
});

it('renders only the visible rows of 2,000 accounts, and reaches all of them', async () => {
  const relink = new FakeRelink();
  relink.accounts = Array.from({ length: 2000 }, (_, index) =>
    account(String(index), { name: `Account ${String(index).padStart(4, '0')}` }),
  );
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('listbox').focus();
  await page.keyboard.press('End');
  await page.getByRole('option', { name: /Account 1999/ }).waitFor();
  const last = page.getByRole('option', { name: /Account 1999/ });
  expect(await last.getAttribute('aria-posinset')).toBe('2000');
  await expect.poll(() => page.getByRole('listbox').getByRole('option').count()).toBeLessThan(60);
});

it('checks and refreshes an account, and shows the result beside the button', async () => {
  const relink = relinkWithAccounts();
  relink.handlers.refresh = () => {
    throw errorView('timeout', 'Google didn’t answer', 'Nothing was lost.', 'Try again in a moment.');
  };
  app = await openWindow(relink);
  const { page } = app;
  await page.getByRole('option', { name: /ada@example.com/ }).click();
  await page.getByRole('button', { name: 'Check now' }).click();
  await page.getByText('Check passed: the provider accepted a test request.').waitFor();
  await page.getByRole('button', { name: 'Refresh now' }).click();
  await page.getByRole('alert').getByText('Google didn’t answer').waitFor();
});

it('asks before it deletes an account, and names what is deleted', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete Acme engineering?' });
  await dialog.getByText('Its history stays under Activity.').waitFor();
  expect(await dialog.textContent()).not.toContain('timeline');
  await inspect(app, 'delete');
  await page.getByRole('button', { name: 'Cancel' }).click();
  expect(relink.invocations.some(({ command }) => command === 'delete_account')).toBe(false);
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('button', { name: 'Delete account' }).click();
  await expect.poll(() => relink.accounts.length).toBe(5);
});

it('says what a deletion leaves to do, until that is dismissed', async () => {
  const relink = relinkWithAccounts();
  const message = 'Not revoked at GitHub yet, because the keychain is locked.';
  relink.handlers.delete_account = ({ id }) => {
    relink.accounts = relink.accounts.filter((each) => each.id !== id);
    return { id, revocation: 'pending', message };
  };
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('button', { name: 'Delete account' }).click();
  await page.getByText(`Acme engineering was deleted. ${message}`).waitFor();
  await inspect(app, 'not-revoked');
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await expect.poll(() => page.getByText(message).count()).toBe(0);
});

it('shows accounts that wait, that were never tried, and that answer as somebody else', async () => {
  const relink = relinkWithAccounts();
  const [first, second] = relink.accounts;
  relink.accounts = [
    {
      ...account('waits', { name: 'Waits' }),
      waiting: { host: 'api.example.com', until: new Date(Date.now() + 600_000).toISOString() },
    },
    { ...account('never', { name: 'Never tried' }), is_unchecked: true, refreshed_at: null },
    {
      ...account('other', { name: 'Somebody else' }),
      problem: {
        code: 'another_identity',
        title: 'Acme answers as somebody else',
        message: 'A call with this account’s credential succeeded, but for another person.',
        hint: 'Find out at Acme whose credential this is.',
        http_status: null,
        provider_code: null,
        provider_message: 'Grace Hopper',
        occurred_at: new Date().toISOString(),
      },
    },
    first!,
    second!,
  ];
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText(/waiting for api.example.com in \d+ min/).waitFor();
  await page.getByRole('option', { name: /Waits/ }).click();
  await page.getByText(/Waiting for api.example.com until .* \(asked by the provider\)/).waitFor();
  await inspect(app, 'waiting');
  await page.getByRole('option', { name: /Never tried/ }).click();
  await page.getByRole('definition').getByText('Not checked').waitFor();
  await inspect(app, 'never-checked');
  await page.getByRole('option', { name: /Somebody else/ }).click();
  await page.getByText('Acme answers as somebody else').waitFor();
  await page.getByRole('definition').getByText('Answers as somebody else').waitFor();
  await inspect(app, 'another-identity');
});

it('renames an account', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Rename…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Acme production');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(relink.find('2').name).toBe('Acme production');
});

it('simulates failures with the Sandbox’s controls', async () => {
  const relink = new FakeRelink();
  relink.accounts = [
    account('1', {
      name: 'Ada Lovelace',
      integration_label: 'Sandbox',
      is_sandbox: true,
      is_of_own_sandbox: true,
    }),
  ];
  app = await openWindow(relink);
  const { page } = app;
  // The first button belongs to the tour, the last one to the Sandbox’s card.
  await page.getByRole('button', { name: 'Revoke access' }).last().click();
  await page.getByText('Access revoked.').waitFor();
  await page.getByLabel('Access token lifetime').selectOption({ label: '1 minute' });
  await expect
    .poll(() =>
      relink.invocations.filter(({ command }) => command === 'control_sandbox').map(({ args }) => args),
    )
    .toEqual([{ action: 'revoke' }, { action: { lifetime: { secs: 60 } } }]);
  await inspect(app, 'sandbox');
});

it('says of a marked account that programs can only read with it, without the Sandbox’s controls', async () => {
  const relink = new FakeRelink();
  relink.accounts = [account('1', { is_sandbox: true })];
  app = await openWindow(relink);
  const { page } = app;
  await page.getByText('Can only read (sandbox account)').waitFor();
  await page.getByRole('heading', { name: 'Last 7 days' }).waitFor();
  expect(await page.getByRole('heading', { name: 'Sandbox' }).count()).toBe(0);
  expect(await page.getByText('See the full cycle in a minute').count()).toBe(0);
  expect(await page.getByRole('button', { name: 'Revoke access' }).count()).toBe(0);
  await inspect(app, 'sandbox-account');
});

it('welcomes a person who has no account yet', async () => {
  app = await openWindow(new FakeRelink());
  await app.page.getByRole('heading', { name: 'Connect your first account' }).waitFor();
  await inspect(app, 'welcome');
  await inspectLargeText(app, 'welcome');
});

it('keeps long names within the window', async () => {
  const relink = new FakeRelink();
  const long = 'Department-of-Extraordinarily-Long-Names-and-Unbreakable-Identifiers-GmbH-und-Co-KG';
  relink.accounts = [
    revoked('1', { name: long, identity: `${long.toLowerCase()}@example.com`, tenant_id: long }),
  ];
  app = await openWindow(relink);
  await app.page.getByRole('heading', { level: 2, name: long }).waitFor();
  await inspect(app, 'long-names');
});

it('shows what was filled in for an account', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  await app.page.getByText('OS keychain').waitFor();
  expect(await app.page.getByText('Context', { exact: true }).count()).toBe(0);
  await app.context.close();
  relink.context = [
    { name: 'workspace_id', value: 'w-1' },
    { name: 'projects', value: '["mill","store"]' },
    { name: 'a_rather_long_name_of_a_field', value: 'Analytical engine '.repeat(12).trim() },
  ];
  app = await openWindow(relink);
  await app.page.getByText('Context', { exact: true }).waitFor();
  await app.page.getByText('workspace_id w-1').waitFor();
  await inspect(app, 'account-context');
  await inspectLargeText(app, 'account-context');
});

it('opens the form of an account whose integration has one', async () => {
  const relink = relinkWithAccounts();
  app = await openWindow(relink);
  const { page } = app;
  const more = page.getByText('More', { exact: true });
  await more.click();
  await page.getByRole('button', { name: 'Rename…' }).waitFor();
  expect(await page.getByRole('button', { name: 'Fill in the form…' }).count()).toBe(0);
  await app.context.close();
  relink.hasForm = true;
  app = await openWindow(relink);
  await app.page.getByText('More', { exact: true }).click();
  // Nobody can fill it in before the account is reauthorized.
  await app.page.getByRole('button', { name: 'Rename…' }).waitFor();
  expect(await app.page.getByRole('button', { name: 'Fill in the form…' }).count()).toBe(0);
  await app.page.keyboard.press('Escape');
  await app.page.getByRole('option').getByText('Acme HQ').click();
  await app.page.getByRole('heading', { level: 2, name: 'Acme HQ' }).waitFor();
  await app.page.getByText('More', { exact: true }).click();
  await inspect(app, 'more-with-form');
  await app.page.getByRole('button', { name: 'Fill in the form…' }).click();
  await expect.poll(() => relink.opened).toContain('link-1 in window');
  const purpose = relink.invocations.find(({ command }) => command === 'get_connection_link');
  const shown = relink.accounts.find(({ name }) => name === 'Acme HQ');
  expect(purpose?.args).toEqual({ purpose: { form: shown?.id } });
});
