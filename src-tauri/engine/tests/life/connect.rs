//! Connecting and reauthorizing with OAuth.

use std::time::Duration;

use relink_contract::connect::{FlowPhase, IdentityChoice};
use relink_domain::{
    Secret,
    account::{AccountChange, Status},
    link::{LinkOptions, Purpose},
};
use relink_engine::keychain::{Key, Keychain};
use serde_json::json;

use crate::world::{Flow, PERSON, World};

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
async fn reauthorizing_keeps_the_id_and_sends_updated_then_active() {
    let world = World::new().await;
    let id = world.connected().await;
    world.control("POST", "/control/revoke", serde_json::json!({})).await;
    world.engine.refresher().refresh(&PERSON, id).await.expect_err("refused");
    assert_eq!(world.account(id).await.status(), Status::NeedsReauth);

    let link = world.reauthorize_link(id).await;
    let mut flow = world.begin(&link).await;
    let callback = flow.sign_in("ada").await;
    flow.receive_callback(&callback).await;
    assert_eq!(flow.succeeds().await, id);
    assert_eq!(world.account(id).await.status(), Status::Active);
    assert_eq!(world.event_names().await[2..], ["authentication_error", "updated", "active"]);
    world.engine.refresher().refresh(&PERSON, id).await.expect("it works");
}

#[tokio::test]
async fn a_link_token_succeeds_once() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let mut flow = world.begin(&link).await;
    let callback = flow.sign_in("ada").await;
    flow.receive_callback(&callback).await;
    flow.succeeds().await;
    let refused = world.engine.connections().link_session(&PERSON, link.expose()).await.expect_err("used");
    assert_eq!(refused.code(), "link_token_used");
}

#[tokio::test]
async fn two_flows_of_one_link_create_one_account() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let (mut first, mut second) = (world.begin(&link).await, world.begin(&link).await);
    let (a, b) = (first.sign_in("ada").await, second.sign_in("ada").await);
    first.receive_callback(&a).await;
    first.succeeds().await;
    second.receive_callback(&b).await;
    assert_eq!(second.fails().await, "link_token_used");
    assert_eq!(world.keychain.names().len(), 1, "the second flow's secrets are removed");
}

#[tokio::test]
async fn declining_changes_nothing_and_can_be_retried() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let mut flow = world.begin(&link).await;
    let callback = flow.answer_consent(&[("person", "ada"), ("decision", "deny")]).await;
    world.engine.connections().callback(&PERSON, &callback).await.expect("taken");
    flow.until(&[FlowPhase::Failed]).await;
    assert_eq!(flow.fails().await, "access_denied");
    world.engine.connections().link_session(&PERSON, link.expose()).await.expect("the link still works");
    assert!(world.keychain.names().is_empty());
}

/// Another person signs in through the link of Ada's account.
async fn returned_as_grace<'w>(world: &'w World, link: &Secret) -> Flow<'w> {
    let mut flow = world.begin(link).await;
    let callback = flow.sign_in("grace").await;
    flow.receive_callback(&callback).await;
    flow
}

#[tokio::test]
async fn another_identity_signs_in_and_the_old_sign_in_is_kept() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut flow = returned_as_grace(&world, &link).await;
    flow.answers(IdentityChoice::Keep).await;
    assert_eq!(flow.succeeds().await, id);
    assert!(flow.view.outcome.as_ref().expect("an outcome").kept_old);
    assert_eq!(world.account(id).await, before);
    world.engine.connections().link_session(&PERSON, link.expose()).await.expect("the link still works");
    world.engine.refresher().refresh(&PERSON, id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn another_identity_signs_in_and_replaces_the_old_one() {
    let world = World::new().await;
    let id = world.connected().await;
    let link = world.reauthorize_link(id).await;
    let mut flow = returned_as_grace(&world, &link).await;
    flow.answers(IdentityChoice::Replace).await;
    assert_eq!(flow.succeeds().await, id);
    assert_eq!(world.account(id).await.profile.identity.expect("known").label, "Grace Hopper");
    assert_eq!(world.event_names().await[2..], ["updated", "active"]);
}

#[tokio::test]
async fn stopping_while_a_question_is_open_keeps_the_old_sign_in() {
    let mut world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut flow = returned_as_grace(&world, &link).await;
    flow.until(&[FlowPhase::Question]).await;
    let stopped = tokio::time::timeout(Duration::from_secs(10), world.engine.stop()).await;
    assert!(stopped.is_ok(), "it waits");
    world.start_again().await;
    assert_eq!(world.account(id).await, before);
    world.engine.connections().link_session(&PERSON, link.expose()).await.expect("the link still works");
}

#[tokio::test]
async fn another_identity_signs_in_and_becomes_a_second_account() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut flow = returned_as_grace(&world, &link).await;
    flow.answers(IdentityChoice::Add).await;
    let second = flow.succeeds().await;
    assert_ne!(second, id);
    assert_eq!(world.account(id).await, before);
    let second = world.account(second).await;
    assert_eq!((second.profile.tenant_id.as_str(), second.profile.name.as_str()), ("acme-1", "Grace Hopper"));
}

#[tokio::test]
async fn an_abandoned_reauthorization_changes_nothing() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let flow = world.begin(&link).await;
    let callback = flow.sign_in("ada").await;
    world.engine.connections().abandon_flow(&PERSON, flow.view.id, flow.key.expose()).expect("abandoned");
    let refused = world.engine.connections().callback(&PERSON, &callback).await.expect_err("too late");
    assert_eq!(refused.code(), "state_unknown");
    assert_eq!(world.account(id).await, before);
    world.engine.refresher().refresh(&PERSON, id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn the_code_is_not_exchanged_until_the_page_claims_the_callback() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let flow = world.begin(&link).await;
    let callback = flow.sign_in("ada").await;
    world.engine.connections().callback(&PERSON, &callback).await.expect("taken");
    assert!(world.engine.connections().claim_flow(&PERSON, flow.view.id, "another key", None).await.is_err());
    assert_eq!(world.token_requests().await, 0);
}

#[tokio::test]
async fn a_failed_exchange_names_its_cause_and_the_link_still_works() {
    let world = World::new().await;
    for (fault, code) in
        [("status_500", "server_error"), ("html_200", "not_json"), ("invalid_client", "invalid_client")]
    {
        let link = world.connect_link().await;
        world.fault(fault, 1).await;
        let mut flow = world.begin(&link).await;
        let callback = flow.sign_in("ada").await;
        flow.receive_callback(&callback).await;
        assert_eq!(flow.fails().await, code);
        world.engine.connections().link_session(&PERSON, link.expose()).await.expect("the link still works");
    }
    let events = world.engine.outbox().events_after(&PERSON, 0, 100).await.expect("events");
    let sent = events.iter().filter(|event| event.kind.as_str() == "link_token:connection_error").count();
    assert_eq!(sent, 3);
}

#[tokio::test]
async fn only_failures_of_the_provider_send_connection_error() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let (mut first, mut second) = (world.begin(&link).await, world.begin(&link).await);
    let (a, b) = (first.sign_in("ada").await, second.sign_in("ada").await);
    first.receive_callback(&a).await;
    first.succeeds().await;
    second.receive_callback(&b).await;
    assert_eq!(second.fails().await, "link_token_used");
    assert_eq!(world.lines(None).await, ["Sign-in failed"]);
    let events = world.engine.outbox().events_after(&PERSON, 0, 100).await.expect("events");
    assert!(events.iter().all(|event| event.kind.as_str() != "link_token:connection_error"));
}

#[tokio::test]
async fn a_secret_that_the_provider_echoes_is_not_stored() {
    let world = World::new().await;
    let id = world.connected().await;
    let item = Keychain::memory(world.keychain.clone()).get(&Key::Account(id)).await.expect("open").expect("there");
    world.fault("echo", 2).await;
    world.engine.refresher().refresh(&PERSON, id).await.expect_err("refused");
    let failure = world.account(id).await.profile.last_error.expect("seen").failure;
    assert_eq!(failure.provider_code.as_deref(), Some("invalid_grant"));
    assert!(failure.provider_message.is_some_and(|message| message.ends_with("(hidden)")), "the rest is kept");

    let link = world.connect_link().await;
    let mut flow = world.begin(&link).await;
    let callback = flow.sign_in("ada").await;
    flow.receive_callback(&callback).await;
    assert_eq!(flow.fails().await, "invalid_grant");
    let code = url::Url::parse(&callback).expect("an address");
    let code = code.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let events = world.engine.outbox().events_after(&PERSON, 0, 100).await.expect("events");
    let lines = world.engine.accounts().timeline(&PERSON, None, None, 100).await.expect("a timeline");
    let stored = format!("{events:?} {lines:?} {:?}", flow.view);
    for secret in [item.secrets["refresh_token"].expose(), code.as_str()] {
        assert!(!stored.contains(secret));
    }
}

#[tokio::test]
async fn context_cannot_carry_a_credential() {
    let world = World::new().await;
    let id = world.connected().await;
    let context = |key: &str| json!({ key: "canary" }).as_object().expect("an object").clone();
    let change = |key: &str| AccountChange { context: context(key), ..AccountChange::default() };
    let before = world.event_names().await;
    for key in ["api_key", "client_id", "client_secret", "refresh_token", "oauth", "credentials", "token", "password"] {
        for purpose in [Purpose::Connect { tenant_id: "acme-1".into() }, Purpose::Reauthorize { account_id: id }] {
            let options = LinkOptions { context: context(key), ..LinkOptions::default() };
            let refused = world.engine.connections().create_link(&PERSON, purpose, options).await.expect_err(key);
            assert_eq!(refused.code(), "context_key_reserved");
        }
        // A program may send back all of a context, so here it is ignored.
        world.engine.accounts().update(&PERSON, id, change(key)).await.expect(key);
    }
    assert!(world.account(id).await.profile.context.is_empty());
    assert_eq!(world.event_names().await, before, "nothing changed");
    world.engine.accounts().update(&PERSON, id, change("subdomain")).await.expect("no credential");
}
