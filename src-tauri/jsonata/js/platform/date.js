// Date whose local time is UTC, as on Truto's workers, whatever the computer's zone.
import { parseDate } from './date-parse.js';
import { define } from './host.js';

const NativeDate = globalThis.Date;
const prototype = NativeDate.prototype;

function timeOf(value) {
  if (typeof value === 'number') return value;
  if (value instanceof NativeDate) return value.getTime();
  const primitive = typeof value === 'object' && value !== null ? toPrimitive(value) : value;
  return typeof primitive === 'string' ? parseDate(primitive) : primitive;
}

function toPrimitive(object) {
  const method = object[Symbol.toPrimitive];
  if (method !== undefined && method !== null) return method.call(object, 'default');
  const value = object.valueOf();
  return typeof value === 'object' && value !== null ? object.toString() : value;
}

export const Date = function Date(...parts) {
  if (new.target === undefined) return new Date().toString();
  if (parts.length === 0) return Reflect.construct(NativeDate, parts, new.target);
  const time = parts.length === 1 ? timeOf(parts[0]) : NativeDate.UTC(...parts);
  return Reflect.construct(NativeDate, [time], new.target);
};
Object.defineProperty(Date, 'length', { value: 7 });
Object.defineProperty(Date, 'prototype', { value: prototype, writable: false });
define(Date, { UTC: NativeDate.UTC, now: NativeDate.now, parse: (text) => parseDate(String(text)) });
define(prototype, { constructor: Date });

for (const part of ['FullYear', 'Month', 'Date', 'Day', 'Hours', 'Minutes', 'Seconds', 'Milliseconds']) {
  define(prototype, { [`get${part}`]: prototype[`getUTC${part}`] });
  const native = prototype[`setUTC${part}`];
  if (!native) continue;
  // QuickJS leaves the date as it was when a part isn't a number.
  const set = function (...values) {
    const time = native.apply(this, values);
    if (Number.isNaN(time)) this.setTime(NaN);
    return time;
  };
  define(prototype, { [`set${part}`]: set, [`setUTC${part}`]: set });
}

const dateText = (date) => date.toUTCString().replace(/^(\w+), (\d+) (\w+) (-?\d+) .*$/, '$1 $3 $2 $4');
const timeText = (date) => `${date.toUTCString().slice(-12)}+0000 (Coordinated Universal Time)`;
const unlessInvalid = (format) =>
  function () {
    return Number.isNaN(prototype.getTime.call(this)) ? 'Invalid Date' : format(this);
  };

const toISOString = prototype.toISOString;

define(prototype, {
  toISOString() {
    if (Number.isNaN(this.getTime())) throw new RangeError('Invalid time value');
    return toISOString.call(this);
  },
  getTimezoneOffset() {
    return Number.isNaN(this.getTime()) ? NaN : 0;
  },
  getYear() {
    return this.getUTCFullYear() - 1900;
  },
  setYear(year) {
    year = Number(year);
    const whole = Math.trunc(year);
    if (Number.isNaN(year)) return this.setTime(NaN);
    if (Number.isNaN(this.getTime())) this.setTime(0);
    return this.setUTCFullYear(whole >= 0 && whole <= 99 ? 1900 + whole : year);
  },
  toString: unlessInvalid((date) => `${dateText(date)} ${timeText(date)}`),
  toDateString: unlessInvalid(dateText),
  toTimeString: unlessInvalid(timeText),
});
