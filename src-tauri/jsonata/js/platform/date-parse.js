// Date.parse as V8 understands it: ISO 8601 first, then free-form dates such as "Mar 3, 2024 5:30 pm PST".
// QuickJS's own parser accepts and rejects other free-form dates, and takes those without a zone in the computer's zone.

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const ZONES = { ut: 0, utc: 0, gmt: 0, z: 0, est: -5, edt: -4, cst: -6, cdt: -5, mst: -7, mdt: -6, pst: -8, pdt: -7 };
const HALVES = { am: 0, pm: 12 };

// Number, word, space, anything else.
const TOKEN = /(\d+)|((?:[A-Za-z[\\\]^_`{|}~]|[^\x00-\x7f\s])+)|(\s+)|([^])/g;

const between = (number, low, high) => number >= low && number <= high;

/** Values are numbers as V8 reads them: at most nine significant digits. */
function tokenize(text) {
  const tokens = [];
  for (const [whole, digits, word, space] of text.matchAll(TOKEN)) {
    if (digits) tokens.push({ kind: 'number', value: Number(digits.replace(/^0+/, '').slice(0, 9)), length: digits.length, digits });
    else if (space) tokens.push({ kind: 'space' });
    else if (word) tokens.push(keyword(word));
    else tokens.push({ kind: 'symbol', value: whole });
  }
  return tokens;
}

function keyword(word) {
  const lower = word.toLowerCase();
  const month = MONTHS.indexOf(lower.slice(0, 3));
  if (month >= 0) return { kind: 'month', value: month + 1 };
  if (Object.hasOwn(ZONES, lower)) return { kind: 'zone', value: ZONES[lower], z: lower === 'z' };
  if (Object.hasOwn(HALVES, lower)) return { kind: 'half', value: HALVES[lower] };
  return { kind: lower === 't' ? 'separator' : 'word' };
}

const milliseconds = ({ digits }) => Number(digits.slice(0, 3).padEnd(3, '0'));

class Parser {
  #tokens;
  #position = 0;
  #day = [];
  #namedMonth;
  #time = [];
  #timeDone = false;
  #half;
  /** Of the zone: sign, hours, minutes; undefined where not given. */
  #sign;
  #zoneHour;
  #zoneMinute;
  #isIso = false;
  #impossible = false;

  constructor(text) {
    this.#tokens = tokenize(text);
  }

  parse() {
    return this.#iso() || (!this.#impossible && this.#legacy()) ? this.#value(this.#isIso) : NaN;
  }

  #peek() {
    return this.#tokens[this.#position];
  }

  #is(kind, value) {
    const token = this.#peek();
    return token !== undefined && token.kind === kind && (value === undefined || token.value === value);
  }

  #skip(symbol) {
    const found = this.#is('symbol', symbol);
    if (found) this.#position++;
    return found;
  }

  /** The next token if it is a number of that many digits within the bounds. */
  #fixed(length, low, high) {
    const token = this.#peek();
    if (token?.kind !== 'number' || token.length !== length || !between(token.value, low, high)) return undefined;
    this.#position++;
    return token.value;
  }

  #signAhead() {
    return this.#is('symbol', '+') ? 1 : this.#is('symbol', '-') ? -1 : 0;
  }

  /** Whether the whole text is an ISO date; if not, what was read so far stays read. */
  #iso() {
    const sign = this.#signAhead();
    if (sign) {
      const token = this.#tokens[1];
      if (token?.kind !== 'number' || token.length !== 6) return false;
      this.#position = 2;
      if (sign < 0 && token.value === 0) return false;
      this.#day.push(sign * token.value);
    } else {
      const year = this.#fixed(4, 0, 9999);
      if (year === undefined) return false;
      this.#day.push(year);
    }
    for (const high of [12, 31]) {
      if (!this.#skip('-')) break;
      const part = this.#fixed(2, 1, high);
      if (part === undefined) return false;
      this.#day.push(part);
    }
    if (this.#is('separator')) {
      this.#position++;
      // After the "T" no other notation can follow.
      this.#impossible = !this.#isoTime() || !this.#isoZone() || this.#peek() !== undefined;
    }
    this.#isIso = this.#peek() === undefined && !this.#impossible;
    return this.#isIso;
  }

  #isoTime() {
    const hour = this.#fixed(2, 0, 24);
    if (hour === undefined) return false;
    this.#time.push(hour);
    if (!this.#skip(':')) return false;
    const minute = this.#fixed(2, 0, hour === 24 ? 0 : 59);
    if (minute === undefined) return false;
    this.#time.push(minute);
    if (this.#skip(':')) {
      const second = this.#fixed(2, 0, hour === 24 ? 0 : 59);
      if (second === undefined) return false;
      this.#time.push(second);
      if (this.#skip('.')) {
        if (!this.#is('number') || (hour === 24 && this.#peek().value > 0)) return false;
        this.#time.push(milliseconds(this.#peek()));
        this.#position++;
      }
    }
    return true;
  }

  #isoZone() {
    if (this.#peek()?.z) {
      this.#position++;
      this.#setZone(0);
      return true;
    }
    const sign = this.#signAhead();
    if (!sign) return true;
    this.#position++;
    this.#sign = sign;
    const both = this.#peek();
    if (both?.kind === 'number' && both.length === 4) {
      if (!between(Math.trunc(both.value / 100), 0, 23) || !between(both.value % 100, 0, 59)) return false;
      this.#position++;
      this.#zoneHour = Math.trunc(both.value / 100);
      this.#zoneMinute = both.value % 100;
      return true;
    }
    this.#zoneHour = this.#fixed(2, 0, 23);
    if (this.#zoneHour === undefined || !this.#skip(':')) return false;
    this.#zoneMinute = this.#fixed(2, 0, 59);
    return this.#zoneMinute !== undefined;
  }

  #setZone(hours) {
    this.#sign = hours < 0 ? -1 : 1;
    this.#zoneHour = Math.abs(hours);
    this.#zoneMinute = 0;
  }

  #legacy() {
    let numberSeen = this.#day.length > 0;
    while (this.#position < this.#tokens.length) {
      const token = this.#tokens[this.#position++];
      if (token.kind === 'number') {
        numberSeen = true;
        if (!this.#legacyNumber(token)) return false;
      } else if (token.kind === 'half' && this.#time.length) {
        this.#half = token.value;
      } else if (token.kind === 'month') {
        this.#namedMonth = token.value;
        this.#skip('-');
      } else if (token.kind === 'zone' && numberSeen) {
        this.#setZone(token.value);
      } else if (['word', 'separator', 'half', 'zone'].includes(token.kind)) {
        if (numberSeen || this.#is('number')) return false;
      } else if (token.kind === 'symbol' && '+-'.includes(token.value) && (this.#isUtc() || this.#time.length)) {
        if (!this.#legacyOffset(token.value === '-' ? -1 : 1)) return false;
        numberSeen = true;
      } else if (token.kind === 'symbol' && '+-)'.includes(token.value) && numberSeen) {
        return false;
      } else if (token.kind === 'symbol' && token.value === '(') {
        this.#skipParentheses();
      }
    }
    return this.#day.length > 0;
  }

  #isUtc() {
    return this.#zoneHour === 0 && this.#zoneMinute === 0;
  }

  #skipParentheses() {
    for (let depth = 1; depth > 0 && this.#position < this.#tokens.length; this.#position++) {
      if (this.#is('symbol', '(')) depth++;
      if (this.#is('symbol', ')')) depth--;
    }
  }

  #legacyNumber({ value }) {
    if (this.#skip(':')) {
      if (this.#skip(':')) {
        if (this.#time.length) return false;
        this.#time.push(value, 0);
      } else {
        if (this.#time.length >= 4) return false;
        this.#time.push(value);
        this.#skip('.');
      }
      return true;
    }
    if (this.#skip('.') && this.#timeExpects(value)) {
      this.#time.push(value);
      if (!this.#is('number')) return false;
      this.#finishTime(milliseconds(this.#peek()));
      this.#position++;
      return true;
    }
    if (this.#zoneHour !== undefined && this.#zoneMinute === undefined) {
      this.#zoneMinute = value;
      return true;
    }
    if (this.#timeExpects(value)) {
      this.#finishTime(value);
      const next = this.#peek();
      return next === undefined || next.kind === 'space' || next.z === true || this.#signAhead() !== 0;
    }
    if (this.#day.length >= 3) return false;
    this.#day.push(value);
    this.#skip('-');
    return true;
  }

  /** Whether the number can be the next part of a time that has begun. */
  #timeExpects(value) {
    if (this.#timeDone) return false;
    const count = this.#time.length;
    return ((count === 1 || count === 2) && between(value, 0, 59)) || (count === 3 && between(value, 0, 999));
  }

  #finishTime(value) {
    this.#time.push(value);
    while (this.#time.length < 4) this.#time.push(0);
    this.#timeDone = true;
  }

  #legacyOffset(sign) {
    this.#sign = sign;
    let value = 0;
    let length = 0;
    if (this.#is('number')) ({ value, length } = this.#tokens[this.#position++]);
    if (this.#is('symbol', ':')) {
      this.#zoneHour = value;
      this.#zoneMinute = undefined;
    } else if (length === 1 || length === 2) {
      this.#zoneHour = value;
      this.#zoneMinute = 0;
    } else if (length === 3 || length === 4) {
      this.#zoneHour = Math.trunc(value / 100);
      this.#zoneMinute = value % 100;
    } else {
      return false;
    }
    return true;
  }

  #value(iso) {
    const date = this.#date(iso);
    if (!date) return NaN;
    let [hour, minute, second, ms] = [0, 1, 2, 3].map((index) => this.#time[index] ?? 0);
    if (this.#half !== undefined) {
      if (!between(hour, 0, 12)) return NaN;
      hour = (hour % 12) + this.#half;
    }
    const midnight = hour === 24 && minute === 0 && second === 0 && ms === 0;
    if (!midnight && !(between(hour, 0, 23) && between(minute, 0, 59) && between(second, 0, 59) && between(ms, 0, 999))) return NaN;
    const offset = this.#sign === undefined ? 0 : this.#sign * ((this.#zoneHour ?? 0) * 60 + (this.#zoneMinute ?? 0));
    const [year, month, day] = date;
    const days = utcDays(year, month, day);
    const value = days * 86_400_000 + ((hour * 60 + minute - offset) * 60 + second) * 1000 + ms;
    return Math.abs(value) <= 8.64e15 ? value : NaN;
  }

  #date(iso) {
    const parts = this.#day.concat([1, 1]).slice(0, 3);
    let year, month, day;
    if (this.#namedMonth === undefined) {
      if (iso || !between(parts[0], 1, 31)) [year, month, day] = parts;
      else [month, day, year] = parts;
    } else {
      month = this.#namedMonth;
      if (between(parts[0], 1, 31)) [day, year] = parts;
      else [year, day] = parts;
    }
    if (!iso) {
      if (between(year, 0, 49)) year += 2000;
      else if (between(year, 50, 99)) year += 1900;
    }
    return between(month, 1, 12) && between(day, 1, 31) && Math.abs(year) < 2 ** 30 ? [year, month, day] : undefined;
  }
}

/** Days since 1970-01-01; a day beyond the month's end counts on into the next. */
function utcDays(year, month, day) {
  const years = month > 2 ? year : year - 1;
  const era = Math.floor(years / 400);
  const yearOfEra = years - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

// Nearly every date that an expression sees looks like this; the parser above takes twenty times as long.
const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?(?:Z|([+-])(\d\d):(\d\d))?$/;

function parseTimestamp(text) {
  const match = TIMESTAMP.exec(text);
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])];
  const [zoneHour, zoneMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  if (!(between(month, 1, 12) && between(day, 1, 31) && hour < 24 && minute < 60 && second < 60)) return undefined;
  if (!(zoneHour < 24 && zoneMinute < 60)) return undefined;
  const offset = (match[8] === '-' ? -1 : 1) * (zoneHour * 60 + zoneMinute);
  return utcDays(year, month, day) * 86_400_000 + ((hour * 60 + minute - offset) * 60 + second) * 1000 + Number(match[7] ?? 0);
}

/** Milliseconds since 1970, or NaN. */
export const parseDate = (text) => parseTimestamp(text) ?? new Parser(text).parse();
