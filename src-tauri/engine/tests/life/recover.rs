//! Restarts and recovery. The journeys kill the process itself; here the state that a crash leaves is made by hand.

use relink_contract::account::Revocation;
use relink_domain::{account::Status, caller::TokenLevel};
use relink_engine::keychain::{Key, Keychain, KeychainError};
use serde_json::json;

use crate::world::{PERSON, START, World, eventually};

#[tokio::test]
async fn a_restart_forgets_the_access_token_and_the_first_caller_gets_a_new_one() {
    let mut world = World::new().await;
    let id = world.connected().await;
    let before = world.engine.refresher().access_token(&PERSON, id).await.expect("a token").token;
    world.restart().await;
    let after = world.engine.refresher().access_token(&PERSON, id).await.expect("a token").token;
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_restart_keeps_the_backoff() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.fault("status_503", 1).await;
    world.engine.refresher().refresh(&PERSON, id).await.expect_err("fails");
    let before = world.account(id).await;
    let asked = world.token_requests().await;
    world.restart().await;
    assert_eq!(world.account(id).await, before);
    assert_eq!(world.token_requests().await, asked, "a restart sends nothing");
}

#[tokio::test]
async fn the_database_holds_no_secret() {
    let mut world = World::new().await;
    world.rotation("rotate").await;
    let id = world.connected().await;
    world.engine.refresher().refresh(&PERSON, id).await.expect("refreshed");
    let item = Keychain::memory(world.keychain.clone()).get(&Key::Account(id)).await.expect("open").expect("there");
    let access = world.engine.refresher().access_token(&PERSON, id).await.expect("a token").token;
    let (token, api) =
        world.engine.access().create_api_token(&PERSON, "test".into(), TokenLevel::Program, None).await.expect("made");
    let link = world.reauthorize_link(id).await;
    world.restart().await;
    let mut secrets: Vec<_> = item.secrets.values().map(|secret| secret.expose().to_owned()).collect();
    secrets.extend([access, api, link].map(|secret| secret.expose().to_owned()));
    assert_eq!(token.name, "test");
    for entry in std::fs::read_dir(world.folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("read");
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {}", path.display());
        }
    }
    assert_eq!(world.account(id).await.status(), Status::Active);
}

#[tokio::test]
async fn an_account_being_created_survives_a_concurrent_deletion() {
    let world = World::new().await;
    for _ in 0..20 {
        let doomed = world.connected().await;
        let link = world.connect_link().await;
        let mut flow = world.begin(&link).await;
        let callback = flow.sign_in("ada").await;
        flow.receive_callback(&callback).await;
        let (deleted, made) = tokio::join!(world.engine.accounts().delete(&PERSON, doomed), flow.succeeds());
        deleted.expect("deleted");
        world.engine.refresher().refresh(&PERSON, made).await.expect("its credentials are there");
        world.engine.accounts().delete(&PERSON, made).await.expect("deleted");
    }
    assert!(world.keychain.names().is_empty());
}

#[tokio::test]
async fn secrets_of_an_account_deleted_while_locked_are_removed_on_unlock() {
    let world = World::new().await;
    let id = world.connected().await;
    world.keychain.refuse(KeychainError::Locked);
    world.engine.accounts().delete(&PERSON, id).await.expect("deleted although the keychain is locked");
    assert_eq!(world.keychain.names().len(), 1);
    world.keychain.recover();
    eventually("the item is deleted without a restart", async || world.keychain.names().is_empty()).await;
}

#[tokio::test]
async fn an_account_deleted_while_locked_is_revoked_after_the_unlock_even_after_a_restart() {
    for restarts in [false, true] {
        let mut world = World::new().await;
        let id = world.connected().await;
        world.keychain.refuse(KeychainError::Locked);
        let deleted = world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
        assert_eq!(deleted.revocation, Revocation::Pending);
        assert!(deleted.message.is_some_and(|message| message.starts_with("Not revoked at Sandbox yet")));
        assert_eq!(world.revocations().await, 0);
        if restarts {
            world.restart().await;
        }
        assert_eq!(world.keychain.names(), [format!("account/{id}")], "kept until then");
        world.keychain.recover();
        eventually("the item is deleted", async || world.keychain.names().is_empty()).await;
        assert_eq!(world.revocations().await, 1, "restarts: {restarts}");
        assert_eq!(world.lines(Some(id)).await[..2], ["Revoked at Sandbox", "Ada Lovelace was deleted"]);
    }
}

#[tokio::test]
async fn a_revocation_that_fails_after_the_unlock_is_retried_or_given_up() {
    let world = World::new().await;
    let id = world.connected().await;
    world.keychain.refuse(KeychainError::Locked);
    world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
    world.clock.advance_secs(8 * 24 * 60 * 60);
    world.control("POST", "/control/faults", json!({ "kind": "status_503", "count": 1, "on": "revoke" })).await;
    world.keychain.recover();
    eventually("Relink gives up", async || world.keychain.names().is_empty()).await;
    assert_eq!(world.lines(Some(id)).await[0], "Not revoked at Sandbox");
}

#[tokio::test]
async fn an_open_keychain_lets_a_deleted_account_be_revoked_at_once() {
    for (fault, revocation) in [(None, Revocation::Revoked), (Some("status_503"), Revocation::Failed)] {
        let world = World::new().await;
        let id = world.connected().await;
        if let Some(kind) = fault {
            world.control("POST", "/control/faults", json!({ "kind": kind, "count": 1, "on": "revoke" })).await;
        }
        let deleted = world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
        assert_eq!((deleted.revocation, deleted.message.is_some()), (revocation, fault.is_some()));
        assert!(world.keychain.names().is_empty());
    }
}

#[tokio::test]
async fn old_entries_are_pruned_at_the_next_start() {
    let mut world = World::new().await;
    let id = world.connected().await;
    let before = world.engine.outbox().events_after(&PERSON, 0, 1000).await.expect("events").len();
    assert!(before > 0);
    world.clock.advance_secs(31 * 24 * 60 * 60);
    world.restart().await;
    eventually("the old events are pruned", async || {
        let events = world.engine.outbox().events_after(&PERSON, 0, 1000).await.expect("events");
        events.iter().all(|event| event.created_at != START)
    })
    .await;
    assert!(world.lines(Some(id)).await.contains(&"Connected as Ada Lovelace".to_owned()));
}
