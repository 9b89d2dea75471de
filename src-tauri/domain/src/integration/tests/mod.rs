//! Definition files.

use serde_json::{Map, Value, json};

use super::*;
use crate::account::AuthenticationMethod;

mod limits;
mod loading;
mod malformed;
mod placeholders;
mod properties;
mod shapes;

/// A valid file. Tests break it in one place each.
const GOOD: &str = r#"{
  "name": "acme",
  "category": "crm",
  "version": 3,
  "config": {
    "label": "Acme",
    "base_url": "https://api.acme.example/v2",
    "headers": { "X-Region": "{{context.region}}" },
    "credentials": {
      "oauth2": {
        "format": "oauth2",
        "config": {
          "client": { "id": "acme-client", "secret": "hunter2" },
          "auth": {
            "tokenHost": "https://auth.acme.example",
            "tokenPath": "/token",
            "authorizePath": "/authorize"
          },
          "scope": ["read", "write"],
          "pkce": { "method": "S256" }
        }
      },
      "api_key": {
        "config": {
          "fields": [
            { "name": "email", "label": "E-mail", "type": "text", "required": true },
            { "name": "api_key", "label": "API key", "type": "password", "required": true }
          ]
        }
      }
    },
    "authorization": {
      "api_key": { "format": "basic", "config": { "username": "{{credentials.email}}", "password": "{{credentials.api_key}}" } }
    },
    "resources": { "contacts": { "list": { "path": "/contacts" } } },
    "pagination": { "format": "offset" },
    "relink": {
      "probe": { "path": "/me" },
      "identity": { "path": "/whoami", "id": "data.id" },
      "revocation_path": "/revoke"
    }
  }
}
"#;

fn good() -> Parsed {
    parse(GOOD).expect("a valid file")
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

#[test]
fn a_valid_file_is_decoded() {
    let acme = good().definition;
    assert_eq!((acme.name(), acme.category(), acme.label()), ("acme", "crm", "Acme"));
    assert_eq!(acme.methods(), [AuthenticationMethod::Oauth2, AuthenticationMethod::ApiKey]);
    let oauth2 = acme.oauth2().expect("oauth2");
    assert_eq!(oauth2.authorize_url.as_fixed().expect("fixed").as_str(), "https://auth.acme.example/authorize");
    assert_eq!(oauth2.refresh_url.as_fixed().expect("fixed").as_str(), "https://auth.acme.example/token");
    assert_eq!(
        oauth2.revocation_url.as_ref().and_then(Address::as_fixed).map(WebUrl::as_str),
        Some("https://auth.acme.example/revoke")
    );
    assert_eq!(oauth2.client_id, "acme-client");
    assert_eq!(oauth2.scopes, ["read", "write"]);
    assert_eq!((oauth2.client_auth(true), oauth2.client_auth(false)), (ClientAuth::Basic, ClientAuth::None));
    assert_eq!(oauth2.redirects, [RedirectKind::DeepLink, RedirectKind::Loopback]);
    assert_eq!(
        acme.probe().expect("a probe").url.as_fixed().expect("fixed").as_str(),
        "https://api.acme.example/v2/me"
    );
    let whoami = WebUrl::parse("https://api.acme.example/v2/whoami").expect("a URL");
    assert_eq!(acme.identity().expect("an identity").source, IdentitySource::Call(whoami.into()));
    assert_eq!(acme.section("pagination"), Some(&json!({"format": "offset"})));
    assert_eq!(acme.authorization(AuthenticationMethod::Oauth2), Some(&Authorization::access_token()));
}

#[test]
fn fields_that_the_authorization_names_are_secret() {
    let acme = good().definition;
    let fields = acme.fields(AuthenticationMethod::ApiKey).expect("a form");
    assert!(fields.iter().all(|field| field.secret));
}

#[test]
fn the_client_secret_is_removed_from_the_definition() {
    let mut parsed = good();
    let secret = parsed.client_secrets.take(AuthenticationMethod::Oauth2).expect("a secret");
    assert_eq!(secret.expose(), "hunter2");
    let written = serde_json::to_string(&parsed.definition).expect("JSON");
    assert!(written.contains(r#""client":{"id":"acme-client","secret":""}"#), "{written}");
    assert!(!written.contains("hunter2"));
    assert!(!format!("{parsed:?}").contains("hunter2"));
}

#[test]
fn nothing_else_is_lost_on_a_round_trip() {
    let mut original: Value = serde_json::from_str(GOOD).expect("JSON");
    original["config"]["credentials"]["oauth2"]["config"]["client"]["secret"] = "".into();
    let written = serde_json::to_string(&good().definition).expect("JSON");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), original);
    assert_eq!(parse(&written).expect("a definition").definition, good().definition);
}

#[test]
fn keys_without_effect_are_kept_with_a_warning() {
    let text = GOOD.replace(r#""label": "Acme","#, r#""label": "Acme", "theme": "x","#);
    let parsed = parse(&text).expect("a definition");
    let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["line 6, column 31, config.theme: Relink doesn't know this key; it stays and has no effect",]
    );
    assert_eq!(parsed.definition.section("theme"), Some(&json!("x")));
}

#[test]
fn a_key_without_a_probe_gets_a_warning() {
    let text = GOOD.replace(r#""probe": { "path": "/me" },"#, "");
    let text = text.replace(r#""identity": { "path": "/whoami", "id": "data.id" },"#, "");
    let warnings: Vec<String> = parse(&text).expect("a definition").warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("line 9, column 20, config.credentials: a key can't be checked"),
        "{}",
        warnings[0]
    );
}

#[test]
fn an_identity_from_an_id_token_needs_no_probe() {
    let text = GOOD.replace(r#""probe": { "path": "/me" },"#, "");
    assert!(parse(&text).is_err());
    let text = text.replace(r#"["read", "write"]"#, r#"["openid", "read"]"#);
    assert!(parse(&text).expect("a definition").definition.identity().is_some());
}

#[test]
fn keys_of_credentials_are_recognized() {
    let acme = good().definition;
    for key in [
        "api_key",
        "email",
        "client_id",
        "client_secret",
        "refresh_token",
        "oauth",
        "credentials",
        "token",
        "password",
        "secret",
    ] {
        assert!(acme.is_credential(key), "{key}");
    }
    assert!(!acme.is_credential("region"));
}

#[test]
fn a_byte_order_mark_is_ignored() {
    assert_eq!(parse(&format!("\u{feff}{GOOD}")), parse(GOOD));
}

#[test]
fn credentials_of_one_format_need_no_map() {
    let mut document: Value = serde_json::from_str(GOOD).expect("JSON");
    let fields = document["config"]["credentials"]["api_key"]["config"].clone();
    document["config"]["credentials"] = json!({"format": "api_key", "config": fields});
    document["config"]["authorization"] = json!({"format": "bearer", "config": {"path": "api_key"}});
    let acme = parse(&document.to_string()).expect("a definition").definition;
    assert_eq!(acme.methods(), [AuthenticationMethod::ApiKey]);
    let fields = acme.fields(AuthenticationMethod::ApiKey).expect("a form");
    assert_eq!(fields.iter().map(|field| field.secret).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn an_override_is_checked_like_a_file() {
    let acme = good().definition;
    let over = json!({"label": "Acme (EU)", "credentials": {"oauth2": {"config": {
        "client": {"id": "mine", "secret": "hunter3"}, "scope": ["read"]}}}});
    let mut parsed = acme.with_override(object(&over)).expect("a definition");
    assert_eq!(parsed.definition.label(), "Acme (EU)");
    let oauth2 = parsed.definition.oauth2().expect("oauth2");
    assert_eq!((oauth2.client_id.as_str(), oauth2.scopes.len()), ("mine", 1));
    assert_eq!(parsed.client_secrets.take(AuthenticationMethod::Oauth2).expect("a secret").expose(), "hunter3");
    assert!(!serde_json::to_string(&parsed.definition).expect("JSON").contains("hunter3"));

    let over = json!({"base_url": "http://example.com"});
    assert_eq!(
        acme.with_override(object(&over)).expect_err("refused").to_string(),
        "config.base_url: \"http://example.com\" is not encrypted; use https:// (http:// is only for a server on this \
         machine)"
    );
}

#[test]
fn an_empty_override_changes_nothing() {
    for definition in catalog() {
        let same = definition.with_override(&Map::new()).expect("a definition");
        assert_eq!((&same.definition, same.warnings.len()), (definition, 0));
    }
}

#[test]
fn the_secret_of_an_override_is_removed_in_every_shape() {
    for shape in [
        json!({"credentials": {"oauth2": {"config": {"client": {"secret": "hunter2"}}}}}),
        json!({"credentials": {"config": {"client": {"secret": "hunter2"}}}}),
        json!({"credentials": {"format": "oauth2", "config": {"client": {"secret": "hunter2"}}}}),
    ] {
        let mut over = shape;
        take_client_secrets(&mut over);
        assert!(!over.to_string().contains("hunter2"), "{over}");
    }
}
