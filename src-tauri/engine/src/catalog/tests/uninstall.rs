//! Integrations that are removed with their accounts.

use std::time::Duration;

use relink_domain::{
    AccountId,
    account::{Account, Granted, TimelineEvent},
};
use serde_json::Map;
use uuid::Uuid;

use super::*;
use crate::{
    accounts::Accounts,
    store::{accounts, orphans, timeline},
    testing::{LocalServer, NOWHERE, SIGN_IN, START, access_token, profile},
};

/// A catalog with the Sandbox's integration, whose provider is at this origin.
struct Removal {
    services: Services,
    accounts: Accounts,
    catalog: Catalog,
    sandbox: Installed,
}

impl Removal {
    async fn at(origin: &str) -> Self {
        let services = Services::new();
        let sandbox = services.install_sandbox(origin).await;
        let accounts = services.accounts();
        let catalog = services.catalog(&accounts).await;
        Self { services, accounts, catalog, sandbox }
    }

    /// An account that is refreshed with this token.
    async fn connect(&self, token: &str) -> AccountId {
        let id = self.services.connect(&self.accounts, &self.sandbox, SIGN_IN).await;
        self.services.write_refresh_token(id, Account::FIRST_GENERATION, token).await;
        self.services.tokens.insert(id, access_token("at"));
        id
    }

    async fn remove(&self) -> Result<Installed> {
        self.catalog.uninstall_with_accounts(&PERSON, self.sandbox.id).await
    }

    /// The accounts and the outbox, and the keychain items without an owner.
    async fn stored(&self) -> (Vec<AccountId>, i64, Vec<String>) {
        let read = |c: &rusqlite::Connection| Ok((accounts::ids(c)?, outbox::latest(c)?, orphans::list(c)?));
        self.services.store.read(read).await.expect("read")
    }

    async fn count(&self) -> usize {
        let read = |c: &rusqlite::Connection| Ok(accounts::status_counts(c)?.values().sum::<u32>());
        usize::try_from(self.services.store.read(read).await.expect("read")).expect("few")
    }

    async fn events_after(&self, seq: i64) -> Vec<(&'static str, String)> {
        let events = self.services.store.read(move |c| outbox::after(c, seq, 100_000)).await.expect("events");
        let id = |payload: &Value| payload["id"].as_str().expect("an ID").to_owned();
        events.iter().map(|event| (own_name(&event.kind), id(&event.payload))).collect()
    }

    async fn lines(&self, id: AccountId) -> Vec<TimelineEvent> {
        let read = move |c: &rusqlite::Connection| timeline::list(c, Some(id), None, None);
        let entries = self.services.store.read(read).await.expect("a timeline");
        entries.into_iter().map(|entry| entry.event).collect()
    }
}

#[tokio::test]
async fn an_integration_goes_with_its_accounts_and_their_tokens_are_revoked_with_it_as_it_was() {
    let server = LocalServer::listen().await;
    let it = Removal::at(&server.origin()).await;
    let ids = [it.connect("rt-1").await, it.connect("rt-2").await];
    let (_, seq, _) = it.stored().await;
    let provider = async {
        let mut tokens = Vec::new();
        for _ in ids {
            let request = server.request().await;
            let form = url::form_urlencoded::parse(request.body.as_bytes());
            tokens.extend(form.filter(|(name, _)| name == "token").map(|(_, token)| token.into_owned()));
            request.respond(200, "{}").await;
        }
        tokens
    };
    let (removed, mut tokens) = tokio::join!(it.remove(), provider);
    assert_eq!(removed.expect("removed").id, it.sandbox.id);
    tokens.sort();
    assert_eq!(tokens, ["rt-1", "rt-2"]);

    let events = it.events_after(seq).await;
    let deleted = |id: AccountId| ("integrated_account:deleted", id.to_string());
    let gone = ("environment_integration:deleted", it.sandbox.id.to_string());
    assert_eq!(events, [deleted(ids[0]), deleted(ids[1]), gone], "in this order");
    for id in ids {
        assert!(it.services.tokens.get(id).is_none() && it.accounts.get(&PERSON, id).await.is_err());
        let lines = it.lines(id).await;
        assert!(matches!(&lines[0], TimelineEvent::RevokedLater { revoked: true, .. }), "{lines:?}");
        let with_integration =
            matches!(&lines[1], TimelineEvent::Deleted { revoked: None, is_pending: true, with_integration: true, .. });
        assert!(with_integration, "{lines:?}");
    }
    assert!(it.services.backend.names().is_empty(), "no secret stays");
    assert_eq!(it.services.store.read(orphans::revocations).await.expect("read"), []);
    assert_eq!(it.remove().await.expect_err("gone").code(), "not_found");
}

#[tokio::test]
async fn a_removal_that_fails_at_its_last_step_changes_nothing() {
    let it = Removal::at(NOWHERE).await;
    for number in 0..20 {
        it.connect(&format!("rt-{number}")).await;
    }
    let before = it.stored().await;
    let items = it.services.backend.names();
    let sql = "CREATE TEMP TRIGGER refuse BEFORE INSERT ON outbox WHEN new.event = 'environment_integration:deleted'
        BEGIN SELECT RAISE(ABORT, 'refused by the test'); END";
    it.services.store.write(|tx| Ok(tx.execute_batch(sql)?)).await.expect("made");
    assert_eq!(it.remove().await.expect_err("refused").code(), "store");
    assert_eq!(it.stored().await, before);
    assert_eq!(it.services.backend.names(), items);
    assert!(it.services.providers.get(it.sandbox.id).is_ok());
    for id in &before.0 {
        assert!(it.services.tokens.get(*id).is_some(), "programs still get its token");
        assert!(it.accounts.lock_of(*id).try_lock().is_ok(), "nothing holds it");
    }
    it.services.store.write(|tx| Ok(tx.execute_batch("DROP TRIGGER refuse")?)).await.expect("dropped");
    it.remove().await.expect("removed");
    assert!(it.stored().await.0.is_empty());
}

#[tokio::test]
async fn a_removal_waits_for_refreshes_in_flight_and_takes_accounts_that_were_connected_meanwhile() {
    let server = LocalServer::listen().await;
    let it = Removal::at(&server.origin()).await;
    let id = it.connect("rt-1").await;
    // As a refresh has it during its exchange.
    let lock = it.accounts.lock_of(id);
    let refresh = std::sync::Arc::clone(&lock).lock_owned().await;
    let holders = std::sync::Arc::strong_count(&lock);
    let (_, seq, _) = it.stored().await;
    let removal = it.remove();
    let meanwhile = async {
        while std::sync::Arc::strong_count(&lock) == holders {
            tokio::task::yield_now().await;
        }
        assert_eq!(it.events_after(seq).await, [], "nothing is deleted while a refresh is in flight");
        let other = it.connect("rt-other").await;
        it.services.write_refresh_token(id, Account::FIRST_GENERATION + 1, "rt-rotated").await;
        drop(refresh);
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let request = server.request().await;
            let form = url::form_urlencoded::parse(request.body.as_bytes());
            tokens.extend(form.filter(|(name, _)| name == "token").map(|(_, token)| token.into_owned()));
            request.respond(200, "{}").await;
        }
        (other, tokens)
    };
    let (removed, (other, mut tokens)) = tokio::join!(removal, meanwhile);
    removed.expect("removed");
    tokens.sort();
    assert_eq!(tokens, ["rt-other", "rt-rotated"], "the latest token of each");
    assert!(it.stored().await.0.is_empty());
    let events = it.events_after(seq).await;
    let names: Vec<_> = events.iter().map(|(name, _)| *name).rev().take(3).collect();
    let deleted = "integrated_account:deleted";
    assert_eq!(names, ["environment_integration:deleted", deleted, deleted], "{other}: {events:?}");
    assert!(it.services.backend.names().is_empty());
}

#[tokio::test]
async fn while_the_keychain_is_locked_everything_goes_and_its_tokens_are_revoked_later() {
    let server = LocalServer::listen().await;
    let it = Removal::at(&server.origin()).await;
    let mut with_secret = it.sandbox.clone();
    with_secret.integration.document["config"]["relink"]["client_secret"] = json!("required");
    // One that a person added: the client of the Sandbox of this build can't be set.
    with_secret.integration.built_in = false;
    it.services.providers.publish(with_secret.clone());
    it.services.store.write(move |tx| integrations::put(tx, &with_secret.integration)).await.expect("stored");
    let client = Some(Secret::new("client-secret"));
    it.catalog.set_client(&PERSON, "sandbox", "mine".into(), client).await.expect("set");
    let id = it.connect("rt-1").await;
    it.services.backend.refuse(KeychainError::Locked);
    it.remove().await.expect("removed");
    assert!(it.stored().await.0.is_empty());
    it.services.backend.recover();
    it.services.orphans.sweep().await.expect("swept");
    assert_eq!(it.services.backend.names().len(), 2, "the account's and the client's item are still needed");
    // As after a crash: nothing is in memory.
    let accounts = it.services.accounts();
    let provider = async {
        let request = server.request().await;
        let body = &request.body;
        assert!(body.contains("token=rt-1") && body.contains("client_secret=client-secret"), "{body}");
        request.respond(200, "{}").await;
    };
    tokio::join!(accounts.revoke_now(), provider);
    assert!(it.services.backend.names().is_empty(), "{:?}", it.services.backend.names());
    assert!(matches!(&it.lines(id).await[0], TimelineEvent::RevokedLater { revoked: true, .. }));
}

#[tokio::test]
async fn an_integration_without_accounts_is_kept_for_revocations_that_are_still_to_be_done() {
    let server = LocalServer::listen().await;
    let it = Removal::at(&server.origin()).await;
    let id = it.connect("rt-1").await;
    it.services.backend.refuse(KeychainError::Locked);
    it.accounts.delete(&PERSON, id).await.expect("deleted");
    it.catalog.uninstall(&PERSON, "sandbox").await.expect("uninstalled");
    it.services.backend.recover();
    let provider = async { server.request().await.respond(200, "{}").await };
    tokio::join!(it.accounts.revoke_now(), provider);
    assert!(matches!(&it.lines(id).await[0], TimelineEvent::RevokedLater { revoked: true, .. }));
    assert_eq!(it.services.store.read(orphans::revocations).await.expect("read"), []);
    assert!(it.services.backend.names().is_empty());
}

#[tokio::test]
async fn a_provider_that_fails_gets_a_few_requests_at_a_time_and_in_the_end_one_for_each_account() {
    let server = LocalServer::listen().await;
    let it = Removal::at(&server.origin()).await;
    for number in 0..8 {
        it.connect(&format!("rt-{number}")).await;
    }
    // Each removal or pass, with how many requests it may send.
    let answer = async |count: usize, status: u16| {
        let mut bodies = Vec::new();
        for _ in 0..count {
            let request = server.request().await;
            bodies.push(request.body.clone());
            request.respond(status, "{}").await;
        }
        bodies
    };
    let (removed, mut tried) = tokio::join!(it.remove(), answer(3, 503));
    removed.expect("removed");
    for _ in 0..2 {
        tried.extend(tokio::join!(it.accounts.revoke_now(), answer(3, 503)).1);
    }
    tried.sort();
    tried.dedup();
    assert_eq!(tried.len(), 8, "each was tried");
    tokio::join!(it.accounts.revoke_now(), answer(8, 200));
    assert!(it.services.backend.names().is_empty());
}

#[tokio::test]
async fn what_is_not_offered_or_would_go_to_another_address_is_not_revoked() {
    let it = Removal::at(NOWHERE).await;
    let moved = it.connect("rt-moved").await;
    let mut broken = it.sandbox.clone();
    broken.integration.document["config"]["credentials"]["oauth2"]["config"]["auth"]["tokenHost"] =
        json!("http://127.0.0.1:10");
    let record = broken.integration.clone();
    it.services.store.write(move |tx| integrations::put(tx, &record)).await.expect("stored");
    it.remove().await.expect("removed");
    let lines = it.lines(moved).await;
    assert!(matches!(&lines[0], TimelineEvent::Deleted { revoked: Some(false), is_pending: false, .. }), "{lines:?}");
    assert!(it.services.backend.names().is_empty());

    let it = Removal::at(NOWHERE).await;
    let id = it.connect("rt-1").await;
    let mut broken = it.sandbox.clone();
    broken.integration.document["config"] = json!({ "label": 7 });
    it.services.providers.publish(broken.clone());
    let record = broken.integration.clone();
    it.services.store.write(move |tx| integrations::put(tx, &record)).await.expect("stored");
    it.remove().await.expect("a definition that can't be loaded is removed, too");
    let lines = it.lines(id).await;
    assert!(matches!(&lines[0], TimelineEvent::Deleted { revoked: None, is_pending: false, .. }), "{lines:?}");
    assert!(it.stored().await.0.is_empty() && it.services.backend.names().is_empty());
}

#[tokio::test]
async fn a_removal_locks_no_account_while_somebody_else_locks_several() {
    let it = Removal::at(NOWHERE).await;
    it.connect("rt-1").await;
    let others = it.accounts.lock_several().await;
    let mut removal = std::pin::pin!(it.remove());
    for _ in 0..5 {
        // The store writes in the order of the calls: whatever the removal wrote is done by then.
        tokio::select! {
            biased;
            removed = &mut removal => panic!("it did not wait: {removed:?}"),
            written = it.services.store.write(|_| Ok(())) => written.expect("written"),
        }
    }
    drop(others);
    removal.await.expect("removed");
}

#[tokio::test]
async fn of_two_removals_at_once_one_finds_nothing_left() {
    let it = Removal::at(NOWHERE).await;
    for number in 0..200 {
        it.connect(&format!("rt-{number}")).await;
    }
    let removal = || {
        let (catalog, id) = (it.catalog.clone(), it.sandbox.id);
        tokio::spawn(async move { catalog.uninstall_with_accounts(&PERSON, id).await })
    };
    let both = futures_util::future::join(removal(), removal());
    let (one, other) = tokio::time::timeout(Duration::from_mins(1), both).await.expect("they end");
    let ended = [one.expect("no panic"), other.expect("no panic")];
    assert_eq!(ended.iter().filter(|removed| removed.is_ok()).count(), 1);
    assert!(it.stored().await.0.is_empty());
}

#[tokio::test]
async fn ten_thousand_accounts_go_in_one_transaction() {
    const ACCOUNTS: usize = 10_000;
    let it = Removal::at(NOWHERE).await;
    let granted = Granted {
        credential: SIGN_IN,
        identity: None,
        scopes: Vec::new(),
        requested_scopes: Vec::new(),
        context: Map::new(),
        // Bound to nothing, so that there is nothing to revoke.
        object_store_context_fields: Vec::new(),
        origins: relink_domain::origins::Origins::default(),
    };
    let changes: Vec<_> = (0..ACCOUNTS)
        .map(|_| {
            let profile = profile(&it.sandbox, AccountId::from_uuid(Uuid::now_v7()), "Ada".to_owned());
            it.accounts.change(&PERSON, &Account::connect(profile, &granted, START)).expect("serialized")
        })
        .collect();
    let add = move |tx: &rusqlite::Transaction<'_>| changes.iter().try_for_each(|change| accounts::commit(tx, change));
    it.services.store.write(add).await.expect("stored");
    let (_, seq, _) = it.stored().await;
    let mut seen = std::collections::BTreeSet::new();
    let mut removal = std::pin::pin!(it.remove());
    loop {
        tokio::select! {
            biased;
            removed = &mut removal => break drop(removed.expect("removed")),
            accounts = it.count() => drop(seen.insert(accounts)),
        }
    }
    assert!(seen.contains(&ACCOUNTS), "it was looked at meanwhile: {seen:?}");
    assert!(seen.iter().all(|accounts| [0, ACCOUNTS].contains(accounts)), "nobody sees a part of it: {seen:?}");
    let events = it.events_after(seq).await;
    assert_eq!(events.len(), ACCOUNTS + 1);
    assert_eq!(events.last().expect("the last").0, "environment_integration:deleted");
}
