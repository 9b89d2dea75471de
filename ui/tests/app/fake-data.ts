import type { Account, AccountUsage, Call, TimelineEntry, ErrorView } from '../../host/types';

/** What a `FakeRelink` is filled with. */

export function errorView(
  code: string,
  title: string,
  message: string,
  hint: string | null = null,
): ErrorView {
  return { code, title, message, hint, field: null };
}

export const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

export function account(id: string, change: Partial<Account> = {}): Account {
  return {
    id,
    name: `Account ${id}`,
    integration: 'google',
    integration_label: 'Google',
    color: '#1f7a5c',
    tenant_id: 'acme-1',
    identity: 'ada@example.com',
    status: 'active',
    method: 'oauth2',
    method_label: 'OAuth 2.0, refresh token',
    scopes: ['openid', 'email'],
    is_sandbox: false,
    is_of_own_sandbox: false,
    verdict: null,
    trouble_since: null,
    problem: null,
    next_try: null,
    remind_at: null,
    refreshed_at: ago(4),
    expires_at: ago(-56),
    expiry_is_assumed: false,
    is_unchecked: false,
    waiting: null,
    next_action_at: ago(-50),
    last_used_at: ago(2),
    created_at: ago(6 * 24 * 60),
    ...change,
  };
}

export function revoked(id: string, change: Partial<Account> = {}): Account {
  return account(id, {
    name: 'Acme engineering',
    integration: 'github',
    integration_label: 'GitHub',
    color: '#24292f',
    identity: 'octo-acme',
    scopes: ['repo', 'read:org'],
    status: 'needs_reauth',
    verdict: 'needs_person',
    trouble_since: ago(12),
    problem: {
      code: 'invalid_grant',
      title: 'GitHub no longer accepts this sign-in',
      message:
        'Access was revoked or expired at GitHub. Nothing that uses this account works until you sign in again.',
      hint: 'Reauthorize the connection.',
      http_status: 400,
      provider_code: 'invalid_grant',
      provider_message: 'The refresh token is no longer valid.',
      occurred_at: ago(12),
    },
    refreshed_at: ago(64),
    expires_at: ago(4),
    next_action_at: null,
    ...change,
  });
}

export function retrying(id: string, change: Partial<Account> = {}): Account {
  return account(id, {
    name: 'Sales EU',
    integration: 'salesforce',
    integration_label: 'Salesforce',
    color: '#2563b8',
    status: 'needs_reauth',
    verdict: 'retrying',
    trouble_since: ago(6),
    next_try: ago(-2),
    problem: {
      code: 'server_error',
      title: 'Salesforce is having problems',
      message: 'It answered with a server error. The sign-in itself is fine.',
      hint: 'No action needed. Relink will retry.',
      http_status: 503,
      provider_code: null,
      provider_message: null,
      occurred_at: ago(1),
    },
    ...change,
  });
}

/** A timeline entry. */
export function timelineEntry(seq: number, change: Partial<TimelineEntry> = {}): TimelineEntry {
  return {
    seq,
    account_id: '1',
    account_name: 'Account 1',
    account_gone: false,
    at: ago(1000 - seq),
    kind: 'refreshed',
    tone: 'good',
    title: 'Refreshed',
    detail: null,
    by: null,
    facts: [],
    ...change,
  };
}

/** The last days, today last; `calls` for each of them. */
export function usageOf(calls: number[], change: Partial<AccountUsage> = {}): AccountUsage {
  const days = calls.map((number, index) => ({
    date: ago((calls.length - 1 - index) * 24 * 60).slice(0, 10),
    calls: number,
    errors: Math.floor(number / 7),
    p50_ms: number === 0 ? null : 80 + ((number * 7) % 60),
    p95_ms: number === 0 ? null : 300 + ((number * 13) % 400),
  }));
  return { days, programs: [], dropped: 0, ...change };
}

export function madeCall(seq: number, change: Partial<Call> = {}): Call {
  return {
    seq,
    at: ago(1000 - seq),
    api_token_id: 'token-1',
    program: 'nightly-report',
    route: 'via',
    method: 'GET',
    path: '/user/repos?per_page=…&page=…',
    status: 200,
    headers_ms: 92.4,
    total_ms: 101.3,
    sent_bytes: 0,
    received_bytes: 18_420,
    error: null,
    failed: false,
    ...change,
  };
}
