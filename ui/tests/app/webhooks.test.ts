import { expect, it } from 'vitest';
import { inspect } from './inspect';
import { errorView } from './fake-relink';
import { setUpWindows, type AppWindow } from './window';
import { at, relinkWithIntegrations } from './fixtures';

const openWindow = setUpWindows();
let app: AppWindow;

async function go(place: string, relink = relinkWithIntegrations()): Promise<AppWindow['page']> {
  app = await openWindow(relink);
  await app.page.getByRole('navigation', { name: 'Relink' }).getByRole('button', { name: place }).click();
  return app.page;
}

it('shows a webhook’s deliveries, and retries the failed ones', async () => {
  const relink = relinkWithIntegrations();
  const delivery = {
    id: 'd',
    event: 'integrated_account:active',
    tries: 1,
    next_try: null,
    updated_at: at(3),
  };
  relink.webhooks = [
    {
      id: 'w',
      target_url: 'https://example.com/hooks',
      is_active: true,
      event_types: null,
      signature_format: 'base64',
      failing_since: at(40),
      disabled_at: null,
      created_by: 'API token my-agent',
      created_at: at(9000),
    },
  ];
  relink.deliveries = [
    {
      ...delivery,
      state: 'failed',
      tries: 4,
      last_status: 500,
      last_error: 'answered with 500 Internal Server Error',
    },
    { ...delivery, id: 'e', state: 'delivered', last_status: 204, last_error: null },
  ];
  relink.attempts = [
    {
      at: at(4),
      duration_ms: 30_000,
      target_url: 'https://example.com/hooks',
      request_headers: { 'user-agent': 'truto' },
      response: null,
      error: 'The webhook’s target didn’t respond in time',
    },
    {
      at: at(3),
      duration_ms: 84,
      target_url: 'https://example.com/hooks',
      request_headers: { 'content-type': 'application/json', 'x-truto-signature': 'format=sha256,v=c2ln' },
      response: {
        status: 500,
        headers: { 'content-type': 'text/html', 'set-cookie': '(hidden)' },
        body: '<h1>Internal Server Error</h1>',
        is_truncated: true,
      },
      error: 'answered with 500 Internal Server Error',
    },
  ];
  const page = await go('Webhooks', relink);
  await page.getByRole('button', { name: /example.com/ }).click();
  await page.getByText('1 delivery failed').waitFor();
  await page.getByText('Created by API token my-agent.').waitFor();
  await inspect(app, 'webhook');
  await page.getByRole('button', { name: 'Retry failed' }).click();
  await page.getByText('Retrying now.').waitFor();

  await page.getByRole('button', { name: 'integrated_account:active' }).first().press('Enter');
  await page.getByRole('region', { name: 'Body of integrated_account:active' }).waitFor();
  await page.getByText('HTTP 500').press('Enter');
  await page.getByText('<h1>Internal Server Error</h1>').waitFor();
  await inspect(app, 'webhook-delivery');
  await page.getByRole('button', { name: 'Send again' }).click();
  await page.getByText('Sending it again.').waitFor();

  await page.getByLabel('Signature in hexadecimal digits').click();
  await expect.poll(() => relink.webhooks[0]?.signature_format).toBe('hex');
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect.poll(() => relink.webhooks[0]?.is_active).toBe(false);
  await app.changed('webhooks');
  await page.getByText('Paused: pending deliveries wait').waitFor();
  await inspect(app, 'webhook-paused');
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect.poll(() => relink.webhooks[0]?.is_active).toBe(true);
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('button', { name: 'Remove webhook' }).click();
  await expect.poll(() => relink.webhooks).toEqual([]);
});

it('says that a paused webhook’s delivery has no next attempt', async () => {
  const relink = relinkWithIntegrations();
  relink.webhooks = [
    {
      id: 'w',
      target_url: 'https://example.com/hooks',
      is_active: false,
      event_types: null,
      signature_format: 'base64',
      failing_since: null,
      disabled_at: null,
      created_by: null,
      created_at: at(9000),
    },
  ];
  relink.deliveries = [
    {
      id: 'd',
      event: 'integrated_account:active',
      state: 'pending',
      tries: 1,
      next_try: at(10),
      last_status: 500,
      last_error: null,
      updated_at: at(3),
    },
  ];
  const page = await go('Webhooks', relink);
  await page.getByRole('button', { name: /example.com/ }).click();
  await page.getByRole('button', { name: 'integrated_account:active' }).first().press('Enter');
  await page.getByText('there is no next attempt until it is resumed').waitFor();
});

it('says why a webhook is disabled, and what a failed test’s target said', async () => {
  const relink = relinkWithIntegrations();
  relink.webhooks = [
    {
      id: 'w',
      target_url: 'https://example.com/hooks',
      is_active: false,
      event_types: ['integrated_account:*', 'record:*'],
      signature_format: 'hex',
      failing_since: at(1500),
      disabled_at: at(60),
      created_by: null,
      created_at: at(9000),
    },
  ];
  relink.handlers.test_webhook = () => {
    throw errorView(
      'undelivered',
      'The webhook’s target didn’t accept the delivery',
      'The webhook’s target answered with 404 Not Found, and said: no such route.',
    );
  };
  const page = await go('Webhooks', relink);
  await page.getByText('Disabled').waitFor();
  await page.getByRole('button', { name: /example.com/ }).click();
  await page.getByText('no delivery had succeeded for a day').waitFor();
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await page.getByText('and said: no such route').waitFor();
  await inspect(app, 'webhook-disabled');
});
