//! Cron expressions of triggers: five fields, in UTC (contract section 9.1).
//!
//! They are read as crontab(5) reads them: lists, ranges, steps, names of months and days, `7` for Sunday, and the rule for days: if neither
//! the day of the month nor the day of the week begins with `*`, a day that fits one of them fits. UTC has no daylight saving, so every
//! minute exists once.

mod words;

use std::{fmt, str::FromStr};

use jiff::civil::{Date, Weekday};

use crate::Timestamp;

const MINUTE: i64 = 60_000;
/// 29 February is eight years away at most: 2100 is no leap year.
const MAX_DAYS: usize = 8 * 366;

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When a trigger fires. It fires sometime: an expression for a day that never comes isn't one.
#[derive(Clone, PartialEq, Eq)]
pub struct CronExpression {
    text: String,
    minutes: u64,
    hours: u64,
    days_of_month: u64,
    months: u64,
    days_of_week: u64,
    /// Whether a day must fit both fields for days, because one of them begins with `*`.
    needs_both_days: bool,
}

/// One that was due, and what is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// The occurrence that starts the run.
    pub at: Timestamp,
    /// To be kept as the next planned occurrence.
    pub next: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error(
        "cron_expression needs 5 fields (minute, hour, day of month, month, day of week), such as \"0 */6 * * *\", and has {0}."
    )]
    Fields(usize),
    #[error(
        "cron_expression has {text:?} for the {field}. Use {range}, a list, a range such as {example}, or a step such as */2."
    )]
    Field { field: &'static str, text: String, range: &'static str, example: &'static str },
    #[error("cron_expression {0:?} names a day that never comes. Change the day of the month or the month.")]
    Never(String),
}

/// How a field is written.
struct Field {
    name: &'static str,
    range: &'static str,
    example: &'static str,
    least: u8,
    most: u8,
    /// Names of its values, the first of which is `least`.
    names: &'static [&'static str],
}

const MINUTES: Field = Field { name: "minute", range: "0 to 59", example: "0-30", least: 0, most: 59, names: &[] };
const HOURS: Field = Field { name: "hour", range: "0 to 23", example: "9-17", least: 0, most: 23, names: &[] };
const DAYS_OF_MONTH: Field =
    Field { name: "day of the month", range: "1 to 31", example: "1-7", least: 1, most: 31, names: &[] };
const MONTHS_OF_YEAR: Field =
    Field { name: "month", range: "1 to 12, jan to dec", example: "mar-oct", least: 1, most: 12, names: MONTHS };
const DAYS_OF_WEEK: Field =
    Field { name: "day of the week", range: "0 to 7, sun to sat", example: "mon-fri", least: 0, most: 7, names: DAYS };

impl Field {
    /// The set of its values.
    fn parse(&self, text: &str) -> Result<u64, CronError> {
        let set = text.split(',').try_fold(0, |set, part| Some(set | self.part(part)?));
        set.ok_or_else(|| CronError::Field {
            field: self.name,
            text: text.to_owned(),
            range: self.range,
            example: self.example,
        })
    }

    /// `*`, a value, or a range, each possibly with a step.
    fn part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(digits(step).filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (from, to) = match (range.split_once('-'), step) {
            _ if range == "*" => (self.least, self.most),
            (Some((from, to)), _) => (self.value(from)?, self.value(to)?),
            (None, None) => (self.value(range)?, self.value(range)?),
            // `5/10`: from there to the end.
            (None, Some(_)) => (self.value(range)?, self.most),
        };
        let values = (from..=to).step_by(step.unwrap_or(1).into());
        (from <= to).then(|| values.fold(0, |set, value| set | 1 << value))
    }

    fn value(&self, text: &str) -> Option<u8> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => u8::try_from(at).ok()? + self.least,
            None => digits(text)?,
        };
        (self.least..=self.most).contains(&value).then_some(value)
    }
}

/// Digits alone: `+5` is no value.
fn digits(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl FromStr for CronExpression {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day_of_month, month, day_of_week] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        let week = DAYS_OF_WEEK.parse(day_of_week)?;
        let parsed = Self {
            text: fields.join(" "),
            minutes: MINUTES.parse(minute)?,
            hours: HOURS.parse(hour)?,
            days_of_month: DAYS_OF_MONTH.parse(day_of_month)?,
            months: MONTHS_OF_YEAR.parse(month)?,
            // 7 is Sunday too.
            days_of_week: (week | week >> 7) & 0x7f,
            needs_both_days: day_of_month.starts_with('*') || day_of_week.starts_with('*'),
        };
        match parsed.next_after(Timestamp::from_millis(0)) {
            Some(_) => Ok(parsed),
            None => Err(CronError::Never(parsed.text)),
        }
    }
}

impl CronExpression {
    /// The first occurrence after a time. None: the calendar ends before.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let minute = time.as_millis().div_euclid(MINUTE).checked_add(1)?.checked_mul(MINUTE)?;
        let start = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(minute).ok()?);
        let first_minute = u32::from(start.hour().unsigned_abs()) * 60 + u32::from(start.minute().unsigned_abs());
        let mut day = start.date();
        for at in 0..=MAX_DAYS {
            if self.fits(day) {
                let from = if at == 0 { first_minute } else { 0 };
                let is_in = |set: u64, value: u32| set & 1 << value != 0;
                let mut minutes = from..24 * 60;
                if let Some(found) = minutes.find(|at| is_in(self.hours, at / 60) && is_in(self.minutes, at % 60)) {
                    let midnight = jiff::tz::Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
                    return Some(Timestamp::from(midnight).plus_millis(i64::from(found) * MINUTE));
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The next occurrences, at most so many.
    pub fn upcoming(&self, after: Timestamp, most: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(after), |at| self.next_after(*at)).take(most).collect()
    }

    fn fits(&self, day: Date) -> bool {
        let is_in = |set: u64, value: i8| set & 1 << value != 0;
        let by_month = is_in(self.days_of_month, day.day());
        let by_week = is_in(self.days_of_week, weekday(day.weekday()));
        let by_day = if self.needs_both_days { by_month && by_week } else { by_month || by_week };
        is_in(self.months, day.month()) && by_day
    }

    /// Whether the planned occurrence starts a run now. However many were missed, because the computer slept or Relink wasn't running,
    /// they start one run (**ours**).
    pub fn due(&self, planned: Timestamp, now: Timestamp) -> Option<Firing> {
        if planned > now {
            return None;
        }
        Some(Firing { at: planned, next: self.next_after(now)? })
    }
}

fn weekday(day: Weekday) -> i8 {
    day.to_sunday_zero_offset()
}

/// With single spaces.
impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}
