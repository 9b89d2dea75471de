const UNITS: [limit: number, secs: number, unit: string][] = [
  [60, 1, 's'],
  [60, 60, 'min'],
  [48, 3600, 'h'],
];
const DAY: [number, number, string] = [Infinity, 86_400, 'd'];

/** A duration for lists: `12 min`. Rounded down, as an age is; `round` gives what is to come. */
export function span(millis: number, round: (count: number) => number = Math.floor): string {
  const secs = Math.round(Math.abs(millis) / 1000);
  const [, size, unit] = UNITS.find(([limit, each]) => round(secs / each) < limit) ?? DAY;
  return `${round(secs / size)} ${unit}`;
}

/** A time relative to now: `12 min ago`, `in 4 h`, `just now`. */
export function relative(at: string, now: number): string {
  const millis = Date.parse(at) - now;
  if (Math.abs(millis) < 5000) return 'just now';
  return millis < 0 ? `${span(millis)} ago` : `in ${span(millis, Math.round)}`;
}

/** The exact time, in the reader’s locale. */
export function absolute(at: string): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** A duration for sentences: `7 days`. */
export function spanInWords(millis: number): string {
  const hours = Math.round(Math.max(0, millis) / 3_600_000);
  const [count, unit] = hours < 48 ? [hours, 'hour'] : [Math.round(hours / 24), 'day'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
