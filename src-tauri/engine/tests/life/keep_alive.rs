//! Refreshes: rotation, single flight, and what each failure means.

use relink_contract::account::CheckOutcome;
use relink_domain::account::{Status, Verdict};
use relink_engine::keychain::{Key, Keychain, KeychainError};
use serde_json::json;

use crate::world::{PERSON, World};

#[tokio::test]
async fn a_rotated_refresh_token_is_stored_and_the_access_token_is_not() {
    let world = World::new().await;
    world.rotation("rotate").await;
    let id = world.connected().await;
    let keychain = Keychain::memory(world.keychain.clone());
    let before = keychain.get(&Key::Account(id)).await.expect("open").expect("there");
    world.engine.refresher().refresh(&PERSON, id).await.expect("refreshed");
    let after = keychain.get(&Key::Account(id)).await.expect("open").expect("there");
    assert!(after.generation > before.generation);
    assert_ne!(after.secrets["refresh_token"], before.secrets["refresh_token"]);
    let access = world.engine.refresher().access_token(&PERSON, id).await.expect("a token").token;
    assert!(after.secrets.values().all(|secret| *secret != access));
    assert_eq!(after.secrets.len(), 1);
}

#[tokio::test]
async fn a_refresh_without_rotation_writes_nothing_to_the_keychain() {
    let world = World::new().await;
    world.rotation("none").await;
    let id = world.connected().await;
    world.keychain.fail_after(0);
    world.engine.refresher().refresh(&PERSON, id).await.expect("refreshed without a write");
}

#[tokio::test]
async fn a_thousand_callers_of_an_expired_token_cause_one_exchange() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.token_requests().await;
    world.clock.advance_secs(86_400);
    let asked: Vec<_> = (0..1000)
        .map(|_| {
            let engine = world.engine.clone();
            tokio::spawn(async move { engine.refresher().access_token(&PERSON, id).await.expect("a token").token })
        })
        .collect();
    let mut tokens = Vec::new();
    for one in asked {
        tokens.push(one.await.expect("answered"));
    }
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(world.token_requests().await - before, 1);
}

#[tokio::test]
async fn each_failure_is_classified_and_sends_one_event() {
    for (fault, code, verdict) in [
        ("status_500", "server_error", Verdict::Retrying),
        ("status_503", "server_error", Verdict::Retrying),
        ("too_many_requests", "rate_limited", Verdict::Retrying),
        ("reset_before", "connection_reset", Verdict::Retrying),
        ("reset_after", "connection_reset", Verdict::Retrying),
        ("silence", "timeout", Verdict::Retrying),
        ("slow_drip", "timeout", Verdict::Retrying),
        ("truncated_json", "garbled_answer", Verdict::Retrying),
        ("html_200", "not_json", Verdict::Retrying),
        ("unknown_error_400", "unknown_refusal", Verdict::Retrying),
        ("invalid_grant", "invalid_grant", Verdict::NeedsPerson),
        ("error_200", "invalid_grant", Verdict::NeedsPerson),
        ("invalid_client", "invalid_client", Verdict::NeedsClient),
    ] {
        let world = World::new().await;
        let id = world.connected().await;
        world.fault(fault, 1).await;
        let error = match code {
            "timeout" => world.refresh_past_its_deadline(id).await,
            _ => world.engine.refresher().refresh(&PERSON, id).await.map(drop),
        }
        .expect_err(fault);
        assert_eq!(error.code(), code, "{fault}");
        let account = world.account(id).await;
        assert_eq!(account.status(), Status::NeedsReauth, "{fault}");
        assert_eq!(account.state.trouble().expect("a trouble").verdict(), verdict, "{fault}");
        assert_eq!(world.event_names().await[2..], ["authentication_error"], "{fault}");
        let kept = Keychain::memory(world.keychain.clone()).get(&Key::Account(id)).await.expect("open").expect("there");
        assert!(!kept.secrets["refresh_token"].is_empty(), "{fault}: a failure never blanks a credential");
    }
}

#[tokio::test]
async fn a_lost_response_ends_in_a_success_or_in_the_cause_lost_response() {
    for (rotation, after) in
        [("none", None), ("grace", None), ("rotate", Some("lost_response")), ("strict", Some("lost_response"))]
    {
        let world = World::new().await;
        world.rotation(rotation).await;
        for lost in ["reset_after", "silence", "slow_drip", "truncated_json"] {
            let id = world.connected().await;
            world.fault(lost, 1).await;
            match lost {
                "reset_after" | "truncated_json" => world.engine.refresher().refresh(&PERSON, id).await.map(drop),
                _ => world.refresh_past_its_deadline(id).await,
            }
            .expect_err("no whole answer came");
            // The Sandbox falls silent before it handles the request, so the refresh token was not used.
            let after = after.filter(|_| lost != "silence");
            let again = world.engine.refresher().refresh(&PERSON, id).await;
            assert_eq!(again.err().map(|error| error.code()), after, "{lost}, {rotation}");
            let status = if after.is_some() { Status::NeedsReauth } else { Status::Active };
            assert_eq!(world.account(id).await.status(), status, "{lost}, {rotation}");
        }
    }
}

#[tokio::test]
async fn a_provider_clock_that_is_a_day_off_costs_at_most_a_refresh() {
    for skew in [86_400, -86_400] {
        let world = World::new().await;
        let id = world.connected().await;
        let lifetime = async || world.engine.refresher().access_token(&PERSON, id).await.expect("a token").lifetime;
        let before = lifetime().await;
        world.control("PATCH", "/control", json!({ "clock_skew_secs": skew })).await;
        assert_eq!(
            world.engine.refresher().check(&PERSON, id).await.expect("checked").outcome,
            CheckOutcome::Accepted,
            "{skew}"
        );
        world.engine.refresher().refresh(&PERSON, id).await.expect("refreshed");
        assert_eq!(
            world.engine.refresher().check(&PERSON, id).await.expect("checked").outcome,
            CheckOutcome::Accepted,
            "{skew}"
        );
        assert_eq!(lifetime().await, before, "{skew}: the lifetime is counted by this machine's clock");
        assert_eq!(world.event_names().await.len(), 2, "{skew}: no event");
    }
}

#[tokio::test]
async fn unusual_but_successful_token_responses_are_accepted() {
    let world = World::new().await;
    world.rotation("none").await;
    let id = world.connected().await;
    for odd in ["no_refresh_token", "string_expires_in", "no_expires_in"] {
        world.fault(odd, 1).await;
        world.engine.refresher().refresh(&PERSON, id).await.unwrap_or_else(|error| panic!("{odd}: {error}"));
    }
    world.engine.refresher().refresh(&PERSON, id).await.expect("the old refresh token was kept");
}

#[tokio::test]
async fn a_recovery_sends_reactivated() {
    let world = World::new().await;
    let id = world.connected().await;
    world.fault("status_503", 1).await;
    world.engine.refresher().refresh(&PERSON, id).await.expect_err("fails");
    world.engine.refresher().refresh(&PERSON, id).await.expect("recovers");
    assert_eq!(world.event_names().await[2..], ["authentication_error", "reactivated"]);
}

#[tokio::test]
async fn a_check_with_an_expired_token_refreshes_it_and_retries() {
    let world = World::new().await;
    let id = world.connected().await;
    world.control("POST", "/control/expire", json!({})).await;
    assert_eq!(world.engine.refresher().check(&PERSON, id).await.expect("checked").outcome, CheckOutcome::Accepted);
    assert_eq!(world.event_names().await.len(), 2, "no event");
}

#[tokio::test]
async fn a_locked_keychain_defers_a_refresh_and_the_account_stays_active() {
    let world = World::new().await;
    let id = world.connected().await;
    world.keychain.refuse(KeychainError::Locked);
    assert_eq!(world.engine.refresher().refresh(&PERSON, id).await.expect_err("locked").code(), "keychain_locked");
    assert_eq!(world.account(id).await.status(), Status::Active);
    assert_eq!(world.event_names().await.len(), 2);
    assert_eq!(world.lines(Some(id)).await[0], "Refresh deferred: the keychain is locked");
    world.keychain.recover();
    world.engine.refresher().refresh(&PERSON, id).await.expect("unlocked");
}

#[tokio::test]
async fn an_account_whose_item_was_removed_by_the_user_needs_reauthorization() {
    let world = World::new().await;
    let id = world.connected().await;
    Keychain::memory(world.keychain.clone()).delete(&Key::Account(id)).await.expect("removed");
    assert_eq!(world.engine.refresher().refresh(&PERSON, id).await.expect_err("gone").code(), "credential_missing");
    assert_eq!(world.event_names().await[2..], ["authentication_error"]);
}

#[tokio::test]
async fn deleting_revokes_the_tokens_deletes_the_secrets_and_sends_deleted() {
    let world = World::new().await;
    let id = world.connected().await;
    world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
    assert!(world.keychain.names().is_empty());
    assert_eq!(world.event_names().await[2..], ["deleted"]);
    assert_eq!(world.engine.accounts().get(&PERSON, id).await.expect_err("gone").code(), "not_found");
    let log = world.control("GET", "/control/log", serde_json::Value::Null).await;
    let entries = log["entries"].as_array().expect("entries");
    assert!(entries.iter().any(|entry| entry["endpoint"] == "revoke"));
}
