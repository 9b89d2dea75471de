use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    super::{
        Address, BodyFormat, ClientAuth, ClientSecretNeed, HeaderTemplate, IdentitySource, Missing, Origin, Reach,
        RedirectKind, WebUrl, resources::Schema,
    },
    *,
};
use crate::{Secret, account::AuthenticationMethod, template::Scope};

fn get(name: &str) -> &'static Definition {
    built_in(name).expect("a built-in definition")
}

fn origin(url: &str) -> Origin {
    WebUrl::parse(url).expect("a URL").origin()
}

#[test]
fn every_built_in_definition_is_free_of_warnings() {
    for text in FILES {
        let parsed = parse(text).expect("a definition");
        let name = parsed.definition.name().to_owned();
        assert!(parsed.warnings.is_empty(), "{name}: {:?}", parsed.warnings);
        assert!(parsed.client_secrets.is_empty(), "{name} contains a secret");
        assert!(parsed.definition.id().is_some(), "{name} has no id");
        assert!(parsed.definition.probe().is_some(), "{name} has no probe");
        assert!(parsed.definition.identity().is_some(), "{name} has no identity");
        assert!(parsed.definition.color().is_some(), "{name} has no color");
    }
    let ids: BTreeSet<_> = catalog().iter().map(Definition::id).collect();
    let names: Vec<_> = catalog().iter().map(Definition::name).collect();
    assert_eq!(ids.len(), names.len());
    let all = ["sandbox", "github", "google", "notion", "microsoft", "slack", "hubspot", "jira", "salesforce"];
    assert_eq!(names, all);
}

#[test]
fn every_scope_asked_for_is_explained() {
    for definition in catalog() {
        for scope in definition.oauth2().map(|oauth2| oauth2.scopes.as_slice()).unwrap_or_default() {
            assert!(definition.scope_description(scope).is_some(), "{}: {scope}", definition.name());
        }
    }
}

#[test]
fn every_method_is_described_with_its_schemas_and_scopes() {
    for definition in catalog().iter().filter(|definition| !definition.is_sandbox()) {
        let name = definition.name();
        assert!(!definition.resources().is_empty(), "{name} has no resources");
        for (resource, methods) in definition.resources().iter() {
            for (method, it) in methods.iter() {
                let at = format!("{name} {resource}.{method}");
                assert!(it.docs.description.as_ref().is_some_and(|text| text.ends_with('.')), "{at}: no description");
                assert!(
                    it.docs.api_documentation_url.as_ref().is_some_and(|url| url.starts_with("https://")),
                    "{at}: nothing says where it is documented"
                );
                let undescribed = it.docs.scopes.iter().find(|scope| definition.scope_description(scope).is_none());
                assert_eq!(undescribed, None, "{at}");
                let schema = |schema: &Option<Schema>| {
                    schema.as_ref().and_then(Schema::object).cloned().map(Value::Object).unwrap_or_default()
                };
                let (query, body) = (schema(&it.docs.query_schema), schema(&it.docs.body_schema));
                match method {
                    "get" | "delete" => assert_eq!(query["required"][0], "id", "{at}: {query}"),
                    "create" => assert!(body["required"][0].is_string(), "{at}: {body}"),
                    "update" => assert!(query["required"][0] == "id" && body["properties"].is_object(), "{at}: {body}"),
                    _ => {
                        let cursor = &query["properties"]["next_cursor"];
                        assert_eq!(it.pagination.is_some(), cursor.is_object(), "{at}: {query}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_the_default_scopes_allow_is_what_the_methods_need() {
    for definition in catalog() {
        let Some(oauth2) = definition.oauth2() else { continue };
        let needed: BTreeSet<_> =
            definition.resources().iter().flat_map(|(_, it)| it.iter()).flat_map(|(_, it)| &it.docs.scopes).collect();
        let missing: Vec<_> = needed.into_iter().filter(|scope| !oauth2.scopes.contains(scope)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", definition.name());
    }
}

#[test]
fn a_salesforce_account_is_called_at_its_instance_and_nowhere_else() {
    let salesforce = get("salesforce");
    let context = |url: &str| Map::from_iter([("instance_url".to_owned(), json!(url))]);
    let base_url = salesforce.base_url().expect("a base URL");
    let own = base_url.resolve(&context("https://acme--dev.sandbox.my.salesforce.com")).expect("allowed");
    assert_eq!(own.as_str(), "https://acme--dev.sandbox.my.salesforce.com/");
    for url in
        ["https://salesforce.com.evil.example", "http://acme.my.salesforce.com", "https://evilsalesforce.com", "x"]
    {
        assert!(base_url.resolve(&context(url)).is_err(), "{url}");
    }
}

#[test]
fn a_slack_answer_with_an_error_code_of_its_own_means_expired() {
    let signs = &get("slack").refresh().expired_when;
    let is_sign = |body: &str| signs.iter().any(|sign| sign.matches(200, body.as_bytes()));
    assert!(is_sign(r#"{"ok":false,"error":"token_revoked"}"#) && is_sign(r#"{"ok":false,"error":"invalid_auth"}"#));
    assert!(!is_sign(r#"{"ok":false,"error":"channel_not_found"}"#) && !is_sign(r#"{"ok":true}"#));
}

#[test]
fn only_the_sandbox_is_on_this_machine() {
    for definition in catalog() {
        let is_sandbox = definition.name() == "sandbox";
        assert_eq!(definition.is_sandbox(), is_sandbox);
        assert_eq!(definition.allows_local(), is_sandbox);
        let reach = definition.base_url().and_then(Address::as_fixed).map(WebUrl::reach);
        assert_eq!(reach == Some(Reach::Local), is_sandbox);
    }
}

#[test]
fn github_is_defined_as_documented() {
    let github = get("github");
    let oauth2 = github.oauth2().expect("oauth2");
    assert_eq!(oauth2.authorize_url.as_fixed().expect("fixed").as_str(), "https://github.com/login/oauth/authorize");
    assert_eq!(oauth2.token_url.as_fixed().expect("fixed").as_str(), "https://github.com/login/oauth/access_token");
    assert_eq!(oauth2.refresh_url, oauth2.token_url);
    assert_eq!(oauth2.revocation_url, None);
    assert_eq!(oauth2.client_auth(true), ClientAuth::Post);
    assert_eq!(oauth2.options.body_format, BodyFormat::Form);
    assert!(github.refresh().terminal_errors.contains(&"bad_refresh_token".to_owned()));
    assert_eq!(github.probe().expect("a probe").url.as_fixed().expect("fixed").as_str(), "https://api.github.com/user");
    let identity = github.identity().expect("an identity");
    assert_eq!(identity.source, IdentitySource::Probe);
    let identity_found = identity.read(&json!({"id": 583_231, "login": "octo-acme"})).expect("an identity");
    assert_eq!((identity_found.id.as_str(), identity_found.label.as_str()), ("583231", "octo-acme"));
    assert_eq!(github.origins(&Map::new()), BTreeSet::from([origin("https://api.github.com")]));
}

#[test]
fn google_is_defined_as_documented() {
    let google = get("google");
    let oauth2 = google.oauth2().expect("oauth2");
    assert_eq!(
        oauth2.authorize_url.as_fixed().expect("fixed").as_str(),
        "https://accounts.google.com/o/oauth2/v2/auth"
    );
    assert_eq!(oauth2.token_url.as_fixed().expect("fixed").as_str(), "https://oauth2.googleapis.com/token");
    assert_eq!(
        oauth2.revocation_url.as_ref().and_then(Address::as_fixed).map(WebUrl::as_str),
        Some("https://oauth2.googleapis.com/revoke")
    );
    assert_eq!(oauth2.issuer.as_deref(), Some("https://accounts.google.com"));
    assert!(!oauth2.requires_iss, "its documentation promises no `iss`");
    assert_eq!(oauth2.redirects, [RedirectKind::Loopback]);
    assert_eq!(oauth2.authorize_params.names(), ["access_type", "prompt"]);
    let identity = google.identity().expect("an identity");
    assert_eq!(identity.source, IdentitySource::IdToken);
    let identity_found = identity.read(&json!({"sub": "1077", "email": "ada@example.com"})).expect("an identity");
    assert_eq!((identity_found.id.as_str(), identity_found.label.as_str()), ("1077", "ada@example.com"));
}

#[test]
fn notion_sends_its_integration_secret() {
    let notion = get("notion");
    assert_eq!(notion.methods(), [AuthenticationMethod::Oauth2, AuthenticationMethod::ApiKey]);
    let key = format!("ntn_{}", "a1".repeat(20));
    let typed = BTreeMap::from([("api_key".to_owned(), Secret::new(key.as_str()))]);
    let values = notion.api_key().expect("a form").fields.validate(&typed).expect("a good key");
    let context = Map::new();
    let scope = Scope::new(&context, &values.secret, None);
    let header = notion
        .authorization(AuthenticationMethod::ApiKey)
        .expect("an authorization")
        .apply(&scope)
        .expect("valid")
        .expect("a header");
    assert_eq!(header.name.as_str(), "authorization");
    assert_eq!(header.value.expose(), format!("Bearer {key}"));
    let version = notion.headers().iter().map(HeaderTemplate::to_owned).next().expect("a header");
    assert_eq!(version.name.as_str(), "notion-version");
    let body = json!({"object": "user", "id": "16d84278", "name": "pied piper", "type": "bot", "bot": {"owner": {}}});
    assert_eq!(notion.identity().and_then(|probe| probe.read(&body)).expect("an identity").label, "pied piper");
}

#[test]
fn the_sandbox_offers_every_way_to_sign_in_and_moves_to_its_port() {
    let sandbox = get("sandbox").at(&origin("http://127.0.0.1:40123")).expect("the moved sandbox");
    assert_eq!(sandbox.methods(), super::super::FORMATS);
    let oauth2 = sandbox.oauth2().expect("oauth2");
    assert_eq!(oauth2.authorize_url.as_fixed().expect("fixed").as_str(), "http://127.0.0.1:40123/authorize");
    assert_eq!(oauth2.token_url.as_fixed().expect("fixed").as_str(), "http://127.0.0.1:40123/token");
    assert_eq!(
        oauth2.revocation_url.as_ref().and_then(Address::as_fixed).map(WebUrl::as_str),
        Some("http://127.0.0.1:40123/revoke")
    );
    assert_eq!(oauth2.issuer.as_deref(), Some("http://127.0.0.1:40123"));
    assert!(oauth2.requires_iss);
    assert_eq!((oauth2.client_secret, oauth2.client_auth(false)), (ClientSecretNeed::Never, ClientAuth::None));
    let service = sandbox.client_credentials().expect("client credentials");
    assert_eq!(service.token_url.as_fixed().expect("fixed").as_str(), "http://127.0.0.1:40123/token");
    assert_eq!(service.options.client_auth, ClientAuth::Basic);
    assert!(service.fields.get("client_secret").is_some_and(|field| field.secret));
    assert!(service.fields.get("client_id").is_some_and(|field| !field.secret));
    assert_eq!(sandbox.base_url().and_then(Address::as_fixed).map(WebUrl::as_str), Some("http://127.0.0.1:40123/"));
    assert_eq!(sandbox.not_ready(AuthenticationMethod::Oauth2, false, 7417), None);
}

#[test]
fn a_missing_client_is_explained_with_the_command() {
    let github = get("github");
    let not_ready = github.not_ready(AuthenticationMethod::Oauth2, false, 7417).expect("not ready");
    assert_eq!(not_ready.missing, Missing::ClientId);
    assert_eq!(
        not_ready.message,
        "GitHub needs a client ID first. Register a GitHub App or an OAuth app on GitHub, under Settings, Developer \
         settings. An OAuth app accepts only one callback URL: use the one that starts with http://127.0.0.1. \
         (https://github.com/settings/developers) Redirect URIs to register: \
         http://127.0.0.1:7417/oauth/callback/github and app.relink.desktop:/oauth/callback/github. Then run: relink \
         integrations client github --id CLIENT_ID --secret-stdin"
    );
    let over = json!({"credentials": {"config": {"client": {"id": "Iv1.abc"}}}});
    let github = github.with_override(over.as_object().expect("an object")).expect("a definition").definition;
    let not_ready = github.not_ready(AuthenticationMethod::Oauth2, false, 7417).expect("not ready");
    assert_eq!(not_ready.missing, Missing::ClientSecret);
    assert!(not_ready.message.starts_with("GitHub needs a client secret first."), "{}", not_ready.message);
    assert!(not_ready.message.ends_with("relink integrations client github --id Iv1.abc --secret-stdin"));
    assert_eq!(github.not_ready(AuthenticationMethod::Oauth2, true, 7417), None);
}
