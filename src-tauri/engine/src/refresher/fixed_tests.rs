//! Keys and other credentials that are never renewed.

use relink_domain::{
    LinkTokenId,
    account::{FixedKind, Granted, Input, NewCredential},
};
use serde_json::Map;
use uuid::Uuid;

use super::{tests::Refreshing, *};
use crate::{
    keychain::{Key, KeychainError},
    testing::{NOWHERE, PERSON},
};

const API_KEY: NewCredential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };

/// An account with an API key that nobody has asked for yet.
async fn with_key() -> Refreshing {
    let it = Refreshing::with_credential(NOWHERE, API_KEY).await;
    store_key(&it, "first", Account::FIRST_GENERATION).await;
    it
}

async fn store_key(it: &Refreshing, key: &str, generation: u64) {
    it.services.write_secret(it.id, generation, "api_key", key).await;
}

async fn key_of(it: &Refreshing) -> Result<String> {
    Ok(it.refresher.access_token(&PERSON, it.id).await?.token.expose().to_owned())
}

#[tokio::test]
async fn a_key_is_read_once_and_then_given_without_the_database_and_the_keychain() {
    let it = with_key().await;
    assert_eq!(key_of(&it).await.expect("read"), "first");
    it.services.backend.refuse(KeychainError::Locked);
    let id = it.id;
    let gone = move |tx: &rusqlite::Transaction<'_>| accounts::delete(tx, id);
    it.services.store.write(gone).await.expect("deleted behind the engine's back");
    assert_eq!(key_of(&it).await.expect("in memory"), "first");
}

#[tokio::test]
async fn a_key_that_could_not_be_read_is_not_in_memory() {
    let it = with_key().await;
    it.services.backend.refuse(KeychainError::Locked);
    assert_eq!(key_of(&it).await.expect_err("locked").code(), "keychain_locked");
    it.services.backend.recover();
    assert_eq!(key_of(&it).await.expect("unlocked"), "first");
}

#[tokio::test]
async fn a_replaced_key_is_no_longer_returned() {
    let it = with_key().await;
    assert_eq!(key_of(&it).await.expect("read"), "first");
    let granted = Granted {
        credential: API_KEY,
        identity: None,
        scopes: Vec::new(),
        requested_scopes: Vec::new(),
        context: Map::new(),
        object_store_context_fields: Vec::new(),
        origins: it.accounts.load(it.id).await.expect("there").profile.origins,
    };
    let link = LinkTokenId::from_uuid(Uuid::nil());
    let begun = it
        .accounts
        .commit(&PERSON, it.id, Input::BeginReplacement { granted, link: Some(link), first_step: None })
        .await;
    let generation = begun.expect("begun").account.replacement.expect("open").generation;
    store_key(&it, "second", generation).await;
    // The next caller finds it in the keychain, and finishes the replacement.
    assert_eq!(key_of(&it).await.expect("read again"), "second");
    assert_eq!(it.accounts.load(it.id).await.expect("there").replacement, None);
    store_key(&it, "third", generation).await;
    assert_eq!(key_of(&it).await.expect("read again"), "third", "it was not kept while that was open");
    store_key(&it, "fourth", generation).await;
    assert_eq!(key_of(&it).await.expect("in memory"), "third");
}

#[tokio::test]
async fn a_key_that_a_check_finds_missing_is_no_longer_returned() {
    let it = with_key().await;
    assert_eq!(key_of(&it).await.expect("read"), "first");
    it.services.keychain.delete(&Key::Account(it.id)).await.expect("removed");
    it.refresher.check(&PERSON, it.id).await.expect_err("missing");
    assert_eq!(key_of(&it).await.expect_err("missing").code(), "credential_missing");
}

#[tokio::test]
async fn a_deleted_accounts_key_is_no_longer_returned() {
    let it = with_key().await;
    assert_eq!(key_of(&it).await.expect("read"), "first");
    it.accounts.delete(&PERSON, it.id).await.expect("deleted");
    assert_eq!(key_of(&it).await.expect_err("gone").code(), "not_found");
}

#[tokio::test]
async fn nothing_of_a_deleted_account_stays_in_memory() {
    let key = with_key().await;
    key_of(&key).await.expect("read");
    let sign_in = Refreshing::at(NOWHERE).await;
    for it in [key, sign_in] {
        let tokens = &it.services.tokens;
        assert!(tokens.get(it.id).is_some() || tokens.fixed().get(it.id).is_some());
        it.accounts.delete(&PERSON, it.id).await.expect("deleted");
        assert!(tokens.get(it.id).is_none() && tokens.fixed().get(it.id).is_none());
    }
}
