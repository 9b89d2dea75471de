import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { FieldSpec, Flow, OAuthMethod, Session } from '../connect/api';
import { arrive, expectRoomForLargeText, inspect } from './inspect';
import {
  connectSession,
  denied,
  mismatch,
  stepFailed,
  github,
  hubspot,
  question,
  reauthorizeSession,
  returnedSignIn,
  salesforce,
  succeeded,
} from './samples';
import { errorResponse, FakeServer, RETURN_KEY } from './fake-server';
import { openTab, openHarness, type Viewport, type Tab, type Harness } from './browser';

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

const CONNECT = '/connect-account/open/n';

async function open(path = CONNECT): Promise<Tab['page']> {
  tab = await openTab(harness);
  await tab.page.goto(harness.base + path);
  return tab.page;
}

/** Opens a page as in a frame: its messages go to the page around it. */
async function openFramed(path: string): Promise<Tab['page']> {
  tab = await openTab(harness);
  await tab.page.addInitScript(() => {
    const parent = { postMessage: (message: unknown) => sessionStorage.setItem('message', String(message)) };
    Object.defineProperty(window, 'parent', { value: parent });
  });
  await tab.page.goto(harness.base + path);
  await tab.page.getByRole('button', { name: 'Close' }).waitFor();
  return tab.page;
}

/** Opens the link and continues to the provider. */
async function openWaiting(): Promise<Tab['page']> {
  const page = await open();
  await arrive(page, 'Reauthorize GitHub');
  await page.getByRole('button', { name: 'Continue to GitHub' }).click();
  await arrive(page, 'Sign in on GitHub');
  return page;
}

/** Opens the page that the provider returned to, in a browser that didn’t begin the flow. */
async function openReturned(): Promise<Tab['page']> {
  const page = await open(`/connect-account/return?flow=flow-1#return=${RETURN_KEY}`);
  await arrive(page, 'Did you start this sign-in to GitHub?');
  expect(page.url()).toBe(`${harness.base}/connect-account/return?flow=flow-1`);
  return page;
}

/** Opens the waiting page and changes the flow. */
async function moved(change: Partial<Flow>, heading: string): Promise<Tab['page']> {
  const page = await openWaiting();
  harness.relink.updateFlow(change);
  await arrive(page, heading);
  return page;
}

const LONG = 'Department-of-Extraordinarily-Long-Names-and-Unbreakable-Identifiers-GmbH-und-Co-KG';
const second = { id: '0194', name: 'Acme engineering 2', identity: 'someone-else' };
const longSession: Session = {
  ...reauthorizeSession,
  tenant_id: `tenant-${LONG.toLowerCase()}`,
  account: { id: '1', name: LONG, identity: `${LONG.toLowerCase()}@example.com` },
  integrations: [
    {
      ...github,
      label: `GitHub Enterprise Server of the ${LONG}`,
      color: '#ffe01b',
      methods: [
        {
          format: 'oauth2',
          host: `github.${LONG.toLowerCase()}.example.com`,
          fields: [],
          documentation_link: null,
          scopes: [{ name: `https://scopes.example.com/${LONG}`, description: null }],
          redirects: ['deep_link'],
          not_ready: null,
        },
      ],
    },
  ],
};

/** Every state of the page, and how to get there. */
const states: Record<string, () => Promise<unknown>> = {
  authorize: async () => arrive(await open(), 'Reauthorize GitHub'),
  'authorize-long-names': async () => {
    harness.relink.session = longSession;
    await arrive(await open(), `Reauthorize ${longSession.integrations[0]?.label}`);
  },
  'authorize-with-form': async () => {
    const [oauth] = github.methods as [OAuthMethod];
    const [portal] = hubspot.methods[0]!.fields as [FieldSpec];
    const field = {
      ...portal,
      type: 'text',
      default: null,
      placeholder: null,
      help_text: null,
      options: [],
    } as const;
    const tenant = { ...field, name: 'subdomain', label: 'Subdomain', required: true, options: [] };
    const key = { ...field, type: 'password', name: 'key', label: 'Developer key', options: [] } as const;
    const fields: FieldSpec[] = [tenant, { ...key, required: false, options: [] }];
    harness.relink.session = {
      ...reauthorizeSession,
      integrations: [{ ...github, methods: [{ ...oauth, fields, host: '….example.com' }] }],
    };
    const page = await open();
    await arrive(page, 'Reauthorize GitHub');
    await page.getByRole('button', { name: 'Continue to GitHub' }).click();
    await page.getByText('Enter a value.').waitFor();
  },
  'authorize-error': async () => {
    harness.relink.onCreate = () =>
      errorResponse(503, 'keychain_locked', 'Relink can’t save a sign-in while your keychain is locked.', {
        title: 'The keychain is locked',
        hint: 'Unlock it and try again.',
      });
    const page = await open();
    await page.getByRole('button', { name: 'Continue to GitHub' }).click();
    await page.getByRole('alert').getByText('The keychain is locked').waitFor();
  },
  framed: async () => {
    harness.relink.session = { ...connectSession, integrations: [github, hubspot] };
    const page = await openFramed(`${CONNECT}?integration=github`);
    await arrive(page, 'Connect GitHub');
    await page.getByRole('button', { name: 'Back' }).waitFor();
  },
  'framed-invalid-link': async () => {
    harness.relink.session = errorResponse(404, 'link_token_revoked', 'Whoever runs this Relink revoked it.');
    await arrive(await openFramed(CONNECT), 'This link was revoked');
  },
  integrations: async () => {
    harness.relink.session = connectSession;
    await arrive(await open(), 'Connect an account');
  },
  'integrations-none-found': async () => {
    harness.relink.session = connectSession;
    const page = await open();
    await page.getByLabel('Search integrations').fill('zzz');
    await page.getByText('No integrations match “zzz”.').waitFor();
  },
  'integration-missing': async () => {
    harness.relink.session = connectSession;
    await arrive(await open(`${CONNECT}?integration=nosuch`), 'Connect an account');
  },
  'nothing-offered': async () => {
    harness.relink.session = { ...connectSession, integrations: [] };
    await arrive(await open(), 'Nothing to connect yet');
  },
  methods: async () => {
    harness.relink.session = { ...connectSession, integrations: [salesforce] };
    await arrive(await open(), 'Connect Salesforce');
  },
  'not-ready': async () => {
    harness.relink.session = { ...connectSession, integrations: [salesforce] };
    const page = await open();
    await page.getByRole('tab', { name: 'Sign in' }).click();
    await page.getByText('Salesforce isn’t set up for this yet').waitFor();
  },
  'nothing-ready': async () => {
    const [method] = salesforce.methods;
    const only = { ...salesforce, methods: [method!] };
    harness.relink.session = { ...connectSession, integrations: [only] };
    await arrive(await open(), 'Salesforce isn’t set up yet');
  },
  form: async () => {
    harness.relink.session = { ...connectSession, integrations: [hubspot] };
    const page = await open();
    await arrive(page, 'Connect HubSpot');
    await page.getByText('The key needs the scope crm.objects.contacts.read.').waitFor();
  },
  'form-errors': async () => {
    harness.relink.session = { ...connectSession, integrations: [hubspot] };
    const page = await open();
    await page.getByLabel('Portal ID').fill('abc');
    await page.getByRole('button', { name: 'Connect HubSpot' }).click();
    await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'region');
  },
  waiting: openWaiting,
  'waiting-error': async () => {
    harness.relink.onCallback = () =>
      errorResponse(400, 'state_unknown', 'This URL belongs to another sign-in.', {
        hint: 'Copy it from the tab that this page opened.',
      });
    const page = await openWaiting();
    await page.getByText('Having trouble?').click();
    await page.getByLabel('Paste the URL').fill('app.relink.desktop:/oauth/callback/github?code=1&state=2');
    await page.getByRole('button', { name: 'Use this URL' }).click();
    await page.getByRole('alert').getByText('another sign-in').waitFor();
  },
  'waiting-late': async () => {
    const page = await openTab(harness).then((fresh) => (tab = fresh).page);
    await page.clock.install();
    await page.goto(harness.base + CONNECT);
    await page.getByRole('button', { name: 'Continue to GitHub' }).click();
    await arrive(page, 'Sign in on GitHub');
    await page.clock.fastForward(60_000);
    await page.getByRole('button', { name: 'Return to this browser instead' }).waitFor();
    await page.getByText('Does GitHub show an error about the redirect URI?').waitFor();
    await page.getByRole('button', { name: 'Copy redirect URI' }).waitFor();
  },
  'waiting-unsafe': async () => {
    harness.relink.onCreate = () => ({ authorize_url: 'javascript:alert(1)' });
    await openWaiting();
    expect(tab.provider).toEqual([]);
  },
  working: () => moved({ phase: 'working', step: 'checking' }, 'Connecting GitHub…'),
  question: () => moved(question, 'You signed in as someone-else'),
  'question-long-names': () =>
    moved(
      { ...question, question: { expected: LONG, actual: `${LONG}@example.com` } },
      `You signed in as ${LONG}@example.com`,
    ),
  'succeeded-second-account': () =>
    moved(
      { ...succeeded, outcome: { ...succeeded.outcome!, reauthorized: false, account: second } },
      'Connection successful',
    ),
  succeeded: () => moved(succeeded, 'Connection successful'),
  'succeeded-kept-old': () =>
    moved({ ...succeeded, outcome: { ...succeeded.outcome!, kept_old: true } }, 'Nothing was changed'),
  failed: () => moved(denied, 'You didn’t allow access'),
  'failed-redirect-mismatch': async () => {
    const page = await moved(mismatch, 'GitHub rejected the sign-in');
    await page.getByText('GitHub said:').waitFor();
    await page.getByText('The redirect_uri is not associated with this application.').waitFor();
    await page.getByRole('button', { name: 'Copy redirect URI' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await expect.poll(copied).toBe('app.relink.desktop:/oauth/callback/github');
  },
  'failed-step': async () => {
    const page = await moved(stepFailed, 'A setup step for GitHub failed');
    await page.getByText('The account is in Relink, where its steps can be run again.').waitFor();
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
  },
  'setting-up': async () => {
    const page = await moved({ phase: 'working', step: 'onboarding' }, 'Connecting GitHub…');
    await page.getByText('Setting up the connection with GitHub').first().waitFor();
  },
  'failed-return-page': async () => {
    const page = await openWaiting();
    harness.relink.updateFlow(denied);
    await page.goto(`${harness.base}/connect-account/return?flow=flow-1`);
    await arrive(page, 'You didn’t allow access');
    expect(await page.getByRole('button').count()).toBe(0);
  },
  interrupted: async () => {
    const page = await openWaiting();
    harness.relink.forgetFlows();
    await arrive(page, 'This sign-in was interrupted');
  },
  'invalid-link': async () => {
    harness.relink.session = errorResponse(
      404,
      'link_token_used',
      'This link already connected Acme engineering.',
    );
    await arrive(await open(), 'This link was already used');
  },
  reloaded: async () => {
    const page = await open();
    await arrive(page, 'Reauthorize GitHub');
    await page.reload();
    await arrive(page, 'Open the link again');
  },
  'confirm-return': async () => {
    await openWaiting();
    harness.relink.updateFlow({ phase: 'returned', needs_return_key: true });
    await tab.context.close();
    await openReturned();
  },
  'confirm-return-long-names': async () => {
    await openWaiting();
    harness.relink.returned = {
      ...returnedSignIn,
      tenant_id: longSession.tenant_id,
      account: longSession.account,
    };
    harness.relink.updateFlow({ phase: 'returned', needs_return_key: true });
    await tab.context.close();
    await openReturned();
  },
  'confirm-declined': async () => {
    await openWaiting();
    harness.relink.updateFlow({ phase: 'returned', needs_return_key: true });
    await tab.context.close();
    const page = await openReturned();
    await page.getByRole('button', { name: 'No, discard the sign-in' }).click();
    await arrive(page, 'Nothing was connected');
  },
  'returned-to-app': () =>
    moved(
      { phase: 'returned', needs_return_key: true, redirect: 'deep_link' },
      'Confirm the sign-in in Relink',
    ),
  'returned-to-tab': () =>
    moved(
      { phase: 'returned', needs_return_key: true, redirect: 'loopback' },
      'Continue where GitHub returned',
    ),
  'wrong-browser': async () =>
    arrive(await open('/connect-account/return?flow=nobody'), 'Go back to the page where you started'),
  'unreachable-at-start': async () => {
    harness.relink.up = false;
    await arrive(await open(), 'Relink isn’t responding');
  },
  unreachable: async () => {
    const page = await open();
    await arrive(page, 'Reauthorize GitHub');
    harness.relink.up = false;
    await page.getByRole('button', { name: 'Continue to GitHub' }).click();
    await page.getByText('Start Relink. This page then continues automatically.').waitFor();
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

it('says “closed” to the page around its frame when the person closes it', async () => {
  const page = await openFramed(CONNECT);
  await arrive(page, 'Reauthorize GitHub');
  await page.getByRole('button', { name: 'Close' }).click();
  expect(await page.evaluate(() => sessionStorage.getItem('message'))).toBe('closed');
});

it('works in a browser that refuses its storage', async () => {
  tab = await openTab(harness);
  await tab.page.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', {
      get: () => {
        throw new DOMException('Access is denied for this document.', 'SecurityError');
      },
    });
  });
  await tab.page.goto(harness.base + CONNECT);
  await arrive(tab.page, 'Reauthorize GitHub');
  await tab.page.getByRole('button', { name: 'Continue to GitHub' }).click();
  await arrive(tab.page, 'Sign in on GitHub');
  harness.relink.updateFlow(succeeded);
  await arrive(tab.page, 'Connection successful');
  expect(tab.consoleErrors).toEqual([]);
});
