//! Connecting, refreshing, retrying and deferring.

use super::*;

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

#[test]
fn a_refresh_stores_the_new_lifetime_and_generation() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    assert_eq!(story.account.state.credential().generation(), Account::FIRST_GENERATION);
    story.wait(1000).refresh_succeeds();
    let Credential::Renewing(renewing) = story.account.state.credential() else { panic!("renewing") };
    assert_eq!((renewing.generation, renewing.lifetime, renewing.attempt), (2, lifetime(story.now), Attempt::Idle));
    assert_eq!(story.account.next_generation(), 3);
}

#[test]
fn the_next_generation_is_above_every_open_one() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    assert_eq!(story.account.next_generation(), 2);
    story.apply(Input::BeginRefresh);
    assert_eq!(story.account.next_generation(), 3, "above the refresh");
    story.apply(replacement(Some(Renewal::RefreshToken), "ada"));
    assert_eq!(story.account.next_generation(), 4, "above the replacement");
}

#[test]
fn a_refusal_without_a_lost_response_keeps_its_cause() {
    for cause in [Cause::InvalidGrant, Cause::RefusedByProvider] {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        story.refresh_fails(Cause::Dns).refresh_fails(cause);
        assert_eq!(story.cause(), Some(cause));
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        story.refresh_fails(Cause::Timeout).refresh_succeeds().refresh_fails(cause);
        assert_eq!(story.cause(), Some(cause), "a success ends the uncertainty");
    }
}

#[test]
fn only_a_client_of_the_accounts_own_is_refused_with_the_account() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::InvalidClient);
    assert_eq!(story.cause(), Some(Cause::InvalidClient));
    let mut story = Story::connected(Some(Renewal::ClientCredentials));
    story.refresh_fails(Cause::UnauthorizedClient);
    assert_eq!(story.cause(), Some(Cause::ClientRefused));
}

#[test]
fn two_unknown_refusals_are_not_final_however_far_apart() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::UnknownRefusal).wait(7200).refresh_fails(Cause::UnknownRefusal);
    assert_eq!(story.account.state.trouble().map(Trouble::verdict), Some(Verdict::Retrying));
}

#[test]
fn three_unknown_refusals_are_final_after_exactly_an_hour() {
    for (secs, verdict) in [(3599, Verdict::Retrying), (3600, Verdict::NeedsPerson)] {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        story.refresh_fails(Cause::UnknownRefusal).refresh_fails(Cause::UnknownRefusal);
        story.wait(secs).refresh_fails(Cause::UnknownRefusal);
        assert_eq!(story.account.state.trouble().map(Trouble::verdict), Some(verdict), "{secs} s");
    }
}

#[test]
fn another_failure_interrupts_a_series_of_unknown_refusals() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::UnknownRefusal).refresh_fails(Cause::UnknownRefusal);
    story.refresh_fails(Cause::Dns).wait(3600).refresh_fails(Cause::UnknownRefusal);
    assert_eq!(story.account.state.trouble().map(Trouble::verdict), Some(Verdict::Retrying));
}

#[test]
fn an_attempt_ends_a_deferral() {
    let deferred = |story: &Story| match story.account.state.credential() {
        Credential::Renewing(renewing) => renewing.deferred,
        Credential::Fixed(_) => None,
    };
    let defer = || Input::Defer { why: DeferReason::KeychainLocked };
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.apply(defer());
    assert_eq!(deferred(&story), Some(DeferReason::KeychainLocked));
    let generation = story.account.next_generation();
    story.apply(Input::BeginRefresh);
    assert_eq!(deferred(&story), None);
    story.apply(defer()).apply(Input::RefreshFailed { generation, failure: Failure::new(Cause::Dns) });
    assert_eq!(deferred(&story), None, "a failure");
    story.apply(Input::BeginRefresh).apply(defer());
    story.apply(Input::Refreshed { generation, lifetime: lifetime(T0), rotated: false });
    assert_eq!(deferred(&story), None, "a success");
}

#[test]
fn a_deferral_of_a_fixed_credential_changes_nothing() {
    let mut story = Story::connected(None);
    let before = story.account.clone();
    story.apply(Input::Defer { why: DeferReason::Offline });
    assert_eq!(story.account, before);
}

#[test]
fn only_an_open_refresh_is_resumed() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    assert_eq!(story.try_apply(Input::ResumeRefresh), Err(Rejected::Stale { got: 1 }));
    let mut story = Story::connected(None);
    assert_eq!(story.try_apply(Input::ResumeRefresh), Err(Rejected::NotRenewing));
}

#[test]
fn no_refresh_begins_while_a_replacement_is_open() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.apply(replacement(Some(Renewal::RefreshToken), "ada"));
    assert_eq!(story.try_apply(Input::BeginRefresh), Err(Rejected::BeingReplaced));
}

#[test]
fn an_account_that_is_connecting_or_in_a_failed_step_keeps_its_state_through_a_refresh() {
    let mut story = Story::connecting(Some(Renewal::RefreshToken));
    assert_eq!(story.account.due(Jitter::NONE), None);
    story.refresh_succeeds();
    assert_eq!(story.account.status(), Status::Connecting);
    story.fails();
    assert_eq!(story.account.status(), Status::PostInstallError);
    assert_eq!(story.account.due(Jitter::NONE).map(Due::at), Some(T0.plus_secs(3600 - 360)));
    story.refresh_succeeds();
    assert_eq!(
        (story.account.status(), story.events.as_slice()),
        (Status::PostInstallError, &["created", "post_install_error"][..])
    );
}

#[test]
fn a_clock_set_back_moves_no_check_and_no_due_refresh() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_succeeds();
    let due = story.account.due(Jitter::NONE);
    assert_eq!(due, Some(Due::Refresh(T0.plus_secs(3600 - 360))));
    assert_eq!(story.account.due_by(T0.plus_secs(10), Jitter::NONE), due);
}

#[test]
fn after_a_final_failure_programs_wait_longer_each_time() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::ServerError);
    let waits = |story: &Story, secs: i64| {
        story.account.state.trouble().expect("failing").makes_programs_wait(story.now.plus_secs(secs))
    };
    assert!(!waits(&story, 0), "Relink retries by itself");
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        story.refresh_fails(Cause::InvalidGrant);
        let secs = minutes * 60;
        assert!(waits(&story, 0) && waits(&story, secs - 1) && !waits(&story, secs), "{minutes} min");
        assert!(!waits(&story, -86_400), "the clock was set back by a day");
        story.wait(secs);
    }
    story.refresh_succeeds().refresh_fails(Cause::InvalidGrant);
    assert!(waits(&story, 59) && !waits(&story, 60), "a new episode begins anew");
    for _ in 0..3 {
        story.refresh_fails(Cause::InvalidClient);
        assert!(waits(&story, 59) && !waits(&story, 60), "the client may be corrected at any time");
    }
}
