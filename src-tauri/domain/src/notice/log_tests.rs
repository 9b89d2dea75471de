//! What Activity lists: one entry for each episode, resolved when the episode is over.

use super::{
    NoticeLog,
    harness::{Event::*, *},
};
use crate::failure::Cause::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// The entries in short, oldest first: "A" is unresolved, "AB:1" is resolved for one of the two.
fn logged(given: &[Event]) -> Vec<String> {
    let mut harness = Harness::new();
    for event in given {
        harness.handle(*event);
    }
    harness.logged()
}

#[test]
fn an_entry_is_resolved_exactly_when_its_episode_is_over() {
    for (name, given, entries) in [
        ("still broken", &[Fail("A", InvalidGrant)][..], &["A"][..]),
        ("recovered", &[Fail("A", InvalidGrant), Recover("A")], &["A:1"]),
        ("dismissed", &[Fail("A", InvalidGrant), Dismiss, Wait(HOUR)], &["A"]),
        ("snoozed", &[Fail("A", InvalidGrant), RemindLater(HOUR)], &["A"]),
        ("paused", &[Fail("A", InvalidGrant), Pause], &["A"]),
        ("offline", &[Fail("A", InvalidGrant), Offline], &["A"]),
        (
            "replaced, because another account joined",
            &[Fail("A", InvalidGrant), Wait(5), Fail("B", Rejected)],
            &["A", "AB"],
        ),
        (
            "one of the two recovered",
            &[Fail("A", InvalidGrant), Wait(5), Fail("B", Rejected), Recover("A")],
            &["A:1", "AB:1"],
        ),
        ("failed again", &[Fail("A", InvalidGrant), FailAgain("A", InvalidGrant), Wait(5)], &["A:1", "A"]),
        ("another cause in the same episode", &[Fail("A", InvalidGrant), Wait(HOUR), Fail("A", Rejected)], &["A"]),
    ] {
        assert_eq!(logged(given), entries, "{name}");
    }
}

#[test]
fn an_episode_that_is_shown_again_adds_no_entry() {
    for (name, given, entries) in [
        ("a restart", &[Fail("A", InvalidGrant), Restart][..], &["A"][..]),
        ("three restarts", &[Fail("A", InvalidGrant), Restart, Wait(MINUTE), Restart, Wait(HOUR), Restart], &["A"]),
        ("a restart while the network is down", &[Fail("A", InvalidGrant), Offline, Restart, Online], &["A"]),
        ("a restart with a shared notification", &[Fail("ABC", InvalidGrant), Restart], &["ABC"]),
        (
            "a restart after one of several has recovered",
            &[Fail("A", InvalidGrant), Wait(5), Fail("B", Rejected), Recover("A"), Restart],
            &["A:1", "AB:1"],
        ),
        ("a pause", &[Fail("A", InvalidGrant), Pause, Wait(HOUR), Resume], &["A"]),
        ("a reminder", &[Fail("A", InvalidGrant), RemindLater(HOUR), Wait(2 * HOUR)], &["A"]),
        ("an unlock", &[Fail("A", InvalidGrant), RemindLater(HOUR), Unlock], &["A"]),
        ("a transient trouble after a restart", &[Fail("A", Dns), Wait(20 * MINUTE), Restart, Wait(MINUTE)], &["A"]),
        // A trouble that becomes final is news, in the same episode.
        (
            "a transient trouble that becomes final",
            &[Fail("A", Dns), Wait(20 * MINUTE), Fail("A", InvalidGrant)],
            &["A", "A"],
        ),
        (
            "a restart with one new account",
            &[Fail("A", InvalidGrant), Restart, Wait(5), Fail("B", InvalidGrant), Restart],
            &["A", "AB"],
        ),
    ] {
        assert_eq!(logged(given), entries, "{name}");
    }
}

#[test]
fn a_notification_that_the_desktop_accepts_at_last_counts_as_shown() {
    let mut harness = Harness::new();
    harness.handle(Fail("A", InvalidGrant));
    let notice = harness.displayed.clone().expect("a notification is displayed");
    let mut log = NoticeLog::default();
    for (delivered, counts_as) in [(false, false), (true, true), (false, true)] {
        log.add(&notice, T0, delivered);
        let entries: Vec<_> = log.entries().iter().map(|entry| entry.delivered).collect();
        assert_eq!(entries, [counts_as]);
    }
}

#[test]
fn an_entry_of_an_earlier_version_is_resolved_by_its_account() {
    let entry = format!(
        r#"[{{"id":1,"at":{:?},"title":"t","body":"b","account_id":{:?},"withdrawn_at":null,"delivered":true}}]"#,
        T0.to_string(),
        id('A').to_string()
    );
    let log: NoticeLog = serde_json::from_str(&entry).expect("it can be read");
    let resolved = |given: &[Event]| {
        let mut harness = Harness::new();
        for event in given {
            harness.handle(*event);
        }
        log.entries()[0].resolved(harness.failing(), &[])
    };
    assert_eq!(resolved(&[Fail("A", InvalidGrant)]), (1, 0));
    assert_eq!(resolved(&[Fail("B", InvalidGrant)]), (1, 1));
    assert_eq!(resolved(&[Wait(1), Fail("A", InvalidGrant)]), (1, 1), "another episode");
}

#[test]
fn the_log_is_bounded() {
    let mut harness = Harness::new();
    for _ in 0..210 {
        harness.handle(Fail("A", InvalidGrant));
        harness.handle(Recover("A"));
        harness.handle(Wait(10));
    }
    assert_eq!(harness.logged().len(), 200);
}
