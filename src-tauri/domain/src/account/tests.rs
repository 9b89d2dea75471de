use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::{
    LinkTokenId,
    failure::{Cause, Failure},
    schedule::TokenLifetime,
};

const T0: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn granted(by: Option<Renewal>, person: &str) -> Granted {
    let credential = match by {
        Some(by) => NewCredential::Renewing { by, lifetime: lifetime(T0) },
        None => NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None },
    };
    let identity = Some(Identity { id: person.into(), label: person.into() });
    Granted { credential, identity, scopes: vec![], context: Map::new() }
}

fn replacement(by: Option<Renewal>, person: &str) -> Input {
    Input::BeginReplacement { granted: granted(by, person), link: LinkTokenId::from_uuid(uuid::Uuid::nil()) }
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

/// An account and the events that it has sent.
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
        story.apply(Input::StepsPassed);
        story
    }

    fn try_apply(&mut self, input: Input) -> Result<(), Rejected> {
        let step = self.account.clone().apply(input, self.now, Jitter::NONE)?;
        self.account = step.account;
        self.events
            .extend(step.events.iter().map(|event| event.as_str().split(':').nth(1).expect("a name with a colon")));
        Ok(())
    }

    fn apply(&mut self, input: Input) -> &mut Self {
        self.try_apply(input).expect("the input fits the account");
        self
    }

    fn answered(&mut self, outcome: CallOutcome) -> &mut Self {
        let generation = self.account.state.credential().generation();
        self.apply(Input::CallAnswered { generation, outcome })
    }

    fn refresh_fails(&mut self, cause: Cause) -> &mut Self {
        let generation = self.account.next_generation();
        self.apply(Input::BeginRefresh).apply(Input::RefreshFailed { generation, failure: Failure::new(cause) })
    }

    fn refresh_succeeds(&mut self) -> &mut Self {
        let generation = self.account.next_generation();
        let lifetime = lifetime(self.now);
        self.apply(Input::BeginRefresh).apply(Input::Refreshed { generation, lifetime, rotated: true })
    }

    fn wait(&mut self, secs: i64) -> &mut Self {
        self.now = self.now.plus_secs(secs);
        self
    }

    fn cause(&self) -> Option<Cause> {
        self.account.state.trouble().map(|trouble| trouble.failure.cause)
    }
}

#[test]
fn a_new_account_sends_created_then_active() {
    let story = Story::connected(Some(Renewal::RefreshToken));
    assert_eq!(story.events, ["created", "active"]);
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn every_failed_refresh_sends_an_event_whatever_its_cause() {
    for &cause in Cause::ALL {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        story.refresh_fails(cause).wait(60).refresh_fails(cause);
        assert_eq!(story.events, ["created", "active", "authentication_error", "authentication_error"], "{cause:?}");
        assert_eq!(story.account.status(), Status::NeedsReauth);
        assert!(story.account.profile.last_error.is_some());
    }
}

#[test]
fn an_account_that_recovers_sends_reactivated() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::ServerError).wait(60).refresh_succeeds();
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
    assert_eq!(story.account.status(), Status::Active);
    assert_eq!(story.account.profile.last_error, None);
}

#[test]
fn a_reauthorization_sends_updated_then_active_and_never_reactivated() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let id = story.account.id();
    story.refresh_fails(Cause::InvalidGrant).wait(60);
    let generation = story.account.next_generation();
    story.apply(replacement(Some(Renewal::RefreshToken), "ada"));
    assert_eq!(
        story.account.status(),
        Status::NeedsReauth,
        "nothing changes before the keychain holds the new credentials"
    );
    story.apply(Input::Replaced { generation });
    assert_eq!(story.events[2..], ["authentication_error", "updated", "active"]);
    assert_eq!((story.account.id(), story.account.status()), (id, Status::Active));
}

#[test]
fn a_replacement_that_was_lost_before_the_keychain_changes_nothing() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let before = story.account.clone();
    let generation = before.next_generation();
    story.apply(replacement(None, "grace")).apply(Input::ReplacementLost { generation });
    assert_eq!(story.account, before);
}

#[test]
fn a_sign_in_without_an_identity_keeps_the_old_identity() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let generation = story.account.next_generation();
    let Input::BeginReplacement { mut granted, link } = replacement(Some(Renewal::RefreshToken), "ada") else {
        unreachable!()
    };
    granted.identity = None;
    story.apply(Input::BeginReplacement { granted, link }).apply(Input::Replaced { generation });
    assert_eq!(story.account.profile.identity.as_ref().map(|identity| identity.id.as_str()), Some("ada"));
}

#[test]
fn a_reauthorization_makes_an_open_refresh_stale() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let open = story.account.next_generation();
    story.apply(Input::BeginRefresh);
    let generation = story.account.next_generation();
    story.apply(replacement(Some(Renewal::RefreshToken), "ada")).apply(Input::Replaced { generation });
    assert_eq!(story.account.status(), Status::Active);
    let late = Input::Refreshed { generation: open, lifetime: lifetime(T0), rotated: true };
    assert_eq!(story.try_apply(late), Err(Rejected::Stale { got: open }));
}

#[test]
fn a_second_replacement_is_rejected_while_one_is_open() {
    let mut story = Story::connected(None);
    story.apply(replacement(None, "ada"));
    assert_eq!(story.try_apply(replacement(None, "grace")), Err(Rejected::BeingReplaced));
}

#[test]
fn a_late_step_result_hides_no_trouble() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let failed = Input::StepFailed { step: ConnectStep::Validation, failure: Failure::new(Cause::Rejected) };
    for input in [Input::StepsPassed, failed.clone()] {
        assert_eq!(story.try_apply(input), Err(Rejected::StepsDone));
    }
    story.refresh_fails(Cause::InvalidGrant);
    for input in [Input::StepsPassed, failed] {
        assert_eq!(story.try_apply(input), Err(Rejected::StepsDone));
    }
    assert_eq!(story.account.status(), Status::NeedsReauth);
}

#[test]
fn a_result_of_an_older_generation_is_rejected() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let old = story.account.next_generation();
    story.refresh_succeeds().wait(10).apply(Input::BeginRefresh);
    for input in [
        Input::Refreshed { generation: old, lifetime: lifetime(T0), rotated: false },
        Input::RefreshFailed { generation: old, failure: Failure::new(Cause::InvalidGrant) },
        Input::Replaced { generation: old },
    ] {
        assert_eq!(story.try_apply(input), Err(Rejected::Stale { got: old }));
    }
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn a_second_refresh_is_rejected_while_one_is_in_progress() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.apply(Input::BeginRefresh);
    assert_eq!(story.try_apply(Input::BeginRefresh), Err(Rejected::UnderWay));
    assert_eq!(story.account.due(Jitter::NONE), None);
}

#[test]
fn an_api_key_has_nothing_to_refresh() {
    let mut story = Story::connected(None);
    assert_eq!(story.try_apply(Input::BeginRefresh), Err(Rejected::NotRenewing));
}

#[test]
fn a_401_fails_an_api_key_account_and_an_accepted_call_restores_it() {
    let mut story = Story::connected(None);
    story.answered(CallOutcome::Unauthorized);
    assert_eq!(story.cause(), Some(Cause::Rejected));
    story.answered(CallOutcome::Accepted);
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
}

#[test]
fn an_accepted_call_does_not_end_the_trouble_of_a_refused_refresh() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::InvalidGrant).answered(CallOutcome::Accepted);
    assert_eq!(story.account.status(), Status::NeedsReauth);
}

#[test]
fn a_401_for_replaced_credentials_changes_nothing() {
    let mut story = Story::connected(None);
    let old = story.account.state.credential().generation();
    let generation = story.account.next_generation();
    story.apply(replacement(None, "ada")).apply(Input::Replaced { generation });
    let late = Input::CallAnswered { generation: old, outcome: CallOutcome::Unauthorized };
    assert_eq!(story.try_apply(late), Err(Rejected::Stale { got: old }));
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn a_missing_key_sends_one_event_and_an_accepted_call_restores_the_account() {
    let mut story = Story::connected(None);
    let gone = || Input::CredentialGone { failure: Failure::new(Cause::CredentialMissing) };
    story.apply(gone()).apply(gone());
    assert_eq!(story.events[2..], ["authentication_error"]);
    story.answered(CallOutcome::Accepted);
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
}

#[test]
fn a_fixed_token_past_its_expiry_is_checked_once_an_hour() {
    let mut granted = granted(None, "ada");
    granted.credential = NewCredential::Fixed { kind: FixedKind::AccessToken, expires_at: Some(T0.plus_secs(600)) };
    let mut story = Story { account: Account::connect(profile(), &granted, T0).account, events: vec![], now: T0 };
    story.apply(Input::StepsPassed);
    let due = |story: &Story| story.account.due(Jitter::NONE);
    assert_eq!(due(&story), Some(Due::Check(T0.plus_secs(600))));
    story.wait(60).answered(CallOutcome::Accepted);
    assert_eq!(due(&story), Some(Due::Check(T0.plus_secs(600))), "a check before the expiry moves nothing");
    for answer in [CallOutcome::Accepted, CallOutcome::Forbidden, CallOutcome::Inconclusive(Failure::new(Cause::Dns))] {
        story.wait(3600).answered(answer);
        assert_eq!(due(&story), Some(Due::Check(story.now.plus_secs(3600))));
    }
    story.wait(3600).answered(CallOutcome::Unauthorized);
    assert_eq!(due(&story), None);
}

#[test]
fn the_first_lost_response_of_an_episode_is_retried_at_once() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let pause = |story: &Story| story.account.due(Jitter::NONE).map(|due| due.at().millis_since(story.now) / 1000);
    story.refresh_fails(Cause::Dns);
    assert_eq!(pause(&story), Some(30));
    story.wait(30).refresh_fails(Cause::BadGateway);
    assert_eq!(pause(&story), Some(1), "the first lost response, though not the first failure");
    story.wait(1).refresh_fails(Cause::Reset);
    assert_eq!(pause(&story), Some(120));
}

#[test]
fn a_refused_client_of_the_accounts_own_needs_the_person() {
    let mut story = Story::connected(Some(Renewal::ClientCredentials));
    story.refresh_fails(Cause::InvalidClient);
    assert_eq!(story.cause(), Some(Cause::ClientRefused));
    let verdict = story.account.state.trouble().map(Trouble::verdict);
    assert_eq!(verdict, Some(Verdict::NeedsPerson));
}

#[test]
fn a_clock_set_back_delays_nothing() {
    let yesterday = T0.plus_secs(-86_400);
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let due = |story: &Story, now| story.account.due_by(now, Jitter::NONE).map(Due::at);
    assert_eq!(due(&story, T0), story.account.due(Jitter::NONE).map(Due::at));
    assert_eq!(due(&story, yesterday), Some(yesterday), "the token's lifetime is unknown");
    story.refresh_fails(Cause::ServerError);
    assert_eq!(due(&story, T0), Some(T0.plus_secs(30)));
    assert_eq!(due(&story, yesterday), Some(yesterday.plus_secs(30)));
}

#[test]
fn a_403_is_recorded_and_the_status_stays() {
    let mut story = Story::connected(None);
    story.answered(CallOutcome::Forbidden);
    assert_eq!(story.account.status(), Status::Active);
    assert!(story.account.profile.last_forbidden_error.is_some());
    assert_eq!(story.events.len(), 2);
}

#[test]
fn only_a_cause_that_may_go_away_is_retried() {
    for &cause in Cause::ALL {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        story.refresh_fails(cause);
        let trouble = story.account.state.trouble().expect("it fails");
        let retries = trouble.verdict() == Verdict::Retrying;
        assert_eq!(trouble.next_try.is_some(), retries, "{cause:?}");
        assert_eq!(story.account.due(Jitter::NONE).is_some(), retries, "{cause:?}");
    }
}

#[test]
fn an_unknown_refusal_is_final_after_three_over_an_hour() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let verdict = |story: &Story| story.account.state.trouble().map(Trouble::verdict);
    story.refresh_fails(Cause::UnknownRefusal).wait(60).refresh_fails(Cause::UnknownRefusal);
    story.wait(60).refresh_fails(Cause::UnknownRefusal);
    let hint = |story: &Story| {
        let seen = story.account.profile.last_error.as_ref().expect("it failed");
        story.account.explain(seen, "GitHub").hint
    };
    assert_eq!(verdict(&story), Some(Verdict::Retrying), "three, but within two minutes");
    assert!(hint(&story).contains("will retry"), "{}", hint(&story));
    story.wait(3600).refresh_fails(Cause::UnknownRefusal);
    assert_eq!(hint(&story), "Reauthorize the connection.", "no retry is planned");
    assert_eq!(verdict(&story), Some(Verdict::NeedsPerson));
}

#[test]
fn a_refusal_after_a_lost_response_has_the_cause_lost_response() {
    for lost in [Cause::Reset, Cause::Timeout, Cause::Garbled, Cause::NotJson, Cause::BadGateway] {
        for refusal in [Cause::InvalidGrant, Cause::RefusedByProvider] {
            let mut story = Story::connected(Some(Renewal::RefreshToken));
            story.refresh_fails(lost).wait(2).refresh_fails(refusal);
            assert_eq!(story.cause(), Some(Cause::LostResponse), "{lost:?} {refusal:?}");
        }
    }
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let generation = story.account.next_generation();
    story.apply(Input::BeginRefresh).apply(Input::ResumeRefresh);
    story.apply(Input::RefreshFailed { generation, failure: Failure::new(Cause::InvalidGrant) });
    assert_eq!(story.cause(), Some(Cause::LostResponse), "after a crash");
}

#[test]
fn a_deferred_refresh_is_noted_once_and_changes_no_status() {
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
fn time_offline_does_not_count_as_time_in_trouble() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::Dns).wait(300).apply(Input::Defer { why: DeferReason::Offline });
    story.wait(3600).refresh_fails(Cause::Dns).wait(60);
    let trouble = story.account.state.trouble().expect("it fails");
    assert_eq!(trouble.online_millis_by(story.now), 360_000);
}

#[test]
fn time_asleep_does_not_count_as_time_in_trouble() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::Dns).wait(8 * 3600).apply(Input::Defer { why: DeferReason::JustWoken });
    story.wait(10).refresh_fails(Cause::Dns).wait(60);
    let trouble = story.account.state.trouble().expect("it fails");
    assert_eq!(trouble.online_millis_by(story.now), 60_000);
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
    /// Generations never go back, events match the change of status, and a stored account is read back unchanged.
    #[test]
    fn the_invariants_hold_after_any_sequence_of_inputs(history in prop::collection::vec((inputs(), 0_i64..4000), 0..60), fixed: bool) {
        let mut story = Story::connected((!fixed).then_some(Renewal::ClientCredentials));
        for (input, wait) in history {
            story.wait(wait);
            let before = story.account.clone();
            let Ok(step) = before.clone().apply(input.clone(), story.now, Jitter::NONE) else { continue };
            let after = &step.account;
            prop_assert!(after.state.credential().generation() >= before.state.credential().generation());
            prop_assert_eq!(after.id(), before.id());
            let sent = |kind| step.events.contains(&kind);
            if after.status() == Status::NeedsReauth && before.status() != Status::NeedsReauth {
                prop_assert!(sent(EventKind::AccountAuthenticationError), "{:?}", input);
            }
            if before.status() == Status::NeedsReauth && after.status() != Status::NeedsReauth {
                let announced = sent(EventKind::AccountReactivated) || sent(EventKind::AccountUpdated);
                prop_assert!(announced, "it recovered or was reauthorized: {:?}", input);
            }
            if after.status() == Status::Active {
                prop_assert_eq!(&after.profile.last_error, &None);
            }
            if sent(EventKind::AccountReactivated) {
                prop_assert_eq!((before.status(), after.status()), (Status::NeedsReauth, Status::Active));
                prop_assert!(!sent(EventKind::AccountUpdated));
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
