import { errorViewOf, type Output, type Args, type Command, type Host } from '../host/host';
import type { Change, ErrorView } from '../host/types';

/** The value after a change; `null` if it must be loaded again, because the change doesn’t contain the new state. */
export type Merge<T> = (value: T, change: Change) => T | null;

/** As many changes are kept while a request is pending. */
export const MAX_MISSED = 64;

/** The output of a command, kept up to date with Relink’s changes. */
export class Live<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ErrorView | null>(null);
  /** Neither a value nor an error has come yet. */
  loading = $derived(this.value === null && this.error === null);
  #load: () => Promise<T>;
  #merge: Merge<T>;
  /** The number of the latest request. The output of an earlier one is dropped. */
  #request = 0;
  #pending = false;
  /** Changes that arrived while a request was pending. Its output may be older. `null`: there were too many. */
  #missed: Change[] | null = [];

  constructor(load: () => Promise<T>, merge: Merge<T> = () => null) {
    this.#load = load;
    this.#merge = merge;
  }

  /** Loads the value again. */
  async reload(): Promise<void> {
    const request = ++this.#request;
    [this.#pending, this.#missed] = [true, []];
    try {
      const value = await this.#load();
      if (request !== this.#request) return;
      [this.value, this.error] = [value, null];
    } catch (thrown) {
      if (request !== this.#request) return;
      this.error = errorViewOf(thrown);
    }
    this.#pending = false;
    if (!this.#missed?.every((change) => this.#merged(change))) await this.reload();
  }

  /** Merges a change, or loads the value again; while a request is pending, at most once more. */
  apply(change: Change): void {
    if (this.#pending) this.#miss(change);
    else if (!this.#merged(change)) void this.reload();
  }

  #miss(change: Change): void {
    if (this.#missed && this.#missed.push(change) > MAX_MISSED) this.#missed = null;
  }

  #merged(change: Change): boolean {
    const merged = this.value === null || this.error !== null ? null : this.#merge(this.value, change);
    if (merged !== null) this.value = merged;
    return merged !== null;
  }
}

/**
 * Live data for a component: loaded when the component is mounted and whenever the arguments change, and updated on each
 * change of these kinds until the component is destroyed. Call it while the component is initialized.
 */
export function live<C extends Command>(
  host: Host,
  kinds: Change['kind'][],
  command: C,
  args: () => Args<C>,
  merge?: Merge<Output<C>>,
): Live<Output<C>> {
  const invoke = host.invoke as (command: Command, args?: unknown) => Promise<Output<C>>;
  const data = new Live<Output<C>>(() => invoke(command, args()), merge);
  $effect(() => {
    args();
    void data.reload();
  });
  $effect(() =>
    host.onChanged((change) => {
      if (kinds.includes(change.kind)) data.apply(change);
    }),
  );
  return data;
}
