//! Accounts for calls of programs, and what the answers to their calls change.

use std::sync::Arc;

use http::HeaderMap;
use relink_domain::{
    LinkTokenId,
    account::{FixedKind, Granted, Input, NewCredential, Rejected, ResourceMethod, Status},
};
use serde_json::{Value, json};

use super::{tests::Refreshing, *};
use crate::{
    PreparedAccount, Refusal,
    keychain::KeychainError,
    testing::{LocalServer, NOWHERE, PERSON, program},
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
pub(super) async fn with_key() -> Refreshing {
    let it = Refreshing::with_definition(definition("http://127.0.0.1:9/v1"), API_KEY).await;
    it.services.write_secret(it.id, Account::FIRST_GENERATION, "api_key", "k-1234567890").await;
    it
}

pub(super) async fn prepared(it: &Refreshing) -> Arc<PreparedAccount> {
    it.refresher.prepared(&program(), it.id).await.expect("ready")
}

fn events(it: &Refreshing) -> i64 {
    *it.services.store.outbox_seq().borrow()
}

pub(super) fn refusal<'a>(status: u16, headers: &'a HeaderMap, body: &'a str) -> Refusal<'a> {
    Refusal { status, headers, body: body.as_bytes(), needed_scopes: &[], method: None }
}

pub(super) async fn load(it: &Refreshing) -> Account {
    it.services.tasks.settle().await;
    it.accounts.load(it.id).await.expect("there")
}

#[tokio::test]
async fn an_account_is_prepared_once_and_then_without_the_database_and_the_keychain() {
    let it = with_key().await;
    let first = prepared(&it).await;
    assert_eq!(first.base_url().map(url::Url::as_str), Some("http://127.0.0.1:9/v1"));
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
    assert_eq!(prepared(&it).await.base_url().map(url::Url::as_str), Some("http://127.0.0.1:9/v2"));
}

#[tokio::test]
async fn many_calls_that_are_refused_at_once_make_one_event_and_an_accepted_one_ends_the_trouble() {
    let (it, none) = (with_key().await, HeaderMap::new());
    let before = events(&it);
    let account = prepared(&it).await;
    for _ in 0..1000 {
        it.refresher.call_refused(&program(), &account, &refusal(401, &none, r#"{"message":"bad key k-1234567890"}"#));
    }
    let failed = load(&it).await;
    assert_eq!(failed.status(), Status::NeedsReauth);
    let message = failed.profile.last_error.as_ref().and_then(|seen| seen.failure.provider_message.clone());
    assert_eq!(message.as_deref(), Some("bad key (hidden)"), "without the secret");
    assert_eq!(events(&it), before + 1);

    // Another refusal within a minute changes nothing.
    let again = prepared(&it).await;
    it.services.clock.advance_secs(59);
    it.refresher.call_refused(&program(), &again, &refusal(401, &none, ""));
    assert_eq!(load(&it).await, failed);
    it.services.clock.advance_secs(1);
    it.refresher.call_refused(&program(), &again, &refusal(401, &none, ""));
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
async fn a_refusal_counts_although_the_accepted_call_before_it_is_not_committed_yet() {
    let (it, none) = (with_key().await, HeaderMap::new());
    let account = prepared(&it).await;
    it.refresher.call_refused(&program(), &account, &refusal(401, &none, ""));
    assert_eq!(load(&it).await.status(), Status::NeedsReauth);
    it.refresher.call_accepted(&program(), &account);
    it.refresher.call_refused(&program(), &account, &refusal(401, &none, ""));
    assert_eq!(load(&it).await.status(), Status::NeedsReauth);
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
    let headers = HeaderMap::from_iter([(
        http::header::WWW_AUTHENTICATE,
        http::HeaderValue::from_static("Bearer error=\"insufficient_scope\", scope=\"read write\""),
    )]);
    for _ in 0..10 {
        let refused = refusal(403, &headers, r#"{"message":"no"}"#);
        let refused = Refusal { method: Some(("contacts", "list")), ..refused };
        it.refresher.call_forbidden(&program(), &account, &refused);
    }
    let forbidden = load(&it).await;
    assert_eq!(forbidden.status(), Status::Active);
    let kept = forbidden.profile.last_forbidden_error.as_ref().expect("kept");
    assert_eq!(kept.seen.failure.provider_message.as_deref(), Some("no"));
    assert_eq!(kept.seen.failure.missing_scopes, ["read", "write"]);
    assert_eq!(kept.method, Some(ResourceMethod { resource: "contacts".to_owned(), method: "list".to_owned() }));
    let again = prepared(&it).await;
    it.refresher.call_accepted(&program(), &again);
    assert_eq!(load(&it).await, forbidden, "other calls are accepted all the time");
    it.services.clock.advance_secs(60);
    it.refresher.call_accepted(&program(), &again);
    assert_eq!(load(&it).await.profile.last_forbidden_error, None);
}

#[tokio::test]
async fn the_scopes_that_a_definition_names_count_before_the_providers() {
    let it = with_key().await;
    let account = prepared(&it).await;
    let challenge = http::HeaderValue::from_static("Bearer error=\"insufficient_scope\", scope=\"read.all read\"");
    let headers = HeaderMap::from_iter([(http::header::WWW_AUTHENTICATE, challenge)]);
    let granted = account.scopes().to_vec();
    for (needed, missing) in [(vec!["read".to_owned()], vec!["read"]), (granted, vec!["read.all", "read"])] {
        let refused = Refusal { needed_scopes: &needed, ..refusal(403, &headers, "{}") };
        assert_eq!(account.missing_scopes(&refused), missing, "{needed:?}");
    }
}

#[tokio::test]
async fn an_account_whose_definition_has_no_base_url_is_ready_for_methods_that_name_their_own() {
    let mut definition = definition("http://127.0.0.1:9/v1");
    definition["config"].as_object_mut().expect("an object").remove("base_url");
    definition["config"]["resources"] =
        json!({ "contacts": { "list": { "path": "/contacts", "base_url": "http://127.0.0.1:9/v3" } } });
    let it = Refreshing::with_definition(definition, API_KEY).await;
    it.services.write_secret(it.id, Account::FIRST_GENERATION, "api_key", "k-1234567890").await;
    let account = prepared(&it).await;
    let list = account.definition().resources().get("contacts").and_then(|it| it.get("list")).expect("the method");
    let own = account.resolve(list.base_url.as_ref().expect("its own")).expect("a URL");
    assert_eq!((account.base_url(), own.as_str()), (None, "http://127.0.0.1:9/v3"));
    assert!(account.allows_method_at(&own.origin()));
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

#[tokio::test]
async fn a_key_that_is_not_committed_yet_is_not_used_with_the_address_of_the_one_before() {
    let it = with_key().await;
    let before = load(&it).await;
    let granted = Granted {
        credential: API_KEY,
        identity: None,
        scopes: Vec::new(),
        requested_scopes: Vec::new(),
        context: serde_json::Map::new(),
        object_store_context_fields: Vec::new(),
        origins: before.profile.origins.clone(),
    };
    let begin =
        Input::BeginReplacement { granted, link: Some(LinkTokenId::from_uuid(uuid::Uuid::nil())), first_step: None };
    let replaced = it.accounts.commit(&PERSON, it.id, begin).await.expect("begun").account;
    let generation = replaced.replacement.expect("open").generation;
    it.services.write_secret(it.id, generation, "api_key", "new").await;
    // What was read of the account is from before the replacement.
    let read = it.refresher.material(&program(), &before).await.map(drop);
    let stale = matches!(read, Err(Error::Rejected(Rejected::Stale { .. })));
    assert!(stale, "the new key belongs to the new account: {read:?}");
    assert_eq!(prepared(&it).await.headers()["x-api-key"], "key new");
}

#[tokio::test]
async fn a_token_that_replaced_a_refused_one_proves_itself_by_an_accepted_call() {
    let server = LocalServer::listen().await;
    let it = Refreshing::at(&server.origin()).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    let first = prepared(&it).await;
    assert!(!first.follows_refusal());
    let caller = program();
    let (second, ()) = tokio::join!(it.refresher.renewed(&caller, &first), async {
        server.request().await.respond(200, r#"{"access_token":"second","expires_in":3600}"#).await;
    });
    let second = second.expect("refreshed");
    assert!(second.follows_refusal());
    // Another call that had the first token, and was refused later.
    assert!(it.refresher.renewed(&caller, &first).await.expect("there").follows_refusal());
    it.refresher.call_accepted(&caller, &second);
    assert!(!second.follows_refusal() && !prepared(&it).await.follows_refusal());
    assert!(!it.refresher.renewed(&caller, &first).await.expect("there").follows_refusal());
}

#[tokio::test]
async fn a_call_that_learns_late_that_its_token_is_refused_causes_no_refresh_after_the_next_token_was_refused_too() {
    let server = LocalServer::listen().await;
    let it = Refreshing::at(&server.origin()).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    let (first, caller, none) = (prepared(&it).await, program(), HeaderMap::new());
    let (second, ()) = tokio::join!(it.refresher.renewed(&caller, &first), async {
        server.request().await.respond(200, r#"{"access_token":"second","expires_in":3600}"#).await;
    });
    it.refresher.call_refused(&caller, &second.expect("refreshed"), &refusal(401, &none, ""));
    // That isn't committed yet. A request would find a server that never answers.
    let late = it.refresher.renewed(&caller, &first).await;
    assert_eq!(late.expect_err("known").code(), "rejected_after_refresh");
    let token = it.refresher.access_token(&caller, it.id).await;
    assert_eq!(token.expect_err("known").code(), "rejected_after_refresh");
}

#[tokio::test]
async fn a_requested_refresh_after_a_refused_call_is_followed_by_a_call_that_decides() {
    for (status, expected) in [(200, Status::Active), (401, Status::NeedsReauth)] {
        let server = LocalServer::listen().await;
        let it = Refreshing::at(&server.origin()).await;
        it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
        let (account, none) = (prepared(&it).await, HeaderMap::new());
        it.refresher.call_refused(&program(), &account, &refusal(401, &none, ""));
        assert_eq!(load(&it).await.status(), Status::NeedsReauth);
        let refreshed = it.refresher.refresh(&PERSON, it.id);
        let server = async {
            let token = r#"{"access_token":"new","expires_in":3600}"#;
            server.request().await.respond(200, token).await;
            let probe = server.request().await;
            assert!(probe.head.to_lowercase().contains("authorization: bearer new"), "{}", probe.head);
            probe.respond(status, r#"{"id":"7"}"#).await;
            if status == 401 {
                server.request().await.respond(200, token).await;
                server.request().await.respond(401, "{}").await;
            }
        };
        let (refreshed, ()) = tokio::join!(refreshed, server);
        refreshed.expect("the refresh itself works");
        assert_eq!(load(&it).await.status(), expected);
    }
}
