import { expect, it } from 'vitest';
import type { Account, Change } from '../../host/types';
import { account } from '../../tests/app/fake-relink';
import { mergeAccount, mergeAccounts } from './merge';

const [first, second, third] = [account('1'), account('2'), account('3')];

const accountsChanged = (changed: Account[], removed: string[] = []): Change => ({
  kind: 'accounts',
  changes: { changed, removed },
});
const TOO_MANY: Change = { kind: 'accounts', changes: null };

it('replaces a changed account in its place and appends a new one', () => {
  const renamed = { ...first, name: 'Renamed' };
  expect(mergeAccounts([first, second], accountsChanged([third, renamed]))).toEqual([renamed, second, third]);
});

it('drops a removed account, and ignores one that it never had', () => {
  expect(mergeAccounts([first, second], accountsChanged([], ['1', '9']))).toEqual([second]);
});

it('leaves the accounts that did not change as they are', () => {
  const merged = mergeAccounts([first, second], accountsChanged([{ ...first, name: 'Renamed' }]));
  expect(merged?.[1]).toBe(second);
});

it('requests a reload when too many accounts have changed', () => {
  expect(mergeAccounts([first], TOO_MANY)).toBeNull();
});

it('keeps one account current', () => {
  const renamed = { ...first, name: 'Renamed' };
  expect(mergeAccount(first, accountsChanged([second, renamed]))).toBe(renamed);
  expect(mergeAccount(first, accountsChanged([second], ['3']))).toBe(first);
});

it('requests a reload of one account when it was removed or too many have changed', () => {
  expect(mergeAccount(first, accountsChanged([], ['1']))).toBeNull();
  expect(mergeAccount(first, TOO_MANY)).toBeNull();
});
