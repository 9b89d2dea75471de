//! An account's health over the last days at a glance: its timeline, condensed to a strip and a sentence.

use jiff::{
    civil::{Date, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{Timestamp, account::TimelineEvent};

pub const SLOTS: usize = 84;

pub const SLOT_MILLIS: i64 = 2 * HOUR_MILLIS;

const MINUTE_MILLIS: i64 = 60 * 1000;
const HOUR_MILLIS: i64 = 60 * MINUTE_MILLIS;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// How an account was, from the best to the worst. A slot shows the worst condition of its time, except the last one, which
/// shows the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(ts_rs::TS))]
pub enum Condition {
    /// The account didn't exist or wasn't ready.
    NoData,
    Working,
    /// A refresh had failed, and Relink was retrying.
    Retrying,
    /// It needed its person.
    NotWorking,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The strip: [`SLOTS`] conditions, the oldest first. The last one is the present one.
    pub slots: Vec<Condition>,
    /// The strip in words.
    pub sentence: String,
}

/// Condenses a timeline, in the order in which it was written, to the health of the days up to `now`. The latest entries
/// from before those days say how the strip begins, so they belong into `timeline`. `zone` decides which day a time is on.
pub fn health<'a>(
    timeline: impl IntoIterator<Item = (Timestamp, &'a TimelineEvent)>,
    now: Timestamp,
    zone: &TimeZone,
) -> Health {
    let spans = spans(timeline, now);
    Health { slots: slots(&spans, now), sentence: sentence(&spans, now, zone) }
}

/// A period in one condition, from `begins` to `ends` (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    condition: Condition,
    begins: Timestamp,
    ends: Timestamp,
}

impl Span {
    const fn millis(self) -> i64 {
        self.ends.millis_since(self.begins)
    }
}

fn window_begins(now: Timestamp) -> Timestamp {
    now.plus_millis(-SLOT_MILLIS.saturating_mul(i64::try_from(SLOTS).unwrap_or(i64::MAX)))
}

/// The condition after an entry of the timeline.
pub(crate) const fn condition_after(timeline_event: &TimelineEvent, before: Condition) -> Condition {
    match timeline_event {
        TimelineEvent::Activated
        | TimelineEvent::Reactivated
        | TimelineEvent::Reauthorized { .. }
        | TimelineEvent::IntegrationUsable => Condition::Working,
        // `Reactivated` follows where a refresh ends a trouble, and a failed step stays failed. A refresh says something only
        // where the beginning of the timeline is missing.
        TimelineEvent::Refreshed { .. } => match before {
            Condition::NoData => Condition::Working,
            Condition::Working | Condition::Retrying | Condition::NotWorking => before,
        },
        TimelineEvent::RefreshFailed { next_try: Some(_), .. }
        | TimelineEvent::OriginRestored { next_try: Some(_) } => Condition::Retrying,
        TimelineEvent::RefreshFailed { next_try: None, .. }
        | TimelineEvent::StepsBegun
        | TimelineEvent::StepFailed { .. }
        | TimelineEvent::Unauthorized { .. }
        | TimelineEvent::IntegrationUnusable { .. }
        | TimelineEvent::OriginChanged { .. }
        | TimelineEvent::CredentialGone { .. } => Condition::NotWorking,
        TimelineEvent::Deleted { .. } | TimelineEvent::RevokedLater { .. } => Condition::NoData,
        TimelineEvent::Connected { .. }
        | TimelineEvent::Deferred { .. }
        | TimelineEvent::Resumed
        | TimelineEvent::Checked
        | TimelineEvent::CheckInconclusive { .. }
        | TimelineEvent::AnsweredAsAnother { .. }
        | TimelineEvent::Forbidden { .. }
        | TimelineEvent::KeptOld { .. }
        | TimelineEvent::FlowFailed { .. }
        | TimelineEvent::CallbackRefused { .. }
        | TimelineEvent::BuiltInHidden { .. }
        | TimelineEvent::OriginFollowed { .. }
        | TimelineEvent::OriginRestored { next_try: None }
        | TimelineEvent::LinkCreated { .. }
        | TimelineEvent::Renamed { .. }
        | TimelineEvent::ContextChanged
        | TimelineEvent::FormSubmitted
        | TimelineEvent::SettingsChanged { .. }
        | TimelineEvent::SandboxMarked { .. } => before,
    }
}

/// The periods of the strip, without gaps. Neighbors differ in their condition.
fn spans<'a>(timeline: impl IntoIterator<Item = (Timestamp, &'a TimelineEvent)>, now: Timestamp) -> Vec<Span> {
    let mut spans: Vec<Span> = vec![];
    let mut close = |condition, begins, ends| {
        if begins < ends {
            match spans.last_mut() {
                Some(last) if last.condition == condition => last.ends = ends,
                Some(_) | None => spans.push(Span { condition, begins, ends }),
            }
        }
    };
    let (mut condition, mut since) = (Condition::NoData, window_begins(now));
    for (at, timeline_event) in timeline {
        // A clock that was changed meanwhile may move an entry, but not past another one. An entry is at least a millisecond
        // old, so that the last period is in the present condition.
        let at = at.clamp(since, now.plus_millis(-1));
        let next = condition_after(timeline_event, condition);
        if next != condition {
            close(condition, since, at);
            (condition, since) = (next, at);
        }
    }
    close(condition, since, now);
    spans
}

/// The last slot has the present condition. If that is younger than a slot, the one before also covers the time between, so
/// that no outage is left out.
fn slots(spans: &[Span], now: Timestamp) -> Vec<Condition> {
    let mut slots = vec![Condition::NoData; SLOTS];
    let mut begins = window_begins(now);
    let last_begins = spans.last().map_or(now, |last| last.begins).max(now.plus_millis(-SLOT_MILLIS));
    for (at, slot) in slots.iter_mut().enumerate() {
        let ends = match SLOTS - at {
            1 => now,
            2 => last_begins,
            _ => begins.plus_millis(SLOT_MILLIS),
        };
        let within = spans.iter().filter(|span| span.begins < ends && span.ends > begins);
        *slot = within.map(|span| span.condition).max().unwrap_or(Condition::NoData);
        begins = ends;
    }
    slots
}

/// "Working for six days and 20 hours, retrying for four hours on Thursday, not working for the last 12 minutes".
fn sentence(spans: &[Span], now: Timestamp, zone: &TimeZone) -> String {
    let order = [Condition::Working, Condition::Retrying, Condition::NotWorking, Condition::NoData];
    let clauses: Vec<String> = order.into_iter().filter_map(|condition| clause(condition, spans, now, zone)).collect();
    let text = clauses.join(", ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn clause(condition: Condition, spans: &[Span], now: Timestamp, zone: &TimeZone) -> Option<String> {
    let periods: Vec<Span> = spans.iter().copied().filter(|span| span.condition == condition).collect();
    let lasted_millis = periods.iter().map(|span| span.millis()).sum();
    let lasted = duration(lasted_millis);
    let ongoing = periods.last()?.ends == now;
    Some(match condition {
        Condition::NoData => format!("no data for {lasted}"),
        Condition::Working => format!("working for {lasted}"),
        Condition::Retrying | Condition::NotWorking => {
            let what = if condition == Condition::Retrying { "retrying" } else { "not working" };
            if ongoing && periods.len() == 1 {
                if lasted_millis < MINUTE_MILLIS {
                    format!("{what} for less than a minute")
                } else {
                    // "the last minute", not "the last one minute".
                    let single_unit = lasted.strip_prefix("one ").filter(|unit| !unit.contains(' '));
                    format!("{what} for the last {}", single_unit.unwrap_or(&lasted))
                }
            } else {
                let before = if ongoing { &periods[..periods.len() - 1] } else { &periods[..] };
                let now_too = if ongoing { " and until now" } else { "" };
                format!("{what} for {lasted} {}{now_too}", days(before, now, zone))
            }
        }
    })
}

/// The days of these periods: "today", "on Thursday", "on Thursday and today", "on five days".
fn days(spans: &[Span], now: Timestamp, zone: &TimeZone) -> String {
    let today = date(now, zone);
    let mut dates: Vec<Date> = vec![];
    for span in spans {
        let (mut day, last) = (date(span.begins, zone), date(span.ends.plus_millis(-1), zone));
        while day <= last && dates.len() <= SLOTS {
            dates.push(day);
            day = day.saturating_add(jiff::Span::new().days(1));
        }
    }
    dates.dedup();
    let on = if dates.first() == Some(&today) { "" } else { "on " };
    // The day a week ago has the same name as today, but only today is called "today".
    let names: Vec<&str> =
        dates.iter().map(|day| if *day == today { "today" } else { weekday(day.weekday()) }).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("{on}{one}"),
        [rest @ .., last] if names.len() <= 3 => format!("{on}{} and {last}", rest.join(", ")),
        several => format!("on {} days", number(several.len().try_into().unwrap_or(i64::MAX))),
    }
}

fn date(at: Timestamp, zone: &TimeZone) -> Date {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    zone.to_datetime(at).date()
}

const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// The two largest units: "six days and 23 hours", "12 minutes".
fn duration(millis: i64) -> String {
    let count = |n: i64, unit: &str| format!("{} {unit}{}", number(n), if n == 1 { "" } else { "s" });
    let parts: Vec<String> = [
        (millis / DAY_MILLIS, "day"),
        (millis % DAY_MILLIS / HOUR_MILLIS, "hour"),
        (millis % HOUR_MILLIS / MINUTE_MILLIS, "minute"),
    ]
    .into_iter()
    .skip_while(|(n, _)| *n == 0)
    .take(2)
    .filter(|(n, _)| *n > 0)
    .map(|(n, unit)| count(n, unit))
    .collect();
    if parts.is_empty() { "less than a minute".to_owned() } else { parts.join(" and ") }
}

/// Numbers up to nine are written out.
fn number(n: i64) -> String {
    const WORDS: [&str; 10] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    usize::try_from(n).ok().and_then(|n| WORDS.get(n)).map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
