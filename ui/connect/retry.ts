import { isUnreachable } from './api';
import { backoff, pause } from './time';

/**
 * Repeats the call while its errors are transient. `report` is told whether Relink responds. If not only an unreachable
 * Relink counts as transient, a first failure isn’t reported: the machine may just have woken up.
 */
export async function untilAnswered<T>(
  signal: AbortSignal,
  call: () => Promise<T>,
  report: (unreachable: boolean) => void,
  isTransient: (error: unknown) => boolean = isUnreachable,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await call();
      report(false);
      return answer;
    } catch (error) {
      if (signal.aborted) throw error;
      report(isUnreachable(error) && (isTransient === isUnreachable || tries > 0));
      if (!isTransient(error)) throw error;
      await pause(backoff(tries), signal);
    }
  }
}
