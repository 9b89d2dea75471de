//! Accounts whose integration's addresses change.

use super::*;
use crate::origins::{AddressKind, Origin};

fn origins(api: &str) -> Origins {
    [(AddressKind::Api, origin(api)), (AddressKind::Token, origin("https://auth.acme.example"))].into_iter().collect()
}

fn origin(text: &str) -> Origin {
    serde_json::from_value(text.into()).expect("an origin")
}

const HERE: &str = "https://api.acme.example";
const THERE: &str = "https://evil.example";

fn now_at(api: &str) -> Input {
    Input::FollowOrigins { current: origins(api), accepted: vec![] }
}

/// An account that was connected at [`HERE`].
fn connected(by: Option<Renewal>) -> Story {
    let granted = Granted { origins: origins(HERE), ..granted(by, "ada") };
    let step = Account::connect(profile(), &granted, T0);
    let mut story = Story { account: step.account, events: vec![], timeline: vec![], now: T0 };
    story.apply(Input::StepsPassed);
    story.events.clear();
    story
}

const RENEWALS: [Option<Renewal>; 3] = [Some(Renewal::RefreshToken), Some(Renewal::ClientCredentials), None];

#[test]
fn an_account_whose_address_changes_needs_its_person_and_nothing_is_due() {
    for by in RENEWALS {
        let mut story = connected(by);
        story.apply(now_at(HERE));
        assert_eq!((story.account.status(), story.events.len()), (Status::Active, 0));
        let step = story.account.clone().apply(now_at(THERE), T0, Jitter::NONE).expect("accepted");
        let failure = step.account.state.trouble().expect("a trouble").failure.clone();
        assert_eq!(step.events, [EventKind::AccountAuthenticationError]);
        assert_eq!(step.timeline, [TimelineEvent::OriginChanged { failure: failure.clone() }]);
        assert_eq!(step.account.profile.last_error.as_ref().map(|seen| &seen.failure), Some(&failure));
        assert_eq!((step.account.status(), step.account.due(Jitter::NONE)), (Status::NeedsReauth, None));
        assert!(step.account.waits_for_person());
        let text = failure.explain("Acme", Verdict::NeedsPerson);
        assert_eq!(text.title, "Acme's API address changed");
        assert_eq!(
            format!("{} {}", text.message, text.hint),
            "Acme's API address changed from https://api.acme.example to https://evil.example. Relink has sent nothing \
             there. If you trust the new address, reauthorize the connection."
        );
        let again = step.account.apply(now_at(THERE), T0, Jitter::NONE).expect("accepted");
        assert_eq!((again.timeline, again.events), (vec![], vec![]), "it is announced once");
    }
}

#[test]
fn a_second_change_is_announced_too() {
    let mut story = connected(None);
    story.apply(now_at(THERE)).apply(now_at("https://other.example"));
    assert_eq!(story.events, ["authentication_error", "authentication_error"]);
    story.apply(now_at(HERE));
    assert_eq!((story.account.status(), story.events.last()), (Status::Active, Some(&"reactivated")));
}

#[test]
fn an_account_returns_to_its_state_when_the_address_is_back() {
    let mut failing = connected(Some(Renewal::RefreshToken));
    failing.refresh_fails(Cause::InvalidGrant);
    for mut story in [connected(Some(Renewal::RefreshToken)), connected(None), failing] {
        let before = story.account.clone();
        story.apply(now_at(THERE)).apply(now_at(HERE));
        assert_eq!(story.account.state, before.state);
        let causes = |account: &Account| account.profile.last_error.as_ref().map(|seen| seen.failure.cause);
        assert_eq!(causes(&story.account), causes(&before));
    }
}

#[test]
fn only_the_old_addresses_or_new_credentials_end_it() {
    let answered = |outcome| Input::CallAnswered { generation: Account::FIRST_GENERATION, outcome };
    for by in RENEWALS {
        for input in [
            answered(CallOutcome::Accepted),
            answered(unauthorized()),
            Input::Rename { name: "New".into() },
            Input::CredentialGone { failure: Failure::new(Cause::CredentialMissing) },
            Input::BeginRefresh,
        ] {
            let mut story = connected(by);
            story.apply(now_at(THERE));
            let refused = story.try_apply(input.clone()).err();
            assert_eq!(refused, (input == Input::BeginRefresh).then_some(Rejected::OriginChanged));
            assert_eq!((story.cause(), story.account.status()), (Some(Cause::OriginChanged), Status::NeedsReauth));
            assert_eq!(story.account.profile.last_error.as_ref().map(|it| it.failure.cause), story.cause());
            assert!(!story.events.contains(&"reactivated"), "{:?}", story.events);
        }
    }
}

#[test]
fn a_refresh_that_was_in_flight_keeps_its_result_for_the_old_addresses() {
    for (succeeds, after) in [(true, None), (false, Some(Cause::InvalidGrant))] {
        let mut story = connected(Some(Renewal::RefreshToken));
        story.apply(Input::BeginRefresh);
        let generation = story.account.open_generation().expect("open");
        story.apply(now_at(THERE));
        if succeeds {
            story.apply(Input::Refreshed { generation, lifetime: lifetime(T0), rotated: true });
            assert_eq!(story.account.state.credential().generation(), generation);
        } else {
            story.apply(Input::RefreshFailed { generation, failure: Failure::new(Cause::InvalidGrant) });
        }
        assert_eq!(story.cause(), Some(Cause::OriginChanged));
        story.apply(now_at(HERE));
        assert_eq!(story.cause(), after);
    }
}

#[test]
fn new_credentials_are_bound_to_the_addresses_that_they_were_given_for() {
    for by in RENEWALS {
        let mut story = connected(by);
        story.apply(now_at(THERE));
        let granted = Granted { origins: origins(THERE), ..granted(by, "ada") };
        let link = Some(LinkTokenId::from_uuid(uuid::Uuid::nil()));
        story.apply(Input::BeginReplacement { granted, link, first_step: None });
        let generation = story.account.replacement.as_ref().expect("open").generation;
        story.apply(Input::Replaced { generation });
        assert_eq!(story.account.status(), Status::Active);
        assert_eq!(story.account.profile.origins, origins(THERE));
        story.apply(now_at(THERE));
        assert_eq!(story.account.status(), Status::Active);
    }
}

#[test]
fn an_account_that_is_bound_to_nothing_is_not_bound_by_whatever_comes() {
    let mut story = Story::connected(None);
    story.apply(now_at(THERE));
    assert_eq!(story.cause(), Some(Cause::OriginChanged));
}

#[test]
fn credentials_follow_an_accepted_move_with_one_entry() {
    for mut story in [connected(None), {
        let mut story = connected(None);
        story.apply(now_at(THERE));
        story
    }] {
        let follow = Input::FollowOrigins { current: origins(THERE), accepted: vec![origin(HERE)] };
        let step = story.account.clone().apply(follow.clone(), T0, Jitter::NONE).expect("accepted");
        assert!(matches!(step.timeline.first(), Some(TimelineEvent::OriginFollowed { .. })), "{:?}", step.timeline);
        assert!(!step.events.contains(&EventKind::AccountAuthenticationError));
        assert_eq!((step.account.status(), &step.account.profile.origins), (Status::Active, &origins(THERE)));
        story.account = step.account;
        let again = story.account.apply(follow, T0, Jitter::NONE).expect("accepted");
        assert_eq!((again.timeline, again.events), (vec![], vec![]));
    }
}

#[test]
fn a_change_while_the_definition_cannot_be_used_is_not_lost() {
    let mut story = connected(None);
    story.apply(Input::IntegrationUnusable { failure: Failure::new(Cause::IntegrationUnusable) });
    story.apply(now_at(THERE));
    assert_eq!(story.account.status(), Status::ValidationError);
    assert!(story.account.has_moved());
    story.apply(Input::IntegrationUsable);
    assert_eq!((story.account.status(), story.cause()), (Status::NeedsReauth, Some(Cause::OriginChanged)));
}
