/**
 * The keys of the flows that this browser started. The provider may return to another tab, which needs the key to finish
 * the same flow. A key outlives its flow by two minutes, because the other tab may only just be opening.
 */

/** A flow’s callback is accepted for ten minutes. A key is useless long before this. */
const MAX_AGE_MS = 20 * 60_000;
const MAX_AGE_AFTER_END_MS = 2 * 60_000;
const PREFIX = 'relink.flow.';

/** A flow’s key, and the appearance of its integration for the tab that the provider returns to. */
export interface StoredFlow {
  key: string;
  color: string | null;
  logo: string | null;
  until: number;
}

type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;

/** Stores nothing. A tab finishes its own flow without: it keeps the key in memory, too. */
const NO_STORE: Store = {
  length: 0,
  key: () => null,
  getItem: () => null,
  setItem: () => undefined,
  removeItem: () => undefined,
};

/** What the tabs of this browser share. A browser may refuse it, such as to a frame of another site. */
export function storageOf(page: Pick<Window, 'localStorage'>): Store {
  try {
    return page.localStorage;
  } catch {
    return NO_STORE;
  }
}

export class FlowKeys {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number = () => Date.now()) {
    this.#store = store;
    this.#now = now;
  }

  save(id: string, flow: Omit<StoredFlow, 'until'>): void {
    this.#removeExpired();
    this.#write(id, { ...flow, until: this.#now() + MAX_AGE_MS });
  }

  find(id: string): StoredFlow | null {
    this.#removeExpired();
    return this.#read(PREFIX + id);
  }

  /** Records that the flow has ended. Its key is removed soon. */
  ended(id: string): void {
    const stored = this.#read(PREFIX + id);
    if (stored)
      this.#write(id, { ...stored, until: Math.min(stored.until, this.#now() + MAX_AGE_AFTER_END_MS) });
  }

  forget(id: string): void {
    this.#store.removeItem(PREFIX + id);
  }

  #removeExpired(): void {
    const names = Array.from({ length: this.#store.length }, (_, at) => this.#store.key(at));
    for (const name of names) {
      if (!name?.startsWith(PREFIX)) continue;
      const stored = this.#read(name);
      if (!stored || stored.until <= this.#now()) this.#store.removeItem(name);
    }
  }

  #read(name: string): StoredFlow | null {
    try {
      const stored = JSON.parse(this.#store.getItem(name) ?? 'null') as Partial<StoredFlow> | null;
      if (typeof stored?.key !== 'string' || typeof stored.until !== 'number') return null;
      return { key: stored.key, color: stored.color ?? null, logo: stored.logo ?? null, until: stored.until };
    } catch {
      return null;
    }
  }

  #write(id: string, stored: StoredFlow): void {
    try {
      this.#store.setItem(PREFIX + id, JSON.stringify(stored));
    } catch {
      // The browser stores nothing (private mode, or full). This tab can still finish its own flow.
    }
  }
}
