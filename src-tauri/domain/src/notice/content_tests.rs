//! What a notification says.

use super::{
    harness::{Event::*, *},
    *,
};
use crate::failure::Cause::*;

const HOUR: i64 = 60 * 60;

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
        awaited_by: vec![],
    };
    let situation =
        Situation { failing: vec![account], disabled_webhooks: vec![], network: Network::Online, paused: false };
    let decision = decide(&NoticeHistory::default(), &situation, T0);
    assert!(!format!("{decision:?}").contains("canary"), "the provider's words stay out");
    let [Action::Show { notice, .. }] = decision.actions.as_slice() else { panic!("{decision:?}") };
    notice.clone()
}

#[test]
fn a_program_that_waits_is_named_and_changes_the_displayed_notification_quietly() {
    let account = |name: char, awaited_by: &[&str]| {
        let trouble =
            Trouble::begin(crate::failure::Failure::new(InvalidGrant), false, T0, crate::schedule::Jitter::NONE);
        FailingAccount {
            id: id(name),
            name: name.to_string(),
            integration: "GitHub".into(),
            trouble,
            access_expires_at: None,
            awaited_by: awaited_by.iter().map(ToString::to_string).collect(),
        }
    };
    let mut history = NoticeHistory::default();
    for (failing, ends, alerts) in [
        (vec![account('A', &[])], Some("Reauthorize the connection."), true),
        (vec![account('A', &["my-agent"])], Some("Reauthorize the connection. my-agent is waiting."), false),
        (vec![account('A', &["my-agent"])], None, false),
        (vec![account('A', &["my-agent", "sync"])], Some(" 2 programs are waiting."), false),
        (vec![account('A', &[])], Some("Reauthorize the connection."), false),
    ] {
        let situation = Situation { failing, disabled_webhooks: vec![], network: Network::Online, paused: false };
        let decision = decide(&history, &situation, T0);
        match (decision.actions.as_slice(), ends) {
            ([Action::Show { notice, alert, .. }], Some(ends)) => {
                assert!(notice.body.ends_with(ends), "{}", notice.body);
                assert_eq!(*alert, alerts);
            }
            ([], None) => {}
            (actions, ends) => panic!("{actions:?} {ends:?}"),
        }
        history = decision.next;
    }
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
        requested_scopes: None,
        origins: crate::origins::Origins::default(),
        settings: crate::account::Settings::default(),
        last_error: None,
        answers_as_another: None,
        last_forbidden_error: None,
        created_at: T0,
        updated_at: T0,
    };
    let credential = NewCredential::Fixed { kind: FixedKind::AccessToken, expires_at: Some(T0.plus_secs(60)) };
    let granted = Granted {
        credential,
        identity: None,
        scopes: vec![],
        requested_scopes: vec![],
        context: serde_json::Map::new(),
        object_store_context_fields: Vec::new(),
        origins: crate::origins::Origins::default(),
    };
    let account = Account::connect(profile, &granted, T0).account;
    assert_eq!(FailingAccount::of(&account, "GitHub"), None);
    let gone = Input::CredentialGone { failure: crate::failure::Failure::new(CredentialMissing) };
    let account = account.apply(gone, T0, crate::schedule::Jitter::NONE).expect("applied").account;
    let failing = FailingAccount::of(&account, "GitHub").expect("failing");
    assert_eq!((failing.name.as_str(), failing.integration.as_str()), ("Acme", "GitHub"));
    assert_eq!(failing.access_expires_at, Some(T0.plus_secs(60)));
    assert_eq!(failing.episode(), Episode { account: id('A'), since: T0 });
}
