import { Problem } from './api';
import { retryUntilResponse } from './retry';

/** What drives the page. A new task cancels the previous one. */
export class PageTask {
  #current = new AbortController();
  readonly #failed: (problem: Problem) => void;
  readonly #unreachable: (unreachable: boolean) => void;

  /** `unreachable`: whether Relink doesn’t respond, after each call. */
  constructor(failed: (problem: Problem) => void, unreachable: (unreachable: boolean) => void) {
    this.#failed = failed;
    this.#unreachable = unreachable;
  }

  get signal(): AbortSignal {
    return this.#current.signal;
  }

  abort(): void {
    this.#current.abort();
  }

  run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#current.abort();
    this.#current = new AbortController();
    const { signal } = this.#current;
    return this.handleProblems(signal, () => work(signal));
  }

  async handleProblems(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.#failed(error);
    }
  }

  /** Repeats the call until Relink responds. Until then, the page shows that it doesn’t. */
  callUntilResponse<T>(
    signal: AbortSignal,
    call: () => Promise<T>,
    isTransient?: (error: unknown) => boolean,
  ): Promise<T> {
    return retryUntilResponse(signal, call, this.#unreachable, isTransient);
  }
}
