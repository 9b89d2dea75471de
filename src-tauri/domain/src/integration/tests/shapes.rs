//! Shapes of Truto's own files (contract sections 4.1 to 4.4).

use super::*;
use crate::{Secret, template::Scope};

/// A file as Truto's command line writes it, with only what it must have.
fn integration_file() -> Value {
    json!({
        "name": "acme",
        "config": {
            "credentials": {"api_key": {"format": "api_key", "config": {"fields": [
                {"name": "api_key", "label": "API key", "type": "password", "required": true},
            ]}}},
        },
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = integration_file();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    document.pointer_mut(parent).and_then(Value::as_object_mut).expect(pointer).insert(key.to_owned(), value);
    document
}

/// The header that carries the credential of an account with this method.
fn sent(definition: &Definition, method: AuthenticationMethod) -> String {
    let fields = [("api_key".to_owned(), Secret::new("k-1"))].into();
    let token = Secret::new("at-1");
    let nothing = Map::new();
    let scope = Scope::new(&nothing, &fields, Some(&token));
    let header = definition.authorization(method).expect("an authorization").apply(&scope);
    let header = header.expect("filled").expect("a header");
    format!("{}: {}", header.name.as_str(), header.value.expose())
}

#[test]
fn an_integration_file_needs_little_and_may_have_more() {
    let parsed = parse(&integration_file().to_string()).expect("accepted");
    assert_eq!(parsed.definition.label(), "acme");
    let mut document = with("/label", json!("Acme"));
    for (key, value) in [
        ("id", Value::Null),
        ("category", json!("crm")),
        ("documentation", json!([{"type": "readme", "content": "token: hunter2"}])),
        ("audit_notes", json!(["checked"])),
        ("team_id", json!("t")),
        ("can_install", json!(true)),
    ] {
        document[key] = value;
    }
    let parsed = parse(&document.to_string()).expect("accepted");
    assert_eq!((parsed.definition.label(), parsed.definition.category()), ("Acme", "crm"));
    let unexpected: Vec<_> = parsed.warnings.iter().filter(|warning| !warning.problem.contains("probe")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(serde_json::to_value(&parsed.definition).expect("JSON"), document, "all of it is kept");
    document["config"]["label"] = json!("Acme (EU)");
    assert_eq!(parse(&document.to_string()).expect("accepted").definition.label(), "Acme (EU)");
}

#[test]
fn an_authorization_that_is_left_out_has_the_documented_default() {
    let definition = parse(&integration_file().to_string()).expect("accepted").definition;
    assert_eq!(sent(&definition, AuthenticationMethod::ApiKey), "authorization: Bearer k-1");
    let fields = json!([{"name": "key", "type": "password"}]);
    let error = parse(&with("/config/credentials/api_key/config/fields", fields).to_string()).expect_err("no api_key");
    assert!(error.problem.contains("there is no field named \"api_key\""), "{error}");
}

#[test]
fn bearer_takes_nothing_a_token_or_a_path() {
    for config in [
        Value::Null,
        json!({}),
        json!({"token": "{{credentials.api_key}}"}),
        json!({"token": "{{api_key}}"}),
        json!({"path": "api_key"}),
        json!({"path": "credentials.api_key"}),
    ] {
        let document = with("/config/authorization", json!({"format": "bearer", "config": config}));
        let definition = parse(&document.to_string()).unwrap_or_else(|error| panic!("{config}: {error}")).definition;
        assert_eq!(sent(&definition, AuthenticationMethod::ApiKey), "authorization: Bearer k-1", "{config}");
    }
    for config in [json!({"token": "fixed"}), json!({"token": "{{credentials.api_key}}", "path": "api_key"})] {
        let document = with("/config/authorization", json!({"format": "bearer", "config": config}));
        assert!(parse(&document.to_string()).is_err(), "{config}");
    }
}

#[test]
fn a_header_that_is_null_is_left_out() {
    let mut document = with("/config/headers", json!({"X-Region": "eu", "X-Version": null}));
    document["config"]["base_url"] = json!("https://api.acme.example");
    document["config"]["relink"] = json!({"probe": {"path": "/me", "headers": {"X-Region": null, "X-Probe": "1"}}});
    let definition = parse(&document.to_string()).expect("accepted").definition;
    let names = |headers: &[HeaderTemplate]| headers.iter().map(|it| it.name.as_str().to_owned()).collect::<Vec<_>>();
    let probe = definition.probe().expect("a probe");
    assert_eq!((names(definition.headers()), names(&probe.headers)), (vec!["x-region".into()], vec!["x-probe".into()]));
    assert_eq!(probe.without.iter().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-region"]);
}
