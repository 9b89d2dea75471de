//! A cron expression in words, for people.

use super::{CronExpression, DAYS, MONTHS};

const DAY_NAMES: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Begins what fires at times of day.
const TIMES: &str = "at ";
/// As many times of day are listed.
const MAX_TIMES: usize = 6;

impl CronExpression {
    /// When it fires, in UTC: `every 6 hours at minute 0`, `at 06:30, Monday to Friday`.
    pub fn words(&self) -> String {
        let (mut words, days, months) = (self.time_words(), self.day_words(), values(self.months));
        if !days.is_empty() {
            words = format!("{words}, {days}");
        } else if words.starts_with(TIMES) && !words.contains("hour") {
            words = format!("every day {words}");
        }
        if months.len() < MONTHS.len() {
            let names = months.iter().filter_map(|month| MONTH_NAMES.get(usize::from(*month) - 1)).copied();
            words = format!("{words}, in {}", names.collect::<Vec<_>>().join(", "));
        }
        words
    }

    fn time_words(&self) -> String {
        let (minutes, hours) = (values(self.minutes), values(self.hours));
        if let ([minute], false) = (&minutes[..], hours.len() == 24) {
            if let Some(step) = step(&hours, 24) {
                return format!("every {step} hours at minute {minute}");
            }
            if hours.len() <= MAX_TIMES {
                let times: Vec<_> = hours.iter().map(|hour| format!("{hour:02}:{minute:02}")).collect();
                return format!("{TIMES}{}", times.join(", "));
            }
        }
        let minute_words = match (&minutes[..], step(&minutes, 60)) {
            (all, _) if all.len() == 60 => "every minute".to_owned(),
            (_, Some(step)) => format!("every {step} minutes"),
            ([minute], None) if hours.len() == 24 => return format!("every hour at minute {minute}"),
            ([minute], None) => format!("at minute {minute}"),
            (some, None) => format!("at minutes {}", ranges(some, ToString::to_string)),
        };
        if hours.len() == 24 {
            return if minute_words.starts_with("every") {
                minute_words
            } else {
                format!("{minute_words} of every hour")
            };
        }
        let hours = ranges(&hours, |hour| format!("{hour:02}:00"));
        format!("{minute_words} in the hours from {hours}")
    }

    fn day_words(&self) -> String {
        let (of_month, of_week) = (values(self.days_of_month), values(self.days_of_week));
        let by_month = (of_month.len() < 31).then(|| {
            let noun = if of_month.len() == 1 { "day" } else { "days" };
            format!("on {noun} {} of the month", ranges(&of_month, ToString::to_string))
        });
        let name = |day: &u8| DAY_NAMES.get(usize::from(*day)).copied().unwrap_or_default().to_owned();
        let by_week = (of_week.len() < DAYS.len()).then(|| {
            let days = ranges(&of_week, name);
            if of_week.len() == 1 { format!("on {days}") } else { days }
        });
        match (by_month, by_week) {
            (None, None) => String::new(),
            (Some(days), None) | (None, Some(days)) => days,
            (Some(by_month), Some(by_week)) if self.needs_both_days => format!("{by_month} if that is {by_week}"),
            (Some(by_month), Some(by_week)) => format!("{by_month} and {by_week}"),
        }
    }
}

/// The values of a set, in their order.
fn values(set: u64) -> Vec<u8> {
    (0..64_u8).filter(|value| set & 1 << value != 0).collect()
}

/// The distance of values that go from 0 to the end in equal steps: `*/15`.
fn step(values: &[u8], end: u8) -> Option<u8> {
    let [0, step, ..] = values else { return None };
    let expected = (0..end).step_by(usize::from(*step));
    (end.is_multiple_of(*step) && *step > 1 && expected.eq(values.iter().copied())).then_some(*step)
}

/// `1, 5 to 7`.
fn ranges(values: &[u8], name: impl Fn(&u8) -> String) -> String {
    let mut parts: Vec<(u8, u8)> = Vec::new();
    for value in values {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *value => *last = *value,
            _ => parts.push((*value, *value)),
        }
    }
    let part = |(first, last): &(u8, u8)| match last - first {
        0 => name(first),
        1 => format!("{}, {}", name(first), name(last)),
        _ => format!("{} to {}", name(first), name(last)),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::{Timestamp, sync::CronExpression};

    #[test]
    fn an_expression_is_said_in_words() {
        for (text, words) in [
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("0 * * * *", "every hour at minute 0"),
            ("5,35 * * * *", "at minutes 5, 35 of every hour"),
            ("0 */6 * * *", "every 6 hours at minute 0"),
            ("30 6 * * *", "every day at 06:30"),
            ("0 6,18 * * *", "every day at 06:00, 18:00"),
            ("30 6 * * mon-fri", "at 06:30, Monday to Friday"),
            ("0 0 * * 7", "at 00:00, on Sunday"),
            ("0 0 1 * *", "at 00:00, on day 1 of the month"),
            ("0 0 1,15 jan *", "at 00:00, on days 1, 15 of the month, in January"),
            ("0 0 13 * 5", "at 00:00, on day 13 of the month and on Friday"),
            (
                "0 0 */2 * 5",
                "at 00:00, on days 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31 of the month if that is on Friday",
            ),
            ("*/10 9-17 * * *", "every 10 minutes in the hours from 09:00 to 17:00"),
        ] {
            assert_eq!(text.parse::<CronExpression>().expect(text).words(), words, "{text}");
        }
    }

    #[test]
    fn the_next_occurrences_follow_each_other() {
        let cron: CronExpression = "0 6 * * mon".parse().expect("good");
        let from: Timestamp = "2026-11-28T21:00:00Z".parse().expect("a time");
        let shown: Vec<_> = cron.upcoming(from, 3).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown.iter().map(|at| &at[..16]).collect::<Vec<_>>(),
            ["2026-11-30T06:00", "2026-12-07T06:00", "2026-12-14T06:00"]
        );
    }
}
