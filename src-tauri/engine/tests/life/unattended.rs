//! What Relink does when nobody looks: when it tries again, when it waits, and that it never storms.

use std::time::Duration;

use relink_domain::{AccountId, account::Status};
use relink_engine::keychain::{Key, Keychain};
use serde_json::json;

use crate::world::World;

/// Waits until the account's timeline begins with these words.
async fn latest_line(world: &World, id: AccountId, words: &str) {
    let mut changes = world.engine.changes();
    let seen = async {
        while world.lines(Some(id)).await.first().is_none_or(|line| line != words) {
            changes.next().await.expect("the engine runs");
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
    assert!(seen.is_ok(), "never came: {words}; there is {:?}", world.lines(Some(id)).await);
}

/// The agenda looks at the clock when anything changes.
async fn look_at_the_clock(world: &World, id: AccountId) {
    world.engine.rename(id, format!("At {}", world.clock.now())).await.expect("renamed");
}

async fn stored_refresh_token(world: &World, id: AccountId) -> Option<String> {
    let item = Keychain::memory(world.keychain.clone()).get(&Key::Account(id)).await.expect("open")?;
    Some(item.secrets["refresh_token"].expose().to_owned())
}

#[tokio::test]
async fn a_new_refresh_token_that_the_keychain_refuses_is_kept_as_soon_as_it_takes_it() {
    let world = World::new().await;
    world.rotation("rotate").await;
    let id = world.connected().await;
    let before = stored_refresh_token(&world, id).await;
    world.keychain.fail_after(0);
    world.engine.refresh(id).await.expect("its callers get the access token");
    let asked = world.token_requests().await;

    // Meanwhile: the access token serves as long as it lives, nothing more is tried, and nobody waits for the account.
    world.engine.access_token(id).await.expect("it lives");
    world.engine.check(id).await.expect("nobody waits");
    assert_eq!(world.engine.refresh(id).await.expect_err("not tried").code(), "keychain_failed");
    assert_eq!(stored_refresh_token(&world, id).await, before);
    assert_eq!(world.token_requests().await, asked);

    world.keychain.recover();
    latest_line(&world, id, "Refreshed").await;
    assert_ne!(stored_refresh_token(&world, id).await, before, "the new one is kept");
    world.engine.refresh(id).await.expect("and works");
}

#[tokio::test]
async fn an_account_whose_new_refresh_token_waits_for_the_keychain_can_be_deleted() {
    let world = World::new().await;
    world.rotation("rotate").await;
    let id = world.connected().await;
    world.keychain.fail_after(0);
    world.engine.refresh(id).await.expect("its callers get the access token");
    world.engine.delete_account(id).await.expect("deleted");
    assert_eq!(world.engine.account(id).await.expect_err("gone").code(), "not_found");
}

#[tokio::test]
async fn a_restart_keeps_the_backoff_also_of_an_account_in_use() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.engine.access_token(id).await.expect("it is used");
    world.fault("too_many_requests", 1).await;
    world.engine.refresh(id).await.expect_err("429");
    let (before, asked) = (world.account(id).await, world.token_requests().await);
    world.restart().await;
    // Those that are taken up again are spread over a second or two; this one must not be among them.
    let second = world.connected().await;
    world.engine.access_token(second).await.expect("used");
    world.restart().await;
    world.clock.advance_secs(2);
    look_at_the_clock(&world, second).await;
    latest_line(&world, second, "Refreshed").await;
    assert_eq!(world.account(id).await, before);
    assert_eq!(world.token_requests().await, asked + 2, "the second account's own two");
}

#[tokio::test]
async fn a_providers_retry_after_holds_programs_back_for_every_account_there() {
    let world = World::new().await;
    let (one, other) = (world.connected().await, world.connected().await);
    world.clock.advance_secs(86_400);
    world.fault("too_many_requests", 1).await;
    assert_eq!(world.engine.access_token(one).await.expect_err("429").code(), "rate_limited");
    let asked = world.token_requests().await;
    for id in [one, other, one] {
        let refused = world.engine.access_token(id).await.expect_err("held back");
        let relink_engine::Error::Provider { failure, next_try, .. } = refused else { panic!("{refused}") };
        assert!(failure.retry_after_secs.is_some_and(|secs| (119..=121).contains(&secs)), "{failure}");
        assert_eq!(next_try.map(|next| next.millis_since(world.clock.now())), Some(120_000));
    }
    assert_eq!(world.token_requests().await, asked, "nothing was sent");

    world.engine.refresh(other).await.expect("a person is never kept waiting");
    world.clock.advance_secs(121);
    world.engine.access_token(one).await.expect("the time is over");
}

#[tokio::test]
async fn a_token_without_a_refresh_token_is_looked_at_once_when_its_time_is_over() {
    let world = World::new().await;
    world.fault("no_refresh_token", 1).await;
    let id = world.connected().await;
    let looks = async || {
        let log = world.control("GET", "/control/log", json!(null)).await;
        let entries = log["entries"].as_array().expect("entries").clone();
        entries.iter().filter(|entry| entry["endpoint"] == "api" || entry["endpoint"] == "userinfo").count()
    };
    let before = looks().await;
    world.clock.advance_secs(3600);
    look_at_the_clock(&world, id).await;
    latest_line(&world, id, "Checked").await;
    assert_eq!(world.account(id).await.status(), Status::Active, "the provider still takes it");
    let due = world.engine.account(id).await.expect("there").due.expect("another look");
    assert_eq!(due.millis_since(world.clock.now()), 3_600_000);
    look_at_the_clock(&world, id).await;
    assert_eq!(looks().await, before + 1, "one look");
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_put_a_refresh_off() {
    let world = World::new().await;
    let id = world.connected().await;
    world.clock.advance_secs(-86_400);
    look_at_the_clock(&world, id).await;
    // What is due is spread over a second or two.
    world.clock.advance_secs(2);
    look_at_the_clock(&world, id).await;
    latest_line(&world, id, "Refreshed").await;
    let due = world.engine.account(id).await.expect("there").due.expect("the next one");
    assert!(due.millis_since(world.clock.now()) < 3_600_000, "within the new token's life");
}

#[tokio::test]
async fn after_waking_the_network_is_given_time_before_anything_is_refreshed() {
    let world = World::new().await;
    let id = world.connected().await;
    let asked = world.token_requests().await;
    world.clock.advance_secs(86_400);
    let woken = tokio::time::Instant::now();
    look_at_the_clock(&world, id).await;
    latest_line(&world, id, "Refresh put off until the network is back").await;
    assert_eq!(world.token_requests().await, asked);
    // From here on time goes by.
    let clock = world.clock.clone();
    let _ticking = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            clock.advance_secs(1);
        }
    }));
    latest_line(&world, id, "Refreshed").await;
    assert!(woken.elapsed() >= Duration::from_secs(4), "after {:?}", woken.elapsed());
}

#[tokio::test]
async fn a_key_that_was_taken_out_of_the_keychain_is_told_once_and_mended_when_it_is_back() {
    let world = World::new().await;
    world.fault("no_refresh_token", 1).await;
    let id = world.connected().await;
    let keychain = Keychain::memory(world.keychain.clone());
    let item = keychain.get(&Key::Account(id)).await.expect("open").expect("there");
    keychain.delete(&Key::Account(id)).await.expect("removed");
    for _ in 0..2 {
        assert_eq!(world.engine.access_token(id).await.expect_err("gone").code(), "credential_missing");
    }
    assert_eq!(world.event_names().await[2..], ["authentication_error"]);
    keychain.set(&Key::Account(id), "put back", &item).await.expect("put back");
    world.engine.check(id).await.expect("checked");
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
    let asked = world.token_requests().await;
    let began = tokio::time::Instant::now();
    let refreshes = ids.iter().map(|id| world.engine.refresh(*id));
    for outcome in futures_util::future::join_all(refreshes).await {
        outcome.expect("refreshed");
    }
    assert_eq!(world.token_requests().await - asked, 8);
    assert!(began.elapsed() >= Duration::from_millis(800), "two rounds of four, in {:?}", began.elapsed());
}
