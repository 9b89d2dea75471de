import type { Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { arrive, expectRoomForLargeText, inspect } from './inspect';
import { asanaForm, optionsOf, projects, region, workspaces } from './form-samples';
import { errorResponse, FakeServer } from './fake-server';
import { openHarness, openTab, type Harness, type Tab, type Viewport } from './browser';
import { succeeded } from './samples';

let harness: Harness;
let tab: Tab;

beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());
beforeEach(() => {
  harness.relink = new FakeServer();
});
afterEach(() => tab.context.close());

const POST_CONNECT = '/connect-account/post-connect/open/n';
const TITLE = 'Set up Asana';

async function open(path = POST_CONNECT): Promise<Tab['page']> {
  tab = await openTab(harness);
  await tab.page.goto(harness.base + path);
  return tab.page;
}

async function opened(path = POST_CONNECT): Promise<Tab['page']> {
  const page = await open(path);
  await arrive(page, TITLE);
  await page.getByRole('radio', { name: 'Acme Labs' }).waitFor();
  return page;
}

async function withProjects(path = POST_CONNECT): Promise<Tab['page']> {
  const page = await opened(path);
  await page.getByRole('radio', { name: 'Acme w-1' }).check();
  await page.getByRole('checkbox', { name: 'Project 12 P-12' }).waitFor();
  return page;
}

/** What describes a control, as assistive technology reads it. */
function described(control: Locator): Promise<string> {
  return control.evaluate((element) => {
    const ids = element.getAttribute('aria-describedby')?.split(' ') ?? [];
    return ids.map((id) => document.querySelector(`#${CSS.escape(id)}`)?.textContent ?? '').join(' ');
  });
}

const LONG = 'Department-of-Extraordinarily-Long-Names-and-Unbreakable-Identifiers-GmbH-und-Co-KG';

const states: Record<string, () => Promise<unknown>> = {
  'form-empty': () => opened(),
  'form-filled': async () => {
    harness.relink.onOptions = ({ field }) => ({
      options: field === 'workspace_id' ? workspaces : projects(120),
    });
    const page = await withProjects();
    await page.getByRole('checkbox', { name: 'Project 2 P-2' }).check();
    await page.getByRole('checkbox', { name: 'Project 3 P-3' }).check();
    await page.getByRole('radio', { name: 'Everything' }).check();
    await page.getByRole('checkbox', { name: 'Sync attachments' }).check();
    await page.getByText('2 selected.').waitFor();
  },
  'form-loading': async () => {
    harness.relink.onOptions = () => new Promise(() => {});
    const page = await open();
    await arrive(page, TITLE);
    await page.getByRole('status').getByText('Loading Workspace…').waitFor();
    expect(await page.getByText('Select a workspace first.').isVisible()).toBe(true);
  },
  'form-mistakes': async () => {
    harness.relink.onSubmit = () => ({
      result: 'invalid',
      problems: [
        { field: 'workspace_id', message: 'Select an option.' },
        { field: 'mode', message: 'Everything is too much for this plan.' },
        { field: 'prefix', message: 'Enter a value.' },
        { field: 'agreed', message: 'Select this to continue.' },
        { field: null, message: 'Somebody else has changed these settings at the same time.' },
      ],
    });
    const page = await opened();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Somebody else has changed these settings').waitFor();
    expect(await described(page.getByRole('radiogroup', { name: 'Workspace' }))).toContain(
      'Select an option.',
    );
    expect(await described(page.getByLabel('Prefix'))).toContain('Enter a value.');
    expect(await described(page.getByLabel('Sync attachments'))).toContain('Select this to continue.');
    const focused = page.getByRole('radio', { name: 'Acme w-1' });
    await expect.poll(() => focused.evaluate((input) => input === document.activeElement)).toBe(true);
  },
  'form-options-failed': async () => {
    harness.relink.onOptions = () =>
      errorResponse(422, 'form_options_failed', 'The provider answered 403 Forbidden: Missing scope.', {
        title: 'The options of Workspace can’t be loaded',
        hint: 'Try again in a moment.',
      });
    const page = await open();
    await arrive(page, TITLE);
    await page.getByRole('alert').getByText('Missing scope').waitFor();
  },
  'form-hidden-not-loaded': async () => {
    const { relink } = harness;
    relink.form = { ...asanaForm, fields: [...asanaForm.fields, region] };
    const failed = errorResponse(
      422,
      'form_options_failed',
      'The provider answered 403 Forbidden: Missing scope.',
      {
        title: 'The options of Region can’t be loaded',
        hint: 'Try again in a moment.',
      },
    );
    relink.onOptions = (request) => (request.field === 'region' ? failed : optionsOf(request));
    const page = await opened();
    await page.getByRole('alert').getByText('The options of Region can’t be loaded').waitFor();
  },
  'form-known': async () => {
    harness.relink.form = {
      ...asanaForm,
      requested_by: null,
      values: { workspace_id: 'w-2', projects: [5, 99], mode: 'all', prefix: 'ACME-', agreed: true },
      kept: ['pin'],
    };
    const query = new URLSearchParams({
      truto_prevent_deselect: JSON.stringify({
        projects: { message: 'Project 5 is being synced.' },
        mode: { message: 'Everything is synced already.' },
        agreed: { message: 'Attachments are synced already.' },
      }),
      truto_disabled_fields: '{"workspace_id": {"message": "Your administrator chose it."}}',
    });
    const page = await open(`${POST_CONNECT}?${String(query)}`);
    await page.getByText('No longer offered').waitFor();
    expect(await described(page.getByLabel('Webhook secret'))).toContain('A value is saved.');
    expect(await described(page.getByRole('radiogroup', { name: 'Workspace' }))).toContain(
      'Your administrator',
    );
    const locked = page.getByRole('checkbox', { name: 'Project 5 ' });
    await locked.focus();
    await page.keyboard.press('Space');
    expect(await locked.isChecked()).toBe(true);
    expect(await page.getByRole('radio', { name: 'Acme Labs' }).isDisabled()).toBe(true);
  },
  'form-long-names': async () => {
    const [workspace, ...others] = asanaForm.fields;
    harness.relink.form = {
      ...asanaForm,
      integration_label: `Asana of the ${LONG}`,
      account: { id: '1', name: LONG, identity: null },
      fields: [{ ...workspace!, label: LONG, help_text: LONG }, ...others],
    };
    harness.relink.onOptions = () => ({
      options: [
        { value: 1, label: LONG, sub_text: LONG },
        { value: 2, label: 'Short', sub_text: null },
      ],
    });
    const page = await open();
    await page.getByRole('radio', { name: 'Short' }).waitFor();
  },
  'form-nothing-offered': async () => {
    harness.relink.onOptions = () => ({ options: [] });
    const page = await open();
    await page.getByText('There is nothing to choose from.').waitFor();
  },
  'form-not-saved': async () => {
    harness.relink.onSubmit = () =>
      errorResponse(409, 'account_not_active', 'Acme isn’t active but needs_reauth.', {
        title: 'This account isn’t active',
      });
    const page = await opened();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByText('Acme isn’t active').waitFor();
  },
  'form-refused': async () => {
    harness.relink.form = errorResponse(409, 'form_not_set_up', 'Asana has no form to fill in.', {
      title: 'Asana has no form to fill in',
      hint: 'Whoever set up the integration can add one.',
    });
    await arrive(await open(), 'Asana has no form to fill in');
  },
  'form-saved': async () => {
    const page = await opened();
    await page.getByRole('button', { name: 'Save' }).click();
    await arrive(page, 'Saved');
  },
  'form-after-sign-in': async () => {
    const page = await open('/connect-account/open/n');
    await page.getByRole('button', { name: 'Continue to GitHub' }).click();
    await arrive(page, 'Sign in on GitHub');
    harness.relink.updateFlow({
      ...succeeded,
      outcome: { ...succeeded.outcome!, form_token: 'form-1' },
    });
    await arrive(page, 'Finish setting up Asana');
  },
};

const viewports: Viewport[] = [
  { scheme: 'light', width: 1000 },
  { scheme: 'dark', width: 1000 },
  { scheme: 'dark', width: 360 },
  { scheme: 'light', width: 360 },
];

it.each(Object.keys(states))('%s: in light and dark, wide and narrow, and with larger text', async (name) => {
  await states[name]?.();
  for (const viewport of viewports) await inspect(tab, viewport, name);
  await expectRoomForLargeText(tab.page, name);
  expect(tab.consoleErrors, `${name}: console`).toEqual([]);
});

it('keeps what was chosen where the app doesn’t let go of it, in each kind of field', async () => {
  harness.relink.form = {
    ...asanaForm,
    values: { workspace_id: 'w-1', projects: [5], mode: 'all', agreed: true },
  };
  const why = { message: 'It is in use.' };
  const held = JSON.stringify({ projects: why, mode: why, agreed: why });
  const page = await open(`${POST_CONNECT}?${String(new URLSearchParams({ truto_prevent_deselect: held }))}`);
  const [project, everything, attachments] = [
    page.getByRole('checkbox', { name: 'Project 5 ' }),
    page.getByRole('radio', { name: 'Everything' }),
    page.getByRole('checkbox', { name: 'Sync attachments' }),
  ];
  for (const box of [project, attachments]) {
    await box.press('Space');
    expect(await box.getAttribute('aria-disabled')).toBe('true');
  }
  await everything.press('ArrowDown');
  expect(await page.getByRole('radio', { name: 'Open tasks' }).isDisabled()).toBe(true);
  for (const choice of [project, everything, attachments]) expect(await choice.isChecked()).toBe(true);
  expect(await page.getByRole('button', { name: 'Clear' }).count()).toBe(0);
  await page.getByRole('checkbox', { name: 'Project 7 ' }).check();
  await page.getByRole('button', { name: 'Clear Projects' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await arrive(page, 'Saved');
  const { body } = harness.relink.calls.find(({ verb }) => verb === 'submit') ?? {};
  expect(body).toMatchObject({ values: { projects: [5], mode: 'all', agreed: true } });
});

it('says to assistive technology which choices are required', async () => {
  const page = await withProjects();
  const required = page.getByRole('group', { name: 'Projects required', exact: true });
  expect(await required.getByRole('checkbox').count()).toBe(12);
  expect(await page.getByRole('radiogroup', { name: 'Workspace' }).getAttribute('aria-required')).toBe(
    'true',
  );
  const free = page.getByRole('radiogroup', { name: 'What to sync (optional)', exact: true });
  expect(await free.getAttribute('aria-required')).toBe('false');
});

it('is filled in with the keyboard alone', async () => {
  const page = await opened();
  const focused = () =>
    page.evaluate(() => {
      const { activeElement } = document;
      const text = activeElement?.closest('label')?.textContent ?? activeElement?.textContent ?? '';
      return text.replaceAll(/\s+/g, ' ').trim() || activeElement?.getAttribute('aria-label') || '';
    });
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await press('Tab', 'Space');
  expect(await focused()).toBe('Acme w-1');
  await press('ArrowDown');
  expect(await focused()).toBe('Acme Labs w-2');
  await page.getByRole('checkbox', { name: 'Project 12' }).waitFor();
  // The search of the projects, then their rows.
  await press('Tab');
  await page.keyboard.type('project 1');
  await page.getByText('4 of 12 match.').waitFor();
  await press('ArrowDown', 'Space', 'ArrowDown', 'ArrowDown', 'Space', 'Home');
  expect(await focused()).toBe('Project 1 P-1');
  await press('ArrowUp');
  expect(await focused()).toBe('Search Projects');
  await press('Enter');
  expect(harness.relink.count('submit')).toBe(0);
  await press('Tab', 'Tab');
  expect(await focused()).toBe('Select all that match of Projects');
  // “Clear”, the next list and its field, and the text.
  await press('Tab', 'Tab', 'Tab');
  await page.keyboard.type('ACME-');
  await press('Enter');
  await arrive(page, 'Saved');
  const submitted = harness.relink.calls.find(({ verb }) => verb === 'submit');
  const values = { workspace_id: 'w-2', projects: [1, 11], mode: null, prefix: 'ACME-', agreed: false };
  expect(submitted?.body).toMatchObject({ values });
});

it('selects what matches, and clears it', async () => {
  const page = await withProjects();
  await page.getByRole('searchbox', { name: 'Search Projects' }).fill('PROJECT 1');
  await page.getByRole('button', { name: 'Select all that match' }).click();
  await page.getByText('4 selected.').waitFor();
  await page.getByRole('searchbox', { name: 'Search Projects' }).fill('nothing like it');
  await page.getByText('No options match “nothing like it”.').waitFor();
  await page.getByRole('searchbox', { name: 'Search Projects' }).fill('');
  await page.getByRole('button', { name: 'Clear Projects' }).click();
  await expect.poll(() => page.getByText('selected.').count()).toBe(0);
});

it('loads options again that could not be loaded', async () => {
  harness.relink.onOptions = () => errorResponse(422, 'form_options_failed', 'The provider is busy.');
  const page = await open();
  await page.getByText('The provider is busy.').waitFor();
  harness.relink.onOptions = () => ({ options: workspaces });
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('radio', { name: 'Acme Labs' }).waitFor();
});

it('says what is wrong with a field that isn’t shown, and loads it again', async () => {
  const { relink } = harness;
  relink.form = { ...asanaForm, fields: [...asanaForm.fields, region] };
  let isBroken = true;
  relink.onOptions = (request) => {
    if (request.field !== 'region') return optionsOf(request);
    return isBroken
      ? errorResponse(422, 'form_options_failed', 'The provider is busy.')
      : { options: [{ value: 'eu', label: 'Europe', sub_text: null }] };
  };
  const page = await opened();
  const notice = page.getByRole('alert').getByText('The provider is busy.');
  await notice.waitFor();
  isBroken = false;
  await page.getByRole('button', { name: 'Try again to load Region' }).click();
  await notice.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Save' }).click();
  await arrive(page, 'Saved');
  const { body } = relink.calls.find(({ verb }) => verb === 'submit') ?? {};
  expect(body).toMatchObject({ values: { region: 'eu' } });
});

it('waits while Relink doesn’t respond, and says so', async () => {
  const { relink } = harness;
  relink.up = false;
  const page = await open('/connect-account/post-connect?integrated_account_session_token=t');
  await page.getByText('Relink isn’t responding').first().waitFor();
  relink.up = true;
  await arrive(page, TITLE);
  await page.getByRole('radio', { name: 'Acme Labs' }).waitFor();
  relink.up = false;
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Start Relink. This page then continues automatically.').waitFor();
  await page.getByRole('status').getByText('Saving…').waitFor();
  relink.up = true;
  await arrive(page, 'Saved');
  expect(relink.count('submit')).toBe(1);
});

it('shows at most 200 options, and says how to find the others', async () => {
  harness.relink.onOptions = () => ({ options: projects(5_000) });
  const page = await open();
  await page.getByText('The first 200 are shown. Search to find the others.').waitFor();
  expect(await page.getByRole('radio').count()).toBe(202);
  await page.getByRole('searchbox', { name: 'Search Workspace' }).fill('P-4999');
  await page.getByRole('radio', { name: 'Project 4999' }).check();
});
