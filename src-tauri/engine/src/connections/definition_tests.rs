//! Sign-ins at providers whose definitions differ from the standard.

use std::collections::BTreeMap;

use relink_contract::connect::FlowPhase;
use relink_domain::{
    Secret,
    account::{Account, AuthenticationMethod},
    callback,
    link::{LinkOptions, Purpose},
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    connections::{BeginFlow, BegunFlow, Connections},
    error::{Error, Result},
    keychain::Key,
    store::{
        accounts,
        filter::{AccountOrder, Filter},
        integrations::Installed,
    },
    testing::{LocalServer, PERSON, Services, WAIT_TIMEOUT, install},
};

/// The provider's server, and connections with its integration installed.
struct Given {
    services: Services,
    connections: Connections,
    server: LocalServer,
}

impl Given {
    /// `config`: merged into the credentials' config; `relink`: into Relink's section.
    async fn provider(config: Value, relink: Value) -> Self {
        let server = LocalServer::listen().await;
        let mut document = json!({"name": "acme", "config": {
            "label": "Acme",
            "base_url": server.origin(),
            "credentials": {"oauth2": {"config": {
                "client": {"id": "us"},
                "auth": {"tokenHost": server.origin(), "tokenPath": "/token", "authorizePath": "/authorize"},
            }}},
            "relink": {"allow_local": true},
        }});
        let over = json!({"credentials": {"oauth2": {"config": config}}, "relink": relink});
        let merged = document["config"].as_object_mut().expect("an object");
        relink_domain::merge::merge(merged, over.as_object().expect("an object"));
        let services = Services::new();
        let installed: Installed = services.store.write(move |tx| install(tx, document)).await.expect("stored");
        services.providers.publish(installed);
        let connections = services.connections(&services.accounts(), true);
        connections.start();
        Self { services, connections, server }
    }

    async fn begin(&self, fields: &[(&str, &str)]) -> Result<BegunFlow> {
        let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
        let link = self.connections.create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link").token;
        self.begin_with(&link, fields).await
    }

    async fn begin_with(&self, link: &Secret, fields: &[(&str, &str)]) -> Result<BegunFlow> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
        let begin = BeginFlow {
            integration: "acme".into(),
            format: AuthenticationMethod::Oauth2,
            redirect: None,
            fields: fields.collect::<BTreeMap<_, _>>(),
            skips_form: true,
        };
        self.connections.begin_flow(&PERSON, link.expose(), begin).await
    }

    /// The provider's page returns with this in the query, beside the state.
    async fn return_with(&self, begun: &BegunFlow, query: &str) -> Result<()> {
        let (id, key) = (begun.flow.id, begun.key.expose());
        let uri = callback::deep_link_uri("acme");
        let callback = format!("{uri}?state={}&{query}", params_of(begun)["state"]);
        self.connections.callback(&PERSON, &callback).await?;
        self.connections.claim_flow(&PERSON, id, key, None).await.map(drop)
    }

    /// Answers the token request. Returns its head and body.
    async fn answer(&self, body: &Value) -> (String, BTreeMap<String, String>) {
        let request = tokio::time::timeout(WAIT_TIMEOUT, self.server.request()).await.expect("a request");
        let head = request.head.clone();
        let params = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
        request.respond(200, &body.to_string()).await;
        (head, params)
    }

    async fn connected(&self) -> Account {
        self.services
            .eventually(async || {
                let all = |c: &rusqlite::Connection| {
                    accounts::list(c, &Filter::default(), AccountOrder::OLDEST_FIRST, None, None)
                };
                self.services.store.read(all).await.expect("accounts").into_iter().next().map(|(account, _)| account)
            })
            .await
    }
}

fn params_of(begun: &BegunFlow) -> BTreeMap<String, String> {
    let url = Url::parse(begun.flow.authorize_url.as_deref().expect("a provider URL")).expect("a URL");
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn values_of_the_callback_and_the_answer_go_into_the_context() {
    let given = Given::provider(
        json!({}),
        json!({"keep": {
            "realm": {"from": "callback", "path": "realmId"},
            "echo": {"from": "callback", "path": "echo"},
            "instance_url": {"from": "token", "path": "instance_url"},
        }}),
    )
    .await;
    let begun = given.begin(&[]).await.expect("it begins");
    given.return_with(&begun, "code=the-single-use-code&realmId=9130&echo=the-single-use-code").await.expect("taken");
    let answer = json!({"access_token": "t", "refresh_token": "r", "instance_url": "https://eu1.acme.example"});
    given.answer(&answer).await;
    let context = Value::Object(given.connected().await.profile.context);
    assert_eq!(context, json!({"realm": "9130", "instance_url": "https://eu1.acme.example"}), "and no code");
}

#[tokio::test]
async fn a_code_under_another_name_is_exchanged_without_pkce() {
    let config =
        json!({"pkce": {"method": "none"}, "client": {"idParamName": "client_key"}, "tokenParams": {"v": "2"}});
    let given = Given::provider(config, json!({"callback_code_param": "auth_code"})).await;
    let begun = given.begin(&[]).await.expect("it begins");
    let asked = params_of(&begun);
    assert_eq!((asked.get("client_key").map(String::as_str), asked.get("code_challenge")), (Some("us"), None));
    let refused = given.return_with(&begun, "code=c").await.expect_err("no code under its name");
    assert_eq!(refused.code(), "callback_without_answer");
    given.return_with(&begun, "auth_code=c").await.expect("taken");
    let (_, params) = given.answer(&json!({"access_token": "t", "refresh_token": "r"})).await;
    let names: Vec<_> = params.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_key", "code", "grant_type", "redirect_uri", "v"]);
    given.connected().await;
    let (id, key) = (begun.flow.id, begun.key.expose());
    let flow = given.connections.flow(&PERSON, id, key, None, std::time::Duration::ZERO).await.expect("there");
    assert_ne!(flow.phase, FlowPhase::Failed);
}

/// A tenant is asked for before the redirect, and a key that only token requests carry.
fn with_form() -> Value {
    json!({
        "fields": [
            {"name": "subdomain", "label": "Subdomain", "type": "text", "required": true},
            {"name": "developer_key", "label": "Developer key", "type": "password"},
        ],
        "auth": {"authorizeHost": "https://{{subdomain}}.acme.example", "tokenPath": "/{{subdomain}}/token"},
        "params": {"account": "{{subdomain}}"},
        "tokenParams": {"developer_key": "{{developer_key}}", "tenant": "t-{{subdomain}}"},
        "refreshParams": {"developer_key": "{{developer_key}}"},
    })
}

#[tokio::test]
async fn what_is_entered_before_the_redirect_is_part_of_addresses_and_parameters() {
    let given = Given::provider(with_form(), json!({})).await;
    let begun = given.begin(&[("subdomain", "eu 1"), ("developer_key", "dk-1")]).await;
    let refused = begun.expect_err("a space is part of no host");
    assert!(matches!(&refused, Error::Invalid { field: Some(field), .. } if field == "subdomain"), "{refused:?}");
    assert!(!refused.to_string().contains("eu 1"), "the value isn't quoted");
    let missing = given.begin(&[("developer_key", "dk-1")]).await.expect_err("it is required");
    assert!(matches!(&missing, Error::Invalid { field: Some(field), .. } if field == "subdomain"), "{missing:?}");

    let begun = given.begin(&[("subdomain", "eu1"), ("developer_key", "dk-1")]).await.expect("it begins");
    let url = begun.flow.authorize_url.as_deref().expect("a URL");
    assert!(url.starts_with("https://eu1.acme.example/authorize?") && !url.contains("dk-1"), "{url}");
    assert_eq!(params_of(&begun)["account"], "eu1");
    given.return_with(&begun, "code=c").await.expect("taken");
    let (head, params) = given.answer(&json!({"access_token": "t", "refresh_token": "r", "expires_in": 3600})).await;
    assert!(head.starts_with("POST /eu1/token "), "{head}");
    let sent = ["developer_key", "tenant"].map(|name| params.get(name).map(String::as_str));
    assert_eq!(sent, [Some("dk-1"), Some("t-eu1")]);

    let account = given.connected().await;
    assert_eq!(Value::Object(account.profile.context.clone()), json!({"subdomain": "eu1"}), "and no secret");
    let origins = serde_json::to_value(&account.profile.origins).expect("JSON");
    assert_eq!(origins["authorization"], "https://eu1.acme.example");
    let item = given.services.keychain.get(&Key::Account(account.id())).await.expect("read").expect("an item");
    assert_eq!(item.secrets.keys().collect::<Vec<_>>(), ["developer_key", "refresh_token"]);
}

#[tokio::test]
async fn a_reauthorization_needs_nothing_typed_again() {
    let given = Given::provider(with_form(), json!({})).await;
    let begun = given.begin(&[("subdomain", "eu1"), ("developer_key", "dk-1")]).await.expect("it begins");
    given.return_with(&begun, "code=c").await.expect("taken");
    given.answer(&json!({"access_token": "t", "refresh_token": "r"})).await;
    let account = given.connected().await;

    let purpose = Purpose::Reauthorize { account_id: account.id() };
    let link = given.connections.create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link").token;
    let session = given.connections.link_session(&PERSON, link.expose()).await.expect("a session");
    let fields = &session.integrations[0].methods[0].fields;
    assert_eq!(fields.iter().map(|field| field.default.as_deref()).collect::<Vec<_>>(), [Some("eu1"), None]);
    let begun = given.begin_with(&link, &[]).await.expect("it begins");
    given.return_with(&begun, "code=d").await.expect("taken");
    let (head, params) = given.answer(&json!({"access_token": "t2", "refresh_token": "r2"})).await;
    assert!(head.starts_with("POST /eu1/token "), "{head}");
    assert_eq!(params.get("developer_key").map(String::as_str), Some("dk-1"));
}

#[tokio::test]
async fn a_host_that_the_callback_names_is_used_only_within_the_origins() {
    let config = |server: &str| json!({"auth": {"tokenHost": "{{accounts-server}}", "authorizeHost": server}});
    let keep = json!({"accounts-server": {"from": "callback", "path": "accounts-server"}});
    let server = LocalServer::listen().await;
    let origin = server.origin();
    let relink = json!({"keep": keep, "origins": [origin]});
    let given = Given::provider(config(&origin), relink).await;
    let begun = given.begin(&[]).await.expect("it begins");
    given.return_with(&begun, "code=c&accounts-server=https://evil.example").await.expect("taken");
    let (id, key) = (begun.flow.id, begun.key.expose());
    let mut seen = None;
    let flow = loop {
        let flow = given.connections.flow(&PERSON, id, key, seen, WAIT_TIMEOUT).await.expect("there");
        seen = Some(flow.version);
        if flow.phase == FlowPhase::Failed {
            break flow;
        }
    };
    let error = flow.error.expect("an error");
    assert!(error.message.contains("doesn't allow") && !format!("{error:?}").contains("evil"), "{error:?}");

    let begun = given.begin(&[]).await.expect("it begins");
    given.return_with(&begun, &format!("code=c&accounts-server={origin}")).await.expect("taken");
    let request = tokio::time::timeout(WAIT_TIMEOUT, server.request()).await.expect("a request");
    assert!(request.head.starts_with("POST /token "), "{}", request.head);
    request.respond(200, r#"{"access_token": "t", "refresh_token": "r"}"#).await;
    let account = given.connected().await;
    let origins = serde_json::to_value(&account.profile.origins).expect("JSON");
    assert_eq!(origins["token"], json!(origin));
}
