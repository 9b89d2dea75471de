// Intl.Locale and the choice of a locale. Only English (United States) is here: any other is an error, because silently printing English would be wrong.

const TAG =
  /^([a-z]{2,3}|[a-z]{5,8})(?:[-_][a-z]{4})?(?:[-_](?:[a-z]{2}|\d{3}))?(?:[-_](?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*(?:[-_][0-9a-wy-z](?:[-_][a-z0-9]{2,8})+)*(?:[-_]x(?:[-_][a-z0-9]{1,8})+)?$/i;

const KEYWORDS = { ca: ['gregory', 'gregorian', 'iso8601'], nu: ['latn'], hc: ['h11', 'h12', 'h23', 'h24'] };

function canonical(tag) {
  if (typeof tag !== 'string' && (typeof tag !== 'object' || tag === null)) throw new TypeError('Incorrect locale information provided');
  const text = String(tag);
  if (!TAG.test(text) || text.includes('_')) throw new RangeError(`Incorrect locale information provided`);
  const [language, ...rest] = text.split('-');
  let extension = false;
  return [
    language.toLowerCase(),
    ...rest.map((part) => {
      if (part.length === 1) extension = true;
      if (extension) return part.toLowerCase();
      if (part.length === 4 && /^[a-z]/i.test(part)) return part[0].toUpperCase() + part.slice(1).toLowerCase();
      return part.length === 2 ? part.toUpperCase() : part.toLowerCase();
    }),
  ].join('-');
}

export const canonicalList = (locales) =>
  locales === undefined ? [] : [...new Set((Array.isArray(locales) ? locales : [locales]).map(canonical))];

/** The base name and the Unicode keywords (`-u-hc-h23`) of a tag. */
function takeApart(tag) {
  const [base, extension = ''] = tag.split(/-u-/);
  const keywords = {};
  let key;
  for (const part of extension.split('-').filter(Boolean)) {
    if (part.length === 1) break;
    if (part.length === 2) keywords[(key = part)] = '';
    else if (key) keywords[key] += (keywords[key] ? '-' : '') + part;
  }
  return { base: base.replace(/-x-.*/, ''), keywords };
}

const isSupported = (base) => /^en(?:-Latn)?(?:-US)?(?:-posix)?$/.test(base);

/** `{ locale, keywords }` for the first locale asked for. */
export function chooseLocale(locales) {
  const [tag = 'en-US'] = canonicalList(locales);
  const { base, keywords } = takeApart(tag);
  if (!isSupported(base))
    throw new RangeError(`The locale "${tag}" is not available in an expression; only English (United States), "en-US", is`);
  for (const [key, values] of Object.entries(KEYWORDS))
    if (keywords[key] && !values.includes(keywords[key]))
      throw new RangeError(`The locale extension "${key}-${keywords[key]}" is not available in an expression; "${values[0]}" is`);
  return { locale: base === 'en' ? 'en' : 'en-US', keywords };
}

export const supportedLocalesOf = (locales) => canonicalList(locales).filter((tag) => isSupported(takeApart(tag).base));

/** Gives a function that reads an option of `service` that must be one of some words. */
export const choiceReader = (service) => (options, name, values, fallback) => {
  const value = options?.[name];
  if (value === undefined) return fallback;
  const text = String(value);
  if (!values.includes(text)) throw new RangeError(`Value ${text} out of range for Intl.${service} options property ${name}`);
  return text;
};

export function integer(options, name, low, high, fallback) {
  const value = options?.[name];
  if (value === undefined) return fallback;
  const number = Math.floor(Number(value));
  if (!(number >= low && number <= high)) throw new RangeError(`${name} value is out of range.`);
  return number;
}

const WEEK = { firstDay: 7, weekend: [6, 7], minimalDays: 1 };

export class Locale {
  #tag;

  constructor(tag) {
    if (typeof tag !== 'string' && (typeof tag !== 'object' || tag === null))
      throw new TypeError("First argument to Intl.Locale constructor can't be empty or missing");
    this.#tag = canonical(tag);
  }

  get baseName() {
    return takeApart(this.#tag).base;
  }

  get language() {
    return this.#tag.split('-', 1)[0];
  }

  get region() {
    return this.baseName
      .split('-')
      .slice(1)
      .find((part) => /^([A-Z]{2}|\d{3})$/.test(part));
  }

  get script() {
    return this.baseName
      .split('-')
      .slice(1)
      .find((part) => /^[A-Z][a-z]{3}$/.test(part));
  }

  /** Of the United States, the only region there is. */
  get weekInfo() {
    return { ...WEEK, weekend: [...WEEK.weekend] };
  }

  getWeekInfo() {
    return this.weekInfo;
  }

  toString() {
    return this.#tag;
  }

  get [Symbol.toStringTag]() {
    return 'Intl.Locale';
  }
}
