// The methods of other objects that depend on the locale.
import { BoundedCache, define } from '../host.js';
import { Collator } from './collator.js';
import { DateTimeFormat } from './date-time-format.js';
import { NumberFormat } from './number-format.js';

const formatters = new BoundedCache(100);

/** Formatters cost more to make than to use. */
function cached(kind, locales, options, make) {
  let key;
  try {
    key = JSON.stringify([kind, locales, options]);
  } catch {
    return make();
  }
  return formatters.get(key) ?? formatters.set(key, make());
}

const dateMethod = (needed, defaults) =>
  function (locales, options) {
    const time = globalThis.Date.prototype.getTime.call(this);
    const format = cached(needed, locales, options, () => new DateTimeFormat(locales, options, needed, defaults));
    return Number.isNaN(time) ? 'Invalid Date' : format.format(time);
  };

define(globalThis.Date.prototype, {
  toLocaleString: dateMethod('any', 'all'),
  toLocaleDateString: dateMethod('date', 'date'),
  toLocaleTimeString: dateMethod('time', 'time'),
});

function numberToLocaleString(locales, options) {
  return cached('number', locales, options, () => new NumberFormat(locales, options)).format(this.valueOf());
}
define(Number.prototype, { toLocaleString: numberToLocaleString });
define(BigInt.prototype, { toLocaleString: numberToLocaleString });

define(String.prototype, {
  localeCompare(that, locales, options) {
    return cached('collator', locales, options, () => new Collator(locales, options)).compare(String(this), String(that));
  },
});
