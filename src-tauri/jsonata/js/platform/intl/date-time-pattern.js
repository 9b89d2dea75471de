// Which fields a date or time in English (United States) has, in which order and with what between them.

/** What CLDR has before AM and PM. */
export const NARROW_SPACE = '\u202f';

const WORDS = ['narrow', 'short', 'long'];
const TIME_FIELDS = ['hour', 'minute', 'second', 'fractionalSecondDigits', 'dayPeriod'];
const DATE_FIELDS = ['weekday', 'era', 'year', 'month', 'day'];

const STYLES = {
  date: {
    full: { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' },
    long: { year: 'numeric', month: 'long', day: 'numeric' },
    medium: { year: 'numeric', month: 'short', day: 'numeric' },
    short: { year: '2-digit', month: 'numeric', day: 'numeric' },
  },
  time: {
    full: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'long' },
    long: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
    medium: { hour: 'numeric', minute: '2-digit', second: '2-digit' },
    short: { hour: 'numeric', minute: '2-digit' },
  },
};

/** The fields of a `dateStyle` and a `timeStyle`. */
export const styleFields = (dateStyle, timeStyle) => ({ ...STYLES.date[dateStyle], ...STYLES.time[timeStyle] });

/** A list of `{ field, width }` and literal texts. */
export function pattern(fields, { hourCycle, dateStyle }) {
  const date = datePattern(fields);
  const time = timePattern(fields, hourCycle);
  const parts = [...date];
  if (date.length && time.length) parts.push(glue(fields, dateStyle));
  parts.push(...time);
  if (fields.timeZoneName) {
    if (parts.length) parts.push(time.length ? ' ' : glue(fields, dateStyle));
    parts.push({ field: 'timeZoneName', width: fields.timeZoneName });
  }
  return parts;
}

function glue(fields, dateStyle) {
  const weekdayOnly = fields.weekday && !fields.era && !fields.year && !fields.month && !fields.day;
  if (weekdayOnly && fields.hour && !fields.timeZoneName) return ' ';
  return dateStyle === 'full' || dateStyle === 'long' || (dateStyle === undefined && fields.month === 'long') ? ' at ' : ', ';
}

function datePattern(fields) {
  const parts = [];
  const add = (field, separator) => {
    if (!fields[field]) return;
    if (parts.length) parts.push(separator);
    parts.push({ field, width: fields[field] });
  };
  const worded = WORDS.includes(fields.month);
  const yearAndEra = () => {
    add('year', ' ');
    add('era', ' ');
  };
  if (fields.day && !fields.month) {
    if (fields.weekday) {
      add('day', '');
      add('weekday', ' ');
      yearAndEra();
    } else {
      yearAndEra();
      add('day', ' (day: ');
      if (parts.length > 1) parts.push(')');
    }
    return parts;
  }
  if (!fields.day) {
    if (fields.era && fields.month && !fields.year) {
      add('era', '');
      add('month', ' (month: ');
      parts.push(')');
      return parts;
    }
    add('month', '');
    add('year', worded ? ' ' : '/');
    add('era', ' ');
    add('weekday', ' ');
    return parts;
  }
  add('weekday', '');
  add('month', ', ');
  add('day', worded ? ' ' : '/');
  add('year', worded ? ', ' : '/');
  add('era', ' ');
  return parts;
}

function timePattern(fields, hourCycle) {
  const parts = [];
  const twelve = hourCycle === 'h12' || hourCycle === 'h11';
  const add = (field, width, separator) => {
    if (!fields[field]) return;
    if (parts.length) parts.push(separator);
    parts.push({ field, width });
  };
  const hourWidth = twelve ? fields.hour : fields.hour && '2-digit';
  add('hour', hourWidth, '');
  if (fields.hour && !fields.minute && !twelve && fields.timeZoneName) parts.push('h');
  add('minute', fields.hour || fields.second ? '2-digit' : 'numeric', ':');
  add('second', fields.minute ? '2-digit' : 'numeric', ':');
  add('fractionalSecondDigits', fields.fractionalSecondDigits, '.');
  if (fields.dayPeriod && (twelve || !fields.hour)) {
    if (parts.length) parts.push(' ');
    parts.push({ field: 'flexibleDayPeriod', width: fields.dayPeriod });
  } else if (fields.hour && twelve) {
    parts.push(NARROW_SPACE, { field: 'dayPeriod', width: 'short' });
  }
  return parts;
}

export const hasAny = (fields, names) => names.some((name) => fields[name] !== undefined);
export { DATE_FIELDS, TIME_FIELDS };
