//! What a call's outcome, a missing credential or a late connect step changes.

use super::*;
use crate::notice::FailingAccount;

#[test]
fn an_api_key_has_nothing_to_refresh() {
    let mut story = Story::connected(None);
    assert_eq!(story.try_apply(Input::BeginRefresh), Err(Rejected::NotRenewing));
}

#[test]
fn a_401_fails_an_api_key_account_and_an_accepted_call_restores_it() {
    let mut story = Story::connected(None);
    story.answered(unauthorized());
    assert_eq!(story.cause(), Some(Cause::Rejected));
    story.answered(CallOutcome::Accepted);
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
}

#[test]
fn repeated_401s_send_at_most_one_event_a_minute() {
    let mut story = Story::connected(None);
    for _ in 0..40 {
        story.answered(unauthorized()).wait(3);
    }
    // At 0 s and at 60 s; the last is at 117 s.
    assert_eq!(story.events[2..], ["authentication_error", "authentication_error"]);
    story.wait(60).answered(CallOutcome::Accepted).answered(unauthorized());
    assert_eq!(story.events[4..], ["reactivated", "authentication_error"]);
}

#[test]
fn a_credential_that_is_refused_and_accepted_in_turn_sends_at_most_one_event_of_each_kind_a_minute() {
    let mut story = Story::connected(None);
    let mut last_401 = T0;
    for _ in 0..300 {
        last_401 = story.now;
        story.answered(unauthorized());
        assert_eq!(story.account.status(), Status::NeedsReauth, "the status follows each call");
        announce_if_due(&mut story);
        story.answered(CallOutcome::Accepted).wait(1);
        assert_eq!(story.account.status(), Status::Active);
    }
    let minutes = usize::try_from(last_401.millis_since(T0) / 60_000 + 1).expect("small");
    let sent = |name: &str| story.events[2..].iter().filter(|event| **event == name).count();
    assert_eq!((sent("authentication_error"), sent("reactivated")), (minutes, minutes), "{:?}", story.events);
    let (refusals, recoveries): (Vec<_>, Vec<_>) =
        story.timeline[2..].iter().partition(|event| matches!(event, TimelineEvent::Unauthorized { .. }));
    assert_eq!(
        (refusals.len(), recoveries),
        (minutes, vec![&TimelineEvent::Reactivated; minutes]),
        "what the events say"
    );
}

/// What the schedule does.
fn announce_if_due(story: &mut Story) {
    if matches!(story.account.due_by(story.now, Jitter::NONE), Some(Due::Announce(at)) if at <= story.now) {
        story.apply(Input::AnnounceWithheld);
    }
}

#[test]
fn an_event_that_was_withheld_is_sent_when_the_minute_is_over_unless_the_account_recovered() {
    for recovers in [false, true] {
        let mut story = Story::connected(None);
        story.answered(unauthorized()).wait(10).answered(CallOutcome::Accepted).wait(10).answered(unauthorized());
        assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
        assert_eq!(FailingAccount::of(&story.account, "Acme"), None, "nor is the person notified again");
        assert_eq!(story.account.due_by(story.now, Jitter::NONE), Some(Due::Announce(T0.plus_secs(60))));
        story.apply(Input::AnnounceWithheld);
        assert_eq!(story.events.len(), 4, "too early");
        if recovers {
            story.answered(CallOutcome::Accepted);
            assert_eq!(story.account.due_by(story.now, Jitter::NONE), None);
        }
        story.wait(40).apply(Input::AnnounceWithheld).apply(Input::AnnounceWithheld);
        let expected: &[_] = if recovers { &[] } else { &["authentication_error"] };
        assert_eq!(&story.events[4..], expected);
        assert_eq!(FailingAccount::of(&story.account, "Acme").is_some(), !recovers);
    }
}

#[test]
fn a_refresh_does_not_end_the_trouble_of_a_call_that_was_refused_after_a_refresh() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.answered(unauthorized()).wait(3600).refresh_succeeds();
    assert_eq!((story.account.status(), story.cause()), (Status::NeedsReauth, Some(Cause::RejectedAfterRefresh)));
    assert!(story.account.profile.last_error.is_some() && story.account.waits_for_accepted_call());
    story.answered(CallOutcome::Accepted);
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
}

#[test]
fn a_refresh_that_fails_after_a_refused_call_is_announced_at_once_and_a_working_one_ends_it() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.answered(unauthorized()).wait(1).answered(CallOutcome::Accepted).wait(1).answered(unauthorized());
    story.refresh_fails(Cause::InvalidGrant).wait(1).refresh_succeeds();
    assert_eq!(story.events[2..], ["authentication_error", "reactivated", "authentication_error", "reactivated"]);
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn an_accepted_call_does_not_end_the_trouble_of_a_refused_refresh() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::InvalidGrant).answered(CallOutcome::Accepted);
    assert_eq!(story.account.status(), Status::NeedsReauth);
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
    let mut story =
        Story { account: Account::connect(profile(), &granted, T0).account, events: vec![], timeline: vec![], now: T0 };
    story.apply(Input::StepsPassed);
    let due = |story: &Story| story.account.due(Jitter::NONE);
    assert_eq!(due(&story), Some(Due::Check(T0.plus_secs(600))));
    story.wait(60).answered(CallOutcome::Accepted);
    assert_eq!(due(&story), Some(Due::Check(T0.plus_secs(600))), "a check before the expiry moves nothing");
    for answer in [CallOutcome::Accepted, forbidden(), CallOutcome::Inconclusive(Failure::new(Cause::Dns))] {
        story.wait(3600).answered(answer);
        assert_eq!(due(&story), Some(Due::Check(story.now.plus_secs(3600))));
    }
    story.wait(3600).answered(unauthorized());
    assert_eq!(due(&story), None);
}

#[test]
fn a_403_is_recorded_and_the_status_stays() {
    let mut story = Story::connected(None);
    story.answered(forbidden());
    assert_eq!(story.account.status(), Status::Active);
    let forbidden = story.account.profile.last_forbidden_error.as_ref().expect("recorded");
    let ForbiddenCall { seen, method: Some(ResourceMethod { resource, method }) } = forbidden else {
        panic!("{forbidden:?}")
    };
    assert_eq!((resource.as_str(), method.as_str()), ("issues", "list"));
    assert_eq!(seen.failure.missing_scopes, ["repo"]);
    let message = story.account.explain(seen, "GitHub").message;
    assert!(message.ends_with(" It lacks: repo."), "{message}");
    assert_eq!(story.events.len(), 2);
}

#[test]
fn a_403_of_an_earlier_version_is_read_which_kept_no_method() {
    let seen = SeenFailure { failure: Failure::new(Cause::Forbidden).status(403), at: T0 };
    let kept = serde_json::to_value(&seen).expect("written");
    let read: ForbiddenCall = serde_json::from_value(kept).expect("read");
    assert_eq!(read, ForbiddenCall { seen, method: None });
    let with_method =
        ForbiddenCall { method: Some(ResourceMethod { resource: "issues".into(), method: "list".into() }), ..read };
    let kept = serde_json::to_value(&with_method).expect("written");
    assert_eq!(serde_json::from_value::<ForbiddenCall>(kept).expect("read"), with_method);
}

#[test]
fn an_accepted_call_ends_the_trouble_of_a_call_that_was_refused_after_a_refresh() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.answered(unauthorized());
    assert_eq!(story.cause(), Some(Cause::RejectedAfterRefresh));
    story.answered(CallOutcome::Accepted);
    assert_eq!(story.events[2..], ["authentication_error", "reactivated"]);
    assert_eq!((story.account.status(), &story.account.profile.last_error), (Status::Active, &None));
}

#[test]
fn a_credential_that_is_damaged_after_it_was_missing_is_announced_again() {
    let mut story = Story::connected(None);
    for cause in [Cause::CredentialMissing, Cause::CredentialDamaged] {
        story.apply(Input::CredentialGone { failure: Failure::new(cause) });
    }
    assert_eq!(story.events[2..], ["authentication_error", "authentication_error"]);
    assert_eq!(story.cause(), Some(Cause::CredentialDamaged));
}

#[test]
fn a_new_name_and_context_are_stored_and_announced() {
    let mut story = Story::connected(None);
    story.wait(60).apply(Input::Rename { name: "Acme EU".into() });
    let context = |context: serde_json::Value| {
        let context = context.as_object().expect("an object").clone();
        Input::Change(Box::new(AccountChange { context, ..AccountChange::default() }))
    };
    story.apply(context(serde_json::json!({"region": "eu", "team": {"id": 1}})));
    story.apply(context(serde_json::json!({"team": {"name": "core"}})));
    let profile = &story.account.profile;
    assert_eq!((profile.name.as_str(), profile.updated_at), ("Acme EU", story.now));
    assert_eq!(
        serde_json::Value::from(profile.context.clone()),
        serde_json::json!({"region": "eu", "team": {"name": "core"}})
    );
    assert_eq!(story.events[2..], ["updated", "updated", "updated"]);
}

#[test]
fn a_context_is_merged_at_the_top_and_its_oauth_deeper() {
    let context = |value: serde_json::Value| value.as_object().expect("an object").clone();
    let change = |value| AccountChange { context: context(value), ..AccountChange::default() };
    let profile = Story::connected(None).account.profile;
    let sent = serde_json::json!({
        "list": [1, 2], "oauth": {"instance": {"url": "https://eu"}, "scope_hint": "x"},
        "file": {"truto_obj_store": true, "data": {"rows": [1]}}, "not_stored": {"truto_obj_store": false, "data": 1},
    });
    let profile = change(sent).applied_to(profile);
    let profile = change(serde_json::json!({"list": [3], "oauth": {"instance": {"id": 7}}})).applied_to(profile);
    assert_eq!(
        serde_json::Value::from(profile.context.clone()),
        serde_json::json!({
            "list": [3], "oauth": {"instance": {"url": "https://eu", "id": 7}, "scope_hint": "x"},
            "file": {"rows": [1]}, "not_stored": {"truto_obj_store": false, "data": 1},
        })
    );
    assert_eq!(profile.settings.object_store_context_fields, ["file"]);
    // A value that is written plainly is no stored object any more.
    let profile = change(serde_json::json!({"file": {"rows": [2]}})).applied_to(profile);
    assert_eq!(profile.settings, Settings::default());
    assert_eq!(profile.context["file"], serde_json::json!({"rows": [2]}));
}

#[test]
fn a_sign_in_names_the_stored_objects_that_are_left_and_its_own() {
    let context = |value: serde_json::Value| value.as_object().expect("an object").clone();
    let stored = |data: i64| serde_json::json!({"truto_obj_store": true, "data": data});
    let before =
        context(serde_json::json!({"kept": stored(1), "gone": stored(2), "typed": stored(3), "both": stored(4)}));
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.apply(Input::Change(Box::new(AccountChange { context: before, ..AccountChange::default() })));
    let mut granted = granted(Some(Renewal::RefreshToken), "ada");
    granted.context = context(serde_json::json!({"kept": 1, "typed": "3", "both": 5, "new": 6}));
    granted.object_store_context_fields = vec!["both".to_owned(), "new".to_owned()];
    story.apply(Input::BeginReplacement { granted, link: None, first_step: None });
    let generation = story.account.replacement.as_ref().expect("begun").generation;
    story.apply(Input::Replaced { generation });
    assert_eq!(story.account.profile.settings.object_store_context_fields, ["kept", "both", "new"]);
}

#[test]
fn overrides_are_merged_deeply_and_null_removes() {
    let map = |value: serde_json::Value| value.as_object().expect("an object").clone();
    let change = |over| AccountChange {
        integration_override: map(over),
        unified_model_override: map(serde_json::json!({"crm": {"contacts": {"list": {"resource": "people"}}}})),
        tenant_id: Some("acme-2".into()),
        ..AccountChange::default()
    };
    let mut story = Story::connected(None);
    story.apply(Input::Change(Box::new(change(
        serde_json::json!({"headers": {"X-A": "1", "X-B": "2"}, "list": [1, 2]}),
    ))));
    story.apply(Input::Change(Box::new(change(serde_json::json!({"headers": {"X-A": null}, "list": [3]})))));
    let profile = &story.account.profile;
    assert_eq!(
        serde_json::Value::from(profile.settings.integration_override.clone()),
        serde_json::json!({"headers": {"X-B": "2"}, "list": [3]})
    );
    assert_eq!(profile.settings.unified_model_override["crm"]["contacts"]["list"]["resource"], "people");
    assert_eq!(profile.tenant_id, "acme-2");
    assert_eq!(story.events[2..], ["updated", "updated"]);
}

#[test]
fn a_mark_is_set_once_and_taken_away_once() {
    let mut story = Story::connected(None);
    assert!(story.account.profile.is_sandbox, "of the Sandbox");
    let mut mark = |is_sandbox| {
        story.wait(60).apply(Input::MarkSandbox { is_sandbox });
        let profile = &story.account.profile;
        (profile.is_sandbox, profile.settings.sandbox_since, profile.updated_at)
    };
    let (is_sandbox, since, unchanged) = mark(true);
    assert_eq!((is_sandbox, since), (true, None), "it is one already");
    let (is_sandbox, since, taken_away) = mark(false);
    assert!(!is_sandbox && since.is_none() && taken_away > unchanged);
    let (is_sandbox, since, marked) = mark(true);
    assert_eq!((is_sandbox, since), (true, Some(marked)));
    assert_eq!(mark(true), (true, Some(marked), marked));
    assert_eq!(story.events[2..], ["updated", "updated"]);
}

#[test]
fn methods_and_statuses_have_their_names_on_the_wire() {
    for method in
        [AuthenticationMethod::Oauth2, AuthenticationMethod::ApiKey, AuthenticationMethod::Oauth2ClientCredentials]
    {
        assert_eq!(serde_json::to_value(method).expect("JSON"), method.as_str());
    }
    for status in
        [Status::Active, Status::Connecting, Status::PostInstallError, Status::ValidationError, Status::NeedsReauth]
    {
        assert_eq!(serde_json::to_value(status).expect("JSON"), status.as_str());
    }
}

#[test]
fn every_credential_has_its_authentication_method() {
    let method = |by| Story::connected(by).account.method();
    assert_eq!(method(Some(Renewal::RefreshToken)), AuthenticationMethod::Oauth2);
    assert_eq!(method(Some(Renewal::ClientCredentials)), AuthenticationMethod::Oauth2ClientCredentials);
    assert_eq!(method(None), AuthenticationMethod::ApiKey);
    let token = NewCredential::Fixed { kind: FixedKind::AccessToken, expires_at: None };
    assert_eq!(Credential::new(&token, 1).method(), AuthenticationMethod::Oauth2);
}

#[test]
fn an_account_stored_by_an_older_version_is_read() {
    let story = Story::connected(Some(Renewal::RefreshToken));
    let mut stored = serde_json::to_value(&story.account).expect("JSON");
    let mut state = stored.as_object_mut().and_then(|map| map.remove("state")).expect("a state");
    let credential = state["credential"].as_object_mut().expect("a credential");
    if let Some(lifetime) = credential.remove("lifetime") {
        credential.insert("lease".into(), lifetime);
    }
    stored["life"] = state;
    assert_eq!(serde_json::from_value::<Account>(stored).expect("read"), story.account);
}

#[test]
fn an_answer_as_somebody_else_is_announced_once_and_ends_no_trouble() {
    let grace = || CallOutcome::AcceptedAsAnother(Identity { id: "grace".into(), label: "Grace".into() });
    for by in [None, Some(Renewal::RefreshToken)] {
        let mut story = Story::connected(by);
        story.answered(grace()).answered(grace());
        assert_eq!(story.account.status(), Status::Active);
        assert_eq!(story.events, ["created", "active", "updated"]);
        let error = story.account.shown_error().expect("shown");
        assert_eq!(
            (error.failure.cause, error.failure.provider_message.as_deref()),
            (Cause::AnotherIdentity, Some("Grace"))
        );

        story.answered(unauthorized()).answered(grace());
        assert_eq!(story.account.status(), Status::NeedsReauth);
        story.answered(CallOutcome::Accepted);
        assert_eq!(story.events, ["created", "active", "updated", "authentication_error", "reactivated"]);
        assert_eq!((story.account.status(), story.account.shown_error()), (Status::Active, None));
        story.answered(grace()).answered(CallOutcome::Accepted);
        assert_eq!(story.events[5..], ["updated", "updated"]);
    }
}

#[test]
fn an_answer_as_yet_another_person_is_announced_again_and_a_reauthorization_forgets_it() {
    let other = |name: &str| CallOutcome::AcceptedAsAnother(Identity { id: name.into(), label: name.into() });
    let mut story = Story::connected(None);
    story.answered(other("grace")).answered(other("joan"));
    assert_eq!(story.events, ["created", "active", "updated", "updated"]);
    let generation = story.account.next_generation();
    story.apply(replacement(None, "joan")).apply(Input::Replaced { generation });
    assert_eq!(story.account.shown_error(), None);
}

#[test]
fn a_403_is_kept_until_a_call_is_accepted_and_changes_no_status() {
    let mut story = Story::connected(None);
    story.answered(forbidden());
    assert_eq!(story.account.status(), Status::Active);
    assert!(story.account.profile.last_forbidden_error.is_some());
    story.answered(CallOutcome::Accepted);
    assert!(story.account.profile.last_forbidden_error.is_none());
    assert_eq!(story.events[2..], ["updated"], "the account shows something else again");
}
