//! The policy as a table: what happens, which notifications are shown when (in seconds), and the reasons in the end.
//!
//! "show" is a first notification, "replace" one with news that replaces the displayed one, "update" a quiet one about the
//! accounts that remain.

use super::{
    harness::{Event::*, *},
    *,
};
use crate::failure::Cause::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

struct Case {
    name: &'static str,
    given: &'static [Event],
    shown: &'static [&'static str],
    reasons: &'static [(char, &'static str)],
}

const CASES: &[Case] = &[
    // Terminal and configuration
    Case {
        name: "a revoked sign-in is announced at once",
        given: &[Fail("A", InvalidGrant)],
        shown: &["0 show A"],
        reasons: &[('A', "Announced(NeedsPerson)")],
    },
    Case {
        name: "a wrong client is announced at once",
        given: &[Fail("A", InvalidClient)],
        shown: &["0 show A"],
        reasons: &[('A', "Announced(NeedsClient)")],
    },
    Case {
        name: "a revoked sign-in is announced at once even offline and with a valid token",
        given: &[Offline, ValidFor("A", HOUR), Fail("A", InvalidGrant)],
        shown: &["0 show A"],
        reasons: &[('A', "Announced(NeedsPerson)")],
    },
    Case {
        name: "an episode is announced once, however often it fails",
        given: &[
            Fail("A", InvalidGrant),
            Wait(HOUR),
            Fail("A", InvalidGrant),
            Dismiss,
            Wait(HOUR),
            Fail("A", InvalidGrant),
        ],
        shown: &["0 show A"],
        reasons: &[('A', "AlreadyAnnounced")],
    },
    Case {
        name: "a new episode is announced again",
        given: &[Fail("A", InvalidGrant), Recover("A"), Wait(HOUR), Fail("A", InvalidGrant)],
        shown: &["0 show A", "0 withdraw", "3600 show A"],
        reasons: &[('A', "Announced(NeedsPerson)")],
    },
    // Transient
    Case {
        name: "a server error is held back for 15 minutes online",
        given: &[Fail("A", ServerError), Wait(14 * MINUTE)],
        shown: &[],
        reasons: &[('A', "TooRecent")],
    },
    Case {
        name: "a server error that lasts 15 minutes is announced once",
        given: &[Fail("A", ServerError), Wait(5 * HOUR)],
        shown: &["900 show A"],
        reasons: &[('A', "Displayed")],
    },
    Case {
        name: "a transient trouble isn't announced while the access token is valid",
        given: &[ValidFor("A", HOUR), Fail("A", Timeout), Wait(HOUR - 1)],
        shown: &[],
        reasons: &[('A', "StillWorks")],
    },
    Case {
        name: "a transient trouble is announced when the access token expires",
        given: &[ValidFor("A", HOUR), Fail("A", Timeout), Wait(2 * HOUR)],
        shown: &["3600 show A"],
        reasons: &[('A', "Displayed")],
    },
    Case {
        name: "a transient trouble that goes away is never announced",
        given: &[Fail("A", Dns), Wait(10 * MINUTE), Recover("A"), Wait(HOUR)],
        shown: &[],
        reasons: &[],
    },
    Case {
        name: "a transient trouble that becomes final is announced at once",
        given: &[Fail("A", ServerError), Wait(5 * MINUTE), Fail("A", InvalidGrant)],
        shown: &["300 show A"],
        reasons: &[('A', "Announced(NeedsPerson)")],
    },
    Case {
        name: "an announced transient trouble that becomes final is announced once more",
        given: &[
            Fail("A", ServerError),
            Wait(20 * MINUTE),
            Fail("A", InvalidGrant),
            Wait(HOUR),
            Fail("A", InvalidGrant),
        ],
        shown: &["900 show A", "1200 replace A"],
        reasons: &[('A', "Displayed")],
    },
    Case {
        name: "a final trouble with a later transient failure is not announced again",
        given: &[Fail("A", InvalidGrant), Dismiss, Wait(10), Fail("A", Dns), Wait(HOUR), Fail("A", InvalidGrant)],
        shown: &["0 show A"],
        reasons: &[('A', "AlreadyAnnounced")],
    },
    Case {
        name: "an unknown refusal is announced as transient, and again when it has become final",
        given: &[Fail("A", UnknownRefusal), Wait(3 * HOUR)],
        shown: &["900 show A", "3630 replace A"],
        reasons: &[('A', "Displayed")],
    },
    // Offline, asleep
    Case {
        name: "offline, a transient trouble is held back",
        given: &[Fail("A", Dns), Wait(10 * MINUTE), Offline, Wait(3 * HOUR)],
        shown: &[],
        reasons: &[('A', "Offline")],
    },
    Case {
        name: "time offline does not count",
        given: &[Fail("A", Dns), Wait(10 * MINUTE), Offline, Wait(3 * HOUR), Online, Fail("A", Dns), Wait(4 * MINUTE)],
        shown: &[],
        reasons: &[('A', "TooRecent")],
    },
    Case {
        name: "just woken, a transient trouble is held back",
        given: &[Fail("A", Dns), Wait(MINUTE), Sleep(8 * HOUR), Wake(30)],
        shown: &[],
        reasons: &[('A', "JustWoken")],
    },
    Case {
        name: "once the network has settled, the other rules decide",
        given: &[Fail("A", Dns), Wake(60), Wait(60)],
        shown: &[],
        reasons: &[('A', "TooRecent")],
    },
    Case {
        name: "after a night asleep, the due retry comes first",
        given: &[Fail("A", Dns), Wait(MINUTE), Sleep(8 * HOUR), Wake(30), Sleep(30), Online],
        shown: &[],
        reasons: &[('A', "RetryDue")],
    },
    Case {
        name: "a displayed notification stays when the machine goes offline",
        given: &[Fail("A", Dns), Wait(20 * MINUTE), Offline],
        shown: &["900 show A"],
        reasons: &[('A', "Displayed")],
    },
    // Shared
    Case {
        name: "accounts that fail together share a notification",
        given: &[Fail("ABCDE", InvalidGrant)],
        shown: &["0 show ABCDE"],
        reasons: &[('E', "Announced(NeedsPerson)")],
    },
    Case {
        name: "the first account is announced at once, and those right after it join after the debounce",
        given: &[Fail("A", InvalidGrant), Wait(1), Fail("B", Rejected), Fail("C", InvalidGrant), Wait(5)],
        shown: &["0 show A", "2 replace ABC"],
        reasons: &[('B', "Displayed")],
    },
    Case {
        name: "a debounced account has that as its reason",
        given: &[Fail("A", InvalidGrant), Wait(1), Fail("B", Rejected)],
        shown: &["0 show A"],
        reasons: &[('A', "Displayed"), ('B', "Debounced")],
    },
    Case {
        name: "a later account joins the displayed notification",
        given: &[Fail("A", InvalidGrant), Wait(HOUR), Fail("B", InvalidGrant)],
        shown: &["0 show A", "3600 replace AB"],
        reasons: &[('A', "Displayed"), ('B', "Announced(NeedsPerson)")],
    },
    Case {
        name: "a displayed transient account that becomes final is debounced",
        given: &[
            Fail("A", ServerError),
            Wait(20 * MINUTE),
            Fail("B", InvalidGrant),
            Wait(1),
            Fail("A", InvalidGrant),
            Wait(5),
        ],
        shown: &["900 show A", "1200 replace BA", "1202 replace AB"],
        reasons: &[('A', "Displayed")],
    },
    Case {
        name: "a dismissed account isn't named by the next notification",
        given: &[Fail("A", InvalidGrant), Dismiss, Wait(HOUR), Fail("B", InvalidGrant)],
        shown: &["0 show A", "3600 show B"],
        reasons: &[('A', "AlreadyAnnounced")],
    },
    Case {
        name: "an outage that reaches accounts one by one alerts every five minutes at most",
        given: &[
            ValidFor("B", 16 * MINUTE),
            ValidFor("C", 17 * MINUTE),
            ValidFor("D", 18 * MINUTE),
            Fail("ABCD", ServerError),
            Wait(2 * HOUR),
        ],
        shown: &["900 show A", "1200 replace ABCD"],
        reasons: &[('D', "Displayed")],
    },
    Case {
        name: "an account that needs the person comes first and takes debounced ones along",
        given: &[ValidFor("B", 16 * MINUTE), Fail("AB", ServerError), Wait(17 * MINUTE), Fail("C", InvalidGrant)],
        shown: &["900 show A", "1020 replace CAB"],
        reasons: &[('B', "Announced(Outlasted)")],
    },
    // Withdrawn
    Case {
        name: "a notification is withdrawn when its account recovers or is deleted",
        given: &[Fail("A", InvalidGrant), Wait(60), Recover("A")],
        shown: &["0 show A", "60 withdraw"],
        reasons: &[('A', "Recovered")],
    },
    Case {
        name: "a shared notification shrinks quietly and is withdrawn with its last account",
        given: &[Fail("ABC", InvalidGrant), Wait(60), Recover("B"), Wait(60), Recover("A"), Wait(60), Recover("C")],
        shown: &["0 show ABC", "60 update AC", "120 update C", "180 withdraw"],
        reasons: &[('C', "Recovered")],
    },
    Case {
        name: "a dismissed notification is not withdrawn",
        given: &[Fail("A", InvalidGrant), Dismiss, Recover("A")],
        shown: &["0 show A"],
        reasons: &[],
    },
    Case {
        name: "when accounts recover as another fails, the new one is shown",
        given: &[
            Fail("A", InvalidGrant),
            Wait(60),
            Fail("B", InvalidGrant),
            Wait(60),
            Recover("AB"),
            Fail("C", Rejected),
        ],
        shown: &["0 show A", "60 replace AB", "120 withdraw", "120 show C"],
        reasons: &[('C', "Announced(NeedsPerson)")],
    },
    Case {
        name: "an account that recovers and fails again between two decisions is in another episode and leaves",
        given: &[Fail("AB", InvalidGrant), Wait(60), FailAgain("A", ServerError)],
        shown: &["0 show AB", "60 update B"],
        reasons: &[('A', "TooRecent")],
    },
    // Remind me later
    Case {
        name: "remind me later withdraws a notification and shows it again at its time, once",
        given: &[Fail("A", InvalidGrant), Wait(60), RemindLater(16 * HOUR), Wait(20 * HOUR), Dismiss, Wait(24 * HOUR)],
        shown: &["0 show A", "60 withdraw", "57660 show A"],
        reasons: &[('A', "AlreadyAnnounced")],
    },
    Case {
        name: "an unlock shows a snoozed notification before its time",
        given: &[Fail("A", InvalidGrant), Wait(60), RemindLater(16 * HOUR), Wait(HOUR), Unlock],
        shown: &["0 show A", "60 withdraw", "3660 show A"],
        reasons: &[('A', "Announced(Reminder)")],
    },
    Case {
        name: "an unlock without a snooze shows nothing",
        given: &[Fail("A", InvalidGrant), Dismiss, Wait(60), Unlock],
        shown: &["0 show A"],
        reasons: &[('A', "AlreadyAnnounced")],
    },
    Case {
        name: "a snoozed account is held back even when it becomes final",
        given: &[
            Fail("A", ServerError),
            Wait(20 * MINUTE),
            RemindLater(16 * HOUR),
            Fail("A", InvalidGrant),
            Wait(HOUR),
        ],
        shown: &["900 show A", "1200 withdraw"],
        reasons: &[('A', "Snoozed")],
    },
    Case {
        name: "a snoozed account that recovers is not shown again",
        given: &[Fail("A", InvalidGrant), RemindLater(HOUR), Wait(60), Recover("A"), Wait(2 * HOUR)],
        shown: &["0 show A", "0 withdraw"],
        reasons: &[],
    },
    Case {
        name: "snoozing one account does not snooze another",
        given: &[Fail("A", InvalidGrant), RemindLater(HOUR), Wait(60), Fail("B", InvalidGrant), Wait(2 * HOUR)],
        shown: &["0 show A", "0 withdraw", "60 show B", "3600 replace AB"],
        reasons: &[('A', "Displayed")],
    },
    Case {
        name: "an account that is snoozed from the window leaves a shared notification",
        given: &[Fail("ABC", InvalidGrant), Wait(60), RemindLaterOf("B", HOUR)],
        shown: &["0 show ABC", "60 update AC"],
        reasons: &[('B', "Snoozed")],
    },
    Case {
        name: "a snooze into the past withdraws the notification, and the rules decide again",
        given: &[Fail("A", InvalidGrant), Fail("A", Dns), RemindLater(-1)],
        shown: &["0 show A", "0 withdraw"],
        reasons: &[('A', "TooRecent")],
    },
    Case {
        name: "a reminder of a transient trouble waits for the network",
        given: &[Fail("A", Dns), Wait(20 * MINUTE), RemindLater(HOUR), Offline, Wait(8 * HOUR)],
        shown: &["900 show A", "1200 withdraw"],
        reasons: &[('A', "Offline")],
    },
    // Paused
    Case {
        name: "while paused, nothing is shown",
        given: &[Pause, Fail("A", InvalidGrant), Fail("B", ServerError), Wait(HOUR)],
        shown: &[],
        reasons: &[('A', "Paused"), ('B', "Paused")],
    },
    Case {
        name: "after a pause, the accounts that still fail share a notification",
        given: &[Pause, Fail("AB", InvalidGrant), Fail("C", ServerError), Wait(HOUR), Recover("A"), Resume],
        shown: &["3600 show BC"],
        reasons: &[('C', "Announced(Outlasted)")],
    },
    Case {
        name: "a pause withdraws the displayed notification, and its end shows it again",
        given: &[Fail("A", InvalidGrant), Wait(60), Pause, Wait(60), Fail("B", InvalidGrant), Wait(60), Resume],
        shown: &["0 show A", "60 withdraw", "180 show AB"],
        reasons: &[('A', "Announced(NeedsPerson)")],
    },
    Case {
        name: "a notification that was dismissed before a pause does not come back",
        given: &[Fail("A", InvalidGrant), Dismiss, Pause, Wait(HOUR), Resume],
        shown: &["0 show A"],
        reasons: &[('A', "AlreadyAnnounced")],
    },
    // Restart
    Case {
        name: "after a restart a displayed notification is shown again and can be withdrawn",
        given: &[Fail("AB", InvalidGrant), Wait(HOUR), Restart, Wait(HOUR), Recover("AB")],
        shown: &["0 show AB", "3600 show AB", "7200 withdraw"],
        reasons: &[('A', "Recovered")],
    },
    Case {
        name: "a dismissed notification does not come back after a restart",
        given: &[Fail("A", InvalidGrant), Dismiss, Wait(HOUR), Restart, Wait(HOUR)],
        shown: &["0 show A"],
        reasons: &[('A', "AlreadyAnnounced")],
    },
    Case {
        name: "a displayed transient trouble does not come back after a restart offline",
        given: &[Fail("A", Dns), Wait(20 * MINUTE), Offline, Restart],
        shown: &["900 show A"],
        reasons: &[('A', "Offline")],
    },
    Case {
        name: "a snooze survives a restart",
        given: &[Fail("A", InvalidGrant), RemindLater(HOUR), Restart, Wait(2 * HOUR)],
        shown: &["0 show A", "0 withdraw", "3600 show A"],
        reasons: &[('A', "Displayed")],
    },
];

#[test]
fn the_table_holds() {
    let mut wrong = vec![];
    for Case { name, given, shown, reasons } in CASES {
        let mut harness = Harness::new();
        for event in *given {
            harness.handle(*event);
        }
        let found: Vec<(char, String)> =
            reasons.iter().map(|(letter, _)| (*letter, short(harness.reason(*letter)))).collect();
        let expected: Vec<(char, String)> =
            reasons.iter().map(|(letter, reason)| (*letter, (*reason).to_owned())).collect();
        if harness.log != *shown || found != expected {
            wrong.push(format!(
                "{name}:\n  shown {:?}, expected {shown:?}\n  reasons {found:?}, expected {expected:?}",
                harness.log
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A reason's name, without its times.
fn short(reason: Option<NoticeReason>) -> String {
    let text = reason.map_or_else(|| "nothing".to_owned(), |reason| format!("{reason:?}"));
    text.split(" {").next().unwrap_or_default().to_owned()
}
