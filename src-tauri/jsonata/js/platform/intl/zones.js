// Time zones: the rules are Rust's. What holds until the next transition is kept, so that most look-ups don't leave JavaScript.
import { BoundedCache, host } from '../host.js';

const MAX_ZONES = 500;
const MAX_SPANS = 16;

class Zone {
  #spans = [];
  #last = { offset: 0, from: Infinity, until: -Infinity };
  #names = { offset: 0, from: Infinity, until: -Infinity, long: '', short: '' };

  constructor(name) {
    this.name = name;
    if (name === 'UTC') this.#last = { offset: 0, from: -Infinity, until: Infinity };
  }

  #spanAt(ms) {
    let span = this.#last;
    if (ms >= span.from && ms < span.until) return span;
    span = this.#spans.find(({ from, until }) => ms >= from && ms < until);
    if (!span) {
      const [offset, from, until] = host.zoneOffset(this.name, ms);
      span = { offset, from, until };
      if (this.#spans.length >= MAX_SPANS) this.#spans.shift();
      this.#spans.push(span);
    }
    return (this.#last = span);
  }

  /** Milliseconds east of Greenwich. */
  offsetAt(ms) {
    return this.#spanAt(ms).offset * 1000;
  }

  #namesAt(ms, offset) {
    const names = this.#names;
    if (names.offset === offset && ms >= names.from && ms < names.until) return names;
    const [long, short, from, until] = host.zoneNames(this.name, ms, offset);
    return (this.#names = { offset, from, until, long, short });
  }

  /** The zone's name in a style of the option `timeZoneName`. */
  nameAt(ms, style) {
    const { offset } = this.#spanAt(ms);
    if (style === 'shortOffset' || style === 'longOffset') return gmt(offset, style === 'longOffset');
    const { long, short } = this.#namesAt(ms, offset);
    return style === 'long' ? long || gmt(offset, true) : short || gmt(offset, false);
  }
}

function gmt(offset, long) {
  const two = (number) => String(number).padStart(2, '0');
  const seconds = Math.abs(offset);
  const [hour, minute, second] = [Math.trunc(seconds / 3600), Math.trunc(seconds / 60) % 60, seconds % 60];
  return `GMT${offset < 0 ? '-' : '+'}${long ? two(hour) : hour}${long || minute || second ? ':' + two(minute) : ''}${second ? ':' + two(second) : ''}`;
}

const zones = new BoundedCache(MAX_ZONES);

export function findZone(given) {
  const asked = String(given);
  const known = zones.get(asked);
  if (known) return known;
  const name = asked.isWellFormed() ? host.zone(asked) : undefined;
  if (!name) throw new RangeError(`Invalid time zone specified: ${asked}`);
  return zones.set(asked, (name !== asked && zones.get(name)) || new Zone(name));
}
