import type { Account } from '../../host/types';
import { byName } from '../../lib/order';
import { relative } from '../../lib/time';

export interface Group {
  title: 'Needs attention' | 'Retrying' | 'Working' | 'Not checked';
  accounts: Account[];
}

/** Accounts that need attention come first. Within a group: the newest problem first, then by name. */
export function grouped(accounts: Account[], search: string): Group[] {
  const query = search.trim().toLocaleLowerCase();
  const found = accounts.filter((account) =>
    [account.name, account.integration_label, account.identity, account.tenant_id].some((text) =>
      text?.toLocaleLowerCase().includes(query),
    ),
  );
  const of = (title: Group['title'], belongs: (account: Account) => boolean): Group => ({
    title,
    accounts: found.filter(belongs).toSorted(byProblemAndName),
  });
  return [
    of('Needs attention', needsPerson),
    of('Retrying', ({ verdict }) => verdict === 'retrying'),
    of('Working', (account) => isWorking(account) && !account.is_unchecked),
    of('Not checked', (account) => isWorking(account) && account.is_unchecked),
  ].filter(({ accounts: members }) => members.length > 0);
}

function byProblemAndName(one: Account, other: Account): number {
  const since = (other.trouble_since ?? '').localeCompare(one.trouble_since ?? '');
  return since || byName(one.name, other.name) || one.id.localeCompare(other.id);
}

function isWorking(account: Account): boolean {
  return !needsPerson(account) && account.verdict === null;
}

/** Whether only the person can fix the account. */
export function needsPerson({ verdict, status }: Account): boolean {
  if (verdict !== null) return verdict !== 'retrying';
  return status === 'validation_error' || status === 'post_install_error';
}

/** Whether a step failed that the integration runs after a sign-in: the sign-in itself is good. */
export function failedStep({ problem, status }: Account): boolean {
  return (
    status !== 'active' && (problem?.code === 'post_install_error' || problem?.code === 'validation_error')
  );
}

/** What the badge of an account says that needs its person. */
export function callToAction(account: Account): string {
  if (account.verdict === 'needs_client') return 'Set up OAuth';
  return failedStep(account) ? 'Setup failed' : 'Reauthorize';
}

/** The second line of a row in the list. */
export function secondLine(account: Account, now: number): string {
  const label = account.integration_label;
  if (account.problem && account.verdict !== null) {
    const since = account.trouble_since ?? account.problem.occurred_at;
    return `${label} · ${causeText(account)} ${relative(since, now)}`;
  }
  if (account.waiting)
    return `${label} · waiting for ${account.waiting.host} ${relative(account.waiting.until, now)}`;
  if (account.problem)
    return `${label} · ${causeText(account)} ${relative(account.problem.occurred_at, now)}`;
  if (account.refreshed_at) return `${label} · refreshed ${relative(account.refreshed_at, now)}`;
  if (account.last_used_at) return `${label} · used ${relative(account.last_used_at, now)}`;
  return `${label} · ${account.method_label}`;
}

const CAUSES: Record<string, string> = {
  invalid_grant: 'access ended',
  lost_response: 'response lost',
  rejected: 'key rejected',
  credential_missing: 'credentials missing',
  credential_damaged: 'credentials damaged',
  invalid_client: 'client rejected',
  server_error: 'server error',
  rate_limited: 'rate limited',
  timeout: 'timed out',
  unreachable: 'unreachable',
  dns: 'host not found',
  private_address: 'private address',
  unencrypted: 'not encrypted',
  tls: 'TLS error',
  connection_reset: 'connection lost',
  bad_gateway: 'server error',
  garbled_answer: 'invalid response',
  not_json: 'invalid response',
  malformed_token: 'invalid response',
  client_refused: 'client rejected',
  rejected_after_refresh: 'token rejected',
  refused_by_provider: 'access ended',
  another_identity: 'answers as somebody else',
};

/** The cause in two or three words. */
function causeText({ problem }: Account): string {
  return (problem && CAUSES[problem.code]) ?? 'failing';
}
