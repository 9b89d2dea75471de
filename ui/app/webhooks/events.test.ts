import { expect, it } from 'vitest';
import { families, typed } from './events';

it('offers a pattern for events with a common beginning', () => {
  const events = [
    'integrated_account:created',
    'integrated_account:active',
    'link_token:connection_error',
    'test',
  ];
  expect(families(events)).toEqual(['integrated_account:*']);
  expect(families([])).toEqual([]);
});

it('reads events that are separated by commas, spaces or lines', () => {
  expect(typed(' record:*, sync_job_run:* \ntest ')).toEqual(['record:*', 'sync_job_run:*', 'test']);
  expect(typed(' , ')).toEqual([]);
});
