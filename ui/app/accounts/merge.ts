import type { Account, Change } from '../../host/types';

/** The list of accounts after a change; `null` if the change lists none, because too many have changed. */
export function mergeAccounts(accounts: Account[], change: Change): Account[] | null {
  if (change.kind !== 'accounts' || change.changes === null) return null;
  const { changed, removed } = change.changes;
  const byId = new Map(accounts.map((account) => [account.id, account]));
  for (const id of removed) byId.delete(id);
  for (const account of changed) byId.set(account.id, account);
  return [...byId.values()];
}

/** One account after a change; `null` if it must be loaded again, which also reveals that it was removed. */
export function mergeAccount(account: Account, change: Change): Account | null {
  if (change.kind !== 'accounts' || change.changes === null) return null;
  const { changed, removed } = change.changes;
  if (removed.includes(account.id)) return null;
  return changed.find(({ id }) => id === account.id) ?? account;
}
