//! An account's health over the last days at a glance: its timeline, folded into a strip and a sentence.

use jiff::{
    civil::{Date, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{Timestamp, account::TimelineEvent};

/// How many slots the strip has.
pub const SLOTS: usize = 84;

/// How long a slot is.
pub const SLOT_MILLIS: i64 = 2 * HOUR;

const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How an account was. A later one is worse, and a slot shows the worst of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing is known: the account was not there, or not ready.
    NoData,
    /// Nothing was wrong.
    Working,
    /// A refresh had failed, and Relink tried again.
    Retrying,
    /// It needed somebody.
    NotWorking,
}

/// The strip and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The slots, oldest first; the last one ends now. Always [`SLOTS`] of them.
    pub slots: Vec<Condition>,
    /// The same for those who can't see it.
    pub sentence: String,
}

/// Folds a timeline, in the order in which it was written, into the health of the days up to `now`. Moments from before
/// those days say how they began: give at least the latest ones. `zone` decides what a day is called.
pub fn health<'a>(
    timeline: impl IntoIterator<Item = (Timestamp, &'a TimelineEvent)>,
    now: Timestamp,
    zone: &TimeZone,
) -> Health {
    let spans = spans(timeline, now);
    Health { slots: slots(&spans, now), sentence: sentence(&spans, now, zone) }
}

/// A stretch of time in one condition: from `begins` up to, not including, `ends`.
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

/// How an account is after a moment.
const fn after(timeline_event: &TimelineEvent, before: Condition) -> Condition {
    match timeline_event {
        TimelineEvent::Activated | TimelineEvent::Reactivated | TimelineEvent::Reauthorized { .. } => {
            Condition::Working
        }
        // A failure that a refresh mends is followed by `Reactivated`; a failed step is not mended by it. Only where the
        // beginning of the story is missing does it tell something.
        TimelineEvent::Refreshed { .. } => match before {
            Condition::NoData => Condition::Working,
            Condition::Working | Condition::Retrying | Condition::NotWorking => before,
        },
        TimelineEvent::RefreshFailed { next_try: Some(_), .. } => Condition::Retrying,
        TimelineEvent::RefreshFailed { next_try: None, .. }
        | TimelineEvent::StepFailed { .. }
        | TimelineEvent::Unauthorized { .. }
        | TimelineEvent::CredentialGone { .. } => Condition::NotWorking,
        TimelineEvent::Deleted { .. } => Condition::NoData,
        TimelineEvent::Connected { .. }
        | TimelineEvent::Deferred { .. }
        | TimelineEvent::Resumed
        | TimelineEvent::Checked
        | TimelineEvent::CheckInconclusive { .. }
        | TimelineEvent::Forbidden
        | TimelineEvent::KeptOld { .. }
        | TimelineEvent::FlowFailed { .. }
        | TimelineEvent::CallbackRefused { .. }
        | TimelineEvent::LinkCreated { .. }
        | TimelineEvent::Renamed { .. }
        | TimelineEvent::ContextChanged => before,
    }
}

/// The window's stretches, without a gap, each of another condition than the one before.
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
        // A clock that was set back or ahead meanwhile moves a moment, but never turns the order round.
        let at = at.clamp(since, now);
        let next = after(timeline_event, condition);
        if next != condition {
            close(condition, since, at);
            (condition, since) = (next, at);
        }
    }
    close(condition, since, now);
    spans
}

fn slots(spans: &[Span], now: Timestamp) -> Vec<Condition> {
    let mut slots = vec![Condition::NoData; SLOTS];
    let mut begins = window_begins(now);
    for slot in &mut slots {
        let ends = begins.plus_millis(SLOT_MILLIS);
        let within = spans.iter().filter(|span| span.begins < ends && span.ends > begins);
        *slot = within.map(|span| span.condition).max().unwrap_or(Condition::NoData);
        begins = ends;
    }
    slots
}

/// "Working for six days and 20 hours, retrying for four hours on Thursday, not working for the last 12 minutes".
fn sentence(spans: &[Span], now: Timestamp, zone: &TimeZone) -> String {
    let told = [Condition::Working, Condition::Retrying, Condition::NotWorking, Condition::NoData];
    let clauses: Vec<String> = told.into_iter().filter_map(|condition| clause(condition, spans, now, zone)).collect();
    let text = clauses.join(", ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn clause(condition: Condition, spans: &[Span], now: Timestamp, zone: &TimeZone) -> Option<String> {
    let of: Vec<Span> = spans.iter().copied().filter(|span| span.condition == condition).collect();
    let lasted_millis = of.iter().map(|span| span.millis()).sum();
    let lasted = duration(lasted_millis);
    let ongoing = of.last()?.ends == now;
    Some(match condition {
        Condition::NoData => format!("no data for {lasted}"),
        Condition::Working => format!("working for {lasted}"),
        Condition::Retrying | Condition::NotWorking => {
            let what = if condition == Condition::Retrying { "retrying" } else { "not working" };
            if ongoing && of.len() == 1 {
                if lasted_millis < MINUTE {
                    format!("{what} since just now")
                } else {
                    format!("{what} for the last {lasted}")
                }
            } else {
                let before = if ongoing { &of[..of.len() - 1] } else { &of[..] };
                let now_too = if ongoing { " and until now" } else { "" };
                format!("{what} for {lasted} {}{now_too}", days(before, now, zone))
            }
        }
    })
}

/// On which days these stretches were: "today", "on Thursday", "on Thursday and today", "on five days".
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
    // A week ago today has today's name, but is not today: every other day is called by its own.
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
    let parts: Vec<String> = [(millis / DAY, "day"), (millis % DAY / HOUR, "hour"), (millis % HOUR / MINUTE, "minute")]
        .into_iter()
        .skip_while(|(n, _)| *n == 0)
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| count(n, unit))
        .collect();
    if parts.is_empty() { "less than a minute".to_owned() } else { parts.join(" and ") }
}

/// Up to nine in words, as prose has it.
fn number(n: i64) -> String {
    const WORDS: [&str; 10] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    usize::try_from(n).ok().and_then(|n| WORDS.get(n)).map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::failure::{Cause, Failure};

    const UTC: TimeZone = TimeZone::UTC;

    /// A Tuesday noon.
    const NOW: Timestamp = Timestamp::from_millis(1_700_568_000_000);

    fn refused() -> TimelineEvent {
        TimelineEvent::Unauthorized { failure: Failure::new(Cause::Rejected) }
    }

    fn failed() -> TimelineEvent {
        TimelineEvent::RefreshFailed { failure: Failure::new(Cause::ServerError), next_try: Some(NOW) }
    }

    fn refreshed() -> TimelineEvent {
        TimelineEvent::Refreshed { expires_at: None, rotated: false }
    }

    fn story(timeline: &[(i64, TimelineEvent)]) -> Health {
        health(timeline.iter().map(|(before, timeline_event)| (NOW.plus_millis(-before), timeline_event)), NOW, &UTC)
    }

    /// "n6 ok35 …": how many slots of each, in a row.
    fn strip(health: &Health) -> String {
        let runs = health.slots.chunk_by(|a, b| a == b);
        let letter = |condition| match condition {
            Condition::NoData => 'n',
            Condition::Working => 'o',
            Condition::Retrying => 'w',
            Condition::NotWorking => 'b',
        };
        runs.map(|run| format!("{}{}", letter(run[0]), run.len())).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_told_and_shown() {
        let connected = |before| (before, TimelineEvent::Connected { identity: None });
        for (what, timeline, slots, sentence) in [
            ("an account without a story", vec![], "n84", "No data for seven days"),
            ("a quiet week", vec![(8 * DAY, TimelineEvent::Activated)], "o84", "Working for seven days"),
            (
                "made half a day after the beginning, two hours of trouble on Saturday, revoked 12 minutes ago",
                vec![
                    connected(7 * DAY - 12 * HOUR),
                    (7 * DAY - 12 * HOUR, TimelineEvent::Activated),
                    (3 * DAY, failed()),
                    (3 * DAY - 2 * HOUR, TimelineEvent::Reactivated),
                    (12 * MINUTE, refused()),
                ],
                "n6 o42 w1 o34 b1",
                "Working for six days and nine hours, retrying for two hours on Saturday, \
                 not working for the last 12 minutes, no data for 12 hours",
            ),
            (
                "trouble on several days and today",
                vec![
                    (8 * DAY, refreshed()),
                    (6 * DAY, failed()),
                    (6 * DAY - HOUR, TimelineEvent::Reactivated),
                    (5 * DAY, failed()),
                    (5 * DAY - HOUR, TimelineEvent::Reactivated),
                    (2 * HOUR, failed()),
                ],
                "o12 w1 o11 w1 o58 w1",
                "Working for six days and 20 hours, retrying for four hours on Wednesday and Thursday and until now",
            ),
            (
                "over before now, today",
                vec![(8 * DAY, TimelineEvent::Activated), (3 * HOUR, refused()), (HOUR, TimelineEvent::Reactivated)],
                "o82 b2",
                "Working for six days and 22 hours, not working for two hours today",
            ),
            (
                "broken since before the window",
                vec![(20 * DAY, TimelineEvent::Activated), (10 * DAY, refused())],
                "b84",
                "Not working for the last seven days",
            ),
            (
                "just now",
                vec![(HOUR, TimelineEvent::Activated), (1, refused())],
                "n83 b1",
                "Working for 59 minutes, not working since just now, no data for six days and 23 hours",
            ),
        ] {
            let health = story(&timeline);
            assert_eq!((strip(&health).as_str(), health.sentence.as_str()), (slots, sentence), "{what}");
        }
    }

    #[test]
    fn being_put_off_offline_checked_or_forbidden_changes_nothing() {
        let harmless = [
            TimelineEvent::Deferred { why: crate::account::DeferReason::Offline },
            TimelineEvent::Checked,
            TimelineEvent::Forbidden,
            TimelineEvent::CheckInconclusive { failure: Failure::new(Cause::Dns) },
            TimelineEvent::FlowFailed { code: "access_denied".into(), message: "No".into() },
        ];
        for timeline_event in harmless {
            assert_eq!(
                strip(&story(&[(8 * DAY, TimelineEvent::Activated), (DAY, timeline_event.clone())])),
                "o84",
                "{timeline_event:?}"
            );
            assert_eq!(
                strip(&story(&[(8 * DAY, refused()), (DAY, timeline_event.clone())])),
                "b84",
                "{timeline_event:?}"
            );
        }
    }

    #[test]
    fn a_refresh_does_not_mend_a_failed_step() {
        let step = crate::account::ConnectStep::Validation;
        let failed = TimelineEvent::StepFailed { step, failure: Failure::new(Cause::Rejected) };
        assert_eq!(strip(&story(&[(8 * DAY, failed), (DAY, refreshed())])), "b84");
    }

    #[test]
    fn a_day_is_called_as_the_person_s_zone_has_it() {
        let timeline =
            [(8 * DAY, TimelineEvent::Activated), (13 * HOUR, refused()), (12 * HOUR + 1, TimelineEvent::Reactivated)];
        let told = |hours| {
            let zone = TimeZone::fixed(jiff::tz::offset(hours));
            let timeline = timeline.iter().map(|(before, timeline_event)| (NOW.plus_millis(-before), timeline_event));
            health(timeline, NOW, &zone).sentence
        };
        assert!(told(0).ends_with("on Monday"), "{}", told(0));
        assert!(told(2).ends_with("today"), "{}", told(2));
    }

    proptest! {
        /// Whatever the timeline, even with a clock that jumped: the slots are as many as they are, the stretches cover
        /// the window without a gap, and the last slot shows at least what is so now.
        #[test]
        fn no_timeline_breaks_the_strip(
            timeline in prop::collection::vec((-DAY..9 * DAY, 0_usize..6), 0..40),
        ) {
            let kinds = [TimelineEvent::Activated, refused(), failed(), refreshed(), TimelineEvent::Reactivated, TimelineEvent::Checked];
            let timeline: Vec<_> =
                timeline.iter().map(|(before, kind)| (NOW.plus_millis(-before), &kinds[*kind])).collect();
            let spans = spans(timeline.iter().copied(), NOW);
            prop_assert_eq!(spans.first().map(|span| span.begins), Some(window_begins(NOW)));
            prop_assert_eq!(spans.last().map(|span| span.ends), Some(NOW));
            for pair in spans.windows(2) {
                prop_assert_eq!(pair[0].ends, pair[1].begins);
                prop_assert!(pair[0].condition != pair[1].condition);
            }
            let health = health(timeline, NOW, &UTC);
            prop_assert_eq!(health.slots.len(), SLOTS);
            prop_assert!(health.slots.last() >= spans.last().map(|span| &span.condition));
            prop_assert!(!health.sentence.is_empty());
        }
    }
}
