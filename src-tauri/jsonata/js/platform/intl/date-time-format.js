// Intl.DateTimeFormat for English (United States) and the Gregorian calendar.
import { choiceReader, chooseLocale, integer, supportedLocalesOf } from './locale.js';
import { DATE_FIELDS, hasAny, NARROW_SPACE, pattern, styleFields, TIME_FIELDS } from './date-time-pattern.js';
import { findZone } from './zones.js';

const choice = choiceReader('DateTimeFormat');

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const ERAS = { narrow: ['B', 'A'], short: ['BC', 'AD'], long: ['Before Christ', 'Anno Domini'] };
const TEXT = ['narrow', 'short', 'long'];
const NUMBER = ['2-digit', 'numeric'];
const ZONE_STYLES = ['short', 'long', 'shortOffset', 'longOffset'];
const OPTION_VALUES = {
  weekday: TEXT,
  era: TEXT,
  year: NUMBER,
  month: [...NUMBER, ...TEXT],
  day: NUMBER,
  dayPeriod: TEXT,
  hour: NUMBER,
  minute: NUMBER,
  second: NUMBER,
};
/** In the order of `resolvedOptions`. */
const SHOWN = ['weekday', 'era', 'year', 'month', 'day', 'dayPeriod', 'hour', 'minute', 'second', 'fractionalSecondDigits', 'timeZoneName'];
const MAX_TIME = 8.64e15;

const two = (number) => (number < 10 ? `0${number}` : String(number));
const numeral = (number, width) => (width === '2-digit' ? two(number % 100) : String(number));
const worded = (name, width) => (width === 'long' ? name : width === 'short' ? name.slice(0, 3) : name[0]);

function hourText(hour, width, cycle) {
  const shown = cycle === 'h12' ? hour % 12 || 12 : cycle === 'h11' ? hour % 12 : cycle === 'h24' ? hour || 24 : hour;
  return numeral(shown, width);
}

function flexibleDayPeriod(hour, minute, width, minuteShown) {
  if (hour === 12 && (minute === 0 || !minuteShown)) return width === 'narrow' ? 'n' : 'noon';
  return hour < 12 ? 'in the morning' : hour < 18 ? 'in the afternoon' : hour < 21 ? 'in the evening' : 'at night';
}

/** The options that decide what is shown, with defaults filled in as ECMA-402 asks. */
function readFields(options, needed, defaults) {
  const fields = {};
  for (const [name, values] of Object.entries(OPTION_VALUES)) {
    const value = choice(options, name, values);
    if (value !== undefined) fields[name] = value;
  }
  const digits = integer(options, 'fractionalSecondDigits', 1, 3);
  if (digits !== undefined) fields.fractionalSecondDigits = digits;
  const zoneName = choice(options, 'timeZoneName', ZONE_STYLES);
  const dateStyle = choice(options, 'dateStyle', ['full', 'long', 'medium', 'short']);
  const timeStyle = choice(options, 'timeStyle', ['full', 'long', 'medium', 'short']);
  if (dateStyle || timeStyle) {
    const [other] = Object.keys(fields);
    if (other ?? zoneName)
      throw new TypeError(`Can't set option ${other ?? 'timeZoneName'} when ${dateStyle ? 'dateStyle' : 'timeStyle'} is used`);
    if (needed === 'date' && timeStyle) throw new TypeError('Invalid option : timeStyle');
    if (needed === 'time' && dateStyle) throw new TypeError('Invalid option : dateStyle');
    return { fields: styleFields(dateStyle, timeStyle), dateStyle, timeStyle };
  }
  const present =
    (needed !== 'time' &&
      hasAny(
        fields,
        DATE_FIELDS.filter((name) => name !== 'era'),
      )) ||
    (needed !== 'date' && hasAny(fields, TIME_FIELDS));
  if (!present) {
    if (defaults !== 'time') Object.assign(fields, { year: 'numeric', month: 'numeric', day: 'numeric' });
    if (defaults !== 'date') Object.assign(fields, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
  }
  if (zoneName) fields.timeZoneName = zoneName;
  return { fields };
}

function chooseHourCycle(options, keyword) {
  const cycle = choice(options, 'hourCycle', ['h11', 'h12', 'h23', 'h24']);
  // In the United States, ICU counts a 24-hour day from 1 to 24 unless h23 is asked for.
  if (options?.hour12 !== undefined) return options.hour12 ? 'h12' : 'h24';
  return cycle ?? (keyword || 'h12');
}

export class DateTimeFormat {
  #locale;
  #zone;
  #hourCycle;
  #fields;
  #styles;
  #pattern;
  #boundFormat;

  constructor(locales, options, needed = 'any', defaults = 'date') {
    const { locale, keywords } = chooseLocale(locales);
    if (options === null) throw new TypeError('Cannot convert undefined or null to object');
    const calendar = options?.calendar;
    if (calendar !== undefined && !['gregory', 'gregorian', 'iso8601'].includes(String(calendar)))
      throw new RangeError(`The calendar "${calendar}" is not available in an expression; "gregory" is`);
    this.#locale = locale;
    this.#hourCycle = chooseHourCycle(options, keywords.hc);
    this.#zone = findZone(options?.timeZone === undefined ? 'UTC' : options.timeZone);
    const { fields, ...styles } = readFields(options, needed, defaults);
    this.#fields = fields;
    this.#styles = styles;
    this.#pattern = pattern(fields, { hourCycle: this.#hourCycle, ...styles });
  }

  static supportedLocalesOf(locales) {
    return supportedLocalesOf(locales);
  }

  formatToParts(date) {
    const ms = date === undefined ? Date.now() : Number(date);
    if (!(Math.abs(ms) <= MAX_TIME)) throw new RangeError('Invalid time value');
    const local = new Date(ms + this.#zone.offsetAt(ms));
    const parts = [];
    for (const part of this.#pattern) {
      if (typeof part === 'string') parts.push({ type: 'literal', value: part });
      else parts.push(this.#field(part, local, ms));
    }
    return parts;
  }

  #field({ field, width }, local, ms) {
    switch (field) {
      case 'year': {
        const year = local.getUTCFullYear();
        return { type: 'year', value: numeral(year > 0 ? year : 1 - year, width) };
      }
      case 'month': {
        const month = local.getUTCMonth();
        return { type: 'month', value: TEXT.includes(width) ? worded(MONTHS[month], width) : numeral(month + 1, width) };
      }
      case 'day':
        return { type: 'day', value: numeral(local.getUTCDate(), width) };
      case 'weekday':
        return { type: 'weekday', value: worded(WEEKDAYS[local.getUTCDay()], width) };
      case 'era':
        return { type: 'era', value: ERAS[width][local.getUTCFullYear() > 0 ? 1 : 0] };
      case 'hour':
        return { type: 'hour', value: hourText(local.getUTCHours(), width, this.#hourCycle) };
      case 'minute':
        return { type: 'minute', value: numeral(local.getUTCMinutes(), width) };
      case 'second':
        return { type: 'second', value: numeral(local.getUTCSeconds(), width) };
      case 'fractionalSecondDigits':
        return { type: 'fractionalSecond', value: String(local.getUTCMilliseconds()).padStart(3, '0').slice(0, width) };
      case 'dayPeriod':
        return { type: 'dayPeriod', value: local.getUTCHours() < 12 ? 'AM' : 'PM' };
      case 'flexibleDayPeriod':
        return { type: 'dayPeriod', value: flexibleDayPeriod(local.getUTCHours(), local.getUTCMinutes(), width, this.#fields.minute) };
      default:
        return { type: 'timeZoneName', value: this.#zone.nameAt(ms, width) };
    }
  }

  get format() {
    this.#boundFormat ??= (date) => {
      let text = '';
      // V8 has an ordinary space here, for programs that look for one.
      for (const { value } of this.formatToParts(date)) text += value === NARROW_SPACE ? ' ' : value;
      return text;
    };
    return this.#boundFormat;
  }

  #range(start, end) {
    if (start === undefined || end === undefined) throw new TypeError('startDate or endDate cannot be undefined');
    const [first, last] = [this.format(start), this.format(end)];
    return first === last ? first : `${first} – ${last}`;
  }

  formatRange(start, end) {
    return this.#range(start, end);
  }

  resolvedOptions() {
    const fields = this.#fields;
    const { dateStyle, timeStyle } = this.#styles;
    const shown = {};
    if (!dateStyle && !timeStyle)
      for (const name of SHOWN)
        if (fields[name] !== undefined) shown[name] = this.#pattern.find(({ field }) => field === name)?.width ?? fields[name];
    const hour = fields.hour ? { hourCycle: this.#hourCycle, hour12: this.#hourCycle === 'h12' || this.#hourCycle === 'h11' } : {};
    return {
      locale: this.#locale,
      calendar: 'gregory',
      numberingSystem: 'latn',
      timeZone: this.#zone.name,
      ...hour,
      ...shown,
      ...(dateStyle && { dateStyle }),
      ...(timeStyle && { timeStyle }),
    };
  }

  get [Symbol.toStringTag]() {
    return 'Intl.DateTimeFormat';
  }
}
