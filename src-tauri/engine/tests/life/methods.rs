//! The other ways to be connected: API key, client credentials, OAuth without a refresh token.

use std::collections::BTreeMap;

use relink_domain::{
    Secret,
    account::{AuthenticationMethod, Status, Verdict},
};
use relink_engine::CheckOutcome;
use serde_json::json;

use crate::world::World;

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
}

async fn api_key(world: &World) -> String {
    let made = world.control("POST", "/control/api-keys", json!({ "subject": "sandbox-ada" })).await;
    made["api_key"].as_str().expect("a key").to_owned()
}

#[tokio::test]
async fn an_api_key_is_tried_before_it_is_kept() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let mut walk =
        world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", "sk_sandbox_wrong")])).await;
    assert_eq!(walk.fails().await, "rejected");
    assert_eq!(walk.flow.error.as_ref().expect("an error").field.as_deref(), Some("api_key"));
    assert!(world.keychain.names().is_empty());

    let key = api_key(&world).await;
    let mut walk = world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", &key)])).await;
    let id = walk.succeeds().await;
    assert_eq!(world.engine.access_token(id).await.expect("the key").token.expose(), key);
}

#[tokio::test]
async fn an_empty_field_is_refused_at_its_field() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let begin = relink_engine::connect::BeginFlow {
        integration: "sandbox".into(),
        format: AuthenticationMethod::ApiKey,
        redirect: None,
        fields: BTreeMap::new(),
    };
    let error = world.engine.begin_flow(link.expose(), begin).await.expect_err("refused");
    assert!(matches!(error, relink_engine::Error::Invalid { field: Some(field), .. } if field == "api_key"));
}

#[tokio::test]
async fn a_revoked_api_key_is_told_on_a_check_and_mended_with_a_new_one() {
    let world = World::new().await;
    let (link, key) = (world.connect_link().await, api_key(&world).await);
    let mut walk = world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", &key)])).await;
    let id = walk.succeeds().await;
    assert_eq!(world.engine.check(id).await.expect("checked").outcome, CheckOutcome::Accepted);

    world.control("POST", "/control/revoke", json!({})).await;
    assert_eq!(world.engine.check(id).await.expect("checked").outcome, CheckOutcome::Unauthorized);
    assert_eq!(world.account(id).await.status(), Status::NeedsReauth);

    let (link, key) = (world.reauthorize_link(id).await, api_key(&world).await);
    let mut walk = world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", &key)])).await;
    assert_eq!(walk.succeeds().await, id);
    assert_eq!(world.told().await[2..], ["authentication_error", "updated", "active"]);
}

#[tokio::test]
async fn client_credentials_fetch_a_new_token_when_one_is_wanted() {
    let world = World::new().await;
    let made = world.control("POST", "/control/clients", json!({})).await;
    let (client, secret) =
        (made["client_id"].as_str().expect("an id"), made["client_secret"].as_str().expect("a secret"));
    let link = world.connect_link().await;
    let typed = fields(&[("client_id", client), ("client_secret", secret)]);
    let mut walk = world.begin_with(&link, AuthenticationMethod::Oauth2ClientCredentials, typed).await;
    let id = walk.succeeds().await;
    let first = world.engine.access_token(id).await.expect("a token").token;
    world.clock.advance_secs(86_400);
    let second = world.engine.access_token(id).await.expect("a token").token;
    assert_ne!(first, second);
    assert_eq!(world.account(id).await.status(), Status::Active);
}

#[tokio::test]
async fn a_revoked_client_needs_its_person_who_types_another_one() {
    let world = World::new().await;
    let typed = async || {
        let made = world.control("POST", "/control/clients", json!({})).await;
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        fields(&[("client_id", &text("client_id")), ("client_secret", &text("client_secret"))])
    };
    let method = AuthenticationMethod::Oauth2ClientCredentials;
    let link = world.connect_link().await;
    let id = world.begin_with(&link, method, typed().await).await.succeeds().await;
    world.control("POST", "/control/revoke", json!({})).await;
    assert_eq!(world.engine.refresh(id).await.expect_err("revoked").code(), "rejected");
    let account = world.account(id).await;
    assert_eq!(account.life.trouble().expect("a trouble").verdict(), Verdict::NeedsPerson);

    let link = world.reauthorize_link(id).await;
    assert_eq!(world.begin_with(&link, method, typed().await).await.succeeds().await, id);
    assert_eq!(world.account(id).await.status(), Status::Active);
    assert_eq!(world.told().await[2..], ["authentication_error", "updated", "active"]);
}

#[tokio::test]
async fn a_token_without_a_refresh_token_is_kept_in_the_keychain_and_breaks_on_a_401() {
    let world = World::new().await;
    world.fault("no_refresh_token", 1).await;
    let id = world.connected().await;
    assert_eq!(world.engine.refresh(id).await.expect_err("nothing to refresh").code(), "nothing_to_refresh");
    world.control("POST", "/control/expire", json!({})).await;
    assert_eq!(world.engine.check(id).await.expect("checked").outcome, CheckOutcome::Unauthorized);
    assert_eq!(world.told().await[2..], ["authentication_error"]);
}
