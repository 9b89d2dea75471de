//! An account whose integration's definition can't be used, and can be used again.

use super::*;

/// An account with a refresh token that works.
fn working() -> Account {
    let connected = Account::connect(profile(), &granted(Some(Renewal::RefreshToken), "ada"), T0).account;
    connected.apply(Input::StepsPassed, T0, Jitter::NONE).expect("it works").account
}

fn failure() -> Failure {
    Failure::new(Cause::IntegrationUnusable)
}

fn unusable(account: Account) -> Transition {
    account.apply(Input::IntegrationUnusable { failure: failure() }, T0, Jitter::NONE).expect("accepted")
}

#[test]
fn an_account_waits_for_its_person_only_while_nothing_is_due_and_no_refresh_is_open() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    assert!(!story.account.waits_for_person(), "a refresh is due some time");
    story.refresh_fails(Cause::ServerError);
    assert!(!story.account.waits_for_person(), "it is retried");
    story.apply(Input::BeginRefresh);
    assert!(!story.account.waits_for_person(), "a refresh is open");
    let generation = story.account.open_generation().expect("open");
    story.apply(Input::RefreshFailed { generation, failure: Failure::new(Cause::InvalidGrant) });
    assert!(story.account.waits_for_person());
}

#[test]
fn an_account_whose_definition_cannot_be_used_says_so_once_and_nothing_is_due() {
    let first = unusable(working());
    assert_eq!(first.account.status(), Status::ValidationError);
    assert_eq!(first.events, [EventKind::AccountValidationError]);
    assert_eq!(first.timeline, [TimelineEvent::IntegrationUnusable { failure: failure() }]);
    assert_eq!(first.account.due(Jitter::NONE), None);
    let again = unusable(first.account);
    assert_eq!((again.events, again.timeline), (vec![], vec![]));
}

#[test]
fn an_account_returns_to_its_state_when_its_definition_can_be_used_again() {
    let account = working();
    let back = unusable(account.clone()).account.apply(Input::IntegrationUsable, T0, Jitter::NONE).expect("back");
    assert_eq!(back.account.state, account.state);
    assert_eq!(back.events, [EventKind::AccountUpdated, EventKind::AccountActive]);
    assert_eq!(back.account.profile.last_error, None);
}

#[test]
fn a_refresh_that_ends_while_the_definition_cannot_be_used_is_not_lost() {
    let begun = working().apply(Input::BeginRefresh, T0, Jitter::NONE).expect("begun").account;
    let generation = begun.open_generation().expect("open");
    let failed = Input::RefreshFailed { generation, failure: Failure::new(Cause::InvalidGrant) };
    let failed = unusable(begun).account.apply(failed, T0, Jitter::NONE).expect("applied").account;
    assert_eq!(failed.status(), Status::ValidationError);
    let back = failed.apply(Input::IntegrationUsable, T0, Jitter::NONE).expect("back").account;
    assert_eq!(back.status(), Status::NeedsReauth);
    assert_eq!(back.profile.last_error.map(|seen| seen.failure.cause), Some(Cause::InvalidGrant));
}

#[test]
fn an_account_that_can_be_used_has_nothing_to_return_from() {
    assert!(working().apply(Input::IntegrationUsable, T0, Jitter::NONE).is_err());
}
