//! What holds after any sequence of inputs.

use proptest::prelude::*;

use super::*;
use crate::health::{Condition, condition_after};
use crate::origins::AddressKind;

fn answers() -> impl Strategy<Value = CallOutcome> {
    prop_oneof![
        Just(CallOutcome::Accepted),
        Just(unauthorized()),
        Just(CallOutcome::AcceptedAsAnother(Identity { id: "grace".into(), label: "Grace".into() })),
        Just(forbidden()),
        prop::sample::select(Cause::ALL).prop_map(|cause| CallOutcome::Inconclusive(Failure::new(cause))),
    ]
}

fn outcomes() -> impl Strategy<Value = ActionOutcome> {
    prop_oneof![
        Just(ActionOutcome::Passed { then: Some(ConnectStep::Validation) }),
        Just(ActionOutcome::Passed { then: None }),
        Just(ActionOutcome::Failed { error: "no".into() }),
    ]
}

fn at(api: &str) -> Origins {
    [(AddressKind::Api, serde_json::from_value(api.into()).expect("an origin"))].into_iter().collect()
}

fn inputs() -> impl Strategy<Value = Input> {
    let cause = prop::sample::select(Cause::ALL);
    let generation = 0_u64..8;
    prop_oneof![
        Just(Input::StepsPassed),
        Just(Input::BeginSteps { first: ConnectStep::PostInstall }),
        (generation.clone(), outcomes()).prop_map(|(generation, outcome)| Input::ActionEnded {
            generation,
            run: None,
            outcome
        }),
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
        Just(Input::AnnounceWithheld),
        prop::sample::select(vec!["https://a.example", "https://b.example"])
            .prop_map(|api| Input::FollowOrigins { current: at(api), accepted: vec![] }),
    ]
}

proptest! {
    /// Generations never go back, events match the change of status, and a stored account is read back unchanged.
    #[test]
    fn the_invariants_hold_after_any_sequence_of_inputs(history in prop::collection::vec((inputs(), 0_i64..4000), 0..60), fixed: bool) {
        let mut story = Story::connected((!fixed).then_some(Renewal::ClientCredentials));
        let mut condition = Condition::Working;
        story.account.profile.origins = at("https://a.example");
        for (input, wait) in history {
            story.wait(wait);
            let before = story.account.clone();
            let Ok(step) = before.clone().apply(input.clone(), story.now, Jitter::NONE) else { continue };
            let after = &step.account;
            prop_assert!(after.state.credential().generation() >= before.state.credential().generation());
            prop_assert_eq!(after.id(), before.id());
            let sent = |kind| step.events.contains(&kind);
            if after.status() == Status::NeedsReauth && before.status() != Status::NeedsReauth {
                let is_due = matches!(after.due_by(story.now, Jitter::NONE), Some(Due::Announce(_)));
                prop_assert!(sent(EventKind::AccountAuthenticationError) != is_due, "now or soon: {:?}", input);
            }
            if before.status() == Status::NeedsReauth && after.status() != Status::NeedsReauth {
                let announced = sent(EventKind::AccountReactivated) || sent(EventKind::AccountUpdated);
                prop_assert!(announced || before.withheld_until().is_some(), "it recovered or was reauthorized: {:?}", input);
            }
            if sent(EventKind::AccountAuthenticationError) {
                prop_assert_eq!(after.withheld_until(), None);
            }
            if after.status() == Status::Active {
                prop_assert_eq!(&after.profile.last_error, &None);
            }
            if sent(EventKind::AccountReactivated) {
                prop_assert_eq!((before.status(), after.status()), (Status::NeedsReauth, Status::Active));
                prop_assert!(!sent(EventKind::AccountUpdated));
            }
            let is_onboarding = matches!(after.state, AccountState::Connecting { .. } | AccountState::StepFailed { .. });
            prop_assert!(!is_onboarding || after.onboarding.is_some(), "{:?}", input);
            prop_assert!(after.status() != Status::Active || after.onboarding.is_none(), "{:?}", input);
            if let Some(trouble) = after.state.trouble() {
                prop_assert_eq!(trouble.next_try.is_some(), trouble.verdict() == Verdict::Retrying);
                prop_assert_eq!(Verdict::for_failure(&trouble.failure, trouble.next_try), trouble.verdict());
                prop_assert!(after.profile.last_error.is_some());
            }
            condition = step.timeline.iter().fold(condition, |before, entry| condition_after(entry, before));
            let expected = match (after.state.trouble().map(Trouble::verdict), after.status()) {
                (Some(Verdict::Retrying), _) => Condition::Retrying,
                (None, Status::Active) => Condition::Working,
                _ => Condition::NotWorking,
            };
            prop_assert_eq!(condition, expected, "the health strip follows the account: {:?}", input);
            let stored = serde_json::to_string(after).expect("an account can be stored");
            prop_assert_eq!(&serde_json::from_str::<Account>(&stored).expect("and read"), after);
            story.account = step.account;
        }
    }
}
