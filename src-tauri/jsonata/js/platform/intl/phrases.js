// Intl.PluralRules, RelativeTimeFormat and ListFormat for English (United States).
import { choiceReader, chooseLocale, supportedLocalesOf } from './locale.js';
import { NumberFormat } from './number-format.js';

const relativeChoice = choiceReader('RelativeTimeFormat');
const listChoice = choiceReader('ListFormat');

export class PluralRules {
  #type;
  #numbers;
  #locale;

  constructor(locales, options = {}) {
    this.#locale = chooseLocale(locales).locale;
    this.#type = choiceReader('PluralRules')(options, 'type', ['cardinal', 'ordinal'], 'cardinal');
    this.#numbers = new NumberFormat(undefined, options);
  }

  static supportedLocalesOf(locales) {
    return supportedLocalesOf(locales);
  }

  select(value) {
    const text = this.#numbers.format(Math.abs(Number(value))).replaceAll(',', '');
    if (this.#type === 'cardinal') return text === '1' ? 'one' : 'other';
    const [, teen, last] = /^\d*?(1?)(\d)$/.exec(text) ?? [];
    return (!teen && { 1: 'one', 2: 'two', 3: 'few' }[last]) || 'other';
  }

  resolvedOptions() {
    return {
      locale: this.#locale,
      type: this.#type,
      pluralCategories: this.#type === 'cardinal' ? ['one', 'other'] : ['few', 'one', 'two', 'other'],
    };
  }

  get [Symbol.toStringTag]() {
    return 'Intl.PluralRules';
  }
}

const UNITS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'];
/** One and many, with the style "short"; narrow drops the space. */
const SHORT_UNITS = {
  second: ['sec.', 'sec.'],
  minute: ['min.', 'min.'],
  hour: ['hr.', 'hr.'],
  day: ['day', 'days'],
  week: ['wk.', 'wk.'],
  month: ['mo.', 'mo.'],
  quarter: ['qtr.', 'qtrs.'],
  year: ['yr.', 'yr.'],
};
const NARROW_UNITS = { second: 's', minute: 'm', hour: 'h', day: 'd', week: 'w', month: 'mo', quarter: 'q', year: 'y' };
const AUTO_DAYS = { '-1': 'yesterday', 0: 'today', 1: 'tomorrow' };

/** What English says instead of a number; `value` is the number as text. */
function autoPhrase(value, unit, style) {
  if (unit === 'day') return AUTO_DAYS[value];
  if (unit === 'second') return value === '0' ? 'now' : undefined;
  const which = { '-1': 'last', 0: 'this', 1: 'next' }[value];
  if (which === undefined) return undefined;
  if (unit === 'minute' || unit === 'hour') return value === '0' ? `this ${unit}` : undefined;
  return `${which} ${style === 'long' ? unit : SHORT_UNITS[unit][0]}`;
}

export class RelativeTimeFormat {
  #style;
  #numeric;
  #locale;
  #numbers;

  constructor(locales, options = {}) {
    this.#locale = chooseLocale(locales).locale;
    this.#style = relativeChoice(options, 'style', ['long', 'short', 'narrow'], 'long');
    this.#numeric = relativeChoice(options, 'numeric', ['always', 'auto'], 'always');
    this.#numbers = new NumberFormat();
  }

  static supportedLocalesOf(locales) {
    return supportedLocalesOf(locales);
  }

  /** The text before the number, the number and the text after; or one text. */
  #pieces(value, unit) {
    const number = Number(value);
    if (!Number.isFinite(number)) throw new RangeError('Value need to be finite number for Intl.RelativeTimeFormat.prototype.format()');
    const singular = String(unit).replace(/s$/, '');
    if (!UNITS.includes(singular)) throw new RangeError(`Invalid unit argument for Intl.RelativeTimeFormat.prototype.format() '${unit}'`);
    const past = number < 0 || Object.is(number, -0);
    if (this.#numeric === 'auto') {
      const phrase = autoPhrase(String(number), singular, this.#style);
      if (phrase) return [phrase];
    }
    const amount = this.#numbers.formatToParts(Math.abs(number));
    const one = amount.length === 1 && amount[0].value === '1';
    const name =
      this.#style === 'long'
        ? ` ${singular}${one ? '' : 's'}`
        : this.#style === 'short'
          ? ` ${SHORT_UNITS[singular][one ? 0 : 1]}`
          : NARROW_UNITS[singular];
    return past ? ['', amount, `${name} ago`, singular] : ['in ', amount, name, singular];
  }

  format(value, unit) {
    const [before, amount = [], after = ''] = this.#pieces(value, unit);
    return before + amount.map((part) => part.value).join('') + after;
  }

  formatToParts(value, unit) {
    const [before, amount = [], after = '', singular] = this.#pieces(value, unit);
    const literal = (text) => (text ? [{ type: 'literal', value: text }] : []);
    return [...literal(before), ...amount.map((part) => ({ ...part, unit: singular })), ...literal(after)];
  }

  resolvedOptions() {
    return { locale: this.#locale, style: this.#style, numeric: this.#numeric, numberingSystem: 'latn' };
  }

  get [Symbol.toStringTag]() {
    return 'Intl.RelativeTimeFormat';
  }
}

export class ListFormat {
  #type;
  #style;
  #locale;

  constructor(locales, options = {}) {
    this.#locale = chooseLocale(locales).locale;
    this.#type = listChoice(options, 'type', ['conjunction', 'disjunction', 'unit'], 'conjunction');
    this.#style = listChoice(options, 'style', ['long', 'short', 'narrow'], 'long');
  }

  static supportedLocalesOf(locales) {
    return supportedLocalesOf(locales);
  }

  /** What stands between two items, before the last of several, and elsewhere. */
  #separators() {
    if (this.#type === 'disjunction') return [' or ', ', or ', ', '];
    if (this.#type === 'unit') return this.#style === 'narrow' ? [' ', ' ', ' '] : [', ', ', ', ', '];
    if (this.#style === 'long') return [' and ', ', and ', ', '];
    return this.#style === 'short' ? [' & ', ', & ', ', '] : [', ', ', ', ', '];
  }

  formatToParts(list) {
    const items = Array.from(list ?? [], (item) => {
      if (typeof item !== 'string') throw new TypeError(`Iterable yielded ${String(item)} which is not a string`);
      return item;
    });
    const [pair, last, between] = this.#separators();
    return items.flatMap((value, index) => {
      const separator = items.length === 2 ? pair : index === items.length - 1 ? last : between;
      const element = { type: 'element', value };
      return index ? [{ type: 'literal', value: separator }, element] : [element];
    });
  }

  format(list) {
    return this.formatToParts(list)
      .map((part) => part.value)
      .join('');
  }

  resolvedOptions() {
    return { locale: this.#locale, type: this.#type, style: this.#style };
  }

  get [Symbol.toStringTag]() {
    return 'Intl.ListFormat';
  }
}
