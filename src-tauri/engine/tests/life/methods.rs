//! The other authentication methods: API key, client credentials, OAuth without a refresh token.

use std::collections::BTreeMap;

use relink_contract::account::CheckOutcome;
use relink_domain::{
    Secret,
    account::{AuthenticationMethod, Credential, Status, Verdict},
    link::{LinkOptions, Purpose},
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{PERSON, World};

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
}

async fn api_key(world: &World) -> String {
    let made = world.control("POST", "/control/api-keys", json!({ "subject": "sandbox-ada" })).await;
    made["api_key"].as_str().expect("a key").to_owned()
}

#[tokio::test]
async fn an_api_key_is_validated_before_it_is_stored() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let mut flow =
        world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", "sk_sandbox_wrong")])).await;
    assert_eq!(flow.fails().await, "rejected");
    assert_eq!(flow.view.error.as_ref().expect("an error").field.as_deref(), Some("api_key"));
    assert!(world.keychain.names().is_empty());

    let key = api_key(&world).await;
    let mut flow = world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", &key)])).await;
    let id = flow.succeeds().await;
    assert_eq!(world.engine.refresher().access_token(&PERSON, id).await.expect("the key").token.expose(), key);
}

#[tokio::test]
async fn an_empty_field_is_refused_by_name() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let begin = relink_engine::BeginFlow {
        integration: "sandbox".into(),
        format: AuthenticationMethod::ApiKey,
        redirect: None,
        fields: BTreeMap::new(),
        skips_form: true,
    };
    let error = world.engine.connections().begin_flow(&PERSON, link.expose(), begin).await.expect_err("refused");
    assert!(matches!(error, relink_engine::Error::Invalid { field: Some(field), .. } if field == "api_key"));
}

#[tokio::test]
async fn a_check_finds_a_revoked_api_key_and_a_new_one_repairs_the_account() {
    let world = World::new().await;
    let (link, key) = (world.connect_link().await, api_key(&world).await);
    let mut flow = world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", &key)])).await;
    let id = flow.succeeds().await;
    assert_eq!(world.engine.refresher().check(&PERSON, id).await.expect("checked").outcome, CheckOutcome::Accepted);

    world.control("POST", "/control/revoke", json!({})).await;
    assert_eq!(world.engine.refresher().check(&PERSON, id).await.expect("checked").outcome, CheckOutcome::Unauthorized);
    assert_eq!(world.account(id).await.status(), Status::NeedsReauth);

    let (link, key) = (world.reauthorize_link(id).await, api_key(&world).await);
    let mut flow = world.begin_with(&link, AuthenticationMethod::ApiKey, fields(&[("api_key", &key)])).await;
    assert_eq!(flow.succeeds().await, id);
    assert_eq!(world.event_names().await[2..], ["authentication_error", "updated", "active"]);
}

#[tokio::test]
async fn client_credentials_fetch_a_new_token_when_one_is_needed() {
    let world = World::new().await;
    let made = world.control("POST", "/control/clients", json!({})).await;
    let (client, secret) =
        (made["client_id"].as_str().expect("an id"), made["client_secret"].as_str().expect("a secret"));
    let link = world.connect_link().await;
    let typed = fields(&[("client_id", client), ("client_secret", secret)]);
    let mut flow = world.begin_with(&link, AuthenticationMethod::Oauth2ClientCredentials, typed).await;
    let id = flow.succeeds().await;
    let first = world.engine.refresher().access_token(&PERSON, id).await.expect("a token").token;
    world.clock.advance_secs(86_400);
    let second = world.engine.refresher().access_token(&PERSON, id).await.expect("a token").token;
    assert_ne!(first, second);
    assert_eq!(world.account(id).await.status(), Status::Active);
}

#[tokio::test]
async fn a_revoked_client_needs_reauthorization_with_another_one() {
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
    assert_eq!(world.engine.refresher().refresh(&PERSON, id).await.expect_err("revoked").code(), "client_refused");
    let account = world.account(id).await;
    assert_eq!(account.state.trouble().expect("a trouble").verdict(), Verdict::NeedsPerson);

    let link = world.reauthorize_link(id).await;
    assert_eq!(world.begin_with(&link, method, typed().await).await.succeeds().await, id);
    assert_eq!(world.account(id).await.status(), Status::Active);
    assert_eq!(world.event_names().await[2..], ["authentication_error", "updated", "active"]);
}

#[tokio::test]
async fn a_token_without_a_refresh_token_is_stored_and_fails_on_a_401() {
    let world = World::new().await;
    world.fault("no_refresh_token", 1).await;
    let id = world.connected().await;
    assert_eq!(
        world.engine.refresher().refresh(&PERSON, id).await.expect_err("nothing to refresh").code(),
        "nothing_to_refresh"
    );
    world.control("POST", "/control/expire", json!({})).await;
    assert_eq!(world.engine.refresher().check(&PERSON, id).await.expect("checked").outcome, CheckOutcome::Unauthorized);
    assert_eq!(world.event_names().await[2..], ["authentication_error"]);
}

#[tokio::test]
async fn a_refused_client_is_reported_at_its_field() {
    let world = World::new().await;
    let link = world.connect_link().await;
    let typed = fields(&[("client_id", "relink-sandbox-service"), ("client_secret", "wrong")]);
    let mut flow = world.begin_with(&link, AuthenticationMethod::Oauth2ClientCredentials, typed).await;
    assert_eq!(flow.fails().await, "invalid_client");
    let error = flow.view.error.as_ref().expect("an error");
    assert_eq!(error.field.as_deref(), Some("client_secret"));
    assert_eq!(error.title, "Sandbox doesn't accept this client ID and secret");
}

#[tokio::test]
async fn client_credentials_with_fewer_scopes_replace_nothing() {
    let world = World::new().await;
    let made = world.control("POST", "/control/clients", json!({})).await;
    let (client, secret) =
        (made["client_id"].as_str().expect("an id"), made["client_secret"].as_str().expect("a secret"));
    let typed = || fields(&[("client_id", client), ("client_secret", secret)]);
    let options =
        || LinkOptions { scopes: Some(vec!["items:read".into(), "profile".into()]), ..LinkOptions::default() };
    let link = world
        .engine
        .connections()
        .create_link(&PERSON, Purpose::Connect { tenant_id: "acme-1".into() }, options())
        .await
        .expect("a link");
    let method = AuthenticationMethod::Oauth2ClientCredentials;
    let id = world.begin_with(&link.token, method, typed()).await.succeeds().await;

    let before = world.account(id).await;
    let link = world
        .engine
        .connections()
        .create_link(&PERSON, Purpose::Reauthorize { account_id: id }, options())
        .await
        .expect("a link");
    world.fault("fewer_scopes", 1).await;
    assert_eq!(world.begin_with(&link.token, method, typed()).await.fails().await, "scopes_missing");
    assert_eq!(world.account(id).await, before);
}

/// An integration whose token endpoint is on this port, and whose API keys can't be validated.
fn untried(port: u16) -> String {
    let here = format!("http://127.0.0.1:{port}");
    let field = |name: &str| json!({ "name": name, "label": name, "type": "password", "required": true });
    json!({ "name": "acme", "config": {
        "label": "Acme",
        "base_url": here,
        "credentials": {
            "api_key": { "format": "api_key", "config": { "fields": [field("api_key")] } },
            "oauth2_client_credentials": { "format": "oauth2_client_credentials", "config": {
                "fields": [field("client_id"), field("client_secret")],
                "auth": { "tokenHost": here, "tokenPath": "/token" },
                "scope": ["read", "write"],
                "options": { "authorizationMethod": "body", "scopeSeparator": "," },
            } },
        },
        "authorization": {
            "api_key": { "format": "bearer", "config": { "path": "credentials.api_key" } },
            "oauth2_client_credentials": { "format": "bearer", "config": { "path": "oauth.token.access_token" } },
        },
        "relink": { "allow_local": true },
    } })
    .to_string()
}

#[tokio::test]
async fn an_api_key_that_cannot_be_validated_is_flagged() {
    let world = World::new().await;
    let added = world.engine.catalog().add(&PERSON, &untried(1)).await.expect("added");
    assert!(
        added.warnings.iter().any(|warning| warning.contains("can't be checked before it is saved")),
        "{:?}",
        added.warnings
    );
    let link = world.connect_link().await;
    let session = world.engine.connections().link_session(&PERSON, link.expose()).await.expect("a session");
    let tried = |name: &str| -> Vec<(&str, bool)> {
        let integration = session.integrations.iter().find(|it| it.name == name).expect("offered");
        integration.methods.iter().map(|method| (method.format.as_str(), method.is_tried)).collect()
    };
    assert_eq!(tried("acme"), [("api_key", false), ("oauth2_client_credentials", true)]);
    assert!(tried("sandbox").iter().all(|(_, tried)| *tried));
}

#[tokio::test]
async fn scopes_are_joined_by_the_definitions_separator() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    world.engine.catalog().add(&PERSON, &untried(port)).await.expect("added");
    let link = world.connect_link().await;
    let typed = fields(&[("client_id", "us"), ("client_secret", "s")]);
    let mut flow = world.begin_at("acme", &link, AuthenticationMethod::Oauth2ClientCredentials, typed).await;
    let body = r#"{"access_token":"at","token_type":"bearer","expires_in":300}"#;
    let (asked, id) = tokio::join!(one_token(&listener, body), flow.succeeds());
    assert!(asked.contains("scope=read%2Cwrite"), "{asked}");
    let (asked, refreshed) = tokio::join!(one_token(&listener, body), world.engine.refresher().refresh(&PERSON, id));
    refreshed.expect("refreshed");
    assert!(asked.contains("scope=read%2Cwrite"), "{asked}");
}

/// Answers one token request with this body, and returns it.
async fn one_token(listener: &tokio::net::TcpListener, body: &str) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let (mut asked, mut part) = (String::new(), [0; 4096]);
    while !asked.contains("grant_type") {
        let read = stream.read(&mut part).await.expect("a request");
        assert!(read > 0, "{asked}");
        asked.push_str(std::str::from_utf8(&part[..read]).expect("text"));
    }
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await.expect("answered");
    asked
}

#[tokio::test]
async fn a_key_that_was_never_tried_is_shown_as_not_checked() {
    let world = World::new().await;
    world.engine.catalog().add(&PERSON, &untried(1)).await.expect("added");
    let is_unchecked = async |id| world.engine.accounts().get(&PERSON, id).await.expect("there").is_unchecked;
    for (integration, key, expected) in [("acme", "k-1".to_owned(), true), ("sandbox", api_key(&world).await, false)] {
        let link = world.connect_link().await;
        let typed = fields(&[("api_key", &key)]);
        let mut flow = world.begin_at(integration, &link, AuthenticationMethod::ApiKey, typed).await;
        let id = flow.succeeds().await;
        assert_eq!(flow.view.outcome.as_ref().map(|outcome| outcome.is_checked), Some(!expected), "{integration}");
        assert_eq!(is_unchecked(id).await, expected, "{integration}");
    }
    assert!(!is_unchecked(world.connected().await).await, "a sign-in was tried by its exchange");
}

#[tokio::test]
async fn a_lifetime_that_is_unknown_at_the_sign_in_is_assumed_and_never_endless() {
    let world = World::new().await;
    let assumed = async |id, what: &str| {
        let account = world.account(id).await;
        let Credential::Renewing(renewing) = account.state.credential() else { panic!("{what}") };
        let hour = Some(renewing.lifetime.issued_at.plus_secs(3600));
        assert_eq!((renewing.lifetime.is_assumed, renewing.lifetime.expires_at), (true, hour), "{what}");
        let token = world.engine.refresher().access_token(&PERSON, id).await.expect("the first one");
        assert_eq!(token.lifetime.expires_at, hour, "{what}");
    };
    world.fault("no_expires_in", 1).await;
    Box::pin(assumed(world.connected().await, "a sign-in")).await;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    world.engine.catalog().add(&PERSON, &untried(port)).await.expect("added");
    for expires_in in ["0", "-5", r#""""#, r#"" ""#, r#""soon""#, r#""0s""#, r#""-5s""#, "null", "false", "[]", "{}"] {
        let link = world.connect_link().await;
        let typed = fields(&[("client_id", "us"), ("client_secret", "s")]);
        let mut flow = world.begin_at("acme", &link, AuthenticationMethod::Oauth2ClientCredentials, typed).await;
        let body = format!(r#"{{"access_token":"at","expires_in":{expires_in}}}"#);
        let (_, id) = tokio::join!(one_token(&listener, &body), flow.succeeds());
        Box::pin(assumed(id, expires_in)).await;
    }
}
