//! Connecting and reauthorizing with OAuth.

use std::time::Duration;

use relink_domain::{
    Secret,
    account::Status,
    link::{LinkOptions, Purpose},
};
use relink_engine::{
    connect::{IdentityChoice, PhaseName},
    keychain::{Key, Keychain},
};
use serde_json::json;

use crate::world::{Walk, World};

#[tokio::test]
async fn a_person_connects_an_account() {
    let world = World::new().await;
    let id = world.connected().await;
    let account = world.account(id).await;
    assert_eq!(account.status(), Status::Active);
    assert_eq!(account.profile.identity.expect("known").label, "Ada Lovelace");
    assert_eq!(world.event_names().await, ["created", "active"]);
    assert_eq!(world.keychain.names(), [format!("account/{id}")]);
}

#[tokio::test]
async fn reauthorizing_keeps_the_id_and_tells_updated_then_active() {
    let world = World::new().await;
    let id = world.connected().await;
    world.control("POST", "/control/revoke", serde_json::json!({})).await;
    world.engine.refresh(id).await.expect_err("refused");
    assert_eq!(world.account(id).await.status(), Status::NeedsReauth);

    let link = world.reauthorize_link(id).await;
    let mut walk = world.begin(&link).await;
    let callback = walk.sign_in("ada").await;
    walk.come_back(&callback).await;
    assert_eq!(walk.succeeds().await, id);
    assert_eq!(world.account(id).await.status(), Status::Active);
    assert_eq!(world.event_names().await[2..], ["authentication_error", "updated", "active"]);
    world.engine.refresh(id).await.expect("it works");
}

#[tokio::test]
async fn a_link_has_one_success() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let mut walk = world.begin(&link).await;
    let callback = walk.sign_in("ada").await;
    walk.come_back(&callback).await;
    walk.succeeds().await;
    let refused = world.engine.link_session(link.expose()).await.expect_err("used");
    assert_eq!(refused.code(), "link_token_used");
}

#[tokio::test]
async fn two_flows_of_one_link_make_one_account() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let (mut first, mut second) = (world.begin(&link).await, world.begin(&link).await);
    let (a, b) = (first.sign_in("ada").await, second.sign_in("ada").await);
    first.come_back(&a).await;
    first.succeeds().await;
    second.come_back(&b).await;
    assert_eq!(second.fails().await, "link_token_used");
    assert_eq!(world.keychain.names().len(), 1, "what the second brought is swept");
}

#[tokio::test]
async fn a_person_who_says_no_changes_nothing_and_may_try_again() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let mut walk = world.begin(&link).await;
    let callback = walk.answer_consent(&[("person", "ada"), ("decision", "deny")]).await;
    world.engine.callback(&callback).await.expect("taken");
    walk.until(&[PhaseName::Failed]).await;
    assert_eq!(walk.fails().await, "access_denied");
    world.engine.link_session(link.expose()).await.expect("the link still works");
    assert!(world.keychain.names().is_empty());
}

/// Somebody else than Ada signs in behind her link.
async fn comes_back_as_grace<'w>(world: &'w World, link: &Secret) -> Walk<'w> {
    let mut walk = world.begin(link).await;
    let callback = walk.sign_in("grace").await;
    walk.come_back(&callback).await;
    walk
}

#[tokio::test]
async fn somebody_else_signs_in_and_the_person_keeps_the_old() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut walk = comes_back_as_grace(&world, &link).await;
    walk.answers(IdentityChoice::Keep).await;
    assert_eq!(walk.succeeds().await, id);
    assert!(walk.flow.outcome.as_ref().expect("an outcome").kept_old);
    assert_eq!(world.account(id).await, before);
    world.engine.link_session(link.expose()).await.expect("the link still works");
    world.engine.refresh(id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn somebody_else_signs_in_and_replaces() {
    let world = World::new().await;
    let id = world.connected().await;
    let link = world.reauthorize_link(id).await;
    let mut walk = comes_back_as_grace(&world, &link).await;
    walk.answers(IdentityChoice::Replace).await;
    assert_eq!(walk.succeeds().await, id);
    assert_eq!(world.account(id).await.profile.identity.expect("known").label, "Grace Hopper");
    assert_eq!(world.event_names().await[2..], ["updated", "active"]);
}

#[tokio::test]
async fn a_stop_while_the_person_is_asked_waits_for_no_answer_and_keeps_the_old() {
    let mut world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut walk = comes_back_as_grace(&world, &link).await;
    walk.until(&[PhaseName::Question]).await;
    let stopped = tokio::time::timeout(Duration::from_secs(10), world.engine.stop()).await;
    assert!(stopped.is_ok(), "it waits");
    world.start_again().await;
    assert_eq!(world.account(id).await, before);
    world.engine.link_session(link.expose()).await.expect("the link still works");
}

#[tokio::test]
async fn somebody_else_signs_in_and_becomes_a_second_account() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut walk = comes_back_as_grace(&world, &link).await;
    walk.answers(IdentityChoice::Add).await;
    let second = walk.succeeds().await;
    assert_ne!(second, id);
    assert_eq!(world.account(id).await, before);
    let second = world.account(second).await;
    assert_eq!((second.profile.tenant_id.as_str(), second.profile.name.as_str()), ("acme-1", "Grace Hopper"));
}

#[tokio::test]
async fn a_reauthorization_that_is_abandoned_half_way_leaves_everything_as_it_was() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let walk = world.begin(&link).await;
    let callback = walk.sign_in("ada").await;
    world.engine.abandon_flow(walk.flow.id, walk.key.expose()).expect("abandoned");
    let refused = world.engine.callback(&callback).await.expect_err("too late");
    assert_eq!(refused.code(), "state_unknown");
    assert_eq!(world.account(id).await, before);
    world.engine.refresh(id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn nothing_is_exchanged_until_the_page_that_began_claims_the_callback() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let walk = world.begin(&link).await;
    let callback = walk.sign_in("ada").await;
    world.engine.callback(&callback).await.expect("taken");
    assert!(world.engine.claim_flow(walk.flow.id, "another key").await.is_err());
    assert_eq!(world.token_requests().await, 0);
}

#[tokio::test]
async fn an_exchange_that_fails_says_why_and_the_link_still_works() {
    let world = World::new().await;
    for (fault, code) in
        [("status_500", "server_error"), ("html_200", "not_json"), ("invalid_client", "invalid_client")]
    {
        let link = world.connect_link().await;
        world.fault(fault, 1).await;
        let mut walk = world.begin(&link).await;
        let callback = walk.sign_in("ada").await;
        walk.come_back(&callback).await;
        assert_eq!(walk.fails().await, code);
        world.engine.link_session(link.expose()).await.expect("the link still works");
    }
    let events = world.engine.events_after(0, 100).await.expect("events");
    let told = events.iter().filter(|event| event.kind.as_str() == "link_token:connection_error").count();
    assert_eq!(told, 3);
}

#[tokio::test]
async fn only_what_fails_at_the_provider_is_told_as_a_connection_error() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let (mut first, mut second) = (world.begin(&link).await, world.begin(&link).await);
    let (a, b) = (first.sign_in("ada").await, second.sign_in("ada").await);
    first.come_back(&a).await;
    first.succeeds().await;
    second.come_back(&b).await;
    assert_eq!(second.fails().await, "link_token_used");
    assert_eq!(world.lines(None).await, ["A sign-in did not succeed"]);
    let events = world.engine.events_after(0, 100).await.expect("events");
    assert!(events.iter().all(|event| event.kind.as_str() != "link_token:connection_error"));
}

#[tokio::test]
async fn what_a_provider_repeats_of_a_secret_is_not_kept() {
    let world = World::new().await;
    let id = world.connected().await;
    let item = Keychain::memory(world.keychain.clone()).get(&Key::Account(id)).await.expect("open").expect("there");
    world.fault("echo", 2).await;
    world.engine.refresh(id).await.expect_err("refused");
    let failure = world.account(id).await.profile.last_error.expect("seen").failure;
    assert_eq!((failure.provider_code.as_deref(), failure.provider_words), (Some("invalid_grant"), None));

    let link = world.connect_link().await;
    let mut walk = world.begin(&link).await;
    let callback = walk.sign_in("ada").await;
    walk.come_back(&callback).await;
    assert_eq!(walk.fails().await, "invalid_grant");
    let code = url::Url::parse(&callback).expect("an address");
    let code = code.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let events = world.engine.events_after(0, 100).await.expect("events");
    let lines = world.engine.timeline(None, None, 100).await.expect("a timeline");
    let told = format!("{events:?} {lines:?} {:?}", walk.flow);
    for secret in [item.secrets["refresh_token"].expose(), code.as_str()] {
        assert!(!told.contains(secret));
    }
}

#[tokio::test]
async fn a_credential_does_not_come_in_by_a_context() {
    let world = World::new().await;
    let id = world.connected().await;
    let context = |key: &str| json!({ key: "canary" }).as_object().expect("an object").clone();
    for key in ["api_key", "client_id", "client_secret", "refresh_token", "oauth", "credentials"] {
        for purpose in [Purpose::Connect { tenant_id: "acme-1".into() }, Purpose::Reauthorize { account_id: id }] {
            let options = LinkOptions { context: context(key), ..LinkOptions::default() };
            let refused = world.engine.create_link(purpose, options).await.expect_err(key);
            assert_eq!(refused.code(), "context_key_reserved");
        }
        let refused = world.engine.merge_context(id, context(key)).await.expect_err(key);
        assert_eq!(refused.code(), "context_key_reserved");
    }
    assert!(world.account(id).await.profile.context.is_empty());
    world.engine.merge_context(id, context("subdomain")).await.expect("no credential");
}
