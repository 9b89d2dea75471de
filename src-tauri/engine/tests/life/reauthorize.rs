//! A reauthorization never breaks what works, and succeeds once.

use relink_contract::connect::{FlowPhase, IdentityChoice};
use relink_domain::{
    AccountId, Secret,
    account::{AuthenticationMethod, Input, Status},
    schedule::Jitter,
};
use relink_engine::keychain::{Key, Keychain};
use serde_json::json;

use crate::world::{Flow, PERSON, World, eventually};

/// A reauthorization that has received its callback.
async fn back<'w>(world: &'w World, id: AccountId, person: &str) -> Flow<'w> {
    let link = world.reauthorize_link(id).await;
    let mut flow = world.begin(&link).await;
    let callback = flow.sign_in(person).await;
    flow.receive_callback(&callback).await;
    flow
}

#[tokio::test]
async fn a_sign_in_without_an_identity_replaces_nothing() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    // The identity probe gets a 200 with an unreadable body.
    world.control("POST", "/control/faults", json!({ "kind": "html_200", "on": "api" })).await;
    let mut flow = back(&world, id, "grace").await;
    assert_eq!(flow.fails().await, "not_json");
    assert_eq!(world.account(id).await, before);
    world.engine.refresher().refresh(&PERSON, id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn a_renewable_sign_in_is_not_replaced_by_one_that_expires() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    world.fault("no_refresh_token", 1).await;
    let mut flow = back(&world, id, "ada").await;
    assert_eq!(flow.fails().await, "refresh_token_missing");
    assert_eq!(world.account(id).await, before);
    world.engine.refresher().refresh(&PERSON, id).await.expect("the old sign-in renews itself");
}

#[tokio::test]
async fn a_sign_in_with_fewer_scopes_replaces_nothing() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    world.fault("fewer_scopes", 1).await;
    let mut flow = back(&world, id, "ada").await;
    assert_eq!(flow.fails().await, "scopes_missing");
    assert_eq!(world.account(id).await, before);
}

#[tokio::test]
async fn of_two_simultaneous_flows_of_one_link_one_succeeds() {
    let world = World::new().await;
    for _ in 0..5 {
        let id = world.connected().await;
        let link = world.reauthorize_link(id).await;
        let (mut one, mut two) = (world.begin(&link).await, world.begin(&link).await);
        for flow in [&mut one, &mut two] {
            let callback = flow.sign_in("grace").await;
            flow.receive_callback(&callback).await;
            flow.until(&[FlowPhase::Question]).await;
        }
        let accounts = world.keychain.names().len();
        one.answers(IdentityChoice::Add).await;
        two.answers(IdentityChoice::Replace).await;
        let ended = [FlowPhase::Succeeded, FlowPhase::Failed];
        one.until(&ended).await;
        two.until(&ended).await;
        let errors = [&one, &two].map(|flow| flow.view.error.as_ref().map(|error| error.code.clone()));
        let refused = Some("link_token_used".to_owned());
        assert!(errors == [None, refused.clone()] || errors == [refused, None], "{errors:?}");
        let added = world.keychain.names().len() - accounts;
        let identity = world.account(id).await.profile.identity.expect("known").label;
        let replaced = usize::from(identity == "Grace Hopper");
        assert_eq!(added + replaced, 1, "added or replaced, never both");
    }
}

#[tokio::test]
async fn a_late_keychain_write_of_a_new_sign_in_is_adopted() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut flow = world.begin(&link).await;
    let callback = flow.sign_in("ada").await;
    world.keychain.stall_next_write();
    flow.receive_callback(&callback).await;
    assert_eq!(flow.fails().await, "keychain_slow");
    assert_eq!(world.account(id).await.state, before.state);

    world.keychain.recover();
    world.engine.refresher().refresh(&PERSON, id).await.expect("the new sign-in works");
    assert_eq!(world.event_names().await[2..], ["updated", "active"]);
    assert_eq!(
        world.engine.connections().link_session(&PERSON, link.expose()).await.expect_err("used").code(),
        "link_token_used"
    );
}

#[tokio::test]
async fn a_late_keychain_write_of_a_new_api_key_is_adopted() {
    let world = World::new().await;
    let key = async || {
        let made = world.control("POST", "/control/api-keys", json!({ "subject": "sandbox-ada" })).await;
        made["api_key"].as_str().expect("a key").to_owned()
    };
    let typed = |key: &str| [("api_key".to_owned(), Secret::new(key))].into();
    let (link, old) = (world.connect_link().await, key().await);
    let id = world.begin_with(&link, AuthenticationMethod::ApiKey, typed(&old)).await.succeeds().await;

    let (link, new) = (world.reauthorize_link(id).await, key().await);
    world.keychain.stall_next_write();
    let mut flow = world.begin_with(&link, AuthenticationMethod::ApiKey, typed(&new)).await;
    assert_eq!(flow.fails().await, "keychain_slow");
    world.keychain.recover();
    assert_eq!(world.engine.refresher().access_token(&PERSON, id).await.expect("the key").token.expose(), new);
    assert_eq!(world.event_names().await[2..], ["updated", "active"]);
}

#[tokio::test]
async fn a_failed_keychain_write_keeps_the_old_sign_in_and_the_link() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut flow = world.begin(&link).await;
    let callback = flow.sign_in("ada").await;
    world.keychain.fail_after(0);
    flow.receive_callback(&callback).await;
    assert_eq!(flow.fails().await, "keychain_failed");
    world.keychain.recover();
    assert_eq!(world.account(id).await, before);
    world.engine.connections().link_session(&PERSON, link.expose()).await.expect("the link still works");
    world.engine.refresher().refresh(&PERSON, id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn a_refresh_left_open_by_a_crash_does_not_block_reauthorization() {
    let world = World::new().await;
    let id = world.connected().await;
    begin_refresh_without_finishing(&world, id).await;
    let mut flow = back(&world, id, "ada").await;
    assert_eq!(flow.succeeds().await, id);
    assert_eq!(world.account(id).await.status(), Status::Active);
    world.engine.refresher().refresh(&PERSON, id).await.expect("the new sign-in works");
}

/// The state that a crash between the intent and the exchange leaves.
async fn begin_refresh_without_finishing(world: &World, id: AccountId) {
    let account = world.account(id).await;
    let step = account.apply(Input::BeginRefresh, world.engine.now(), Jitter::NONE);
    let document = serde_json::to_string(&step.expect("it begins").account).expect("JSON");
    let database = rusqlite::Connection::open(world.folder.path().join("relink.db")).expect("opens");
    let changed = database
        .execute("UPDATE integrated_account SET document = ?2, open = 1 WHERE id = ?1", [id.to_string(), document])
        .expect("written");
    assert_eq!(changed, 1);
}

#[tokio::test]
async fn renaming_an_account_relabels_its_keychain_item() {
    let world = World::new().await;
    let id = world.connected().await;
    let item = |key| {
        let keychain = Keychain::memory(world.keychain.clone());
        async move { keychain.get(&key).await.expect("open").expect("there") }
    };
    let before = item(Key::Account(id)).await;
    world.engine.accounts().rename(&PERSON, id, "Acme billing".into()).await.expect("renamed");
    let name = format!("account/{id}");
    eventually("the item has its new label", async || {
        world.keychain.label(&name).as_deref() == Some("Relink: Acme billing (Sandbox)")
    })
    .await;
    assert_eq!(item(Key::Account(id)).await, before, "its secrets are unchanged");
}
