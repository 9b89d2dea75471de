// The evaluation's time. QuickJS asks for it only after ten thousand calls, which take seconds if each one handles megabytes.
const isOver = globalThis.__isOver;
delete globalThis.__isOver;

/** Items or characters that one operation of QuickJS handles within a millisecond or two. */
export const MAX_AT_ONCE = 100_000;

/** Ends the evaluation if its time is over. To be called after each operation on a large value. */
export function look() {
  if (isOver()) throw new InternalError('interrupted');
}
