import { errorViewOf, type Answer, type Args, type Command, type Host } from '../host/host';
import type { Changed, ErrorView } from '../host/types';

/** The result of a command, reloaded whenever something it depends on changes. */
export class Live<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ErrorView | null>(null);
  /** Neither a value nor an error has arrived yet. */
  loading = $derived(this.value === null && this.error === null);
  #load: () => Promise<T>;
  #requests = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** Loads again. The result of an older request never replaces that of a newer one. */
  async reload(): Promise<void> {
    const request = ++this.#requests;
    try {
      const value = await this.#load();
      if (request === this.#requests) [this.value, this.error] = [value, null];
    } catch (thrown) {
      if (request === this.#requests) this.error = errorViewOf(thrown);
    }
  }
}

/**
 * Live data for a component: loaded when the component is mounted, whenever its arguments change, and on each change of
 * these kinds. Call it while the component is being initialized.
 */
export function live<C extends Command>(
  host: Host,
  kinds: Changed[],
  command: C,
  args: () => Args<C>,
): Live<Answer<C>> {
  const ask = host.ask as (command: Command, args?: unknown) => Promise<Answer<C>>;
  const data = new Live<Answer<C>>(() => ask(command, args()));
  $effect(() => {
    args();
    void data.reload();
  });
  $effect(() => host.onChanged((changed) => kinds.includes(changed) && void data.reload()));
  return data;
}
