import { expect, it } from 'vitest';
import { countsOf, flatGraph, logLine, runEntry, runView } from './fake-sync';
import { inspect, inspectLargeText } from './inspect';
import { openJobs, openRun, relinkWithJobs } from './sync-window';
import { setUpWindows } from './window';

const openWindow = setUpWindows();

it('follows a run while it goes on: counts at each node, the log, and its end', async () => {
  const relink = relinkWithJobs();
  let fetched = 200;
  const running = runEntry('run-3', { status: 'running', finished_at: null, fetched, persisted: 0 });
  relink.handlers.sync_run = () =>
    runView({
      run: { ...running, fetched },
      counts: [countsOf({ fetched, persisted: 0 }), countsOf({ persisted: 0, dropped: 0 }), countsOf({})],
      live: { node: 0, waiting: 2 },
    });
  let lines = [logLine(1)];
  relink.handlers.sync_run_log = ({ node }) => ({
    lines: node === null || node === 'named' ? lines : [],
    next: null,
  });
  const app = await openRun(openWindow, relink);
  const { page } = app;
  const graph = page.getByRole('list', { name: 'Nodes and how far they are' });
  await graph.getByRole('button', { name: /contacts.*200 fetched.*Worked on now/ }).waitFor();
  await page.getByText('2 requests wait for their turn.').waitFor();
  await inspect(app, 'sync-run-running');
  fetched = 12_400;
  lines = [logLine(2, { level: 'warn', message: 'crm/contacts: 403: Forbidden here' }), ...lines];
  const before = relink.invocations.length;
  await app.progressed(['another']);
  await app.progressed(['run-3']);
  await graph.getByText('12,400 fetched').waitFor();
  await page.getByText('403: Forbidden here').waitFor();
  const asked = relink.invocations.slice(before).filter(({ command }) => command === 'sync_run');
  expect(asked.length, 'another run’s progress isn’t asked for').toBe(1);
  await page.getByLabel('Node', { exact: true }).selectOption('file');
  await page.getByText('This node has reported nothing.').waitFor();
  await page.getByText('As a table').click();
  await page
    .getByRole('table', { name: 'Records at each node' })
    .getByRole('row', { name: 'contacts Request 12,400 0 –' })
    .waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  expect(relink.invocations.some(({ command }) => command === 'stop_sync_run')).toBe(true);
  const arrived = { persisted: 12_397, deleted: 41 };
  const counts = [
    countsOf({ fetched, persisted: 0 }),
    countsOf({ ...arrived, dropped: 3 }),
    countsOf(arrived),
  ];
  relink.handlers.sync_run = () => runView({ counts });
  await app.changed('sync_jobs');
  await page.getByText('It has completed.').waitFor({ state: 'attached' });
  await page
    .getByRole('table', { name: 'Records at each node' })
    .getByRole('row', { name: 'named Transform – 12,397 3 41' })
    .waitFor();
  await page.getByText('/home/ada/relink-exports/contacts.sqlite').waitFor();
  await inspect(app, 'sync-run');
  await inspectLargeText(app, 'sync-run');
  await page.getByRole('button', { name: 'Run again' }).click();
  await expect
    .poll(() => relink.invocations.findLast(({ command }) => command === 'sync_run')?.args)
    .toEqual({ id: 'run-2' });
});

it('resumes a run that was stopped, but not one for which nothing was kept', async () => {
  const relink = relinkWithJobs();
  const stopped = runEntry('run-3', { status: 'stopped' });
  relink.handlers.sync_run = () => runView({ run: stopped });
  const app = await openRun(openWindow, relink);
  const { page } = app;
  const resume = page.getByRole('button', { name: 'Resume' });
  await page.getByRole('button', { name: 'Run again' }).waitFor();
  expect(await resume.count()).toBe(0);
  relink.handlers.sync_run = () => runView({ run: stopped, can_resume: true });
  await app.changed('sync_jobs');
  await resume.waitFor();
  await inspect(app, 'sync-run-stopped');
  relink.handlers.sync_run = () => runView({ run: { ...stopped, status: 'created' } });
  await resume.click();
  await page.getByRole('button', { name: 'Stop' }).waitFor();
  expect(relink.invocations.some(({ command }) => command === 'resume_sync_run')).toBe(true);
});

it('shows the datastore and the webhook that a run of a flat job has', async () => {
  const relink = relinkWithJobs();
  const webhook = { id: '1', target_url: 'https://hooks.acme.example/relink' };
  relink.handlers.sync_run = () =>
    runView({
      graph: flatGraph('webhook and datastore'),
      destinations: [
        { node: 2, kind: 'webhook', target: webhook.target_url, webhook_id: webhook.id },
        { node: 2, kind: 'datastore', target: 'Exports', webhook_id: null },
      ],
      webhook,
      datastore: { id: 'store-1', label: 'Exports' },
    });
  const app = await openRun(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /run’s destination.*webhook and datastore/ }).waitFor();
  await page.getByRole('button', { name: webhook.target_url }).waitFor();
  await page.getByText('Exports', { exact: true }).waitFor();
  await inspect(app, 'sync-run-flat');
  await inspectLargeText(app, 'sync-run-flat');
  // Its records go elsewhere: the datastore is named nevertheless.
  relink.handlers.sync_run = () =>
    runView({ destinations: [], datastore: { id: 'store-1', label: 'Exports' } });
  await app.changed('sync_jobs');
  await page.getByText('Exports', { exact: true }).waitFor();
});

it('says why a run waits or failed, and what to do', async () => {
  const relink = relinkWithJobs();
  const waits = runEntry('run-3', { finished_at: null, status: 'running' });
  const broken = { id: '2', name: 'Acme engineering', integration_label: 'GitHub', is_gone: false };
  relink.handlers.sync_run = () => runView({ run: { ...waits, waits_for: broken } });
  const app = await openRun(openWindow, relink);
  const { page } = app;
  await page.getByText('Acme engineering needs to be reauthorized').waitFor();
  await inspect(app, 'sync-run-needs-you');
  await page.getByRole('button', { name: 'Reauthorize' }).click();
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  const soon = new Date(Date.now() + 58_000).toISOString();
  relink.handlers.sync_run = () => runView({ run: { ...waits, status: 'rate_limited', waits_until: soon } });
  await app.changed('sync_jobs');
  await page.getByText('The provider limits calls. The run continues automatically in').first().waitFor();
  await inspect(app, 'sync-run-limited');
  const reason = logLine(70, {
    level: 'error',
    node: 'file',
    message:
      '409: No folder is allowed for the files of sync jobs. Choose one under Sync jobs in the window, or by relink sync folder PATH.',
  });
  relink.handlers.sync_run = () => runView({ run: runEntry('run-3', { status: 'failed' }), reason });
  relink.handlers.sync_run_log = () => ({
    lines: [reason, ...Array.from({ length: 20 }, (_, at) => logLine(20 - at))],
    next: 1,
  });
  await app.changed('sync_jobs');
  await page.getByText('It failed at file').waitFor();
  await page.getByRole('button', { name: 'Older lines' }).waitFor();
  await inspect(app, 'sync-run-failed');
  relink.handlers.repeat_sync_run = () => ({
    run: null,
    problems: [{ field: 'args.from', problem: 'from is missing. Add it to args.' }],
  });
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByText('from is missing.').waitFor();
  await page.getByRole('button', { name: 'Acme sandbox' }).click();
  await page.getByRole('heading', { level: 1, name: 'Integrated accounts' }).waitFor();
});

it('pages through many runs, and says when there are none', async () => {
  const relink = relinkWithJobs();
  const all = Array.from({ length: 200 }, (_, at) => runEntry(`run-${200 - at}`, { fetched: 200 - at }));
  relink.handlers.sync_runs = ({ before }) => {
    const from = before === null ? 0 : all.findIndex(({ id }) => id === before) + 1;
    return all.slice(from, from + 25);
  };
  const app = await openJobs(openWindow, relink);
  const { page } = app;
  await page.getByRole('button', { name: /^Contacts into a file/ }).click();
  const runs = page.getByRole('list', { name: 'Runs' }).getByRole('button');
  await runs.nth(24).waitFor();
  for (let page25 = 2; page25 <= 8; page25 += 1) {
    await page.getByRole('button', { name: 'Older runs' }).click();
    await runs.nth(25 * page25 - 1).waitFor();
  }
  await page.getByRole('button', { name: 'Older runs' }).click();
  await page.getByRole('button', { name: 'Older runs' }).waitFor({ state: 'detached' });
  expect(await runs.count()).toBe(200);
  await inspect(app, 'sync-many-runs');
  relink.handlers.sync_runs = () => [];
  await page.getByRole('button', { name: /^Deals/ }).click();
  await page.getByText('This job hasn’t run yet.').waitFor();
});
