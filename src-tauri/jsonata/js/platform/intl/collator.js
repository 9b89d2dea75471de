// Intl.Collator and localeCompare: the order of the Unicode Collation Algorithm for ASCII and for Latin letters with accents. Other characters follow by code point.
import { choiceReader, chooseLocale, supportedLocalesOf } from './locale.js';

const choice = choiceReader('Collator');

const ORDER = '\t\n\v\f\r _-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz';
const RANKS = new Map([...ORDER].map((character, rank) => [character, rank + 1]));
const LETTERS = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ł: 'l', ð: 'd', þ: 'th' };
const ACCENT = /\p{M}/u;

/** The keys of the three levels: letters, accents, case. */
function keys(text) {
  const primary = [];
  const secondary = [];
  const tertiary = [];
  for (const character of text.normalize('NFD')) {
    if (ACCENT.test(character)) {
      if (secondary.length) secondary[secondary.length - 1] += character;
      continue;
    }
    const lower = character.toLowerCase();
    for (const letter of LETTERS[lower] ?? lower) {
      const rank = RANKS.get(letter) ?? (letter.codePointAt(0) < 0x20 || letter === '\x7f' ? undefined : 1000 + letter.codePointAt(0));
      if (rank === undefined) continue;
      primary.push(rank);
      secondary.push(LETTERS[lower] ? '\u0300' : '');
      tertiary.push(character === lower ? 0 : 1);
    }
  }
  return [primary, secondary, tertiary];
}

function compareLists(a, b) {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return Math.sign(a.length - b.length);
}

const DIGITS = /\d+/g;
/** Digits become their count and themselves, so that longer numbers come later. */
const padNumbers = (text, width) => text.replace(DIGITS, (digits) => digits.replace(/^0+(?=\d)/, '').padStart(width, '0'));

export class Collator {
  #levels;
  #numeric;
  #upperFirst;
  #options;
  #boundCompare;

  constructor(locales, options = {}) {
    const { locale, keywords } = chooseLocale(locales);
    const sensitivity = choice(options, 'sensitivity', ['base', 'accent', 'case', 'variant'], 'variant');
    const caseFirst = choice(options, 'caseFirst', ['upper', 'lower', 'false'], 'false');
    this.#levels = { base: [0], accent: [0, 1], case: [0, 2], variant: [0, 1, 2] }[sensitivity];
    this.#numeric = options.numeric === undefined ? keywords.kn === '' || keywords.kn === 'true' : Boolean(options.numeric);
    this.#upperFirst = caseFirst === 'upper';
    this.#options = {
      locale,
      usage: 'sort',
      sensitivity,
      ignorePunctuation: false,
      collation: 'default',
      numeric: this.#numeric,
      caseFirst,
    };
  }

  static supportedLocalesOf(locales) {
    return supportedLocalesOf(locales);
  }

  get compare() {
    this.#boundCompare ??= (a, b) => {
      let [first, second] = [String(a), String(b)];
      if (first === second) return 0;
      if (this.#numeric) {
        const width = Math.max(...[first, second].map((text) => Math.max(0, ...(text.match(DIGITS) ?? []).map((digits) => digits.length))));
        first = padNumbers(first, width);
        second = padNumbers(second, width);
      }
      const [left, right] = [keys(first), keys(second)];
      for (const level of this.#levels) {
        const order = compareLists(left[level], right[level]);
        if (order) return level === 2 && this.#upperFirst ? -order : order;
      }
      return 0;
    };
    return this.#boundCompare;
  }

  resolvedOptions() {
    return { ...this.#options };
  }

  get [Symbol.toStringTag]() {
    return 'Intl.Collator';
  }
}
