import { expect, it } from 'vitest';
import { account, timelineEntry, FakeRelink, errorView } from './fake-relink';
import { inspect } from './inspect';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();
let app: AppWindow;

/** A timeline of this many entries, newest first. Those listed are problems. */
function relinkWithEntries(count: number, problems: number[] = []): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [account('1')];
  relink.entries = Array.from({ length: count }, (_, at) => entryAt(count - at, problems));
  return relink;
}

const entryAt = (seq: number, problems: number[] = []): ReturnType<typeof timelineEntry> =>
  timelineEntry(
    seq,
    problems.includes(seq) ? { tone: 'bad', title: `Broke ${seq}` } : { title: `Fine ${seq}` },
  );

async function activity(relink: FakeRelink): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page
    .getByRole('navigation', { name: 'Relink' })
    .getByRole('button', { name: 'Activity' })
    .click();
  return app.page;
}

it('offers to show more until everything is loaded', async () => {
  const page = await activity(relinkWithEntries(100));
  const more = page.getByRole('button', { name: 'Show more' });
  await more.click();
  await page.getByText(/Fine 1$/).waitFor();
  await more.waitFor({ state: 'detached' });
  expect(await page.getByRole('listitem').count()).toBe(100);
});

it('keeps the loaded entries when new ones arrive', async () => {
  const relink = relinkWithEntries(120);
  const page = await activity(relink);
  await page.getByRole('button', { name: 'Show more' }).click();
  await expect.poll(() => page.getByRole('listitem').count()).toBe(100);
  relink.entries = [entryAt(123), entryAt(122), entryAt(121), ...relink.entries];
  await app.changed('timeline');
  await page.getByText(/Fine 123$/).waitFor();
  const shown = await page.getByRole('listitem').allTextContents();
  const seqs = shown.map((text) => Number(/Fine (\d+)/.exec(text)?.[1]));
  expect(seqs).toEqual(Array.from({ length: 103 }, (_, at) => 123 - at));
});

it('starts over rather than show a gap when many entries arrive at once', async () => {
  const relink = relinkWithEntries(60);
  const page = await activity(relink);
  await page.getByText(/Fine 60$/).waitFor();
  relink.entries = [...relinkWithEntries(200).entries.slice(0, 140), ...relink.entries];
  await app.changed('timeline');
  await page.getByText(/Fine 200$/).waitFor();
  await expect.poll(() => page.getByRole('listitem').count()).toBe(50);
});

it('finds problems beyond the first page', async () => {
  const relink = relinkWithEntries(300, [20, 150]);
  const page = await activity(relink);
  await page.getByLabel('Problems only').check();
  await page.getByText('Broke 150').waitFor();
  expect(await page.getByRole('listitem').count()).toBe(1);
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.getByText('Broke 20').waitFor();
  await page.getByRole('button', { name: 'Show more' }).waitFor({ state: 'detached' });
});

it('says that older activity is not loaded when it has found no problems so far', async () => {
  const page = await activity(relinkWithEntries(300));
  await page.getByLabel('Problems only').check();
  await page.getByText('No recent problems.').waitFor();
  await inspect(app, 'activity-no-problems');
  await page.getByRole('button', { name: 'Load older activity' }).click();
  await page.getByText('No problems.', { exact: true }).waitFor();
});

it('shows in an account’s timeline who caused an entry', async () => {
  const relink = relinkWithEntries(2);
  relink.entries = [
    timelineEntry(2, { title: 'Renamed to Acme', kind: 'renamed', by: 'by API token my-agent' }),
    timelineEntry(1, { title: 'Refreshed' }),
  ];
  app = await openWindow(relink);
  const entries = app.page.getByRole('listitem');
  await entries.first().getByText('by API token my-agent', { exact: true }).waitFor();
  expect(await entries.last().textContent()).not.toContain('by ');
  await inspect(app, 'timeline-by');
});

it('names a deleted account without linking to it', async () => {
  const relink = relinkWithEntries(1);
  relink.entries = [
    timelineEntry(1, { account_name: 'The old one', account_gone: true, title: 'The old one was deleted' }),
  ];
  const page = await activity(relink);
  await page.getByText('The old one was deleted').waitFor();
  expect(await page.getByRole('button', { name: 'The old one' }).count()).toBe(0);
});

it('reloads a timeline that could not be loaded', async () => {
  const relink = relinkWithEntries(3);
  const { timeline } = relink.handlers;
  relink.handlers.timeline = () => {
    throw errorView('store', 'The timeline could not be read', 'The disk is full.');
  };
  const page = await activity(relink);
  await page.getByText('The disk is full.').waitFor();
  await inspect(app, 'activity-error');
  relink.handlers.timeline = timeline;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText(/Fine 3$/).waitFor();
});
