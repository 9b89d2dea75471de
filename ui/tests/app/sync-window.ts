import { account, FakeRelink } from './fake-relink';
import { jobEntry, runEntry } from './fake-sync';
import type { AppWindow } from './window';

/** Windows on sync jobs, for the tests of jobs and of runs. */

type OpenWindow = (relink: FakeRelink) => Promise<AppWindow>;

/** The window on its page of sync jobs. */
export async function openJobs(openWindow: OpenWindow, relink: FakeRelink): Promise<AppWindow> {
  const app = await openWindow(relink);
  await app.page
    .getByRole('navigation', { name: 'Relink' })
    .getByRole('button', { name: 'Sync jobs' })
    .click();
  await app.page.getByRole('heading', { level: 1, name: 'Sync jobs' }).waitFor();
  return app;
}

export function relinkWithJobs(): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [
    account('1', { name: 'Acme sandbox', integration: 'sandbox', integration_label: 'Sandbox' }),
    account('2', { name: 'Acme engineering' }),
  ];
  relink.handlers.sync_jobs = () => [
    jobEntry('job-1'),
    jobEntry('job-2', {
      label: 'Tickets and all of their comments with the attachments of everybody who has written one',
      last_run: runEntry('run-9', { status: 'failed' }),
      next_run_at: null,
    }),
    jobEntry('job-3', { label: 'Deals', integration: null, last_run: null, next_run_at: null }),
  ];
  relink.handlers.sync_runs = () => [
    runEntry('run-3', { status: 'running', finished_at: null, is_triggered: true }),
    runEntry('run-2', { status: 'failed', fetched: 20, persisted: 0 }),
    runEntry('run-1'),
  ];
  return relink;
}

export async function openRun(openWindow: OpenWindow, relink: FakeRelink): Promise<AppWindow> {
  const app = await openJobs(openWindow, relink);
  await app.page.getByRole('button', { name: /^Contacts into a file/ }).click();
  await app.page.getByRole('list', { name: 'Runs' }).getByRole('button').first().click();
  await app.page.getByRole('heading', { level: 1, name: /^Run of/ }).waitFor();
  return app;
}
