import { expect, it } from 'vitest';
import { account, happened, FakeRelink, errorView } from './fake-relink';
import { inspect } from './inspect';
import { setUpWindows, type AppWindow } from './window';

const openWindow = setUpWindows();
let app: AppWindow;

/** So many entries, newest first; all is well but for those named. */
function eventful(count: number, wrong: number[] = []): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [account('1')];
  relink.entries = Array.from({ length: count }, (_, at) => entryAt(count - at, wrong));
  return relink;
}

const entryAt = (seq: number, wrong: number[] = []): ReturnType<typeof happened> =>
  happened(seq, wrong.includes(seq) ? { tone: 'bad', title: `Broke ${seq}` } : { title: `Fine ${seq}` });

async function activity(relink: FakeRelink): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page
    .getByRole('navigation', { name: 'Relink' })
    .getByRole('button', { name: 'Activity' })
    .click();
  return app.page;
}

it('offers more while there is more, and not at the beginning', async () => {
  const page = await activity(eventful(100));
  const more = page.getByRole('button', { name: 'Show more' });
  await more.click();
  await page.getByText(/Fine 1$/).waitFor();
  await more.waitFor({ state: 'detached' });
  expect(await page.getByRole('listitem').count()).toBe(100);
});

it('loses nothing of what was loaded when something happens', async () => {
  const relink = eventful(120);
  const page = await activity(relink);
  await page.getByRole('button', { name: 'Show more' }).click();
  await expect.poll(() => page.getByRole('listitem').count()).toBe(100);
  relink.entries = [entryAt(123), entryAt(122), entryAt(121), ...relink.entries];
  await app.changed('accounts');
  await page.getByText(/Fine 123$/).waitFor();
  const shown = await page.getByRole('listitem').allTextContents();
  const seqs = shown.map((text) => Number(/Fine (\d+)/.exec(text)?.[1]));
  expect(seqs).toEqual(Array.from({ length: 103 }, (_, at) => 123 - at));
});

it('begins anew where so much has happened that there would be a hole', async () => {
  const relink = eventful(60);
  const page = await activity(relink);
  await page.getByText(/Fine 60$/).waitFor();
  relink.entries = [...eventful(200).entries.slice(0, 140), ...relink.entries];
  await app.changed('accounts');
  await page.getByText(/Fine 200$/).waitFor();
  await expect.poll(() => page.getByRole('listitem').count()).toBe(50);
});

it('finds what went wrong beyond the first page, and claims nothing of what it has not looked at', async () => {
  const relink = eventful(300, [20, 150]);
  const page = await activity(relink);
  await page.getByLabel('Only what went wrong').check();
  await page.getByText('Broke 150').waitFor();
  expect(await page.getByRole('listitem').count()).toBe(1);
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.getByText('Broke 20').waitFor();
  await page.getByRole('button', { name: 'Show more' }).waitFor({ state: 'detached' });
});

it('says how far it has looked when nothing went wrong so far', async () => {
  const page = await activity(eventful(300));
  await page.getByLabel('Only what went wrong').check();
  await page.getByText('Nothing went wrong lately.').waitFor();
  await inspect(app, 'activity-nothing-wrong');
  await page.getByRole('button', { name: 'Look further back' }).click();
  await page.getByText('Nothing went wrong.', { exact: true }).waitFor();
});

it('names an account that is gone, without a way to it', async () => {
  const relink = eventful(1);
  relink.entries = [
    happened(1, { account_name: 'The old one', account_gone: true, title: 'The old one was deleted' }),
  ];
  const page = await activity(relink);
  await page.getByText('The old one was deleted').waitFor();
  expect(await page.getByRole('button', { name: 'The old one' }).count()).toBe(0);
});

it('asks again for a timeline that could not be loaded', async () => {
  const relink = eventful(3);
  const { timeline } = relink.answers;
  relink.answers.timeline = () => {
    throw errorView('store', 'The timeline could not be read', 'The disk is full.');
  };
  const page = await activity(relink);
  await page.getByText('The disk is full.').waitFor();
  await inspect(app, 'activity-error');
  relink.answers.timeline = timeline;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText(/Fine 3$/).waitFor();
});
