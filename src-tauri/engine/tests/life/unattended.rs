//! What Relink does on its own: when it retries, when it waits, and that it never sends a burst of requests.

use std::time::Duration;

use relink_domain::{
    AccountId, ApiTokenId,
    account::Status,
    caller::{Caller, TokenLevel},
};
use relink_engine::keychain::{Key, Keychain};
use serde_json::json;
use uuid::Uuid;

use crate::world::{PERSON, World, eventually};

async fn stored_refresh_token(world: &World, id: AccountId) -> Option<String> {
    let item = Keychain::memory(world.keychain.clone()).get(&Key::Account(id)).await.expect("open")?;
    Some(item.secrets["refresh_token"].expose().to_owned())
}

#[tokio::test]
async fn a_new_refresh_token_that_the_keychain_refuses_is_stored_once_it_recovers() {
    let world = World::new().await;
    world.rotation("rotate").await;
    let id = world.connected().await;
    let before = stored_refresh_token(&world, id).await;
    world.keychain.fail_after(0);
    world.engine.refresher().refresh(&PERSON, id).await.expect("callers get the access token");
    let requests = world.token_requests().await;

    // Until the keychain recovers, callers get the access token until it expires, no further refresh is attempted, and
    // the account's lock is free.
    world.engine.refresher().access_token(&PERSON, id).await.expect("it is still valid");
    world.engine.refresher().check(&PERSON, id).await.expect("the lock is free");
    assert_eq!(
        world.engine.refresher().refresh(&PERSON, id).await.expect_err("not attempted").code(),
        "keychain_failed"
    );
    assert_eq!(stored_refresh_token(&world, id).await, before);
    assert_eq!(world.token_requests().await, requests);

    world.keychain.recover();
    world.until_latest_line(id, "Refreshed").await;
    assert_ne!(stored_refresh_token(&world, id).await, before, "the new one is stored");
    world.engine.refresher().refresh(&PERSON, id).await.expect("it works");
}

#[tokio::test]
async fn an_account_whose_new_refresh_token_waits_for_the_keychain_can_be_deleted() {
    let world = World::new().await;
    world.rotation("rotate").await;
    let id = world.connected().await;
    world.keychain.fail_after(0);
    world.engine.refresher().refresh(&PERSON, id).await.expect("callers get the access token");
    world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
    assert_eq!(world.engine.accounts().get(&PERSON, id).await.expect_err("gone").code(), "not_found");
}

#[tokio::test]
async fn a_restart_keeps_the_backoff_of_an_account_in_use() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.engine.refresher().access_token(&PERSON, id).await.expect("a token");
    world.fault("too_many_requests", 1).await;
    world.engine.refresher().refresh(&PERSON, id).await.expect_err("429");
    let (before, requests) = (world.account(id).await, world.token_requests().await);
    world.restart().await;
    // Accounts in use are refreshed within two seconds of a start; the one that backs off must not be among them.
    let second = world.connected().await;
    world.engine.refresher().access_token(&PERSON, second).await.expect("a token");
    world.restart().await;
    world.clock.advance_secs(2);
    world.until_latest_line(second, "Refreshed").await;
    assert_eq!(world.account(id).await, before);
    assert_eq!(world.token_requests().await, requests + 2, "the second account's own two");
}

#[tokio::test]
async fn retry_after_defers_programs_for_every_account_of_the_host() {
    let world = World::new().await;
    let (one, other) = (world.connected().await, world.connected().await);
    world.clock.advance_secs(86_400);
    world.fault("too_many_requests", 1).await;
    assert_eq!(world.engine.refresher().access_token(&PERSON, one).await.expect_err("429").code(), "rate_limited");
    let requests = world.token_requests().await;
    for id in [one, other, one] {
        let refused = world.engine.refresher().access_token(&PERSON, id).await.expect_err("deferred");
        let relink_engine::Error::Provider { failure, next_try, .. } = refused else { panic!("{refused}") };
        assert!(failure.retry_after_secs.is_some_and(|secs| (119..=121).contains(&secs)), "{failure}");
        assert_eq!(next_try.map(|next| next.millis_since(world.clock.now())), Some(120_000));
    }
    assert_eq!(world.token_requests().await, requests, "nothing was sent");

    world.engine.refresher().refresh(&PERSON, other).await.expect("a refresh that a person asks for is not deferred");
    world.clock.advance_secs(121);
    world.engine.refresher().access_token(&PERSON, one).await.expect("the wait is over");
}

#[tokio::test]
async fn a_token_without_a_refresh_token_is_checked_once_when_it_expires() {
    let world = World::new().await;
    world.fault("no_refresh_token", 1).await;
    let id = world.connected().await;
    let checks = async || {
        let log = world.control("GET", "/control/log", json!(null)).await;
        let entries = log["entries"].as_array().expect("entries").clone();
        entries.iter().filter(|entry| entry["endpoint"] == "api" || entry["endpoint"] == "userinfo").count()
    };
    let before = checks().await;
    world.clock.advance_secs(3600);
    world.until_latest_line(id, "Checked").await;
    assert_eq!(world.account(id).await.status(), Status::Active, "the provider still accepts it");
    let due = world.engine.accounts().get(&PERSON, id).await.expect("there").due.expect("another check");
    assert_eq!(due.millis_since(world.clock.now()), 3_600_000);
    // Wakes the loop: nothing else is due.
    world.clock.advance_secs(1);
    assert_eq!(checks().await, before + 1, "one check");
}

#[tokio::test]
async fn a_clock_set_back_does_not_postpone_a_refresh() {
    let world = World::new().await;
    let id = world.connected().await;
    let due = async || world.engine.accounts().get(&PERSON, id).await.expect("there").due.expect("planned");
    let wait = due().await.millis_since(world.clock.now());
    world.clock.advance_secs(-86_400);
    let is_same = |millis: i64| (millis - wait).abs() < 60_000;
    eventually("it is due after the same time", async || is_same(due().await.millis_since(world.clock.now()))).await;
    world.clock.advance_secs(wait / 1000 + 1);
    let _running = world.let_the_clock_run();
    world.until_latest_line(id, "Refreshed").await;
}

#[tokio::test]
async fn a_clock_set_back_postpones_no_retry_and_no_answer_to_programs() {
    let agent = Caller::api_token(ApiTokenId::from_uuid(Uuid::nil()), "my-agent", TokenLevel::Program);
    let world = World::new().await;
    let id = world.connected().await;
    // The Sandbox asks to wait for two minutes.
    world.fault("too_many_requests", 1).await;
    world.engine.refresher().refresh(&PERSON, id).await.expect_err("limited");
    world.clock.advance_secs(-3 * 86_400);
    eventually("the retry is planned again", async || {
        let due = world.engine.accounts().get(&PERSON, id).await.expect("there").due.expect("planned");
        due.millis_since(world.clock.now()) <= 120_000
    })
    .await;
    world.clock.advance_secs(121);
    let _running = world.let_the_clock_run();
    eventually("it is refreshed", async || world.account(id).await.status() == Status::Active).await;
    world.engine.refresher().access_token(&agent, id).await.expect("a program gets its token");
}

#[tokio::test]
async fn after_wake_up_refreshes_wait_for_the_network_to_settle() {
    let world = World::new().await;
    let id = world.connected().await;
    let requests = world.token_requests().await;
    let woken = tokio::time::Instant::now();
    world.clock.advance_secs(86_400);
    world.until_latest_line(id, "Refresh deferred: waiting for the network").await;
    assert_eq!(world.token_requests().await, requests);
    let _running = world.let_the_clock_run();
    world.until_latest_line(id, "Refreshed").await;
    assert!(woken.elapsed() >= Duration::from_secs(5), "after {:?}", woken.elapsed());
}

#[tokio::test]
async fn a_missing_keychain_item_is_reported_once_and_the_account_recovers_when_it_is_back() {
    let world = World::new().await;
    world.fault("no_refresh_token", 1).await;
    let id = world.connected().await;
    let keychain = Keychain::memory(world.keychain.clone());
    let item = keychain.get(&Key::Account(id)).await.expect("open").expect("there");
    keychain.delete(&Key::Account(id)).await.expect("removed");
    for _ in 0..2 {
        assert_eq!(
            world.engine.refresher().access_token(&PERSON, id).await.expect_err("gone").code(),
            "credential_missing"
        );
    }
    assert_eq!(world.event_names().await[2..], ["authentication_error"]);
    keychain.set(&Key::Account(id), "put back", &item).await.expect("put back");
    world.engine.refresher().check(&PERSON, id).await.expect("checked");
    assert_eq!(world.event_names().await[2..], ["authentication_error", "reactivated"]);
}

#[tokio::test]
async fn at_most_four_refreshes_at_a_time_go_to_one_host() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(world.connected().await);
    }
    world.control("PATCH", "/control", json!({ "delay_millis": 400 })).await;
    let requests = world.token_requests().await;
    let began = tokio::time::Instant::now();
    let refreshes = ids.iter().map(|id| world.engine.refresher().refresh(&PERSON, *id));
    for outcome in futures_util::future::join_all(refreshes).await {
        outcome.expect("refreshed");
    }
    assert_eq!(world.token_requests().await - requests, 8);
    assert!(began.elapsed() >= Duration::from_millis(800), "two rounds of four, in {:?}", began.elapsed());
}
