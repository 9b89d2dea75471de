/**
 * The keys of flows that this browser began, so that the page that the provider returns to, another tab, can
 * finish the same flow. A key outlives its flow by a moment: the other tab may only just be opening.
 */

/** A flow's callback is accepted for ten minutes; a key that is twice as old opens nothing. */
const FORGOTTEN_AFTER_MS = 20 * 60_000;
const KEPT_AFTER_END_MS = 2 * 60_000;
const PREFIX = 'relink.flow.';

/** What the returning tab needs to look like the one where the flow began. */
export interface KeptFlow {
  key: string;
  color: string | null;
  logo: string | null;
  until: number;
}

type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;

export class FlowKeys {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number = () => Date.now()) {
    this.#store = store;
    this.#now = now;
  }

  keep(id: string, kept: Omit<KeptFlow, 'until'>): void {
    this.#forgetOld();
    this.#write(id, { ...kept, until: this.#now() + FORGOTTEN_AFTER_MS });
  }

  find(id: string): KeptFlow | null {
    this.#forgetOld();
    return this.#read(PREFIX + id);
  }

  /** The flow has ended: its key goes soon. */
  ended(id: string): void {
    const kept = this.#read(PREFIX + id);
    if (kept) this.#write(id, { ...kept, until: Math.min(kept.until, this.#now() + KEPT_AFTER_END_MS) });
  }

  forget(id: string): void {
    this.#store.removeItem(PREFIX + id);
  }

  #forgetOld(): void {
    const names = Array.from({ length: this.#store.length }, (_, at) => this.#store.key(at));
    for (const name of names) {
      if (!name?.startsWith(PREFIX)) continue;
      const kept = this.#read(name);
      if (!kept || kept.until <= this.#now()) this.#store.removeItem(name);
    }
  }

  #read(name: string): KeptFlow | null {
    try {
      const kept = JSON.parse(this.#store.getItem(name) ?? 'null') as Partial<KeptFlow> | null;
      if (typeof kept?.key !== 'string' || typeof kept.until !== 'number') return null;
      return { key: kept.key, color: kept.color ?? null, logo: kept.logo ?? null, until: kept.until };
    } catch {
      return null;
    }
  }

  #write(id: string, kept: KeptFlow): void {
    try {
      this.#store.setItem(PREFIX + id, JSON.stringify(kept));
    } catch {
      // A browser that keeps nothing (private mode, full): this tab still finishes its own flow.
    }
  }
}
