//! A reauthorization takes nothing away that works, and is done once.

use relink_domain::{
    AccountId, Secret,
    account::{AuthenticationMethod, Input, Status},
    schedule::Jitter,
};
use relink_engine::{
    connect::{IdentityChoice, PhaseName},
    keychain::{Key, Keychain},
};
use serde_json::json;

use crate::world::{Walk, World};

/// A reauthorization that has come back from the provider.
async fn back<'w>(world: &'w World, id: AccountId, person: &str) -> Walk<'w> {
    let link = world.reauthorize_link(id).await;
    let mut walk = world.begin(&link).await;
    let callback = walk.sign_in(person).await;
    walk.come_back(&callback).await;
    walk
}

#[tokio::test]
async fn a_sign_in_that_does_not_say_whose_it_is_replaces_nobody() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    // The probe is answered with 200 and something that can't be read.
    world.control("POST", "/control/faults", json!({ "kind": "html_200", "on": "api" })).await;
    let mut walk = back(&world, id, "grace").await;
    assert_eq!(walk.fails().await, "identity_unknown");
    assert_eq!(world.account(id).await, before);
    world.engine.refresh(id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn a_lasting_sign_in_is_not_replaced_by_one_that_ends() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    world.fault("no_refresh_token", 1).await;
    let mut walk = back(&world, id, "ada").await;
    assert_eq!(walk.fails().await, "refresh_token_missing");
    assert_eq!(world.account(id).await, before);
    world.engine.refresh(id).await.expect("the old sign-in renews itself");
}

#[tokio::test]
async fn a_sign_in_with_fewer_scopes_replaces_nothing() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    world.fault("fewer_scopes", 1).await;
    let mut walk = back(&world, id, "ada").await;
    assert_eq!(walk.fails().await, "scopes_missing");
    assert_eq!(world.account(id).await, before);
}

#[tokio::test]
async fn of_two_flows_of_one_link_that_end_at_once_one_succeeds() {
    let world = World::new().await;
    for _ in 0..5 {
        let id = world.connected().await;
        let link = world.reauthorize_link(id).await;
        let (mut one, mut two) = (world.begin(&link).await, world.begin(&link).await);
        for walk in [&mut one, &mut two] {
            let callback = walk.sign_in("grace").await;
            walk.come_back(&callback).await;
            walk.until(&[PhaseName::Question]).await;
        }
        let accounts = world.keychain.names().len();
        one.answers(IdentityChoice::Add).await;
        two.answers(IdentityChoice::Replace).await;
        let ended = [PhaseName::Succeeded, PhaseName::Failed];
        one.until(&ended).await;
        two.until(&ended).await;
        let errors = [&one, &two].map(|walk| walk.flow.error.as_ref().map(|error| error.code.clone()));
        let refused = Some("link_token_used".to_owned());
        assert!(errors == [None, refused.clone()] || errors == [refused, None], "{errors:?}");
        let added = world.keychain.names().len() - accounts;
        let identity = world.account(id).await.profile.identity.expect("known").label;
        let replaced = usize::from(identity == "Grace Hopper");
        assert_eq!(added + replaced, 1, "added or replaced, never both");
    }
}

#[tokio::test]
async fn a_keychain_that_takes_the_new_sign_in_too_late_is_believed_when_it_answers() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut walk = world.begin(&link).await;
    let callback = walk.sign_in("ada").await;
    world.keychain.stall_next_write();
    walk.come_back(&callback).await;
    assert_eq!(walk.fails().await, "keychain_slow");
    assert_eq!(world.account(id).await.life, before.life);

    world.keychain.recover();
    world.engine.refresh(id).await.expect("the new sign-in works");
    assert_eq!(world.event_names().await[2..], ["updated", "active"]);
    assert_eq!(world.engine.link_session(link.expose()).await.expect_err("used").code(), "link_token_used");
}

#[tokio::test]
async fn a_key_that_the_keychain_takes_too_late_is_believed_as_well() {
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
    let mut walk = world.begin_with(&link, AuthenticationMethod::ApiKey, typed(&new)).await;
    assert_eq!(walk.fails().await, "keychain_slow");
    world.keychain.recover();
    assert_eq!(world.engine.access_token(id).await.expect("the key").token.expose(), new);
    assert_eq!(world.event_names().await[2..], ["updated", "active"]);
}

#[tokio::test]
async fn a_keychain_that_does_not_take_the_new_sign_in_leaves_the_old_one_and_the_link() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.account(id).await;
    let link = world.reauthorize_link(id).await;
    let mut walk = world.begin(&link).await;
    let callback = walk.sign_in("ada").await;
    world.keychain.fail_after(0);
    walk.come_back(&callback).await;
    assert_eq!(walk.fails().await, "keychain_failed");
    world.keychain.recover();
    assert_eq!(world.account(id).await, before);
    world.engine.link_session(link.expose()).await.expect("the link still works");
    world.engine.refresh(id).await.expect("the old sign-in works");
}

#[tokio::test]
async fn a_refresh_that_a_crash_left_open_is_no_obstacle() {
    let world = World::new().await;
    let id = world.connected().await;
    leave_a_refresh_open(&world, id).await;
    let mut walk = back(&world, id, "ada").await;
    assert_eq!(walk.succeeds().await, id);
    assert_eq!(world.account(id).await.status(), Status::Active);
    world.engine.refresh(id).await.expect("the new sign-in works");
}

/// What a crash between the intent and the exchange leaves.
async fn leave_a_refresh_open(world: &World, id: AccountId) {
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
async fn an_account_that_is_renamed_is_found_under_its_new_name_in_the_keychain() {
    let world = World::new().await;
    let id = world.connected().await;
    let item = |key| {
        let keychain = Keychain::memory(world.keychain.clone());
        async move { keychain.get(&key).await.expect("open").expect("there") }
    };
    let before = item(Key::Account(id)).await;
    world.engine.rename(id, "Acme billing".into()).await.expect("renamed");
    let name = format!("account/{id}");
    let relabelled = async {
        while world.keychain.label(&name).as_deref() != Some("Relink: Acme billing (Sandbox)") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), relabelled).await.expect("it is relabelled");
    assert_eq!(item(Key::Account(id)).await, before, "what it holds is as it was");
}
