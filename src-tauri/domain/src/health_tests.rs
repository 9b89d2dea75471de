use proptest::prelude::*;

use super::*;
use crate::failure::{Cause, Failure};

const UTC: TimeZone = TimeZone::UTC;
const MINUTE: i64 = MINUTE_MILLIS;
const HOUR: i64 = HOUR_MILLIS;
const DAY: i64 = DAY_MILLIS;

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

fn health_of(timeline: &[(i64, TimelineEvent)]) -> Health {
    health(timeline.iter().map(|(before, timeline_event)| (NOW.plus_millis(-before), timeline_event)), NOW, &UTC)
}

/// The strip in short: "n6 o35" is six slots without data and 35 working ones.
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
fn the_strip_and_the_sentence_show_the_same() {
    let connected = |before| (before, TimelineEvent::Connected { identity: None });
    for (name, timeline, slots, sentence) in [
        ("an empty timeline", vec![], "n84", "No data for seven days"),
        ("a quiet week", vec![(8 * DAY, TimelineEvent::Activated)], "o84", "Working for seven days"),
        (
            "created half a day after the beginning, two hours of retrying on Saturday, revoked 12 minutes ago",
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
            "failures on several days and today",
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
            "an outage that ended today",
            vec![(8 * DAY, TimelineEvent::Activated), (3 * HOUR, refused()), (HOUR, TimelineEvent::Reactivated)],
            "o82 b1 o1",
            "Working for six days and 22 hours, not working for two hours today",
        ),
        (
            "not working since before the strip",
            vec![(20 * DAY, TimelineEvent::Activated), (10 * DAY, refused())],
            "b84",
            "Not working for the last seven days",
        ),
        (
            "revoked a moment ago",
            vec![(HOUR, TimelineEvent::Activated), (1, refused())],
            "n82 o1 b1",
            "Working for 59 minutes, not working for less than a minute, no data for six days and 23 hours",
        ),
        (
            "revoked a minute ago",
            vec![(HOUR, TimelineEvent::Activated), (MINUTE, refused())],
            "n82 o1 b1",
            "Working for 59 minutes, not working for the last minute, no data for six days and 23 hours",
        ),
    ] {
        let health = health_of(&timeline);
        assert_eq!((strip(&health).as_str(), health.sentence.as_str()), (slots, sentence), "{name}");
    }
}

#[test]
fn entries_that_say_nothing_about_the_condition_change_nothing() {
    let neutral = [
        TimelineEvent::Deferred { why: crate::account::DeferReason::Offline },
        TimelineEvent::Checked,
        TimelineEvent::Forbidden { failure: None },
        TimelineEvent::CheckInconclusive { failure: Failure::new(Cause::Dns) },
        TimelineEvent::FlowFailed {
            code: "access_denied".into(),
            message: "No".into(),
            provider_code: None,
            provider_message: None,
        },
    ];
    for timeline_event in neutral {
        assert_eq!(
            strip(&health_of(&[(8 * DAY, TimelineEvent::Activated), (DAY, timeline_event.clone())])),
            "o84",
            "{timeline_event:?}"
        );
        assert_eq!(
            strip(&health_of(&[(8 * DAY, refused()), (DAY, timeline_event.clone())])),
            "b84",
            "{timeline_event:?}"
        );
    }
}

#[test]
fn a_refresh_does_not_end_a_failed_step() {
    let step = crate::account::ConnectStep::Validation;
    let failed = TimelineEvent::StepFailed { step, failure: Failure::new(Cause::Rejected) };
    assert_eq!(strip(&health_of(&[(8 * DAY, failed), (DAY, refreshed())])), "b84");
}

#[test]
fn days_are_named_in_the_persons_time_zone() {
    let timeline =
        [(8 * DAY, TimelineEvent::Activated), (13 * HOUR, refused()), (12 * HOUR + 1, TimelineEvent::Reactivated)];
    let sentence = |hours| {
        let zone = TimeZone::fixed(jiff::tz::offset(hours));
        let timeline = timeline.iter().map(|(before, timeline_event)| (NOW.plus_millis(-before), timeline_event));
        health(timeline, NOW, &zone).sentence
    };
    assert!(sentence(0).ends_with("on Monday"), "{}", sentence(0));
    assert!(sentence(2).ends_with("today"), "{}", sentence(2));
}

#[test]
fn a_slot_shows_the_worst_condition_of_its_time() {
    let timeline = [
        (8 * DAY, TimelineEvent::Activated),
        (90 * MINUTE, failed()),
        (60 * MINUTE, refused()),
        (30 * MINUTE, TimelineEvent::Reactivated),
    ];
    assert_eq!(strip(&health_of(&timeline)), "o82 b1 o1", "the last slot shows the present");
    let timeline = [(8 * DAY, TimelineEvent::Activated), (4 * HOUR, failed()), (2 * HOUR, TimelineEvent::Reactivated)];
    assert_eq!(strip(&health_of(&timeline)), "o82 w1 o1", "a period that ends with a slot doesn't reach into the next");
}

#[test]
fn now_is_as_the_account_is_now() {
    let reauthorized = || TimelineEvent::Reauthorized { identity: None, instead_of: None };
    for (name, timeline, slots) in [
        ("recovered a minute ago", vec![(30 * MINUTE, refused()), (MINUTE, TimelineEvent::Reactivated)], "o82 b1 o1"),
        ("reauthorized a moment ago", vec![(12 * MINUTE, refused()), (1, reauthorized())], "o82 b1 o1"),
        ("reauthorized this millisecond", vec![(12 * MINUTE, refused()), (0, reauthorized())], "o82 b1 o1"),
        (
            "the clock was set back after the recovery",
            vec![(12 * MINUTE, refused()), (-HOUR, reauthorized())],
            "o82 b1 o1",
        ),
        ("refused and recovered this millisecond", vec![(0, refused()), (0, reauthorized())], "o84"),
        ("a short outage that is long over", vec![(3 * HOUR, failed()), (2 * HOUR + 1, reauthorized())], "o82 w1 o1"),
        (
            "two short outages in the last slot",
            vec![
                (90 * MINUTE, failed()),
                (80 * MINUTE, reauthorized()),
                (40 * MINUTE, refused()),
                (30 * MINUTE, reauthorized()),
            ],
            "o82 b1 o1",
        ),
        (
            "broken again a minute after a recovery",
            vec![(30 * MINUTE, failed()), (2 * MINUTE, reauthorized()), (MINUTE, refused())],
            "o82 w1 b1",
        ),
        ("it is retried now", vec![(3 * HOUR, refused()), (MINUTE, failed())], "o82 b1 w1"),
    ] {
        let timeline: Vec<_> = [(8 * DAY, TimelineEvent::Activated)].into_iter().chain(timeline).collect();
        assert_eq!(strip(&health_of(&timeline)), slots, "{name}");
    }
}

#[test]
fn a_deleted_account_has_no_data() {
    let deleted = TimelineEvent::Deleted {
        name: "Acme".into(),
        revoked: None,
        is_pending: false,
        with_integration: false,
        provider: None,
    };
    assert_eq!(strip(&health_of(&[(8 * DAY, TimelineEvent::Activated), (2 * HOUR, deleted)])), "o83 n1");
}

#[test]
fn failures_on_many_days_are_counted() {
    let outage = |days: i64| [(days * DAY, failed()), (days * DAY - HOUR, TimelineEvent::Reactivated)];
    let sentence = |days: &[i64]| {
        let mut timeline = vec![(8 * DAY, TimelineEvent::Activated)];
        timeline.extend(days.iter().flat_map(|days| outage(*days)));
        health_of(&timeline).sentence
    };
    assert!(sentence(&[3, 2, 1]).ends_with("on Saturday, Sunday and Monday"), "{}", sentence(&[3, 2, 1]));
    assert!(sentence(&[4, 3, 2, 1]).ends_with("on four days"), "{}", sentence(&[4, 3, 2, 1]));
    assert!(sentence(&[6, 5, 4, 3, 2, 1]).ends_with("on six days"));
}

#[test]
fn an_outage_over_midnight_is_on_both_days() {
    let timeline =
        [(8 * DAY, TimelineEvent::Activated), (13 * HOUR, refused()), (11 * HOUR, TimelineEvent::Reactivated)];
    let sentence = health_of(&timeline).sentence;
    assert!(sentence.ends_with("not working for two hours on Monday and today"), "{sentence}");
    let until_midnight =
        [(8 * DAY, TimelineEvent::Activated), (13 * HOUR, refused()), (12 * HOUR, TimelineEvent::Reactivated)];
    let sentence = health_of(&until_midnight).sentence;
    assert!(sentence.ends_with("not working for one hour on Monday"), "{sentence}");
}

#[test]
fn an_outage_of_a_week_ago_is_not_called_today() {
    let timeline = [(8 * DAY, refused()), (7 * DAY - HOUR, TimelineEvent::Reactivated)];
    let sentence = health_of(&timeline).sentence;
    assert!(sentence.contains("not working for one hour on Tuesday"), "{sentence}");
}

#[test]
fn every_weekday_has_its_name() {
    let names = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    assert_eq!(names.map(weekday), ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]);
}

#[test]
fn a_duration_has_its_two_largest_units() {
    for (millis, text) in [
        (MINUTE - 1, "less than a minute"),
        (MINUTE, "one minute"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "one hour"),
        (HOUR + MINUTE, "one hour and one minute"),
        (DAY + MINUTE, "one day"),
        (2 * DAY + 10 * HOUR + 5 * MINUTE, "two days and 10 hours"),
    ] {
        assert_eq!(duration(millis), text);
    }
}

proptest! {
    /// Even with a clock that jumped, the periods cover the strip without gaps, and the last slot shows the present
    /// condition or a worse one.
    #[test]
    fn the_strip_is_whole_for_any_timeline(
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
        let health = health(timeline.iter().copied(), NOW, &UTC);
        prop_assert_eq!(health.slots.len(), SLOTS);
        prop_assert_eq!(health.slots.last(), spans.last().map(|span| &span.condition));
        let present = timeline.iter().fold(Condition::NoData, |before, (_, entry)| condition_after(entry, before));
        prop_assert_eq!(health.slots.last(), Some(&present));
        for condition in [Condition::Retrying, Condition::NotWorking] {
            prop_assert!(!spans.iter().any(|span| span.condition == condition) || health.slots.iter().any(|slot| *slot >= condition));
        }
        prop_assert!(!health.sentence.is_empty());
    }
}
