import { expect, it } from 'vitest';
import { errorView, FakeRelink } from './fake-relink';
import { ago } from './fake-data';
import { contactsGraph, flatGraph, jobView, largeGraph, trigger } from './fake-sync';
import { inspect, inspectLargeText } from './inspect';
import { openJobs, relinkWithJobs } from './sync-window';
import { setUpWindows } from './window';

const openWindow = setUpWindows();

it('teaches what a sync job is, and begins with an example that isn’t lost', async () => {
  const relink = new FakeRelink();
  relink.handlers.sync_folder = () => null;
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('heading', { name: 'Keep a copy of what a provider has' }).waitFor();
  await inspect(app, 'sync-empty');
  await inspectLargeText(app, 'sync-empty');
  await page.setViewportSize({ width: 480, height: 720 });
  await page.getByRole('heading', { name: 'Keep a copy of what a provider has' }).waitFor();
  await page.setViewportSize({ width: 1120, height: 720 });
  await page.getByText('No sync jobs yet.').waitFor();
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await page.getByRole('heading', { level: 1, name: 'New sync job' }).waitFor();
  const editor = page.getByLabel('Job, as JSON');
  expect(await editor.inputValue()).toContain('Contacts into a file');
  await editor.fill('{"label": "Mine"}');
  await page.getByRole('button', { name: 'Back to the list' }).click();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  expect(await page.getByLabel('Job, as JSON').inputValue()).toBe('{"label": "Mine"}');
});

it('chooses the folder for files with the server’s checks at the field', async () => {
  const relink = new FakeRelink();
  let folder: string | null = null;
  relink.handlers.sync_folder = () => folder;
  relink.handlers.set_sync_folder = ({ folder: chosen }) => {
    if (chosen === 'exports')
      throw {
        ...errorView('folder_invalid', 'This value isn’t valid', 'exports isn’t a whole path.'),
        field: 'folder',
      };
    folder = chosen;
    return folder;
  };
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  const field = page.getByLabel('Folder for files');
  await field.fill('exports');
  await page.getByRole('button', { name: 'Use this folder' }).click();
  await page.getByText('exports isn’t a whole path.').waitFor();
  expect(await field.getAttribute('aria-invalid')).toBe('true');
  expect(await field.inputValue()).toBe('exports');
  await inspect(app, 'sync-folder-error');
  // The desktop's dialog opens where the field is, and what is chosen there is checked as what is typed.
  relink.handlers.choose_folder = () => null;
  const choose = page.getByRole('button', { name: 'Choose…' });
  await choose.click();
  await expect
    .poll(() => relink.invocations.findLast(({ command }) => command === 'choose_folder')?.args)
    .toEqual({ start: 'exports' });
  expect(await field.inputValue(), 'the dialog was closed').toBe('exports');
  relink.handlers.choose_folder = () => '/home/ada/exports';
  await choose.click();
  await expect.poll(() => field.inputValue()).toBe('/home/ada/exports');
  expect(folder, 'nothing is allowed yet').toBeNull();
  await page.getByRole('button', { name: 'Use this folder' }).click();
  await page.getByText('Files go to').waitFor();
  await page.getByRole('button', { name: 'Change the folder' }).click();
  await inspect(app, 'sync-folder-dialog');
  await inspectLargeText(app, 'sync-folder-dialog');
  await page.getByRole('dialog').getByRole('button', { name: 'Allow no folder' }).click();
  await page.getByText('No folder for files is chosen.').waitFor();
});

it('lists jobs with their last run and the next one, and shows a job’s graph, triggers and runs', async () => {
  const app = await openJobs(openWindow, relinkWithJobs());
  const { page } = app;
  const list = page.getByRole('region', { name: 'Sync jobs' });
  await list.getByRole('button', { name: /Contacts into a file.*next in 24 min.*Completed/ }).click();
  await list.getByRole('button', { name: /Tickets and all.*Failed/ }).waitFor();
  await list.getByRole('button', { name: /Deals.*Never run/ }).waitFor();
  const nodes = page.getByRole('list', { name: 'Nodes of Contacts into a file' });
  const named = nodes.getByRole('button', { name: /Gets records from contacts\. Leads to file\./ });
  await named.click();
  await page.getByRole('status', { name: 'Selected node' }).getByText('resources.crm.contacts').waitFor();
  expect(await page.locator('path.edge').count()).toBe(2);
  await page.getByText('Every hour at minute 0').waitFor();
  await page.getByText('Next run in 24 min').waitFor();
  await page.getByText('integrated_account_id', { exact: true }).first().waitFor();
  await inspect(app, 'sync-job');
  await inspectLargeText(app, 'sync-job');
});

it('draws a large graph without scrolling sideways, and goes through it with the arrow keys', async () => {
  const relink = relinkWithJobs();
  relink.handlers.sync_job = () => jobView({ graph: largeGraph(), triggers: [] });
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  const graph = page.getByRole('list', { name: 'Nodes of Contacts into a file' });
  await graph.getByRole('button').nth(29).waitFor();
  expect(await page.locator('path.edge').count()).toBe(largeGraph().edges.length);
  await page.setViewportSize({ width: 720, height: 720 });
  const narrowest = (): Promise<number> =>
    page.evaluate(() =>
      Math.min(...[...document.querySelectorAll('[data-node]')].map((node) => node.clientWidth)),
    );
  // Every node can be read.
  await expect.poll(narrowest).toBeGreaterThan(110);
  await page.setViewportSize({ width: 1120, height: 720 });
  const focused = (): Promise<string> =>
    page.evaluate(() => document.activeElement?.querySelector('.name')?.textContent ?? '');
  await graph.getByRole('button').first().focus();
  for (const [key, name] of [
    ['ArrowDown', 'since'],
    ['ArrowDown', 'accounts'],
    ['ArrowDown', 'contacts'],
    ['ArrowRight', 'deals'],
    ['ArrowUp', 'accounts'],
  ] as const) {
    await page.keyboard.press(key);
    expect(await focused()).toBe(name);
  }
  await page.keyboard.press('Enter');
  await page.getByRole('status', { name: 'Selected node' }).getByText('crm/companies list').waitFor();
  await inspect(app, 'sync-large');
  await inspectLargeText(app, 'sync-large');
});

it('runs a job with a field for each argument, and shows what is wrong at its field', async () => {
  const relink = relinkWithJobs();
  relink.handlers.start_sync_run = ({ inputs }) =>
    inputs.args.includes('2026-01-31')
      ? { run: 'run-2', problems: [] }
      : {
          run: null,
          problems: [{ field: 'args.from', problem: 'from must be a date, such as 2026-01-31.' }],
        };
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await page.getByRole('button', { name: 'Run now…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Run “Contacts into a file”' });
  const picker = dialog.getByLabel('Account', { exact: true });
  expect(await picker.inputValue(), 'the only account that fits is chosen').toBe('1');
  await picker.selectOption('');
  await dialog.getByRole('button', { name: 'Run now' }).click();
  await dialog.getByText('Choose an account.').waitFor();
  await expect.poll(() => picker.evaluate((field) => field === document.activeElement)).toBe(true);
  await inspect(app, 'sync-run-dialog');
  await inspectLargeText(app, 'sync-run-dialog');
  await picker.selectOption('1');
  await dialog.getByRole('button', { name: 'Run now' }).click();
  await dialog.getByText('from must be a date').waitFor();
  await dialog.getByLabel('from').fill('2026-01-31');
  await dialog.getByLabel('The run waits for you').check();
  await dialog.getByRole('button', { name: 'Run now' }).click();
  await page.getByRole('heading', { level: 1, name: 'Run of Contacts into a file' }).waitFor();
  expect(relink.invocations.findLast(({ command }) => command === 'start_sync_run')?.args).toEqual({
    id: 'job-1',
    inputs: {
      integrated_account_id: '1',
      webhook_id: null,
      datastore_id: null,
      args: '{"from":"2026-01-31","integrated_account_id":"1"}',
      on_needs_reauth: 'wait',
    },
  });
});

it('sends the records of a flat job to a webhook or a datastore', async () => {
  const relink = relinkWithJobs();
  relink.handlers.sync_job = () =>
    jobView({ graph: flatGraph(), args: [], needs_target: true, triggers: [] });
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await page.getByRole('button', { name: /run’s destination.*webhook or datastore/ }).waitFor();
  await inspect(app, 'sync-flat-job');
  await page.getByRole('button', { name: 'Run now…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Run “Contacts into a file”' });
  await dialog.getByText('To add one: relink sync datastores add.').waitFor();
  relink.handlers.sync_datastores = () => [{ id: 'store-1', label: 'Exports' }];
  await app.changed('sync_jobs');
  const picker = dialog.getByLabel('Datastore');
  await picker.getByRole('option', { name: 'Exports' }).waitFor({ state: 'attached' });
  await dialog.getByRole('button', { name: 'Run now' }).click();
  await dialog.getByText('Choose a webhook, a datastore, or both.').waitFor();
  await inspect(app, 'sync-run-target');
  await inspectLargeText(app, 'sync-run-target');
  await picker.selectOption('Exports');
  await dialog.getByRole('button', { name: 'Run now' }).click();
  await page.getByRole('heading', { level: 1, name: 'Run of Contacts into a file' }).waitFor();
  expect(relink.invocations.findLast(({ command }) => command === 'start_sync_run')?.args).toMatchObject({
    inputs: { webhook_id: null, datastore_id: 'store-1' },
  });
});

it('says why a trigger couldn’t start its last run, and what to do', async () => {
  const relink = relinkWithJobs();
  const gone = {
    id: '7',
    name: '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b',
    integration_label: '',
    is_gone: true,
  };
  const message = "The trigger's account was deleted. Remove the trigger, and add one for another account.";
  relink.handlers.sync_job = () =>
    jobView({
      triggers: [
        trigger({ account: gone, last_error: { message, at: ago(36) } }),
        trigger({ id: 'trigger-2', datastore: { id: 'store-1', label: 'Exports' } }),
      ],
    });
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await page.getByText('It couldn’t start a run 36 min ago. The trigger’s account was deleted.').waitFor();
  await page.getByText('· deleted account · waits for you').waitFor();
  await page.getByText('· Exports · waits for you').waitFor();
  await page.getByRole('button', { name: 'Add a trigger' }).scrollIntoViewIfNeeded();
  await inspect(app, 'sync-trigger-failed');
  await inspectLargeText(app, 'sync-trigger-failed');
});

it('adds a trigger with a preview of its times, schedules one, and asks before it removes one', async () => {
  const relink = relinkWithJobs();
  const inactive = trigger({ id: 'trigger-2', cron_expression: '0 6 * * *', words: 'every day at 06:00' });
  relink.handlers.sync_job = () =>
    jobView({ triggers: [trigger(), { ...inactive, next_run_at: null, upcoming: [] }] });
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await page.getByText('Not scheduled: it starts no runs.').waitFor();
  await page.getByRole('button', { name: 'Schedule Every day at 06:00' }).click();
  await page.getByRole('button', { name: 'Add a trigger' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Every hour at minute 0', { exact: true }).waitFor();
  expect(await dialog.locator('.preview li').count()).toBe(5);
  await inspect(app, 'sync-trigger-dialog');
  await dialog.getByLabel('Cron expression').fill('0 6 * *');
  await dialog.getByText('needs 5 fields').waitFor();
  expect(await dialog.getByRole('button', { name: 'Add trigger' }).isDisabled()).toBe(true);
  await inspect(app, 'sync-trigger-error');
  await dialog.getByRole('button', { name: 'Monday to Friday' }).click();
  await expect.poll(() => dialog.getByLabel('Cron expression').inputValue()).toBe('0 6 * * mon-fri');
  await dialog.getByText('Every hour at minute 0', { exact: true }).waitFor();
  await dialog.getByRole('button', { name: 'Add trigger' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Remove Every hour at minute 0…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove trigger' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const sent = relink.invocations.filter(({ command }) => command.endsWith('_sync_trigger'));
  expect(sent.map(({ command, args }) => [command, (args as { expression?: string }).expression])).toEqual([
    ['schedule_sync_trigger', undefined],
    ['add_sync_trigger', '0 6 * * mon-fri'],
    ['delete_sync_trigger', undefined],
  ]);
});

it('checks a job while it is typed, draws it, and loses nothing when it can’t be saved', async () => {
  const relink = relinkWithJobs();
  relink.handlers.check_sync_job = ({ text }) => {
    const graph = text.includes('unreadable') ? null : contactsGraph();
    const warnings = text.includes('retries')
      ? ["resources[0].retries isn't known for a node of type request, and has no effect."]
      : [];
    if (!text.includes('broken')) return { problem: null, node: null, graph, warnings };
    const problem = { line: 2, column: 3, field: 'resources[1].depends_on', problem: 'names "nobody".' };
    return { problem, node: 1, graph, warnings };
  };
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  const editor = page.getByLabel('Job, as JSON');
  const save = page.getByRole('button', { name: 'Save' });
  const graph = page.getByRole('list', { name: 'Nodes of the text' });
  await graph.getByRole('button').nth(2).waitFor();
  await inspect(app, 'sync-editor');
  await inspectLargeText(app, 'sync-editor');
  expect(await save.isDisabled()).toBe(true);
  await editor.fill('{\n  "broken": 1\n}');
  await page.getByRole('button', { name: 'Line 2, column 3 · resources[1].depends_on' }).waitFor();
  await graph.getByRole('button', { name: /There is a problem here/ }).waitFor();
  expect(await save.isDisabled()).toBe(true);
  await inspect(app, 'sync-editor-error');
  await editor.fill('broken unreadable');
  await page.getByText('The graph is the one of the last text').waitFor();
  await graph.getByRole('button').nth(2).waitFor();
  await editor.fill('{\n  "retries": 3\n}');
  await page.getByText('resources[0].retries isn’t known').waitFor();
  expect(await save.isDisabled()).toBe(false);
  await inspect(app, 'sync-editor-warning');
  await editor.fill('{\n\n  "label": "Ours"\n}');
  await page.getByText('Select a node to go to its lines.').waitFor();
  await graph.getByRole('button', { name: /crm\/contacts list/ }).click();
  expect(
    await editor.evaluate((area: HTMLTextAreaElement) =>
      area.value.slice(area.selectionStart, area.selectionEnd),
    ),
  ).toBe('  "label": "Ours"');
  relink.handlers.save_sync_job = () => {
    throw errorView('changed_meanwhile', 'A conflict', 'The sync job was changed by somebody else just now.');
  };
  await save.click();
  await page.getByText('changed by somebody else').waitFor();
  expect(await editor.inputValue()).toContain('"Ours"');
  relink.handlers.sync_job = () => jobView({ version: '2026-11-28T13:00:00.000Z' });
  await app.changed('sync_jobs');
  await page.getByText('This job was changed elsewhere').waitFor();
  await inspect(app, 'sync-editor-conflict');
  await page.getByRole('button', { name: 'Back to the job' }).click();
  await page.getByText('Not saved', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Continue editing' }).click();
  await page.getByRole('button', { name: 'Load the current version' }).click();
  expect(await page.getByLabel('Job, as JSON').inputValue()).toContain('Contacts into a file');
});

it('duplicates a job, and asks before it deletes one', async () => {
  const relink = relinkWithJobs();
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await page.getByRole('button', { name: 'Duplicate' }).click();
  expect(await page.getByLabel('Job, as JSON').inputValue()).toContain('"Copy of Contacts into a file"');
  await page.getByRole('button', { name: 'Add job' }).click();
  await expect
    .poll(() => relink.invocations.findLast(({ command }) => command === 'save_sync_job')?.args)
    .toMatchObject({ id: null, version: null });
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByText('Its triggers are deleted with it (1).').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete job' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(relink.invocations.some(({ command }) => command === 'delete_sync_job')).toBe(true);
});

it('says when jobs can’t be loaded, and which job can’t run', async () => {
  const relink = relinkWithJobs();
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  const problem = { line: 3, column: 1, field: 'resources[0].type', problem: '"dance" isn’t known.' };
  relink.handlers.sync_job = () => jobView({ graph: null, problem });
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await app.changed('sync_jobs');
  await page.getByText('The nodes of this job can’t run').waitFor();
  expect(await page.getByRole('button', { name: 'Run now…' }).isDisabled()).toBe(true);
  await inspect(app, 'sync-job-unreadable');
  relink.handlers.sync_jobs = () => {
    throw errorView('store', 'Relink’s database can’t be used', 'The disk is full.');
  };
  await app.changed('sync_jobs');
  await page.getByText('The disk is full.').waitFor();
});
