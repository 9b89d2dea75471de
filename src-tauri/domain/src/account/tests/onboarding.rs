//! The steps after a sign-in.

use serde_json::json;

use super::*;

#[test]
fn a_new_account_is_created_and_is_active_after_its_last_step() {
    let mut story = Story::connecting(None);
    assert_eq!((story.account.status(), story.events.as_slice()), (Status::Connecting, &["created"][..]));
    story.passes(Some(ConnectStep::Validation));
    assert_eq!((story.account.status(), story.events.len()), (Status::Connecting, 1));
    assert_eq!(story.account.onboarding.map(|open| open.next), Some(ConnectStep::Validation));
    story.passes(None);
    assert_eq!((story.account.status(), story.account.onboarding), (Status::Active, None));
    assert_eq!(story.events, ["created", "active"]);
    assert_eq!(story.timeline.last(), Some(&TimelineEvent::Activated));
}

#[test]
fn a_failed_step_is_the_accounts_last_error_and_its_event() {
    for (passed, status, event, cause) in [
        (false, Status::PostInstallError, "post_install_error", Cause::PostInstallFailed),
        (true, Status::ValidationError, "validation_error", Cause::ValidationFailed),
    ] {
        let mut story = Story::connecting(None);
        if passed {
            story.passes(Some(ConnectStep::Validation));
        }
        story.fails();
        assert_eq!((story.account.status(), story.events.as_slice()), (status, &["created", event][..]));
        let seen = story.account.shown_error().expect("an error");
        assert_eq!(seen.failure.cause, cause);
        let explained = story.account.explain(seen, "Acme CRM");
        assert!(explained.message.ends_with("The workspace is gone."), "{explained:?}");
    }
}

#[test]
fn an_accepted_call_passes_no_failed_step() {
    let mut story = Story::connecting(None);
    story.fails().answered(CallOutcome::Accepted);
    assert_eq!(story.account.status(), Status::PostInstallError);
    assert!(!story.account.recovers_by_accepted_call());
}

#[test]
fn the_steps_can_run_again_unless_they_run_or_the_account_needs_its_person() {
    let again = Input::BeginSteps { first: ConnectStep::PostInstall };
    let mut story = Story::connecting(Some(Renewal::RefreshToken));
    assert_eq!(story.try_apply(again.clone()), Err(Rejected::StepsRunning));
    story.fails().apply(again.clone());
    assert_eq!((story.account.status(), &story.account.profile.last_error), (Status::Connecting, &None));
    story.passes(None).apply(again.clone()).passes(None);
    assert_eq!(story.events, ["created", "post_install_error", "updated", "active", "updated", "active"]);
    story.refresh_fails(Cause::InvalidGrant);
    assert_eq!(story.try_apply(again), Err(Rejected::NeedsPerson));
}

#[test]
fn a_reauthorization_runs_the_steps_between_its_events() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let Input::BeginReplacement { granted, link, .. } = replacement(Some(Renewal::RefreshToken), "ada") else {
        panic!("a replacement")
    };
    let generation = story.account.next_generation();
    story.apply(Input::BeginReplacement { granted, link, first_step: Some(ConnectStep::Validation) });
    story.apply(Input::Replaced { generation });
    assert_eq!((story.account.status(), &story.events[2..]), (Status::Connecting, &["updated"][..]));
    story.passes(None);
    assert_eq!((story.account.status(), &story.events[2..]), (Status::Active, &["updated", "active"][..]));
}

#[test]
fn what_steps_of_an_earlier_sign_in_give_is_refused() {
    let mut story = Story::connecting(Some(Renewal::RefreshToken));
    let stale = story.account.onboarding.expect("open").generation;
    let Input::BeginReplacement { granted, link, .. } = replacement(Some(Renewal::RefreshToken), "ada") else {
        panic!("a replacement")
    };
    let generation = story.account.next_generation();
    story.apply(Input::BeginReplacement { granted, link, first_step: Some(ConnectStep::PostInstall) });
    story.apply(Input::Replaced { generation });
    let context = json!({"a": 1}).as_object().expect("an object").clone();
    for late in [
        Input::StepContext { generation: stale, context },
        Input::ActionEnded { generation: stale, run: None, outcome: ActionOutcome::Passed { then: None } },
    ] {
        assert_eq!(story.try_apply(late), Err(Rejected::Stale { got: stale }));
    }
    assert_eq!(story.account.status(), Status::Connecting);
}

#[test]
fn a_late_result_of_a_step_hides_no_trouble() {
    let mut story = Story::connecting(Some(Renewal::RefreshToken));
    let generation = story.account.onboarding.expect("open").generation;
    story.refresh_fails(Cause::InvalidGrant);
    for outcome in [ActionOutcome::Passed { then: None }, ActionOutcome::Failed { error: "no".into() }] {
        let late = Input::ActionEnded { generation, run: None, outcome };
        assert_eq!(story.try_apply(late), Err(Rejected::StepsDone));
    }
    assert_eq!(story.try_apply(Input::StepsPassed), Err(Rejected::StepsDone));
    assert_eq!(story.account.status(), Status::NeedsReauth);
}

#[test]
fn a_refusal_while_the_steps_run_is_theirs_to_report() {
    let mut story = Story::connecting(None);
    story.answered(unauthorized());
    assert_eq!((story.account.status(), story.events.as_slice()), (Status::Connecting, &["created"][..]));
    story.fails().answered(unauthorized());
    assert_eq!(story.account.status(), Status::NeedsReauth);
}

#[test]
fn a_recovery_leads_back_to_the_steps() {
    let mut refreshed = Story::connecting(Some(Renewal::RefreshToken));
    refreshed.refresh_fails(Cause::ServerError).refresh_succeeds();
    let mut accepted = Story::connecting(None);
    accepted.fails().answered(unauthorized()).answered(CallOutcome::Accepted);
    for story in [&mut refreshed, &mut accepted] {
        assert_eq!((story.account.status(), story.events.last()), (Status::Connecting, Some(&"updated")));
        story.passes(None);
        assert_eq!((story.account.status(), story.events.last()), (Status::Active, Some(&"active")));
    }
}

#[test]
fn a_failed_step_runs_again_when_the_integration_is_repaired() {
    let mut story = Story::connecting(None);
    story.fails().apply(Input::IntegrationUnusable { failure: Failure::new(Cause::IntegrationUnusable) });
    story.apply(Input::IntegrationUsable);
    assert_eq!((story.account.status(), story.events.last()), (Status::Connecting, Some(&"updated")));
}

#[test]
fn what_steps_put_into_the_context_is_announced_with_their_end() {
    let mut story = Story::connecting(None);
    let context = json!({"workspace": "w-1"}).as_object().expect("an object").clone();
    let generation = story.account.onboarding.expect("open").generation;
    story.apply(Input::StepContext { generation, context });
    assert_eq!(story.events, ["created"]);
    assert_eq!(story.account.profile.context["workspace"], "w-1");
}

#[test]
fn a_result_is_stored_as_the_contract_names_it() {
    let step = StepRun { kind: "request".into(), success: false, result: None, error: Some("no".into()) };
    let run = ActionRun { action: "validation".into(), success: false, steps: vec![step] };
    let expected = json!({"action": "validation", "success": false, "steps": [{"type": "request", "success": false, "error": "no"}]});
    assert_eq!(serde_json::to_value(&run).expect("JSON"), expected);
}
