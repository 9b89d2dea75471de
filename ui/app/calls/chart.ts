import type { UsageOfDay } from '../../host/types';

/** What is drawn of a day, in percent of the chart’s height. */
export interface Bar {
  day: UsageOfDay;
  calls: number;
  /** The part of `calls` that failed. */
  errors: number;
  p50: number;
  p95: number;
}

/** Less would not be seen. */
const MIN_HEIGHT = 4;

/** In percent. What isn’t nothing can be seen. */
const share = (value: number, of: number): number =>
  value > 0 ? Math.max((100 * value) / of, MIN_HEIGHT) : 0;

export function bars(days: UsageOfDay[]): Bar[] {
  const most = Math.max(...days.map(({ calls }) => calls), 1);
  const slowest = Math.max(...days.map(({ p95_ms: p95 }) => p95 ?? 0), Number.MIN_VALUE);
  return days.map((day) => ({
    day,
    calls: share(day.calls, most),
    errors: Math.min(share(day.errors, most), share(day.calls, most)),
    p50: share(day.p50_ms ?? 0, slowest),
    p95: share(day.p95_ms ?? 0, slowest),
  }));
}

export function summary(days: UsageOfDay[]): string {
  const sum = (count: (day: UsageOfDay) => number): number => days.reduce((all, day) => all + count(day), 0);
  const calls = sum((day) => day.calls);
  const errors = sum((day) => day.errors);
  const when = days.length === 1 ? 'today' : `in the last ${days.length || ''} days`.replace('  ', ' ');
  if (calls === 0) return `No calls ${when}.`;
  const ended = errors === 0 ? 'without an error' : `${errors.toLocaleString()} of them with an error`;
  return `${count(calls, 'call')} ${when}, ${ended}.`;
}

export const count = (number: number, what: string): string =>
  `${number.toLocaleString()} ${what}${number === 1 ? '' : 's'}`;

/** A duration in milliseconds for lists: `120 ms`, `1.2 s`. */
export function duration(millis: number): string {
  if (millis < 10) return `${Math.round(millis * 10) / 10} ms`;
  if (millis < 999.5) return `${Math.round(millis)} ms`;
  const secs = millis / 1000;
  return `${secs < 10 ? Math.round(secs * 10) / 10 : Math.round(secs)} s`;
}

/** A number of bytes: `1.5 kB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return count(bytes, 'byte');
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Math.round(value * 10) / 10} ${units[unit]}`;
}

/** A day in UTC for labels: `3 Mar`, in the reader’s locale. */
export const dayLabel = (date: string): string =>
  new Date(`${date}T00:00:00Z`).toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  });
