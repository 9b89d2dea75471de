import { expect, it } from 'vitest';
import type { Change } from '../host/types';
import { Live, MAX_MISSED } from './live.svelte';

const merge = (value: string[], change: Change): string[] | null =>
  change.kind === 'accounts' && change.changes ? [...value, ...change.changes.removed] : null;

/** A list whose requests the test resolves, in any order. */
function liveList(): { list: Live<string[]>; requests: ((answer: string[]) => void)[] } {
  const requests: ((answer: string[]) => void)[] = [];
  const load = (): Promise<string[]> => new Promise((resolve) => requests.push(resolve));
  return { list: new Live(load, merge), requests };
}

const added = (id: string): Change => ({ kind: 'accounts', changes: { changed: [], removed: [id] } });
const STALE: Change = { kind: 'accounts', changes: null };

/** Waits until resolved requests have been processed. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

it('merges a change without loading again', async () => {
  const { list, requests } = liveList();
  void list.reload();
  requests[0]?.(['a']);
  await settled();
  list.apply(added('b'));
  expect(list.value).toEqual(['a', 'b']);
  expect(requests).toHaveLength(1);
});

it('loads again when a change can’t be merged', async () => {
  const { list, requests } = liveList();
  void list.reload();
  requests[0]?.(['a']);
  await settled();
  list.apply(STALE);
  requests[1]?.(['c']);
  await settled();
  expect(list.value).toEqual(['c']);
});

it('merges changes that arrived while a request was pending', async () => {
  const { list, requests } = liveList();
  void list.reload();
  list.apply(added('b'));
  requests[0]?.(['a']);
  await settled();
  expect(list.value).toEqual(['a', 'b']);
  expect(requests).toHaveLength(1);
});

it('loads once more, however many changes arrived while a request was pending', async () => {
  const { list, requests } = liveList();
  void list.reload();
  for (const change of [STALE, STALE, added('b'), STALE]) list.apply(change);
  expect(requests).toHaveLength(1);
  requests[0]?.(['a']);
  await settled();
  expect(requests).toHaveLength(2);
  requests[1]?.(['c']);
  await settled();
  expect(list.value).toEqual(['c']);
  expect(requests).toHaveLength(2);
});

it('keeps a bounded number of changes while a request is pending, and loads again after more', async () => {
  const { list, requests } = liveList();
  void list.reload();
  const changes = Array.from({ length: MAX_MISSED + 1 }, (_, number) => added(String(number)));
  for (const change of changes) list.apply(change);
  requests[0]?.(['a']);
  await settled();
  expect(requests).toHaveLength(2);
  for (const change of changes.slice(1)) list.apply(change);
  requests[1]?.(['c']);
  await settled();
  expect(list.value).toHaveLength(1 + MAX_MISSED);
  expect(requests).toHaveLength(2);
});

it('drops the result of a request that was followed by another', async () => {
  const { list, requests } = liveList();
  void list.reload();
  void list.reload();
  requests[1]?.(['new']);
  requests[0]?.(['old']);
  await settled();
  expect(list.value).toEqual(['new']);
});
