import type { Account } from '../../host/types';
import { relative } from '../../lib/time';

export interface Group {
  title: 'Needs you' | 'Trying again' | 'Working';
  accounts: Account[];
}

/** What needs the person is on top; within a group, the newest error first, then by name. */
export function grouped(accounts: Account[], search: string): Group[] {
  const wanted = search.trim().toLocaleLowerCase();
  const found = accounts.filter((account) =>
    [account.name, account.integration_label, account.identity, account.tenant_id].some((text) =>
      text?.toLocaleLowerCase().includes(wanted),
    ),
  );
  const of = (title: Group['title'], belongs: (account: Account) => boolean): Group => ({
    title,
    accounts: found.filter(belongs).toSorted(before),
  });
  return [
    of('Needs you', needsPerson),
    of('Trying again', ({ verdict }) => verdict === 'retrying'),
    of('Working', (account) => !needsPerson(account) && account.verdict === null),
  ].filter(({ accounts: members }) => members.length > 0);
}

function before(one: Account, other: Account): number {
  const since = (other.trouble_since ?? '').localeCompare(one.trouble_since ?? '');
  return since || one.name.localeCompare(other.name);
}

/** Whether only a person can help. */
export function needsPerson({ verdict, status }: Account): boolean {
  if (verdict !== null) return verdict !== 'retrying';
  return status === 'validation_error' || status === 'post_install_error';
}

/** A row's second line: what a person would ask first. */
export function secondLine(account: Account, now: number): string {
  const label = account.integration_label;
  if (account.problem && account.verdict !== null) {
    const since = account.trouble_since ?? account.problem.occurred_at;
    return `${label} · ${short(account)} ${relative(since, now)}`;
  }
  if (account.refreshed_at) return `${label} · refreshed ${relative(account.refreshed_at, now)}`;
  if (account.last_used_at) return `${label} · used ${relative(account.last_used_at, now)}`;
  return `${label} · ${account.method_label}`;
}

const SHORT: Record<string, string> = {
  invalid_grant: 'access ended',
  lost_response: 'sign-in lost',
  rejected: 'key rejected',
  credential_missing: 'credentials gone',
  credential_damaged: 'credentials damaged',
  invalid_client: 'client refused',
  server_error: 'server error',
  rate_limited: 'too many requests',
  timeout: 'no answer',
  unreachable: 'not reached',
  dns: 'not found',
  private_address: 'private address',
  tls: 'not trusted',
};

/** A cause in two or three words, for a row. */
function short({ problem }: Account): string {
  return (problem && SHORT[problem.code]) ?? 'failing';
}
