import type {
  CronPreview,
  StartedSyncRun,
  SyncCounts,
  SyncDatastore,
  SyncDraft,
  SyncExample,
  SyncGraph,
  SyncJobEntry,
  SyncJobView,
  SyncLog,
  SyncLogLine,
  SyncNode,
  SyncRunEntry,
  SyncRunView,
  SyncTrigger,
} from '../../host/types';
import { ago } from './fake-data';

export const EXAMPLES: SyncExample[] = [
  {
    title: 'Contacts into a file',
    description: 'Reads all contacts of an account and keeps them in a SQLite database.',
    text: '{\n  "label": "Contacts into a file",\n  "resources": []\n}\n',
    writes_files: true,
  },
  {
    title: 'Changed contacts to a webhook',
    description: 'Sends the contacts that have changed since the last run to a webhook of yours.',
    text: '{\n  "label": "Changed contacts",\n  "resources": []\n}\n',
    writes_files: false,
  },
];

/** What a `FakeRelink` says of sync jobs, unless a test says otherwise. */
export const SYNC_JOBS = {
  sync_jobs: (): SyncJobEntry[] => [],
  sync_job: (): SyncJobView => jobView(),
  sync_examples: (): SyncExample[] => EXAMPLES,
  check_sync_job: (): SyncDraft => ({ problem: null, node: null, graph: contactsGraph(), warnings: [] }),
  save_sync_job: (): string => 'job-1',
  delete_sync_job: () => null,
  sync_runs: (): SyncRunEntry[] => [],
  start_sync_run: (): StartedSyncRun => ({ run: 'run-2', problems: [] }),
  repeat_sync_run: (): StartedSyncRun => ({ run: 'run-2', problems: [] }),
  stop_sync_run: () => null,
  resume_sync_run: () => null,
  sync_run: (): SyncRunView => runView(),
  sync_run_log: (): SyncLog => ({ lines: [], next: null }),
  check_cron: ({ expression }: { expression: string }): CronPreview => cronPreview(expression),
  add_sync_trigger: () => [],
  schedule_sync_trigger: () => null,
  delete_sync_trigger: () => null,
  sync_datastores: (): SyncDatastore[] => [],
  choose_folder: (): string | null => null,
  sync_folder: (): string | null => '/home/ada/relink-exports',
  set_sync_folder: ({ folder }: { folder: string | null }): string | null => folder,
};

function cronPreview(expression: string): CronPreview {
  const fields = expression.trim().split(/\s+/).length;
  if (fields !== 5) {
    const problem = `needs 5 fields (minute, hour, day of month, month, day of week), such as "0 */6 * * *", and has ${fields}.`;
    return { problem, words: '', upcoming: [] };
  }
  const upcoming = [9, 10, 11, 12, 13].map((hour) => `2026-11-30T${String(hour).padStart(2, '0')}:00:00Z`);
  return { problem: null, words: 'every hour at minute 0', upcoming };
}

export function syncNode(name: string, kind: string, detail = '', change: Partial<SyncNode> = {}): SyncNode {
  return { name, kind, detail, run_if: null, is_at_end: false, line: null, ...change };
}

export function contactsGraph(): SyncGraph {
  return {
    nodes: [
      syncNode('contacts', 'request', 'crm/contacts list', { line: 3 }),
      syncNode('named', 'transform', '[resources.crm.contacts[name].{ "id": id, "name": name }]'),
      syncNode('file', 'destination', 'contacts.sqlite'),
    ],
    edges: [
      { from: 0, to: 1 },
      { from: 1, to: 2 },
    ],
  };
}

/** A flat job: what it delivers goes where its run leads. */
export function flatGraph(target = 'webhook or datastore'): SyncGraph {
  return {
    nodes: [
      syncNode('ticketing/tickets', 'request', 'ticketing/tickets list', { line: 3 }),
      syncNode('ticketing/comments', 'request', 'ticketing/comments list', { line: 4 }),
      syncNode('(run)', 'destination', target),
    ],
    edges: [
      { from: 0, to: 1 },
      { from: 0, to: 2 },
      { from: 1, to: 2 },
    ],
  };
}

/** A job with 30 nodes of all types, some with long names. */
export function largeGraph(): SyncGraph {
  const nodes: SyncNode[] = [
    syncNode('mark', 'get_state', 'seen'),
    syncNode('since', 'add_context', '{ "from": resources.mark.value }'),
    syncNode('accounts', 'request', 'crm/companies list'),
  ];
  const edges = [
    { from: 0, to: 1 },
    { from: 1, to: 2 },
  ];
  const resources = ['contacts', 'deals', 'notes', 'tasks', 'calls', 'mails', 'meetings', 'attachments'];
  for (const resource of resources) {
    const at = nodes.length;
    const long =
      resource === 'attachments' ? 'attachments_of_every_company_with_all_of_their_versions' : resource;
    nodes.push(
      syncNode(long, 'request', `crm/${resource} list`, {
        run_if: resource === 'mails' ? 'args.mails' : null,
      }),
      syncNode(
        `${long}_named`,
        'transform',
        `resources.crm.${resource}.{ "id": id, "name": $uppercase(name) }`,
      ),
      syncNode(`${resource}_file`, 'destination', `exports/{{args.day:str}}/${resource}.sqlite`),
    );
    edges.push({ from: 2, to: at }, { from: at, to: at + 1 }, { from: at + 1, to: at + 2 });
  }
  const end = nodes.length;
  nodes.push(
    syncNode('end', 'event', 'when the run has completed', { is_at_end: true }),
    syncNode('keep', 'update_state', 'seen'),
    syncNode('forget', 'delete_state', 'draft'),
  );
  edges.push({ from: end, to: end + 1 }, { from: end + 1, to: end + 2 });
  return { nodes, edges };
}

export function runEntry(id: string, change: Partial<SyncRunEntry> = {}): SyncRunEntry {
  return {
    id,
    status: 'completed',
    account: { id: '1', name: 'Acme sandbox', integration_label: 'Sandbox', is_gone: false },
    is_triggered: false,
    created_at: ago(31),
    started_at: ago(30),
    finished_at: ago(28),
    waits_until: null,
    waits_for: null,
    fetched: 1240,
    persisted: 1237,
    ...change,
  };
}

export function trigger(change: Partial<SyncTrigger> = {}): SyncTrigger {
  return {
    id: 'trigger-1',
    cron_expression: '0 * * * *',
    words: 'every hour at minute 0',
    next_run_at: ago(-24),
    upcoming: [ago(-24), ago(-84), ago(-144)],
    account: { id: '1', name: 'Acme sandbox', integration_label: 'Sandbox', is_gone: false },
    webhook: null,
    datastore: null,
    args: '',
    on_needs_reauth: 'wait',
    last_error: null,
    ...change,
  };
}

export function jobView(change: Partial<SyncJobView> = {}): SyncJobView {
  return {
    id: 'job-1',
    label: 'Contacts into a file',
    integration: { name: 'sandbox', label: 'Sandbox', color: '#0f766e' },
    text: '{\n  "label": "Contacts into a file",\n  "resources": []\n}',
    version: '2026-11-28T12:00:00.000Z',
    runtime: 4,
    graph: contactsGraph(),
    problem: null,
    args: [
      {
        name: 'from',
        kind: 'date',
        is_required: false,
        description: 'Where the first run begins',
        values: [],
      },
      {
        name: 'integrated_account_id',
        kind: 'account',
        is_required: true,
        description: 'Whose contacts are read',
        values: [],
      },
    ],
    needs_account: false,
    needs_target: false,
    writes_files: true,
    mutex_key: '{{args.integrated_account_id}}',
    state_key: null,
    triggers: [trigger()],
    ...change,
  };
}

export function jobEntry(id: string, change: Partial<SyncJobEntry> = {}): SyncJobEntry {
  return {
    id,
    label: 'Contacts into a file',
    integration: { name: 'sandbox', label: 'Sandbox', color: '#0f766e' },
    last_run: runEntry('run-1'),
    next_run_at: ago(-24),
    ...change,
  };
}

const counts = (change: Partial<SyncCounts>): SyncCounts => ({
  fetched: null,
  persisted: null,
  dropped: null,
  deleted: null,
  is_shared: false,
  ...change,
});

export function runView(change: Partial<SyncRunView> = {}): SyncRunView {
  return {
    run: runEntry('run-1'),
    job: 'job-1',
    job_label: 'Contacts into a file',
    graph: contactsGraph(),
    counts: [
      counts({ fetched: 1240, persisted: 0 }),
      counts({ persisted: 1237, dropped: 3 }),
      counts({ persisted: 1237 }),
    ],
    live: null,
    reason: null,
    destinations: [
      { node: 2, kind: 'file', target: '/home/ada/relink-exports/contacts.sqlite', webhook_id: null },
    ],
    webhook: null,
    datastore: null,
    args: '{\n  "integrated_account_id": "1"\n}',
    on_needs_reauth: 'fail',
    error_handling: 'fail_fast',
    waits_for_run: false,
    can_resume: false,
    ...change,
  };
}

export function logLine(seq: number, change: Partial<SyncLogLine> = {}): SyncLogLine {
  return { seq, at: ago(30), level: 'debug', node: 'named', message: `Result: [{"id":${seq}}]`, ...change };
}

export const countsOf = counts;
