// ECMA-402 for English (United States), the only locale there is.
//
// Refused with an error: other locales, calendars and numbering systems; the generic names of zones ("Pacific Time"); compact and
// scientific notation, units and rounding options of numbers.
// Left out: formatRange, DisplayNames, Segmenter, DurationFormat. Collation knows ASCII and Latin letters with accents.
import { Collator } from './collator.js';
import { DateTimeFormat } from './date-time-format.js';
import { canonicalList, Locale } from './locale.js';
import { NumberFormat } from './number-format.js';
import { ListFormat, PluralRules, RelativeTimeFormat } from './phrases.js';

/** The standard lets these be called without `new`. */
function callable(Class) {
  const wrapper = function (locales, options) {
    return new Class(locales, options);
  };
  Object.defineProperty(wrapper, 'name', { value: Class.name });
  Object.defineProperty(wrapper, 'prototype', { value: Class.prototype, writable: false });
  wrapper.supportedLocalesOf = Class.supportedLocalesOf;
  Object.defineProperty(Class.prototype, 'constructor', { value: wrapper });
  return wrapper;
}

export const Intl = {
  Collator: callable(Collator),
  DateTimeFormat: callable(DateTimeFormat),
  ListFormat,
  Locale,
  NumberFormat: callable(NumberFormat),
  PluralRules,
  RelativeTimeFormat,
  getCanonicalLocales: canonicalList,
};
Object.defineProperty(Intl, Symbol.toStringTag, { value: 'Intl', configurable: true });
