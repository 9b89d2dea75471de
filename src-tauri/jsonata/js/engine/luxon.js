// Luxon learns a zone's offset, and what it is called, by formatting the instant and taking the text apart again: about twenty times
// for each DateTime that an expression sees. The zones know.
import { IANAZone, SystemZone } from 'luxon';

import { findZone } from '../platform/intl/zones.js';

IANAZone.prototype.offset = function (ts) {
  const ms = new Date(ts).getTime();
  return Number.isNaN(ms) ? NaN : findZone(this.name).offsetAt(ms) / 60_000;
};

for (const { prototype } of [IANAZone, SystemZone]) {
  const byFormatting = prototype.offsetName;
  prototype.offsetName = function (ts, options) {
    const { format, locale } = options;
    const known = locale === 'en-US' && (format === 'short' || format === 'long') && Math.abs(ts) <= 8.64e15;
    return known ? findZone(this.name).nameAt(ts, format) : byFormatting.call(this, ts, options);
  };
}
