use proptest::prelude::*;

use super::cron::{CronError, CronExpression, Firing};
use crate::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn cron(text: &str) -> CronExpression {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_next_occurrence_is_the_first_minute_that_fits() {
    // 28 November 2026 is a Saturday.
    for (expression, after, next) in [
        ("* * * * *", "2026-11-28T14:00:00.001Z", "2026-11-28T14:01:00Z"),
        ("* * * * *", "2026-11-28T14:00:00Z", "2026-11-28T14:01:00Z"),
        ("* * * * *", "2026-11-28T13:59:59.999Z", "2026-11-28T14:00:00Z"),
        ("*/15 * * * *", "2026-11-28T14:50:00Z", "2026-11-28T15:00:00Z"),
        ("5/20 * * * *", "2026-11-28T14:06:00Z", "2026-11-28T14:25:00Z"),
        ("0 */6 * * *", "2026-11-28T18:00:00Z", "2026-11-29T00:00:00Z"),
        ("30 9-17/4 * * *", "2026-11-28T13:30:00Z", "2026-11-28T17:30:00Z"),
        ("0 9 * * mon-fri", "2026-11-28T00:00:00Z", "2026-11-30T09:00:00Z"),
        ("0 9 * * MON", "2026-11-30T09:00:00Z", "2026-12-07T09:00:00Z"),
        ("0 0 * * 0", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"),
        ("0 0 * * 7", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"),
        ("0 0 * * 5-7", "2026-11-29T00:00:00Z", "2026-12-04T00:00:00Z"),
        ("0 0 1 jan,jul *", "2026-11-28T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 31 * *", "2026-11-28T00:00:00Z", "2026-12-31T00:00:00Z"),
        ("0 0 29 2 *", "2026-11-28T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 feb *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"),
        // Both fields for days: either fits, unless one begins with *.
        ("0 0 13 * fri", "2026-11-28T00:00:00Z", "2026-12-04T00:00:00Z"),
        ("0 0 30 * fri", "2026-11-28T00:00:00Z", "2026-11-30T00:00:00Z"),
        ("0 0 */2 * fri", "2026-11-28T00:00:00Z", "2026-12-11T00:00:00Z"),
    ] {
        assert_eq!(cron(expression).next_after(at(after)), Some(at(next)), "{expression} after {after}");
    }
    assert_eq!(cron("* * * * *").next_after(Timestamp::from_millis(i64::MAX)), None);
}

#[test]
fn an_expression_that_cannot_be_read_says_what_to_use() {
    for (expression, error) in [
        ("", CronError::Fields(0)),
        ("* * * *", CronError::Fields(4)),
        ("0 0 0 * * *", CronError::Fields(6)),
        ("@hourly", CronError::Fields(1)),
        ("0 0 30 2 *", CronError::Never("0 0 30 2 *".to_owned())),
        ("0 0 31 4,6,9,11 *", CronError::Never("0 0 31 4,6,9,11 *".to_owned())),
    ] {
        assert_eq!(expression.parse::<CronExpression>(), Err(error), "{expression}");
    }
    for (expression, field) in [
        ("60 * * * *", "minute"),
        ("+5 * * * *", "minute"),
        ("1, * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("*/x * * * *", "minute"),
        ("300 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* 5-3 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * janu *", "month"),
        ("* * * * 8", "day of the week"),
        ("* * * * sun-sat-", "day of the week"),
    ] {
        match expression.parse::<CronExpression>() {
            Err(CronError::Field { field: named, .. }) => assert_eq!(named, field, "{expression}"),
            other => panic!("{expression}: {other:?}"),
        }
    }
    let message = "* 24 * * *".parse::<CronExpression>().expect_err("no hour").to_string();
    assert_eq!(
        message,
        "cron_expression has \"24\" for the hour. Use 0 to 23, a list, a range such as 9-17, or a step such as */2."
    );
    assert_eq!(cron(" 0  0 1 1 * ").to_string(), "0 0 1 1 *");
}

#[test]
fn occurrences_that_were_missed_start_one_run() {
    let hourly = cron("0 * * * *");
    let planned = at("2026-11-28T01:00:00Z");
    assert_eq!(hourly.due(planned, at("2026-11-28T00:59:59.999Z")), None);
    let firing = |next: &str| Some(Firing { at: planned, next: at(next) });
    assert_eq!(hourly.due(planned, planned), firing("2026-11-28T02:00:00Z"));
    // Asleep from before 1:00 until 7:30: six occurrences, one run, and then the next hour.
    assert_eq!(hourly.due(planned, at("2026-11-28T06:30:00Z")), firing("2026-11-28T07:00:00Z"));
}

/// A field of an expression, with the values that it names.
fn field(least: u8, most: u8) -> impl Strategy<Value = (String, Vec<u8>)> {
    let all = move |step: u8| (least..=most).step_by(step.into()).collect::<Vec<_>>();
    let pair = (least..=most, least..=most).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![
        Just(("*".to_owned(), all(1))),
        (1..=most).prop_map(move |step| (format!("*/{step}"), all(step))),
        (least..=most).prop_map(|value| (value.to_string(), vec![value])),
        pair.clone().prop_map(|(from, to)| (format!("{from}-{to}"), (from..=to).collect())),
        (pair, 1..=most).prop_map(|((from, to), step)| {
            (format!("{from}-{to}/{step}"), (from..=to).step_by(step.into()).collect())
        }),
        prop::collection::btree_set(least..=most, 1..4).prop_map(|values| {
            let text: Vec<String> = values.iter().map(u8::to_string).collect();
            (text.join(","), values.into_iter().collect())
        }),
    ]
}

proptest! {
    /// Every minute of a year, leap days among them: an occurrence is every minute that fits, and no other.
    #[test]
    fn over_a_year_it_fires_in_every_minute_that_fits(
        (minute, minutes) in field(0, 59),
        (hour, hours) in field(0, 23),
        (day, days) in field(1, 31),
        (month, months) in field(1, 12),
        (weekday, weekdays) in field(0, 7),
        year in prop_oneof![Just(2027_i16), Just(2028), Just(2100)],
    ) {
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let Ok(cron) = text.parse::<CronExpression>() else {
            // A day such as 31 April.
            prop_assume!(false);
            return Ok(());
        };
        let begin = jiff::civil::date(year, 1, 1);
        let end = jiff::civil::date(year + 1, 1, 1);
        let midnight = |day: jiff::civil::Date| {
            Timestamp::from(jiff::tz::Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).expect("in the calendar"))
        };
        let mut expected = Vec::new();
        let mut at = begin;
        while at < end {
            let of = |value: i8| u8::try_from(value).expect("positive");
            let (in_month, in_week) = (
                days.contains(&of(at.day())),
                weekdays.iter().any(|day| day % 7 == of(at.weekday().to_sunday_zero_offset())),
            );
            let is_day =
                if day.starts_with('*') || weekday.starts_with('*') { in_month && in_week } else { in_month || in_week };
            if is_day && months.contains(&of(at.month())) {
                for hour in &hours {
                    for minute in &minutes {
                        expected.push(midnight(at).plus_secs((i64::from(*hour) * 60 + i64::from(*minute)) * 60));
                    }
                }
            }
            at = at.tomorrow().expect("in the calendar");
        }
        let mut found = Vec::new();
        let mut next = cron.next_after(midnight(begin).plus_millis(-1));
        // Of the frequent ones, some days are enough.
        while let Some(time) = next.filter(|time| *time < midnight(end) && found.len() < 5000) {
            found.push(time);
            next = cron.next_after(time);
        }
        expected.truncate(5000);
        prop_assert_eq!(found, expected, "{}", text);
    }
}
