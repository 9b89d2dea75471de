import { expect, it } from 'vitest';
import type { SyncArg, SyncGraph, SyncJobView } from '../../host/types';
import { asksForAccount, begin, inputsOf, sortedArgs } from './inputs';
import { rowsOf } from './layers';
import { countsInWords, durationOf, stateOf } from './words';

function graphOf(names: string[], edges: string[], atEnd: string[] = []): SyncGraph {
  return {
    nodes: names.map((name) => ({
      name,
      kind: 'request',
      detail: '',
      run_if: null,
      is_at_end: atEnd.includes(name),
      line: null,
    })),
    edges: edges.map((edge) => {
      const [from, to] = edge.split('>');
      return { from: names.indexOf(from!), to: names.indexOf(to!) };
    }),
  };
}

const rows = (graph: SyncGraph, columns = 9): string[][] =>
  rowsOf(graph, columns).map((row) => row.map((at) => (at === null ? '' : graph.nodes[at]!.name)));

it('draws each node below all that lead to it, whatever order they are written in', () => {
  expect(rows(graphOf(['file', 'list', 'named'], ['list>named', 'named>file', 'list>file']))).toEqual([
    ['list'],
    ['named'],
    ['file'],
  ]);
  expect(rows(graphOf([], []))).toEqual([]);
  expect(rows(graphOf(['alone'], []))).toEqual([['alone']]);
});

it('draws what happens at the end below everything else', () => {
  const graph = graphOf(['end', 'keep', 'list', 'file'], ['end>keep', 'list>file'], ['end']);
  expect(rows(graph)).toEqual([['list'], ['file'], ['end'], ['keep']]);
});

it('puts nodes beneath those above them', () => {
  const graph = graphOf(['a', 'b', 'below_b', 'below_a'], ['a>below_a', 'b>below_b']);
  expect(rows(graph)).toEqual([
    ['a', 'b'],
    ['below_a', 'below_b'],
  ]);
});

it('draws what is too wide part by part, with chains in their columns', () => {
  const chains = ['a>a1', 'a1>a2', 'b>b1', 'c>c1', 'root>a', 'root>b', 'root>c'];
  const graph = graphOf(['root', 'a', 'b', 'c', 'a1', 'b1', 'c1', 'a2'], chains);
  expect(rows(graph, 3)).toEqual([['root'], ['a', 'b', 'c'], ['a1', 'b1', 'c1'], ['a2']]);
  expect(rows(graph, 2)).toEqual([['root'], ['a', 'b'], ['a1', 'b1'], ['a2', ''], ['c'], ['c1']]);
  expect(rows(graph, 1).flat()).toEqual(['root', 'a', 'a1', 'a2', 'b', 'b1', 'c', 'c1']);
  expect(rows(graph, 0), 'before the first layout').toEqual(rows(graph, 1));
  expect(rows(graphOf(['a', 'b', 'c'], []), 2)).toEqual([['a', 'b'], ['c']]);
});

const arg = (name: string, kind: SyncArg['kind'], change: Partial<SyncArg> = {}): SyncArg => ({
  name,
  kind,
  is_required: false,
  description: null,
  values: [],
  ...change,
});

const job = (
  args: SyncArg[],
  change: Partial<SyncJobView> = {},
): Pick<SyncJobView, 'args' | 'needs_account' | 'needs_target'> => ({
  args,
  needs_account: false,
  needs_target: false,
  ...change,
});

it('asks for the required arguments first, and for the account once', () => {
  const account = arg('integrated_account_id', 'account', { is_required: true });
  const both = job([arg('from', 'date'), account], { needs_account: true });
  expect(sortedArgs(both).map(({ name }) => name)).toEqual(['integrated_account_id', 'from']);
  expect(asksForAccount(both)).toBe(false);
  expect(asksForAccount(job([], { needs_account: true }))).toBe(true);
  expect(begin(both, [{ id: 'a' }]).args).toEqual({ from: '', integrated_account_id: 'a' });
  expect(begin(both, [{ id: 'a' }, { id: 'b' }]).args['integrated_account_id']).toBe('');
});

it('sends each argument as what it is, and leaves out what is empty', () => {
  const asked = job([
    arg('integrated_account_id', 'account'),
    arg('many', 'number'),
    arg('sure', 'boolean'),
    arg('size', 'text', { values: ['"s"', '2'] }),
    arg('more', 'json'),
    arg('from', 'date'),
  ]);
  const args = { integrated_account_id: 'a', many: '7', sure: 'false', size: '"s"', more: '[1]', from: ' ' };
  const filled = { account: 'other', webhook: '', datastore: '', args, onNeedsReauth: 'wait' as const };
  const { inputs, problems } = inputsOf(asked, filled);
  expect(problems).toEqual([]);
  expect(JSON.parse(inputs.args)).toEqual({
    integrated_account_id: 'a',
    many: 7,
    sure: false,
    size: 's',
    more: [1],
  });
  expect(inputs).toMatchObject({ integrated_account_id: 'a', webhook_id: null, on_needs_reauth: 'wait' });
  const wrong = inputsOf(asked, { ...filled, args: { ...args, more: '{', many: 'x' } });
  expect(wrong.problems).toEqual([{ field: 'args.more', problem: 'This isn’t JSON.' }]);
  expect(JSON.parse(wrong.inputs.args)).toMatchObject({ many: 'x' });
  const needed = job([
    arg('who', 'account', { is_required: true }),
    arg('what', 'text', { is_required: true }),
  ]);
  expect(inputsOf(needed, { ...filled, args: {} }).problems).toEqual([
    { field: 'args.who', problem: 'Choose an account.' },
    { field: 'args.what', problem: 'Fill this in.' },
  ]);
});

it('sends the records of a flat job to a webhook, a datastore, or both', () => {
  const flat = job([], { needs_target: true });
  const filled = { ...begin(flat, []), webhook: 'w', datastore: 'd' };
  expect(inputsOf(flat, filled).inputs).toMatchObject({ webhook_id: 'w', datastore_id: 'd' });
  for (const one of [
    { ...filled, webhook: '' },
    { ...filled, datastore: '' },
  ])
    expect(inputsOf(flat, one).problems).toEqual([]);
  expect(inputsOf(flat, { ...filled, webhook: '', datastore: '' }).problems).toEqual([
    { field: 'webhook_id', problem: 'Choose a webhook, a datastore, or both.' },
  ]);
  // An argument of that name is enough, and a job with destinations of its own needs neither.
  const named = job([arg('datastore_id', 'datastore')], { needs_target: true });
  const args = { datastore_id: 'e' };
  expect(inputsOf(named, { ...filled, webhook: '', args }).inputs.datastore_id).toBe('e');
  expect(inputsOf(job([]), filled).inputs).toMatchObject({ webhook_id: null, datastore_id: null });
});

it('says what a run does, and what it waits for', () => {
  const run = {
    status: 'running' as const,
    waits_for: null,
    waits_until: null,
    started_at: '2026-11-28T12:00:00Z',
    finished_at: null,
  };
  const now = Date.parse('2026-11-28T12:01:30Z');
  expect(stateOf(run, now)).toMatchObject({ label: 'Running', over: false });
  const limited = { ...run, status: 'rate_limited' as const, waits_until: '2026-11-28T12:02:30Z' };
  expect(stateOf(limited, now).sentence).toBe(
    'The provider limits calls. The run continues automatically in 1 min.',
  );
  expect(stateOf(limited, now + 61_000).sentence).toContain('continues automatically now');
  const account = { id: 'a', name: 'Acme', integration_label: 'Sandbox', is_gone: false };
  expect(stateOf({ ...run, waits_for: account }, now)).toMatchObject({ label: 'Needs you', tone: 'bad' });
  expect(stateOf({ ...run, status: 'stopped' }, now).over).toBe(true);
  expect(durationOf(run, now)).toBe('1 min');
  expect(durationOf({ ...run, finished_at: '2026-11-28T12:00:00.4Z' }, now)).toBe('under 1 s');
  expect(durationOf({ ...run, started_at: null }, now)).toBe('');
});

it('says what a node has done', () => {
  const none = { fetched: null, persisted: null, dropped: null, deleted: null, is_shared: false };
  expect(countsInWords(none)).toBe('');
  expect(countsInWords({ ...none, fetched: 1240, persisted: 0 })).toBe('1,240 fetched');
  expect(countsInWords({ ...none, persisted: 7, dropped: 3 })).toBe('7 delivered · 3 left out');
  expect(countsInWords({ ...none, persisted: 0 })).toBe('0 delivered');
  expect(countsInWords({ ...none, persisted: 7, deleted: 1200 })).toBe('7 delivered · 1,200 deleted');
  expect(countsInWords({ ...none, persisted: 7, deleted: 0 })).toBe('7 delivered');
});
