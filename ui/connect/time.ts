/** How long the page waits for a callback before it offers other ways to finish. */
export const LATE_AFTER_MS = 60_000;
/** How long a flow may take to start before the page points to the keychain’s prompt. */
export const PROMPTING_AFTER_MS = 3_000;
/** How long the success is shown before the page goes to the link’s redirect URI. */
export const LEAVE_AFTER_MS = 2_000;

/** Pause between long polls without news, in case the server answers immediately. */
export const POLL_PAUSE_MS = 250;

/** Waits, unless the signal aborts it. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
}

/** Delay before retrying a call that got no response: 1, 2, 4, then 8 seconds. */
export function backoff(tries: number): number {
  return 1000 * 2 ** Math.min(tries, 3);
}
