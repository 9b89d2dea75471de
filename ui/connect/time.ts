/** Waits, unless the signal ends the wait. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const given = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', given);
      resolve();
    }, ms);
    signal.addEventListener('abort', given, { once: true });
  });
}

/** Before the next try of a call that nobody answered: 1, 2, 4, then 8 seconds. */
export function backoff(tries: number): number {
  return 1000 * 2 ** Math.min(tries, 3);
}
