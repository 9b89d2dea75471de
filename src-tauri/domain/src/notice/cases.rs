//! The policy as a table: what happens, what is seen on the harness and when (in seconds), and why in the end.
//!
//! "show" is a first notification, "join" a new one in the place of the one that is up, "keep" a quiet one for those
//! who remain.

use super::{
    harness::{Do::*, *},
    *,
};
use crate::failure::Cause::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

struct Case {
    name: &'static str,
    given: &'static [Do],
    seen: &'static [&'static str],
    why: &'static [(char, &'static str)],
}

const CASES: &[Case] = &[
    // Terminal and configuration
    Case {
        name: "a revoked sign-in is told at once",
        given: &[Fail("A", InvalidGrant)],
        seen: &["0 show A"],
        why: &[('A', "Shown(NeedsPerson)")],
    },
    Case {
        name: "a wrong client is told at once",
        given: &[Fail("A", InvalidClient)],
        seen: &["0 show A"],
        why: &[('A', "Shown(NeedsClient)")],
    },
    Case {
        name: "a revoked sign-in is told at once even offline, with a token that still works",
        given: &[Offline, Lives("A", HOUR), Fail("A", InvalidGrant)],
        seen: &["0 show A"],
        why: &[('A', "Shown(NeedsPerson)")],
    },
    Case {
        name: "it is told once per episode, however often it fails",
        given: &[
            Fail("A", InvalidGrant),
            Wait(HOUR),
            Fail("A", InvalidGrant),
            Close,
            Wait(HOUR),
            Fail("A", InvalidGrant),
        ],
        seen: &["0 show A"],
        why: &[('A', "ToldAlready")],
    },
    Case {
        name: "a new episode is told anew",
        given: &[Fail("A", InvalidGrant), Recover("A"), Wait(HOUR), Fail("A", InvalidGrant)],
        seen: &["0 show A", "0 withdraw", "3600 show A"],
        why: &[('A', "Shown(NeedsPerson)")],
    },
    // Passing
    Case {
        name: "a server's error is held back for a quarter of an hour online",
        given: &[Fail("A", ServerError), Wait(14 * MINUTE)],
        seen: &[],
        why: &[('A', "NotYetLasted")],
    },
    Case {
        name: "a server's error that outlasts it is told, once",
        given: &[Fail("A", ServerError), Wait(5 * HOUR)],
        seen: &["900 show A"],
        why: &[('A', "OnDisplay")],
    },
    Case {
        name: "a passing trouble isn't told while the access token works",
        given: &[Lives("A", HOUR), Fail("A", Timeout), Wait(HOUR - 1)],
        seen: &[],
        why: &[('A', "StillWorks")],
    },
    Case {
        name: "a passing trouble is told when the access token ends",
        given: &[Lives("A", HOUR), Fail("A", Timeout), Wait(2 * HOUR)],
        seen: &["3600 show A"],
        why: &[('A', "OnDisplay")],
    },
    Case {
        name: "a passing trouble that passes was never told",
        given: &[Fail("A", Dns), Wait(10 * MINUTE), Recover("A"), Wait(HOUR)],
        seen: &[],
        why: &[],
    },
    Case {
        name: "a passing trouble that turns final is told at once",
        given: &[Fail("A", ServerError), Wait(5 * MINUTE), Fail("A", InvalidGrant)],
        seen: &["300 show A"],
        why: &[('A', "Shown(NeedsPerson)")],
    },
    Case {
        name: "a passing trouble that was told and turns final is told once more",
        given: &[
            Fail("A", ServerError),
            Wait(20 * MINUTE),
            Fail("A", InvalidGrant),
            Wait(HOUR),
            Fail("A", InvalidGrant),
        ],
        seen: &["900 show A", "1200 join A"],
        why: &[('A', "OnDisplay")],
    },
    Case {
        name: "a final trouble whose next failure is a passing one is not told again",
        given: &[Fail("A", InvalidGrant), Close, Wait(10), Fail("A", Dns), Wait(HOUR), Fail("A", InvalidGrant)],
        seen: &["0 show A"],
        why: &[('A', "ToldAlready")],
    },
    Case {
        name: "a refusal nobody knows is told as passing, and again when it has proved final",
        given: &[Fail("A", UnknownRefusal), Wait(3 * HOUR)],
        seen: &["900 show A", "3630 join A"],
        why: &[('A', "OnDisplay")],
    },
    // Offline, asleep
    Case {
        name: "offline, a passing trouble is held back",
        given: &[Fail("A", Dns), Wait(10 * MINUTE), Offline, Wait(3 * HOUR)],
        seen: &[],
        why: &[('A', "Offline")],
    },
    Case {
        name: "the time offline does not count",
        given: &[Fail("A", Dns), Wait(10 * MINUTE), Offline, Wait(3 * HOUR), Online, Fail("A", Dns), Wait(4 * MINUTE)],
        seen: &[],
        why: &[('A', "NotYetLasted")],
    },
    Case {
        name: "just woken, a passing trouble is held back",
        given: &[Fail("A", Dns), Wait(MINUTE), Sleep(8 * HOUR), Wake(30)],
        seen: &[],
        why: &[('A', "JustWoken")],
    },
    Case {
        name: "after a night asleep, the try that is due comes first",
        given: &[Fail("A", Dns), Wait(MINUTE), Sleep(8 * HOUR), Wake(30), Sleep(30), Online],
        seen: &[],
        why: &[('A', "TryDue")],
    },
    Case {
        name: "what is up stays up when the machine goes offline",
        given: &[Fail("A", Dns), Wait(20 * MINUTE), Offline],
        seen: &["900 show A"],
        why: &[('A', "OnDisplay")],
    },
    // Joined
    Case {
        name: "accounts that fail together make one notification",
        given: &[Fail("ABCDE", InvalidGrant)],
        seen: &["0 show ABCDE"],
        why: &[('E', "Shown(NeedsPerson)")],
    },
    Case {
        name: "the first is told at once; those right behind it gather and join it",
        given: &[Fail("A", InvalidGrant), Wait(1), Fail("B", Rejected), Fail("C", InvalidGrant), Wait(5)],
        seen: &["0 show A", "2 join ABC"],
        why: &[('B', "OnDisplay")],
    },
    Case {
        name: "while it gathers, it is said so",
        given: &[Fail("A", InvalidGrant), Wait(1), Fail("B", Rejected)],
        seen: &["0 show A"],
        why: &[('A', "OnDisplay"), ('B', "Gathering")],
    },
    Case {
        name: "a later one joins the one that is up",
        given: &[Fail("A", InvalidGrant), Wait(HOUR), Fail("B", InvalidGrant)],
        seen: &["0 show A", "3600 join AB"],
        why: &[('A', "OnDisplay"), ('B', "Shown(NeedsPerson)")],
    },
    Case {
        name: "one that is up as passing and turns final gathers without a word before",
        given: &[
            Fail("A", ServerError),
            Wait(20 * MINUTE),
            Fail("B", InvalidGrant),
            Wait(1),
            Fail("A", InvalidGrant),
            Wait(5),
        ],
        seen: &["900 show A", "1200 join BA", "1202 join AB"],
        why: &[('A', "OnDisplay")],
    },
    Case {
        name: "what was dismissed isn't named again by the next one",
        given: &[Fail("A", InvalidGrant), Close, Wait(HOUR), Fail("B", InvalidGrant)],
        seen: &["0 show A", "3600 show B"],
        why: &[('A', "ToldAlready")],
    },
    Case {
        name: "an outage that reaches accounts one by one interrupts every five minutes at most",
        given: &[
            Lives("B", 16 * MINUTE),
            Lives("C", 17 * MINUTE),
            Lives("D", 18 * MINUTE),
            Fail("ABCD", ServerError),
            Wait(2 * HOUR),
        ],
        seen: &["900 show A", "1200 join ABCD"],
        why: &[('D', "OnDisplay")],
    },
    Case {
        name: "who needs the person comes first, and takes along who gathers",
        given: &[Lives("B", 16 * MINUTE), Fail("AB", ServerError), Wait(17 * MINUTE), Fail("C", InvalidGrant)],
        seen: &["900 show A", "1020 join CAB"],
        why: &[('B', "Shown(Outlasted)")],
    },
    // Withdrawn
    Case {
        name: "it is withdrawn when the account recovers or is deleted",
        given: &[Fail("A", InvalidGrant), Wait(60), Recover("A")],
        seen: &["0 show A", "60 withdraw"],
        why: &[('A', "Recovered")],
    },
    Case {
        name: "a joined one shrinks quietly, and goes with the last",
        given: &[Fail("ABC", InvalidGrant), Wait(60), Recover("B"), Wait(60), Recover("A"), Wait(60), Recover("C")],
        seen: &["0 show ABC", "60 keep AC", "120 keep C", "180 withdraw"],
        why: &[('C', "Recovered")],
    },
    Case {
        name: "nothing is withdrawn that the person has dismissed",
        given: &[Fail("A", InvalidGrant), Close, Recover("A")],
        seen: &["0 show A"],
        why: &[],
    },
    Case {
        name: "one recovers as another fails: the new one takes its place",
        given: &[
            Fail("A", InvalidGrant),
            Wait(60),
            Fail("B", InvalidGrant),
            Wait(60),
            Recover("AB"),
            Fail("C", Rejected),
        ],
        seen: &["0 show A", "60 join AB", "120 withdraw", "120 show C"],
        why: &[('C', "Shown(NeedsPerson)")],
    },
    Case {
        name: "who recovers and fails anew between two looks is in another episode, and leaves",
        given: &[Fail("AB", InvalidGrant), Wait(60), FailAnew("A", ServerError)],
        seen: &["0 show AB", "60 keep B"],
        why: &[('A', "NotYetLasted")],
    },
    // Remind me later
    Case {
        name: "remind me later takes it down and brings it back at its time, once",
        given: &[Fail("A", InvalidGrant), Wait(60), RemindLater(16 * HOUR), Wait(20 * HOUR), Close, Wait(24 * HOUR)],
        seen: &["0 show A", "60 withdraw", "57660 show A"],
        why: &[('A', "ToldAlready")],
    },
    Case {
        name: "an unlock brings it back before its time",
        given: &[Fail("A", InvalidGrant), Wait(60), RemindLater(16 * HOUR), Wait(HOUR), Unlock],
        seen: &["0 show A", "60 withdraw", "3660 show A"],
        why: &[('A', "Shown(Reminder)")],
    },
    Case {
        name: "an unlock that nobody waits for shows nothing",
        given: &[Fail("A", InvalidGrant), Close, Wait(60), Unlock],
        seen: &["0 show A"],
        why: &[('A', "ToldAlready")],
    },
    Case {
        name: "until then it is held back, even when it turns final",
        given: &[
            Fail("A", ServerError),
            Wait(20 * MINUTE),
            RemindLater(16 * HOUR),
            Fail("A", InvalidGrant),
            Wait(HOUR),
        ],
        seen: &["900 show A", "1200 withdraw"],
        why: &[('A', "RemindLater")],
    },
    Case {
        name: "an account that recovered meanwhile isn't reminded of",
        given: &[Fail("A", InvalidGrant), RemindLater(HOUR), Wait(60), Recover("A"), Wait(2 * HOUR)],
        seen: &["0 show A", "0 withdraw"],
        why: &[],
    },
    Case {
        name: "putting one off doesn't put off another",
        given: &[Fail("A", InvalidGrant), RemindLater(HOUR), Wait(60), Fail("B", InvalidGrant), Wait(2 * HOUR)],
        seen: &["0 show A", "0 withdraw", "60 show B", "3600 join AB"],
        why: &[('A', "OnDisplay")],
    },
    Case {
        name: "one of a joined one is put off from the window: it leaves, the others stay",
        given: &[Fail("ABC", InvalidGrant), Wait(60), RemindLaterOf("B", HOUR)],
        seen: &["0 show ABC", "60 keep AC"],
        why: &[('B', "RemindLater")],
    },
    Case {
        name: "a time that has come already takes it down, and then the rules decide anew",
        given: &[Fail("A", InvalidGrant), Fail("A", Dns), RemindLater(-1)],
        seen: &["0 show A", "0 withdraw"],
        why: &[('A', "NotYetLasted")],
    },
    Case {
        name: "a reminder of a passing trouble waits for the network",
        given: &[Fail("A", Dns), Wait(20 * MINUTE), RemindLater(HOUR), Offline, Wait(8 * HOUR)],
        seen: &["900 show A", "1200 withdraw"],
        why: &[('A', "Offline")],
    },
    // Paused
    Case {
        name: "paused, nothing is shown",
        given: &[Pause, Fail("A", InvalidGrant), Fail("B", ServerError), Wait(HOUR)],
        seen: &[],
        why: &[('A', "Paused"), ('B', "Paused")],
    },
    Case {
        name: "on resuming, what still holds is shown as one",
        given: &[Pause, Fail("AB", InvalidGrant), Fail("C", ServerError), Wait(HOUR), Recover("A"), Resume],
        seen: &["3600 show BC"],
        why: &[('C', "Shown(Outlasted)")],
    },
    Case {
        name: "pausing takes down what is up, and resuming brings it back",
        given: &[Fail("A", InvalidGrant), Wait(60), Pause, Wait(60), Fail("B", InvalidGrant), Wait(60), Resume],
        seen: &["0 show A", "60 withdraw", "180 show AB"],
        why: &[('A', "Shown(NeedsPerson)")],
    },
    Case {
        name: "what was dismissed before the pause doesn't come back",
        given: &[Fail("A", InvalidGrant), Close, Pause, Wait(HOUR), Resume],
        seen: &["0 show A"],
        why: &[('A', "ToldAlready")],
    },
    // Restart
    Case {
        name: "after a restart what was up is put up anew, and can be withdrawn",
        given: &[Fail("AB", InvalidGrant), Wait(HOUR), Restart, Wait(HOUR), Recover("AB")],
        seen: &["0 show AB", "3600 show AB", "7200 withdraw"],
        why: &[('A', "Recovered")],
    },
    Case {
        name: "after a restart nothing comes back that the person has dismissed",
        given: &[Fail("A", InvalidGrant), Close, Wait(HOUR), Restart, Wait(HOUR)],
        seen: &["0 show A"],
        why: &[('A', "ToldAlready")],
    },
    Case {
        name: "what was up and passes while Relink is away doesn't come back",
        given: &[Fail("A", Dns), Wait(20 * MINUTE), Offline, Restart],
        seen: &["900 show A"],
        why: &[('A', "Offline")],
    },
    Case {
        name: "a reminder survives a restart",
        given: &[Fail("A", InvalidGrant), RemindLater(HOUR), Restart, Wait(2 * HOUR)],
        seen: &["0 show A", "0 withdraw", "3600 show A"],
        why: &[('A', "OnDisplay")],
    },
];

#[test]
fn the_table_holds() {
    let mut wrong = vec![];
    for Case { name, given, seen, why } in CASES {
        let mut harness = Harness::new();
        for what in *given {
            harness.happens(*what);
        }
        let whys: Vec<(char, String)> = why.iter().map(|(letter, _)| (*letter, short(harness.why(*letter)))).collect();
        let expected: Vec<(char, String)> = why.iter().map(|(letter, why)| (*letter, (*why).to_owned())).collect();
        if harness.log != *seen || whys != expected {
            wrong.push(format!(
                "{name}:\n  seen {:?}, expected {seen:?}\n  why {whys:?}, expected {expected:?}",
                harness.log
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A reason's name, without its times.
fn short(why: Option<NoticeReason>) -> String {
    let text = why.map_or_else(|| "nothing".to_owned(), |why| format!("{why:?}"));
    text.split(" {").next().unwrap_or_default().to_owned()
}

fn notice_of(given: &[Do]) -> Notice {
    let mut harness = Harness::new();
    for what in given {
        harness.happens(*what);
    }
    harness.up.expect("a notification is up")
}

#[test]
fn one_account_is_named_with_what_broke_and_can_be_reauthorized() {
    let notice = notice_of(&[Fail("A", InvalidGrant)]);
    assert_eq!(notice.title, "GitHub no longer accepts this sign-in");
    assert_eq!(
        notice.body,
        "Account A: Access was revoked or has run out on GitHub's side. Nothing that uses this account works until you \
         sign in again. Reauthorize the connection."
    );
    assert_eq!(notice.buttons, [Button::Reauthorize(id('A')), Button::RemindLater]);
    assert_eq!(notice.opens, Opens::Account(id('A')));
}

#[test]
fn reauthorize_is_offered_only_where_it_mends() {
    for given in [&[Fail("A", InvalidClient)][..], &[Fail("A", Dns), Wait(HOUR)], &[Fail("AB", InvalidGrant)]] {
        assert_eq!(notice_of(given).buttons, [Button::RemindLater], "{given:?}");
    }
    let unknown = notice_of(&[Fail("A", UnknownRefusal), Wait(3 * HOUR)]);
    assert!(unknown.body.ends_with("Reauthorize the connection."), "{}", unknown.body);
    assert_eq!(unknown.buttons[0], Button::Reauthorize(id('A')));
}

#[test]
fn a_joined_one_names_three_and_counts_the_rest() {
    for (given, title, body) in [
        (&[Fail("AB", InvalidGrant)][..], "2 accounts need you", "Account A (GitHub) and Account B (GitHub)."),
        (
            &[Fail("ABCDE", InvalidGrant)],
            "5 accounts need you",
            "Account A (GitHub), Account B (GitHub), Account C (GitHub) and 2 more.",
        ),
        (
            &[Fail("AB", ServerError), Wait(HOUR)],
            "2 accounts have stopped working",
            "Account A (GitHub) and Account B (GitHub). Relink tries again by itself.",
        ),
        (
            &[Fail("A", ServerError), Wait(HOUR), Fail("B", InvalidGrant)],
            "1 account needs you, 1 tried again",
            "Account B (GitHub) and Account A (GitHub).",
        ),
    ] {
        let notice = notice_of(given);
        assert_eq!((notice.title.as_str(), notice.body.as_str()), (title, body));
        assert_eq!(notice.opens, Opens::Accounts);
    }
}

#[test]
fn names_stay_on_one_short_line_and_the_providers_words_stay_out() {
    let mut trouble =
        Trouble::begin(crate::failure::Failure::new(InvalidGrant), false, T0, crate::schedule::Jitter::NONE);
    trouble.failure.provider_message = Some("rt-canary".into());
    trouble.failure.provider_code = Some("code-canary".into());
    let name = format!("two\nlines {}", "x".repeat(500));
    let troubled = FailingAccount { id: id('A'), name, integration: "GitHub".into(), trouble, access_ends: None };
    let situation = Situation { failing: vec![troubled], network: Network::Online, paused: false };
    let decision = decide(&NoticeHistory::default(), &situation, T0);
    let [Action::Show { notice, .. }] = decision.actions.as_slice() else { panic!("{decision:?}") };
    assert!(notice.body.starts_with("two lines xxx") && notice.body.len() < 300, "{}", notice.body);
    assert!(!format!("{decision:?}").contains("canary"));
}
