// Intl.DateTimeFormat for English (United States) and the Gregorian calendar, without ranges.
import { BoundedCache } from '../host.js';
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

/** What a part of the pattern is called and how to write it, given the local time and the instant. */
function writer(part, { hourCycle, zone, fields }) {
  if (typeof part === 'string') return { type: 'literal', write: () => part };
  const { field, width } = part;
  switch (field) {
    case 'year':
      return {
        type: field,
        write(local) {
          const year = local.getUTCFullYear();
          return numeral(year > 0 ? year : 1 - year, width);
        },
      };
    case 'month':
      return TEXT.includes(width)
        ? { type: field, write: (local) => worded(MONTHS[local.getUTCMonth()], width) }
        : { type: field, write: (local) => numeral(local.getUTCMonth() + 1, width) };
    case 'day':
      return { type: field, write: (local) => numeral(local.getUTCDate(), width) };
    case 'weekday':
      return { type: field, write: (local) => worded(WEEKDAYS[local.getUTCDay()], width) };
    case 'era':
      return { type: field, write: (local) => ERAS[width][local.getUTCFullYear() > 0 ? 1 : 0] };
    case 'hour':
      return { type: field, write: (local) => hourText(local.getUTCHours(), width, hourCycle) };
    case 'minute':
      return { type: field, write: (local) => numeral(local.getUTCMinutes(), width) };
    case 'second':
      return { type: field, write: (local) => numeral(local.getUTCSeconds(), width) };
    case 'fractionalSecondDigits':
      return { type: 'fractionalSecond', write: (local) => String(local.getUTCMilliseconds()).padStart(3, '0').slice(0, width) };
    case 'dayPeriod':
      return { type: field, write: (local) => (local.getUTCHours() < 12 ? 'AM' : 'PM') };
    case 'flexibleDayPeriod':
      return { type: 'dayPeriod', write: (local) => flexibleDayPeriod(local.getUTCHours(), local.getUTCMinutes(), width, fields.minute) };
    default:
      return { type: field, write: (_, ms) => zone.nameAt(ms, width) };
  }
}

/** Everything that a formatter needs and that its options decide. */
function compile(locales, options, needed, defaults) {
  const { locale, keywords } = chooseLocale(locales);
  const calendar = options?.calendar;
  if (calendar !== undefined && !['gregory', 'gregorian', 'iso8601'].includes(String(calendar)))
    throw new RangeError(`The calendar "${calendar}" is not available in an expression; "gregory" is`);
  const hourCycle = chooseHourCycle(options, keywords.hc);
  const zone = findZone(options?.timeZone === undefined ? 'UTC' : options.timeZone);
  const { fields, ...styles } = readFields(options, needed, defaults);
  const parts = pattern(fields, { hourCycle, ...styles });
  return {
    locale,
    hourCycle,
    zone,
    fields,
    styles,
    pattern: parts,
    writers: parts.map((part) => writer(part, { hourCycle, zone, fields })),
  };
}

// Luxon makes a formatter each time it needs the name of an offset, which is for every DateTime that an expression sees.
const compiled = new BoundedCache(200);
const OPTIONS = [
  ...Object.keys(OPTION_VALUES),
  'fractionalSecondDigits',
  'timeZoneName',
  'dateStyle',
  'timeStyle',
  'hourCycle',
  'calendar',
  'timeZone',
];

function cacheKey(locales, options, needed, defaults) {
  let key = `${needed}\0${defaults}\0${locales}\0`;
  if (options === undefined) return key;
  const { hour12 } = options;
  key += hour12 === undefined ? '' : Boolean(hour12);
  for (const name of OPTIONS) {
    const value = options[name];
    key += value === undefined ? '\0' : `\0=${value}`;
  }
  return key;
}

export class DateTimeFormat {
  #locale;
  #zone;
  #hourCycle;
  #fields;
  #styles;
  #pattern;
  #writers;
  #boundFormat;

  constructor(locales, options, needed = 'any', defaults = 'date') {
    if (options === null) throw new TypeError('Cannot convert undefined or null to object');
    const key = cacheKey(locales, options, needed, defaults);
    const settings = compiled.get(key) ?? compiled.set(key, compile(locales, options, needed, defaults));
    this.#locale = settings.locale;
    this.#zone = settings.zone;
    this.#hourCycle = settings.hourCycle;
    this.#fields = settings.fields;
    this.#styles = settings.styles;
    this.#pattern = settings.pattern;
    this.#writers = settings.writers;
  }

  static supportedLocalesOf(locales) {
    return supportedLocalesOf(locales);
  }

  /** An instant, and a date whose UTC parts are the zone's local time. */
  #moment(date) {
    const ms = date === undefined ? Date.now() : Number(date);
    if (!(Math.abs(ms) <= MAX_TIME)) throw new RangeError('Invalid time value');
    return { ms, local: new Date(ms + this.#zone.offsetAt(ms)) };
  }

  formatToParts(date) {
    const { ms, local } = this.#moment(date);
    return this.#writers.map(({ type, write }) => ({ type, value: write(local, ms) }));
  }

  get format() {
    this.#boundFormat ??= (date) => {
      const { ms, local } = this.#moment(date);
      let text = '';
      for (const { write } of this.#writers) {
        const value = write(local, ms);
        // V8 has an ordinary space here, for programs that look for one.
        text += value === NARROW_SPACE ? ' ' : value;
      }
      return text;
    };
    return this.#boundFormat;
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
