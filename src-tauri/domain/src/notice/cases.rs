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

fn notice_after(given: &[Event]) -> Notice {
    let mut harness = Harness::new();
    for event in given {
        harness.handle(*event);
    }
    harness.displayed.expect("a notification is displayed")
}

#[test]
fn a_notification_begins_with_the_accounts_name_and_says_what_broke() {
    let notice = notice_after(&[Fail("A", InvalidGrant)]);
    assert_eq!(notice.title, "Account A: GitHub no longer accepts this sign-in");
    assert_eq!(
        notice.body,
        "Access was revoked or expired at GitHub. Nothing that uses this account works until you sign in again. \
         Reauthorize the connection."
    );
    assert_eq!(notice.buttons, [Button::Reauthorize(id('A')), Button::RemindLater]);
    assert_eq!(
        notice.buttons.iter().map(|button| button.label()).collect::<Vec<_>>(),
        ["Reauthorize", "Remind me later"]
    );
    assert_eq!(notice.opens, Opens::Account(id('A')));
}

#[test]
fn reauthorize_is_offered_only_where_it_helps() {
    for given in [&[Fail("A", InvalidClient)][..], &[Fail("A", Dns), Wait(HOUR)], &[Fail("AB", InvalidGrant)]] {
        assert_eq!(notice_after(given).buttons, [Button::RemindLater], "{given:?}");
    }
    let unknown = notice_after(&[Fail("A", UnknownRefusal), Wait(3 * HOUR)]);
    assert!(unknown.body.ends_with("Reauthorize the connection."), "{}", unknown.body);
    assert_eq!(unknown.buttons[0], Button::Reauthorize(id('A')));
}

#[test]
fn a_shared_notification_names_three_accounts_and_counts_the_rest() {
    for (given, title, body) in [
        (&[Fail("AB", InvalidGrant)][..], "2 accounts need attention", "Account A (GitHub) and Account B (GitHub)."),
        (
            &[Fail("ABC", InvalidGrant)],
            "3 accounts need attention",
            "Account A (GitHub), Account B (GitHub) and Account C (GitHub).",
        ),
        (
            &[Fail("ABCDE", InvalidGrant)],
            "5 accounts need attention",
            "Account A (GitHub), Account B (GitHub), Account C (GitHub) and 2 more.",
        ),
        (
            &[Fail("AB", ServerError), Wait(HOUR)],
            "2 accounts have stopped working",
            "Account A (GitHub) and Account B (GitHub). Relink will retry.",
        ),
        (
            &[Fail("A", ServerError), Wait(HOUR), Fail("B", InvalidGrant)],
            "1 account needs attention, 1 retrying",
            "Account B (GitHub) and Account A (GitHub).",
        ),
        (
            &[Fail("A", ServerError), Wait(HOUR), Fail("BC", InvalidGrant)],
            "2 accounts need attention, 1 retrying",
            "Account B (GitHub), Account C (GitHub) and Account A (GitHub).",
        ),
    ] {
        let notice = notice_after(given);
        assert_eq!((notice.title.as_str(), notice.body.as_str()), (title, body));
        assert_eq!(notice.opens, Opens::Accounts);
    }
}

fn notice_about(name: &str) -> Notice {
    let mut trouble =
        Trouble::begin(crate::failure::Failure::new(InvalidGrant), false, T0, crate::schedule::Jitter::NONE);
    trouble.failure.provider_message = Some("rt-canary".into());
    trouble.failure.provider_code = Some("code-canary".into());
    let account = FailingAccount {
        id: id('A'),
        name: name.to_owned(),
        integration: "GitHub".into(),
        trouble,
        access_expires_at: None,
    };
    let situation = Situation { failing: vec![account], network: Network::Online, paused: false };
    let decision = decide(&NoticeHistory::default(), &situation, T0);
    assert!(!format!("{decision:?}").contains("canary"), "the provider's words stay out");
    let [Action::Show { notice, .. }] = decision.actions.as_slice() else { panic!("{decision:?}") };
    notice.clone()
}

#[test]
fn names_stay_on_one_short_line() {
    for (name, shown) in [
        ("two\nlines".to_owned(), "two lines".to_owned()),
        ("left\u{202e}right".to_owned(), "leftright".to_owned()),
        ("x".repeat(60), "x".repeat(60)),
        ("x".repeat(61), format!("{}…", "x".repeat(59))),
        (" ".to_owned(), "GitHub".to_owned()),
    ] {
        assert_eq!(notice_about(&name).title, format!("{shown}: GitHub no longer accepts this sign-in"));
    }
}

#[test]
fn a_history_stored_by_an_older_version_is_read() {
    let account = id('A');
    let stored = format!(
        r#"{{"up": {{"id": 3, "subjects": []}}, "told": {{}}, "later": {{"{account}": {{"since": "{T0}",
        "until": "{T0}", "unlocked": false}}}}, "last_alert": null, "next_id": 4}}"#
    );
    let history: NoticeHistory = serde_json::from_str(&stored).expect("read");
    assert_eq!(history.displayed(), Some(NoticeId(3)));
    assert_eq!(history.remind_at(account), Some(T0));
}

#[test]
fn an_account_is_failing_while_it_has_a_trouble() {
    use crate::account::{Account, FixedKind, Granted, Input, NewCredential, Profile};

    let profile = Profile {
        id: id('A'),
        tenant_id: "acme".into(),
        environment_integration_id: crate::EnvironmentIntegrationId::from_uuid(uuid::Uuid::nil()),
        integration: "github".into(),
        name: "Acme".into(),
        is_sandbox: false,
        region: None,
        context: serde_json::Map::new(),
        identity: None,
        scopes: vec![],
        last_error: None,
        last_forbidden_error: None,
        created_at: T0,
        updated_at: T0,
    };
    let credential = NewCredential::Fixed { kind: FixedKind::AccessToken, expires_at: Some(T0.plus_secs(60)) };
    let granted = Granted { credential, identity: None, scopes: vec![], context: serde_json::Map::new() };
    let account = Account::connect(profile, &granted, T0).account;
    assert_eq!(FailingAccount::of(&account, "GitHub"), None);
    let gone = Input::CredentialGone { failure: crate::failure::Failure::new(CredentialMissing) };
    let account = account.apply(gone, T0, crate::schedule::Jitter::NONE).expect("applied").account;
    let failing = FailingAccount::of(&account, "GitHub").expect("failing");
    assert_eq!((failing.name.as_str(), failing.integration.as_str()), ("Acme", "GitHub"));
    assert_eq!(failing.access_expires_at, Some(T0.plus_secs(60)));
    assert_eq!(failing.episode(), Episode { account: id('A'), since: T0 });
}
