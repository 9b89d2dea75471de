// Intl.NumberFormat for English (United States): decimal numbers, percentages and amounts of money.
import { choiceReader, chooseLocale, integer, supportedLocalesOf } from './locale.js';

const choice = choiceReader('NumberFormat');

const SYMBOLS = {
  USD: '$',
  EUR: '€',
  GBP: '£',
  JPY: '¥',
  INR: '₹',
  CNY: 'CN¥',
  KRW: '₩',
  BRL: 'R$',
  CAD: 'CA$',
  AUD: 'A$',
  MXN: 'MX$',
  NZD: 'NZ$',
  HKD: 'HK$',
  TWD: 'NT$',
  ILS: '₪',
  VND: '₫',
  XAF: 'FCFA',
  XOF: 'F CFA',
  XPF: 'CFPF',
  XCD: 'EC$',
  PHP: '₱',
};
const NO_DECIMALS = ['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'];
const THREE_DECIMALS = ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'];
const CURRENCY = /^[A-Z]{3}$/;

/** The decimal digits of a number that isn't negative: `digits` × 10^(`point` - length of `digits`). */
function decimal(number) {
  if (typeof number === 'bigint') return { digits: String(number), point: String(number).length };
  const [mantissa, exponent] = number.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/** Keeps `count` digits (which may be none or fewer), rounding half away from zero. */
function round({ digits, point }, count) {
  if (count >= digits.length) return { digits, point };
  if (count < 0) return { digits: '0', point: 1 };
  const up = digits[count] >= '5';
  const kept = digits.slice(0, count);
  if (!up) return kept ? { digits: kept, point } : { digits: '0', point: 1 };
  const raised = String(BigInt(kept || '0') + 1n).padStart(count, '0');
  return { digits: raised, point: point + raised.length - count };
}

/** Whole and fractional digits. */
function split({ digits, point }) {
  if (point <= 0) return ['0', '0'.repeat(-point) + digits];
  return [
    digits
      .slice(0, point)
      .padEnd(point, '0')
      .replace(/^0+(?=\d)/, ''),
    digits.slice(point),
  ];
}

export class NumberFormat {
  #options;
  #boundFormat;

  constructor(locales, options = {}) {
    const { locale } = chooseLocale(locales);
    if (options === null) throw new TypeError('Cannot convert undefined or null to object');
    const style = choice(options, 'style', ['decimal', 'percent', 'currency'], 'decimal');
    const currency = options.currency === undefined ? undefined : String(options.currency).toUpperCase();
    if (currency !== undefined && !CURRENCY.test(currency)) throw new RangeError(`Invalid currency code : ${options.currency}`);
    if (style === 'currency' && currency === undefined) throw new TypeError('Currency code is required with currency style.');
    for (const name of [
      'notation',
      'unit',
      'signDisplay',
      'roundingMode',
      'roundingIncrement',
      'roundingPriority',
      'trailingZeroDisplay',
      'currencySign',
    ])
      if (options[name] !== undefined && !['standard', 'auto', 'halfExpand', 1].includes(options[name]))
        throw new RangeError(`The number format option ${name} is not available in an expression`);
    const decimals = style === 'currency' ? (NO_DECIMALS.includes(currency) ? 0 : THREE_DECIMALS.includes(currency) ? 3 : 2) : undefined;
    this.#options = {
      locale,
      numberingSystem: 'latn',
      style,
      ...(style === 'currency' && {
        currency,
        currencyDisplay: choice(options, 'currencyDisplay', ['code', 'symbol', 'narrowSymbol'], 'symbol'),
        currencySign: 'standard',
      }),
    };
    this.#readDigits(options, decimals ?? 0, decimals ?? (style === 'percent' ? 0 : 3));
    const grouping = options.useGrouping;
    this.#options.useGrouping =
      grouping === false || grouping === 'false' ? false : grouping === 'min2' || grouping === 'always' ? grouping : 'auto';
  }

  static supportedLocalesOf(locales) {
    return supportedLocalesOf(locales);
  }

  #readDigits(options, defaultMinimum, defaultMaximum) {
    const into = this.#options;
    into.minimumIntegerDigits = integer(options, 'minimumIntegerDigits', 1, 21, 1);
    if (options.minimumSignificantDigits !== undefined || options.maximumSignificantDigits !== undefined) {
      into.minimumSignificantDigits = integer(options, 'minimumSignificantDigits', 1, 21, 1);
      into.maximumSignificantDigits = integer(options, 'maximumSignificantDigits', into.minimumSignificantDigits, 21, 21);
      return;
    }
    let minimum = integer(options, 'minimumFractionDigits', 0, 100);
    let maximum = integer(options, 'maximumFractionDigits', 0, 100);
    minimum ??= maximum === undefined ? defaultMinimum : Math.min(defaultMinimum, maximum);
    maximum ??= Math.max(defaultMaximum, minimum);
    if (minimum > maximum) throw new RangeError('maximumFractionDigits value is out of range.');
    into.minimumFractionDigits = minimum;
    into.maximumFractionDigits = maximum;
  }

  #digits(number) {
    const options = this.#options;
    const exact = decimal(number);
    if (options.style === 'percent') exact.point += 2;
    if (options.maximumSignificantDigits !== undefined) {
      let [whole, fraction] = split(round(exact, options.maximumSignificantDigits));
      fraction = fraction.replace(/0+$/, '');
      const significant = whole === '0' ? fraction.replace(/^0+/, '').length || (fraction ? 0 : 1) : whole.length + fraction.length;
      return [whole, fraction + '0'.repeat(Math.max(0, options.minimumSignificantDigits - significant))];
    }
    const [whole, fraction] = split(round(exact, exact.point + options.maximumFractionDigits));
    return [whole, fraction.replace(/0+$/, '').padEnd(options.minimumFractionDigits, '0')];
  }

  #group(whole) {
    const { useGrouping } = this.#options;
    if (useGrouping === false || (useGrouping === 'min2' && whole.length < 5)) return [whole];
    const groups = [];
    for (let end = whole.length; end > 0; end -= 3) groups.unshift(whole.slice(Math.max(0, end - 3), end));
    return groups;
  }

  formatToParts(value) {
    const number = typeof value === 'bigint' ? value : Number(value);
    const parts = [];
    const add = (type, text) => parts.push({ type, value: text });
    if (number < 0 || Object.is(number, -0)) add('minusSign', '-');
    const { style, currency, currencyDisplay } = this.#options;
    if (style === 'currency') {
      const symbol = currencyDisplay === 'code' ? currency : (SYMBOLS[currency] ?? currency);
      add('currency', currencyDisplay === 'narrowSymbol' ? symbol.replace(/^[A-Z]+(?=[$¥])/, '') : symbol);
      if (/[A-Z]$/.test(parts.at(-1).value) && (typeof number === 'bigint' || Number.isFinite(number))) add('literal', '\u00a0');
    }
    if (Number.isNaN(number)) add('nan', 'NaN');
    else if (number === Infinity || number === -Infinity) add('infinity', '∞');
    else {
      const [whole, fraction] = this.#digits(number < 0 ? -number : number);
      this.#group(whole.padStart(this.#options.minimumIntegerDigits, '0')).forEach((group, index) => {
        if (index) add('group', ',');
        add('integer', group);
      });
      if (fraction) {
        add('decimal', '.');
        add('fraction', fraction);
      }
    }
    if (style === 'percent') add('percentSign', '%');
    return parts;
  }

  get format() {
    this.#boundFormat ??= (value) =>
      this.formatToParts(value)
        .map((part) => part.value)
        .join('');
    return this.#boundFormat;
  }

  resolvedOptions() {
    return {
      ...this.#options,
      notation: 'standard',
      signDisplay: 'auto',
      roundingIncrement: 1,
      roundingMode: 'halfExpand',
      roundingPriority: 'auto',
      trailingZeroDisplay: 'auto',
    };
  }

  get [Symbol.toStringTag]() {
    return 'Intl.NumberFormat';
  }
}
