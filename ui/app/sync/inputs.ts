import type { Account, FieldProblem, SyncArg, SyncInputs, SyncJobView } from '../../host/types';

/** What a person has filled in for a run or a trigger. */
export interface Filled {
  /** The account of the run, if a node uses it and no argument gives it. */
  account: string;
  /** Where the records of a flat job go: one of them, or both. */
  webhook: string;
  datastore: string;
  args: Record<string, string>;
  onNeedsReauth: SyncInputs['on_needs_reauth'];
}

const ACCOUNT = 'integrated_account_id';
const WEBHOOK = 'webhook_id';
const DATASTORE = 'datastore_id';

/** What to do about a required argument that is missing. */
const MISSING: Partial<Record<SyncArg['kind'], string>> = {
  account: 'Choose an account.',
  webhook: 'Choose a webhook.',
  datastore: 'Choose a datastore.',
  boolean: 'Choose a value.',
};

type Asks = Pick<SyncJobView, 'args' | 'needs_account' | 'needs_target'>;

const has = ({ args }: Asks, name: string, kind: SyncArg['kind']): boolean =>
  args.some((arg) => arg.name === name && arg.kind === kind);

/** Whether the form asks for the run’s account itself: an argument of that name is enough. */
export const asksForAccount = (job: Asks): boolean => job.needs_account && !has(job, ACCOUNT, 'account');
export const asksForWebhook = (job: Asks): boolean => job.needs_target && !has(job, WEBHOOK, 'webhook');
export const asksForDatastore = (job: Asks): boolean => job.needs_target && !has(job, DATASTORE, 'datastore');

/** The required arguments first. */
export const sortedArgs = ({ args }: Asks): SyncArg[] =>
  args.toSorted((one, other) => Number(other.is_required) - Number(one.is_required));

/** The form as it opens. `accounts`: those that fit, of which a single one is chosen. */
export function begin(job: Asks, accounts: Pick<Account, 'id'>[]): Filled {
  const only = accounts.length === 1 ? (accounts[0]?.id ?? '') : '';
  const args = job.args.map(({ name, kind, is_required: required }): [string, string] => [
    name,
    kind === 'account' && required ? only : '',
  ]);
  return { account: only, webhook: '', datastore: '', args: Object.fromEntries(args), onNeedsReauth: 'fail' };
}

function valueOf({ kind, values }: SyncArg, text: string): unknown {
  if (values.length > 0 || kind === 'json') return JSON.parse(text) as unknown;
  if (kind === 'boolean') return text === 'true';
  if (kind === 'number') {
    const value = Number(text);
    return Number.isFinite(value) ? value : text;
  }
  return text;
}

/** What is sent, or what can’t be read of it. What is empty is left out. */
export function inputsOf(job: Asks, filled: Filled): { inputs: SyncInputs; problems: FieldProblem[] } {
  const args: Record<string, unknown> = {};
  const problems: FieldProblem[] = [];
  for (const arg of job.args) {
    const text = (filled.args[arg.name] ?? '').trim();
    if (text === '') {
      if (arg.is_required)
        problems.push({ field: `args.${arg.name}`, problem: MISSING[arg.kind] ?? 'Fill this in.' });
      continue;
    }
    try {
      args[arg.name] = valueOf(arg, text);
    } catch {
      problems.push({ field: `args.${arg.name}`, problem: 'This isn’t JSON.' });
    }
  }
  const given = (name: string, kind: SyncArg['kind'], own: string): string | null =>
    (has(job, name, kind) ? (filled.args[name] ?? '') : own) || null;
  const webhook = given(WEBHOOK, 'webhook', asksForWebhook(job) ? filled.webhook : '');
  const datastore = given(DATASTORE, 'datastore', asksForDatastore(job) ? filled.datastore : '');
  if (job.needs_target && webhook === null && datastore === null)
    problems.push({ field: WEBHOOK, problem: 'Choose a webhook, a datastore, or both.' });
  return {
    problems,
    inputs: {
      integrated_account_id: given(ACCOUNT, 'account', asksForAccount(job) ? filled.account : ''),
      webhook_id: webhook,
      datastore_id: datastore,
      args: JSON.stringify(args),
      on_needs_reauth: filled.onNeedsReauth,
    },
  };
}
