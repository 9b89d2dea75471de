//! Keys and other credentials that are never renewed.

use relink_domain::{
    LinkTokenId, Secret,
    account::{FixedKind, Granted, Input, NewCredential},
};
use serde_json::Map;
use uuid::Uuid;

use super::{tests::with_credential, *};
use crate::{
    keychain::{Item, Key, KeychainError},
    testing::{PERSON, TestEngine},
};

const API_KEY: NewCredential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };

/// An account with an API key that nobody has asked for yet.
async fn with_key() -> (TestEngine, AccountId) {
    let (it, id) = with_credential(API_KEY).await;
    store_key(&it, id, "first", Account::FIRST_GENERATION).await;
    (it, id)
}

async fn store_key(it: &TestEngine, id: AccountId, key: &str, generation: u64) {
    let secrets = [("api_key".to_owned(), Secret::new(key))].into();
    let item = Item { generation, secrets, ..Item::default() };
    it.engine.keychain().set(&Key::Account(id), "Ada", &item).await.expect("kept");
}

async fn key_of(it: &TestEngine, id: AccountId) -> Result<String> {
    Ok(it.engine.refresher().access_token(&PERSON, id).await?.token.expose().to_owned())
}

#[tokio::test]
async fn a_key_is_read_once_and_then_given_without_the_database_and_the_keychain() {
    let (it, id) = with_key().await;
    assert_eq!(key_of(&it, id).await.expect("read"), "first");
    it.keychain.refuse(KeychainError::Locked);
    let gone = move |tx: &rusqlite::Transaction<'_>| accounts::delete(tx, id);
    it.engine.store().write(gone).await.expect("deleted behind the engine's back");
    assert_eq!(key_of(&it, id).await.expect("in memory"), "first");
}

#[tokio::test]
async fn a_key_that_could_not_be_read_is_not_in_memory() {
    let (it, id) = with_key().await;
    it.keychain.refuse(KeychainError::Locked);
    assert_eq!(key_of(&it, id).await.expect_err("locked").code(), "keychain_locked");
    it.keychain.recover();
    assert_eq!(key_of(&it, id).await.expect("unlocked"), "first");
}

#[tokio::test]
async fn a_replaced_key_is_no_longer_returned() {
    let (it, id) = with_key().await;
    assert_eq!(key_of(&it, id).await.expect("read"), "first");
    let granted = Granted { credential: API_KEY, identity: None, scopes: Vec::new(), context: Map::new() };
    let link = LinkTokenId::from_uuid(Uuid::nil());
    let begun = it.engine.accounts().commit(&PERSON, id, Input::BeginReplacement { granted, link }).await;
    let generation = begun.expect("begun").account.replacement.expect("open").generation;
    store_key(&it, id, "second", generation).await;
    // The next caller finds it in the keychain, and finishes the replacement.
    assert_eq!(key_of(&it, id).await.expect("read again"), "second");
    assert_eq!(it.engine.accounts().load(id).await.expect("there").replacement, None);
    store_key(&it, id, "third", generation).await;
    assert_eq!(key_of(&it, id).await.expect("read again"), "third", "it was not kept while that was open");
    store_key(&it, id, "fourth", generation).await;
    assert_eq!(key_of(&it, id).await.expect("in memory"), "third");
}

#[tokio::test]
async fn a_key_that_a_check_finds_missing_is_no_longer_returned() {
    let (it, id) = with_key().await;
    assert_eq!(key_of(&it, id).await.expect("read"), "first");
    it.engine.keychain().delete(&Key::Account(id)).await.expect("removed");
    it.engine.refresher().check(&PERSON, id).await.expect_err("missing");
    assert_eq!(key_of(&it, id).await.expect_err("missing").code(), "credential_missing");
}

#[tokio::test]
async fn a_deleted_accounts_key_is_no_longer_returned() {
    let (it, id) = with_key().await;
    assert_eq!(key_of(&it, id).await.expect("read"), "first");
    it.engine.accounts().delete(&PERSON, id).await.expect("deleted");
    assert_eq!(key_of(&it, id).await.expect_err("gone").code(), "not_found");
}
