import { isUnreachable } from './api';
import { backoff, pause } from './time';

/**
 * Repeats the call while its errors are transient, and reports after each attempt whether Relink responds. With another
 * definition of transient, the first failure isn’t reported, because the machine may just have woken up.
 */
export async function retryUntilResponse<T>(
  signal: AbortSignal,
  call: () => Promise<T>,
  report: (unreachable: boolean) => void,
  isTransient: (error: unknown) => boolean = isUnreachable,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      const response = await call();
      report(false);
      return response;
    } catch (error) {
      if (signal.aborted) throw error;
      report(isUnreachable(error) && (isTransient === isUnreachable || tries > 0));
      if (!isTransient(error)) throw error;
      await pause(backoff(tries), signal);
    }
  }
}
