import { describe, expect, it } from 'vitest';
import { relative, span, spanInWords } from './time';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-11-23T12:00:00Z');
const at = (millis: number): string => new Date(NOW + millis).toISOString();

describe('durations', () => {
  it('are short in lists', () => {
    expect([0, 59_000, 61_000, 59 * MINUTE, HOUR, 47 * HOUR, 48 * HOUR].map((each) => span(each))).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '59 min',
      '1 h',
      '47 h',
      '2 d',
    ]);
  });

  it('are relative to now', () => {
    expect(relative(at(-12 * MINUTE), NOW)).toBe('12 min ago');
    expect(relative(at(4 * HOUR), NOW)).toBe('in 4 h');
    // A moment after it was set, what is to come is still as far away.
    expect(relative(at(24 * HOUR - 5000), NOW)).toBe('in 24 h');
    expect(relative(at(7 * 24 * HOUR - 5000), NOW)).toBe('in 7 d');
    expect(relative(at(48 * HOUR - 5000), NOW)).toBe('in 2 d');
    expect(relative(at(HOUR - 5000), NOW)).toBe('in 1 h');
    expect(relative(at(-24 * HOUR + 5000), NOW)).toBe('23 h ago');
    expect(relative(at(-2000), NOW)).toBe('just now');
  });

  it('are spelled out in sentences', () => {
    expect([7 * 24 * HOUR, 3 * HOUR, HOUR].map(spanInWords)).toEqual(['7 days', '3 hours', '1 hour']);
  });
});
