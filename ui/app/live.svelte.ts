import { errorViewOf, type Answer, type Args, type Command, type Host } from '../host/host';
import type { Changed, ErrorView } from '../host/types';

/** An answer of Relink's that is asked for again whenever something of these kinds has changed. */
export class Live<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ErrorView | null>(null);
  /** Nothing has come yet, neither an answer nor error. */
  loading = $derived(this.value === null && this.error === null);
  #load: () => Promise<T>;
  #asked = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** Asks again. An answer that was overtaken by a later one is dropped. */
  async reload(): Promise<void> {
    const turn = ++this.#asked;
    try {
      const value = await this.#load();
      if (turn === this.#asked) [this.value, this.error] = [value, null];
    } catch (thrown) {
      if (turn === this.#asked) this.error = errorViewOf(thrown);
    }
  }
}

/**
 * Live data for a component: loaded when it is mounted and whenever its arguments change, again on each change of these
 * kinds, and let go with it. Call it while the component is initialised.
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
