use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::{
    LinkTokenId,
    failure::{Cause, Failure},
    schedule::TokenLifetime,
};

const T0: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn granted(by: Option<Renewal>, who: &str) -> Granted {
    let credential = match by {
        Some(by) => NewCredential::Renewing { by, lifetime: lifetime(T0) },
        None => NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None },
    };
    let identity = Some(Identity { id: who.into(), label: who.into() });
    Granted { credential, identity, scopes: vec![], context: Map::new() }
}

fn replacement(by: Option<Renewal>, who: &str) -> Input {
    Input::BeginReplacement { granted: granted(by, who), link: LinkTokenId::from_uuid(uuid::Uuid::nil()) }
}

fn lifetime(at: Timestamp) -> TokenLifetime {
    TokenLifetime { issued_at: at, expires_at: Some(at.plus_secs(3600)) }
}

fn profile() -> Profile {
    Profile {
        id: AccountId::from_uuid(uuid::Uuid::nil()),
        tenant_id: "acme-1".into(),
        environment_integration_id: EnvironmentIntegrationId::from_uuid(uuid::Uuid::nil()),
        integration: "sandbox".into(),
        name: "Acme".into(),
        is_sandbox: true,
        region: None,
        context: Map::new(),
        identity: None,
        scopes: vec![],
        last_error: None,
        last_forbidden_error: None,
        created_at: T0,
        updated_at: T0,
    }
}

/// An account and what has been told about it.
struct Story {
    account: Account,
    events: Vec<&'static str>,
    now: Timestamp,
}

impl Story {
    fn connected(by: Option<Renewal>) -> Self {
        let step = Account::connect(profile(), &granted(by, "ada"), T0);
        let mut story = Self { account: step.account, events: vec!["created"], now: T0 };
        assert_eq!(step.events, [EventKind::AccountCreated]);
        story.then(Input::StepsPassed);
        story
    }

    fn try_then(&mut self, input: Input) -> Result<(), Rejected> {
        let step = self.account.clone().apply(input, self.now, Jitter::NONE)?;
        self.account = step.account;
        self.events
            .extend(step.events.iter().map(|event| event.as_str().split(':').nth(1).expect("a name with a colon")));
        Ok(())
    }

    fn then(&mut self, input: Input) -> &mut Self {
        self.try_then(input).expect("the input fits the account");
        self
    }

    fn answered(&mut self, outcome: CallOutcome) -> &mut Self {
        let generation = self.account.state.credential().generation();
        self.then(Input::CallAnswered { generation, outcome })
    }

    fn refresh_fails(&mut self, cause: Cause) -> &mut Self {
        let generation = self.account.next_generation();
        self.then(Input::BeginRefresh).then(Input::RefreshFailed { generation, failure: Failure::new(cause) })
    }

    fn refresh_succeeds(&mut self) -> &mut Self {
        let generation = self.account.next_generation();
        let lifetime = lifetime(self.now);
        self.then(Input::BeginRefresh).then(Input::Refreshed { generation, lifetime, rotated: true })
    }

    fn later(&mut self, secs: i64) -> &mut Self {
        self.now = self.now.plus_secs(secs);
        self
    }

    fn cause(&self) -> Option<Cause> {
        self.account.state.trouble().map(|trouble| trouble.failure.cause)
    }
}

#[test]
fn a_new_account_is_told_as_created_then_active() {
    let story = Story::connected(Some(Renewal::RefreshToken));
    assert_eq!(story.events, ["created", "active"]);
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn every_failed_refresh_is_told_whatever_the_cause() {
    for &cause in Cause::ALL {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        story.refresh_fails(cause).later(60).refresh_fails(cause);
        assert_eq!(story.events, ["created", "active", "authentication_error", "authentication_error"], "{cause:?}");
        assert_eq!(story.account.status(), Status::NeedsReauth);
        assert!(story.account.profile.last_error.is_some());
    }
}

#[test]
fn an_account_that_recovers_by_itself_is_told_as_reactivated() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::ServerError).later(60).refresh_succeeds();
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
    assert_eq!(story.account.status(), Status::Active);
    assert_eq!(story.account.profile.last_error, None);
}

#[test]
fn a_reauthorization_is_told_as_updated_then_active_never_as_reactivated() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let id = story.account.id();
    story.refresh_fails(Cause::InvalidGrant).later(60);
    let generation = story.account.next_generation();
    story.then(replacement(Some(Renewal::RefreshToken), "ada"));
    assert_eq!(story.account.status(), Status::NeedsReauth, "nothing changes before the keychain holds the new ones");
    story.then(Input::Replaced { generation });
    assert_eq!(story.events[2..], ["authentication_error", "updated", "active"]);
    assert_eq!((story.account.id(), story.account.status()), (id, Status::Active));
}

#[test]
fn a_replacement_that_never_got_into_the_keychain_changes_nothing() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let before = story.account.clone();
    let generation = before.next_generation();
    story.then(replacement(None, "grace")).then(Input::ReplacementLost { generation });
    assert_eq!(story.account, before);
}

#[test]
fn who_was_signed_in_is_never_forgotten() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let generation = story.account.next_generation();
    let Input::BeginReplacement { mut granted, link } = replacement(Some(Renewal::RefreshToken), "ada") else {
        unreachable!()
    };
    granted.identity = None;
    story.then(Input::BeginReplacement { granted, link }).then(Input::Replaced { generation });
    assert_eq!(story.account.profile.identity.as_ref().map(|identity| identity.id.as_str()), Some("ada"));
}

#[test]
fn a_reauthorization_passes_over_a_refresh_that_was_left_open() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let open = story.account.next_generation();
    story.then(Input::BeginRefresh);
    let generation = story.account.next_generation();
    story.then(replacement(Some(Renewal::RefreshToken), "ada")).then(Input::Replaced { generation });
    assert_eq!(story.account.status(), Status::Active);
    let late = Input::Refreshed { generation: open, lifetime: lifetime(T0), rotated: true };
    assert_eq!(story.try_then(late), Err(Rejected::Stale { got: open }));
}

#[test]
fn a_second_replacement_does_not_begin_while_one_is_on_its_way() {
    let mut story = Story::connected(None);
    story.then(replacement(None, "ada"));
    assert_eq!(story.try_then(replacement(None, "grace")), Err(Rejected::BeingReplaced));
}

#[test]
fn a_step_that_is_done_late_hides_no_trouble() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let failed = Input::StepFailed { step: ConnectStep::Validation, failure: Failure::new(Cause::Rejected) };
    for input in [Input::StepsPassed, failed.clone()] {
        assert_eq!(story.try_then(input), Err(Rejected::StepsDone));
    }
    story.refresh_fails(Cause::InvalidGrant);
    for input in [Input::StepsPassed, failed] {
        assert_eq!(story.try_then(input), Err(Rejected::StepsDone));
    }
    assert_eq!(story.account.status(), Status::NeedsReauth);
}

#[test]
fn a_result_of_an_older_generation_is_refused() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let old = story.account.next_generation();
    story.refresh_succeeds().later(10).then(Input::BeginRefresh);
    for input in [
        Input::Refreshed { generation: old, lifetime: lifetime(T0), rotated: false },
        Input::RefreshFailed { generation: old, failure: Failure::new(Cause::InvalidGrant) },
        Input::Replaced { generation: old },
    ] {
        assert_eq!(story.try_then(input), Err(Rejected::Stale { got: old }));
    }
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn a_second_refresh_does_not_begin_while_one_is_under_way() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.then(Input::BeginRefresh);
    assert_eq!(story.try_then(Input::BeginRefresh), Err(Rejected::UnderWay));
    assert_eq!(story.account.due(Jitter::NONE), None);
}

#[test]
fn an_api_key_has_nothing_to_refresh() {
    let mut story = Story::connected(None);
    assert_eq!(story.try_then(Input::BeginRefresh), Err(Rejected::NotRenewing));
}

#[test]
fn a_401_breaks_an_api_key_and_an_accepted_call_mends_it() {
    let mut story = Story::connected(None);
    story.answered(CallOutcome::Unauthorized);
    assert_eq!(story.cause(), Some(Cause::Rejected));
    story.answered(CallOutcome::Accepted);
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
}

#[test]
fn an_accepted_call_does_not_mend_a_refused_refresh() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::InvalidGrant).answered(CallOutcome::Accepted);
    assert_eq!(story.account.status(), Status::NeedsReauth);
}

#[test]
fn an_answer_to_a_call_with_older_credentials_breaks_nothing() {
    let mut story = Story::connected(None);
    let old = story.account.state.credential().generation();
    let generation = story.account.next_generation();
    story.then(replacement(None, "ada")).then(Input::Replaced { generation });
    let late = Input::CallAnswered { generation: old, outcome: CallOutcome::Unauthorized };
    assert_eq!(story.try_then(late), Err(Rejected::Stale { got: old }));
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn a_key_that_is_gone_is_told_once_and_mended_by_an_accepted_call() {
    let mut story = Story::connected(None);
    let gone = || Input::CredentialGone { failure: Failure::new(Cause::CredentialMissing) };
    story.then(gone()).then(gone());
    assert_eq!(story.events[2..], ["authentication_error"]);
    story.answered(CallOutcome::Accepted);
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
}

#[test]
fn a_token_that_outlives_its_end_is_looked_at_once_an_hour() {
    let mut granted = granted(None, "ada");
    granted.credential = NewCredential::Fixed { kind: FixedKind::AccessToken, expires_at: Some(T0.plus_secs(600)) };
    let mut story = Story { account: Account::connect(profile(), &granted, T0).account, events: vec![], now: T0 };
    story.then(Input::StepsPassed);
    let due = |story: &Story| story.account.due(Jitter::NONE);
    assert_eq!(due(&story), Some(Due::Check(T0.plus_secs(600))));
    story.later(60).answered(CallOutcome::Accepted);
    assert_eq!(due(&story), Some(Due::Check(T0.plus_secs(600))), "a look before its end puts nothing off");
    for answer in [CallOutcome::Accepted, CallOutcome::Forbidden, CallOutcome::Inconclusive(Failure::new(Cause::Dns))] {
        story.later(3600).answered(answer);
        assert_eq!(due(&story), Some(Due::Check(story.now.plus_secs(3600))));
    }
    story.later(3600).answered(CallOutcome::Unauthorized);
    assert_eq!(due(&story), None);
}

#[test]
fn an_ambiguous_failure_is_tried_again_at_once_but_only_once_an_episode() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let pause = |story: &Story| story.account.due(Jitter::NONE).map(|due| due.at().millis_since(story.now) / 1000);
    story.refresh_fails(Cause::Dns);
    assert_eq!(pause(&story), Some(30));
    story.later(30).refresh_fails(Cause::BadGateway);
    assert_eq!(pause(&story), Some(1), "the first lost answer, though not the first failure");
    story.later(1).refresh_fails(Cause::Reset);
    assert_eq!(pause(&story), Some(120));
}

#[test]
fn a_refused_client_of_the_accounts_own_needs_the_person_not_the_integration() {
    let mut story = Story::connected(Some(Renewal::ClientCredentials));
    story.refresh_fails(Cause::InvalidClient);
    assert_eq!(story.cause(), Some(Cause::ClientRefused));
    let verdict = story.account.state.trouble().map(Trouble::verdict);
    assert_eq!(verdict, Some(Verdict::NeedsPerson));
}

#[test]
fn a_clock_that_is_set_back_puts_nothing_off() {
    let yesterday = T0.plus_secs(-86_400);
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let due = |story: &Story, now| story.account.due_by(now, Jitter::NONE).map(Due::at);
    assert_eq!(due(&story, T0), story.account.due(Jitter::NONE).map(Due::at));
    assert_eq!(due(&story, yesterday), Some(yesterday), "the token's life can't be told any more");
    story.refresh_fails(Cause::ServerError);
    assert_eq!(due(&story, T0), Some(T0.plus_secs(30)));
    assert_eq!(due(&story, yesterday), Some(yesterday.plus_secs(30)));
}

#[test]
fn a_403_is_noted_and_the_status_stays() {
    let mut story = Story::connected(None);
    story.answered(CallOutcome::Forbidden);
    assert_eq!(story.account.status(), Status::Active);
    assert!(story.account.profile.last_forbidden_error.is_some());
    assert_eq!(story.events.len(), 2);
}

#[test]
fn a_terminal_cause_is_not_tried_again_a_passing_one_is() {
    for &cause in Cause::ALL {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        story.refresh_fails(cause);
        let trouble = story.account.state.trouble().expect("it fails");
        let tries_again = trouble.verdict() == Verdict::Retrying;
        assert_eq!(trouble.next_try.is_some(), tries_again, "{cause:?}");
        assert_eq!(story.account.due(Jitter::NONE).is_some(), tries_again, "{cause:?}");
    }
}

#[test]
fn an_unknown_refusal_is_final_after_three_over_an_hour() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let verdict = |story: &Story| story.account.state.trouble().map(Trouble::verdict);
    story.refresh_fails(Cause::UnknownRefusal).later(60).refresh_fails(Cause::UnknownRefusal);
    story.later(60).refresh_fails(Cause::UnknownRefusal);
    let hint = |story: &Story| {
        let seen = story.account.profile.last_error.as_ref().expect("it failed");
        story.account.explain(seen, "GitHub").hint
    };
    assert_eq!(verdict(&story), Some(Verdict::Retrying), "three, but within two minutes");
    assert!(hint(&story).contains("tries again"), "{}", hint(&story));
    story.later(3600).refresh_fails(Cause::UnknownRefusal);
    assert_eq!(hint(&story), "Reauthorize the connection.", "nothing is tried any more");
    assert_eq!(verdict(&story), Some(Verdict::NeedsPerson));
}

#[test]
fn a_refusal_after_a_lost_answer_says_so() {
    for lost in [Cause::Reset, Cause::Timeout, Cause::Garbled, Cause::NotJson, Cause::BadGateway] {
        for refusal in [Cause::InvalidGrant, Cause::RefusedByProvider] {
            let mut story = Story::connected(Some(Renewal::RefreshToken));
            story.refresh_fails(lost).later(2).refresh_fails(refusal);
            assert_eq!(story.cause(), Some(Cause::LostResponse), "{lost:?} {refusal:?}");
        }
    }
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let generation = story.account.next_generation();
    story.then(Input::BeginRefresh).then(Input::ResumeRefresh);
    story.then(Input::RefreshFailed { generation, failure: Failure::new(Cause::InvalidGrant) });
    assert_eq!(story.cause(), Some(Cause::LostResponse), "after a crash");
}

#[test]
fn a_refresh_put_off_is_said_once_and_breaks_nothing() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let first =
        story.account.clone().apply(Input::Defer { why: DeferReason::Offline }, T0, Jitter::NONE).expect("fits");
    assert_eq!(first.timeline, [TimelineEvent::Deferred { why: DeferReason::Offline }]);
    let again = first.account.apply(Input::Defer { why: DeferReason::JustWoken }, T0, Jitter::NONE).expect("fits");
    assert!(again.timeline.is_empty() && again.events.is_empty());
    assert_eq!(again.account.status(), Status::Active);
    story.account = again.account;
    story.refresh_succeeds();
}

#[test]
fn time_offline_does_not_count_as_trouble() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::Dns).later(300).then(Input::Defer { why: DeferReason::Offline });
    story.later(3600).refresh_fails(Cause::Dns).later(60);
    let trouble = story.account.state.trouble().expect("it fails");
    assert_eq!(trouble.online_for(story.now), 360_000);
}

#[test]
fn time_asleep_does_not_count_as_trouble() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::Dns).later(8 * 3600).then(Input::Defer { why: DeferReason::JustWoken });
    story.later(10).refresh_fails(Cause::Dns).later(60);
    let trouble = story.account.state.trouble().expect("it fails");
    assert_eq!(trouble.online_for(story.now), 60_000);
}

fn answers() -> impl Strategy<Value = CallOutcome> {
    prop_oneof![
        Just(CallOutcome::Accepted),
        Just(CallOutcome::Unauthorized),
        Just(CallOutcome::Forbidden),
        prop::sample::select(Cause::ALL).prop_map(|cause| CallOutcome::Inconclusive(Failure::new(cause))),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    let cause = prop::sample::select(Cause::ALL);
    let generation = 0_u64..8;
    prop_oneof![
        Just(Input::StepsPassed),
        (prop::sample::select(vec![ConnectStep::PostInstall, ConnectStep::Validation]), cause.clone())
            .prop_map(|(step, cause)| Input::StepFailed { step, failure: Failure::new(cause) }),
        Just(Input::BeginRefresh),
        Just(Input::ResumeRefresh),
        generation.clone().prop_map(|generation| Input::Refreshed {
            generation,
            lifetime: lifetime(T0),
            rotated: true
        }),
        (generation.clone(), cause)
            .prop_map(|(generation, cause)| Input::RefreshFailed { generation, failure: Failure::new(cause) }),
        Just(Input::Defer { why: DeferReason::Offline }),
        (generation.clone(), answers()).prop_map(|(generation, outcome)| Input::CallAnswered { generation, outcome }),
        prop::sample::select(vec![Cause::CredentialMissing, Cause::CredentialDamaged])
            .prop_map(|cause| Input::CredentialGone { failure: Failure::new(cause) }),
        prop::bool::ANY.prop_map(|fixed| replacement((!fixed).then_some(Renewal::RefreshToken), "grace")),
        generation.clone().prop_map(|generation| Input::Replaced { generation }),
        generation.prop_map(|generation| Input::ReplacementLost { generation }),
    ]
}

proptest! {
    /// Whatever happens in whatever order: generations never go back, events match the change of status, and what is
    /// stored is read back as it was.
    #[test]
    fn no_history_breaks_an_invariant(history in prop::collection::vec((inputs(), 0_i64..4000), 0..60), fixed: bool) {
        let mut story = Story::connected((!fixed).then_some(Renewal::ClientCredentials));
        for (input, wait) in history {
            story.later(wait);
            let before = story.account.clone();
            let Ok(step) = before.clone().apply(input.clone(), story.now, Jitter::NONE) else { continue };
            let after = &step.account;
            prop_assert!(after.state.credential().generation() >= before.state.credential().generation());
            prop_assert_eq!(after.id(), before.id());
            let told = |kind| step.events.contains(&kind);
            if after.status() == Status::NeedsReauth && before.status() != Status::NeedsReauth {
                prop_assert!(told(EventKind::AccountAuthenticationError), "{:?}", input);
            }
            if before.status() == Status::NeedsReauth && after.status() != Status::NeedsReauth {
                let how = told(EventKind::AccountReactivated) || told(EventKind::AccountUpdated);
                prop_assert!(how, "it recovered, or was reauthorized: {:?}", input);
            }
            if after.status() == Status::Active {
                prop_assert_eq!(&after.profile.last_error, &None);
            }
            if told(EventKind::AccountReactivated) {
                prop_assert_eq!((before.status(), after.status()), (Status::NeedsReauth, Status::Active));
                prop_assert!(!told(EventKind::AccountUpdated));
            }
            if let Some(trouble) = after.state.trouble() {
                prop_assert_eq!(trouble.next_try.is_some(), trouble.verdict() == Verdict::Retrying);
                prop_assert_eq!(Verdict::for_failure(&trouble.failure, trouble.next_try), trouble.verdict());
                prop_assert!(after.profile.last_error.is_some());
            }
            let stored = serde_json::to_string(after).expect("an account can be stored");
            prop_assert_eq!(&serde_json::from_str::<Account>(&stored).expect("and read"), after);
            story.account = step.account;
        }
    }
}
