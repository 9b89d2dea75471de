//! Accounts for calls of programs, and what the answers to their calls change.

use std::sync::Arc;

use http::HeaderMap;
use relink_domain::account::{FixedKind, NewCredential, Status};
use serde_json::{Value, json};

use super::{tests::Refreshing, *};
use crate::{
    PreparedAccount,
    keychain::KeychainError,
    testing::{NOWHERE, PERSON, program},
};

const API_KEY: NewCredential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };

fn definition(base_url: &str) -> Value {
    json!({
        "name": "acme",
        "config": {
            "label": "Acme",
            "base_url": base_url,
            "headers": { "X-Version": "7" },
            "query": { "key": "{{api_key}}" },
            "credentials": { "api_key": { "format": "api_key", "config": {
                "fields": [{ "name": "api_key", "type": "password", "label": "API key", "required": true }],
            } } },
            "authorization": { "format": "header", "config": {
                "header_name": "X-Api-Key", "header_value": "key {{api_key}}",
            } },
            "relink": { "allow_local": true },
        },
    })
}

/// An account with an API key.
async fn with_key() -> Refreshing {
    let it = Refreshing::with_definition(definition("http://127.0.0.1:9/v1"), API_KEY).await;
    it.services.write_secret(it.id, Account::FIRST_GENERATION, "api_key", "k-1234567890").await;
    it
}

async fn prepared(it: &Refreshing) -> Arc<PreparedAccount> {
    it.refresher.prepared(&program(), it.id).await.expect("ready")
}

fn events(it: &Refreshing) -> i64 {
    *it.services.store.outbox_seq().borrow()
}

async fn load(it: &Refreshing) -> Account {
    it.services.tasks.settle().await;
    it.accounts.load(it.id).await.expect("there")
}

#[tokio::test]
async fn an_account_is_prepared_once_and_then_without_the_database_and_the_keychain() {
    let it = with_key().await;
    let first = prepared(&it).await;
    assert_eq!(first.base_url().as_str(), "http://127.0.0.1:9/v1");
    assert_eq!(first.headers()["x-api-key"], "key k-1234567890");
    assert_eq!(first.headers()["x-version"], "7");
    let query: Vec<_> = first.query().iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(query, [("key", "k-1234567890")]);
    assert!(!format!("{first:?}").contains("k-1234567890"), "its text shows no secret");
    it.services.backend.refuse(KeychainError::Locked);
    let id = it.id;
    let gone = move |tx: &rusqlite::Transaction<'_>| accounts::delete(tx, id);
    it.services.store.write(gone).await.expect("deleted behind the engine's back");
    assert!(Arc::ptr_eq(&first, &prepared(&it).await));
}

#[tokio::test]
async fn a_changed_account_or_definition_is_prepared_anew() {
    let it = with_key().await;
    let first = prepared(&it).await;
    it.accounts.rename(&PERSON, it.id, "Other".to_owned()).await.expect("renamed");
    let second = prepared(&it).await;
    assert!(!Arc::ptr_eq(&first, &second));
    let mut installed = it.services.providers.all().remove(0).installed.as_ref().clone();
    installed.integration.document = definition("http://127.0.0.1:9/v2");
    it.services.providers.publish(installed);
    assert_eq!(prepared(&it).await.base_url().as_str(), "http://127.0.0.1:9/v2");
}

#[tokio::test]
async fn many_calls_that_are_refused_at_once_make_one_event_and_an_accepted_one_ends_the_trouble() {
    let it = with_key().await;
    let before = events(&it);
    let account = prepared(&it).await;
    for _ in 0..1000 {
        it.refresher.call_refused(&program(), &account, &HeaderMap::new(), br#"{"message":"bad key k-1234567890"}"#);
    }
    let failed = load(&it).await;
    assert_eq!(failed.status(), Status::NeedsReauth);
    let message = failed.profile.last_error.as_ref().and_then(|seen| seen.failure.provider_message.clone());
    assert_eq!(message.as_deref(), Some("bad key (hidden)"), "without the secret");
    assert_eq!(events(&it), before + 1);

    // Another refusal within a minute changes nothing.
    let again = prepared(&it).await;
    it.services.clock.advance_secs(59);
    it.refresher.call_refused(&program(), &again, &HeaderMap::new(), b"");
    assert_eq!(load(&it).await, failed);
    it.services.clock.advance_secs(1);
    it.refresher.call_refused(&program(), &again, &HeaderMap::new(), b"");
    load(&it).await;
    assert_eq!(events(&it), before + 2);

    let again = prepared(&it).await;
    for _ in 0..1000 {
        it.refresher.call_accepted(&program(), &again);
    }
    assert_eq!(load(&it).await.status(), Status::Active);
    assert_eq!(events(&it), before + 3);
}

#[tokio::test]
async fn calls_that_come_together_share_one_preparation() {
    let it = with_key().await;
    let all = futures_util::future::join_all((0..100).map(|_| prepared(&it))).await;
    assert!(all.iter().all(|account| Arc::ptr_eq(account, &all[0])));
}

#[tokio::test]
async fn an_accepted_call_of_an_account_that_is_well_writes_nothing() {
    let it = with_key().await;
    let account = prepared(&it).await;
    let before = load(&it).await;
    it.services.clock.advance_secs(3600);
    it.refresher.call_accepted(&program(), &account);
    assert_eq!(load(&it).await, before);
    assert!(Arc::ptr_eq(&account, &prepared(&it).await));
}

#[tokio::test]
async fn a_403_is_kept_until_a_call_is_accepted_and_the_status_stays() {
    let it = with_key().await;
    let account = prepared(&it).await;
    for _ in 0..10 {
        it.refresher.call_forbidden(&program(), &account, &HeaderMap::new(), br#"{"message":"no"}"#);
    }
    let forbidden = load(&it).await;
    assert_eq!(forbidden.status(), Status::Active);
    let seen = forbidden.profile.last_forbidden_error.as_ref().expect("kept");
    assert_eq!(seen.failure.provider_message.as_deref(), Some("no"));
    let again = prepared(&it).await;
    it.refresher.call_accepted(&program(), &again);
    assert_eq!(load(&it).await, forbidden, "other calls are accepted all the time");
    it.services.clock.advance_secs(60);
    it.refresher.call_accepted(&program(), &again);
    assert_eq!(load(&it).await.profile.last_forbidden_error, None);
}

#[tokio::test]
async fn an_account_whose_definition_has_no_base_url_cannot_be_called() {
    let mut definition = definition("http://127.0.0.1:9/v1");
    definition["config"].as_object_mut().expect("an object").remove("base_url");
    let it = Refreshing::with_definition(definition, API_KEY).await;
    it.services.write_secret(it.id, Account::FIRST_GENERATION, "api_key", "k-1234567890").await;
    assert_eq!(it.refresher.prepared(&program(), it.id).await.expect_err("no address").code(), "no_base_url");
}

#[tokio::test]
async fn an_access_token_that_ran_out_is_not_sent() {
    let it = Refreshing::at(NOWHERE).await;
    let account = prepared(&it).await;
    assert!(account.is_renewable() && account.headers().contains_key("authorization"));
    assert!(Arc::ptr_eq(&account, &prepared(&it).await));
    it.services.clock.advance_secs(86_400);
    it.refresher.prepared(&program(), it.id).await.expect_err("the provider can't be reached for another one");
}
