use serde_json::{Map, Value, json};

use super::*;
use crate::integration::{Definition, parse};

/// A valid definition, in which many names look like a credential's.
fn acme() -> Value {
    json!({ "name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "headers": { "X-Region": "eu", "X-Atlassian-Token": "no-check" },
        "query": { "page_size": "50" },
        "credentials": {
            "oauth2": { "format": "oauth2", "config": {
                "client": { "id": "relink" },
                "auth": {
                    "tokenHost": "https://auth.acme.example",
                    "tokenPath": "/token",
                    "authorizePath": "/authorize?token_access_type=offline",
                },
                "params": { "token_access_type": "offline" },
                "tokenParams": {},
                "refreshParams": {},
            } },
            "api_key": { "format": "api_key", "config": { "fields": [
                { "name": "api_key", "label": "Key", "type": "password", "placeholder": "sk-…" },
            ] } },
        },
        "authorization": {
            "api_key": { "format": "basic", "config": { "username": "{{credentials.api_key}}", "password": "X" } },
        },
        "resources": { "tokens": { "list": { "path": "/tokens", "query": { "key": "{{query.key}}" }, "headers": {} } } },
        "webhook": { "signature_verification": { "config": { "secret": "{{environment_variables.hook}}" } } },
        "actions": {},
        "relink": {
            "client_secret": "optional",
            "probe": { "path": "/me" },
            "scope_descriptions": { "token": "Read tokens" },
            "authorize_params": {},
        },
    } })
}

/// The definition with a value added.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = acme();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).and_then(Value::as_object_mut).expect(pointer);
    parent.insert(key.to_owned(), value);
    document
}

/// Where a credential was misplaced.
fn misplaced() -> Vec<(&'static str, Value)> {
    let secret = || json!("hunter2");
    vec![
        ("/clientSecret", secret()),
        ("/config/clientSecret", secret()),
        ("/config/client_secret", secret()),
        ("/config/api_key", secret()),
        ("/config/headers/Authorization", json!("Bearer hunter2")),
        ("/config/headers/authorization", secret()),
        ("/config/headers/Cookie", json!("session=hunter2")),
        ("/config/headers/X-Api-Key", secret()),
        ("/config/headers/X-Auth-Token", secret()),
        ("/config/headers/Ocp-Apim-Subscription-Key", secret()),
        ("/config/query/api_key", secret()),
        ("/config/query/key", secret()),
        ("/config/query/access_token", secret()),
        ("/config/query/token", json!(1_234_567)),
        ("/config/credentials/oauth2/config/params/api_secret", secret()),
        ("/config/credentials/oauth2/config/tokenParams/api_secret", secret()),
        ("/config/credentials/oauth2/config/refreshParams/app_token", secret()),
        ("/config/credentials/oauth2/config/clientSecret", secret()),
        ("/config/credentials/oauth2/config/api-secret", secret()),
        ("/config/credentials/oauth2/config/auth/tokenPath", json!("/token?client_secret=hunter2")),
        ("/config/credentials/oauth2/config/auth/authorizePath", json!("/authorize?api_key=hunter2")),
        ("/config/authorization/oauth2", json!({ "format": "bearer", "config": { "token": "hunter2" } })),
        ("/config/authorization/api_key/config/password", secret()),
        ("/config/resources/tokens/list/headers/Authorization", secret()),
        ("/config/resources/tokens/list/query/key", secret()),
        ("/config/resources/tokens/list/path", json!("/tokens?access_token=hunter2")),
        ("/config/webhook/signature_verification/config/secret", secret()),
        ("/config/environment_variables", json!({ "API_TOKEN": "hunter2" })),
        ("/config/secret_environment_variables", json!({ "HOOK": "hunter2" })),
        (
            "/config/actions/post_install",
            json!({ "steps": [{ "config": { "headers": { "Private-Token": "hunter2" } } }] }),
        ),
        ("/config/relink/clientSecret", secret()),
        ("/config/relink/probe/path", json!("/me?key=hunter2")),
        ("/config/relink/probe/headers", json!({ "X-Api-Key": "hunter2" })),
        ("/config/headers/Authorization", json!("Basic cmVsaW5rOmh1bnRlcjI=")),
        ("/config/headers/X-Acme", json!("bearer hunter2-9")),
        ("/config/icon", json!("eyJhbGciOiJIUzI1NiJ9.aHVudGVyMg.hunter2")),
        (
            "/config/actions/sign",
            json!({ "pem": format!("-----BEGIN RSA PRIVATE KEY-----\n{}hunter2", "MIIE".repeat(10)) }),
        ),
        ("/config/resources/tokens/list/base_url", json!("https://me:hunter2@api.acme.example")),
        ("/config/resources/tokens/list/body", json!({ "auth": { "user_password": "hunter2" } })),
        ("/config/resources/tokens/list/headers/X-Api-Keys", json!(["hunter2"])),
        (
            "/config/resources/tokens/list/authorization",
            json!({ "format": "basic", "config": { "password": "hunter2" } }),
        ),
        ("/config/environment_variables", json!({ "API_TOKEN_2": "hunter2" })),
        ("/config/environment_variables", json!([{ "name": "API_KEY", "value": "hunter2" }])),
        ("/config/headers/X-Master-Key", secret()),
        ("/config/headers/X-Auth", secret()),
        ("/config/headers/Authorization", json!("Bearer hunter2-9 {{context.region}}")),
        ("/config/query/api_key", json!("{{context.key ?: hunter2}}")),
        ("/config/query/api_key", json!("{{key?:hunter2:str}}")),
        ("/config/query/api_key", json!("{{key?:hunter2:one}}")),
        ("/config/query/api_key", json!("{{key?:?:hunter2}}")),
        // No placeholders, so they would be sent as they are.
        ("/config/query/api_key", json!("{{'hunter2'}}")),
        ("/config/query/api_key", json!("{{hunter2")),
        (
            "/config/authorization/oauth2_client_credentials",
            json!({ "format": "header", "config": { "header_name": "X-Acme", "header_value": "{}hunter2" } }),
        ),
        ("/config/resources/tokens/list/path", json!("tokens?api_key=hunter2")),
        ("/config/resources/tokens/list/path", json!("{{context.path}}/x?api_key=hunter2&a={{query.a}}")),
        ("/config/resources/tokens/list/base_url", json!("https://hunter2@api.acme.example")),
        ("/config/resources/tokens/list/base_url", json!("https://me:hunter2@{{context.host}}/v2")),
        ("/config/resources/docs", json!({ "list": { "path": "/", "headers": { "Private-Token": "hunter2" } } })),
        ("/config/resources/examples", json!({ "list": { "path": "/", "query": { "sig": "hunter2" } } })),
        (
            "/config/resources/tokens/list/authorization",
            json!({ "format": "header", "config": { "header_name": "X-Acme", "header_value": "hunter2" } }),
        ),
        (
            "/config/resources/tokens/list/authorization",
            json!({ "format": "basic", "config": { "username": "hunter2", "password": "" } }),
        ),
        (
            "/config/resources/tokens/list/authorization",
            json!({ "format": "header", "config": { "expression": "{'Authorization': 'Bearer hunter2-99'}" } }),
        ),
        (
            "/config/authorization/oauth2_client_credentials",
            json!({ "format": "header", "config": { "header_name": "X-Acme", "header_value": "hunter2" } }),
        ),
        ("/config/actions/post_install", json!([{ "client_secret_value": "hunter2" }])),
        (
            "/config/credentials/api_key/config/fields",
            json!([{ "name": "api_key", "label": "Key", "type": "text", "default": "hunter2" }]),
        ),
    ]
}

/// Keys that nobody knows, where a misspelled one may hold a secret.
fn unknown() -> Vec<(&'static str, Value)> {
    let secret = || json!("hunter2");
    vec![
        ("/config/credentials/oauth2/shared", secret()),
        ("/config/credentials/oauth2/config/sceret", secret()),
        ("/config/credentials/oauth2/config/client/secrt", secret()),
        ("/config/credentials/oauth2/config/auth/extra", json!({ "deep": ["hunter2"] })),
        ("/config/credentials/oauth2/config/options", json!({ "hmac": "hunter2" })),
        ("/config/credentials/oauth2/config/pkce", json!({ "method": "S256", "verifier": "hunter2" })),
        ("/config/credentials/api_key/config/keys", json!(["hunter2"])),
        (
            "/config/credentials/api_key/config/fields",
            json!([{ "name": "api_key", "label": "Key", "type": "password", "vaule": "hunter2" }]),
        ),
        ("/config/credentials/oauth2/config/docs", secret()),
        ("/config/credentials/oauth2/config/auth/examples", json!(["hunter2"])),
        ("/config/authorization/api_key/config/documentation", secret()),
        ("/config/authorization/api_key/extra", secret()),
        ("/config/authorization/api_key/config/pasword", secret()),
        ("/config/authorization/basic", json!({ "config": { "x": "hunter2" } })),
        (
            "/config/authorization/oauth2_client_credentials",
            json!({ "format": "bearer", "config": { "tok": "hunter2" } }),
        ),
        ("/config/resources/tokens/list/authorization", json!({ "format": "bearer", "config": { "tok": "hunter2" } })),
        ("/config/resources/tokens/list/authorization", json!({ "format": "bearer", "hmac": "hunter2" })),
    ]
}

#[test]
fn what_is_no_credential_is_accepted() {
    let parsed = parse(&acme().to_string()).expect("a valid definition");
    assert!(parsed.client_secrets.is_empty());
    for (pointer, value) in [
        ("/config/headers/Authorization", json!("Bearer {{context.region}}")),
        ("/config/query/api_key", json!("")),
        ("/config/query/key", Value::Null),
        ("/config/relink/client_secret", json!("never")),
        (
            "/config/authorization/api_key/config",
            json!({ "username": "anystring", "password": "{{credentials.api_key}}" }),
        ),
        (
            "/config/pagination",
            json!({ "format": "cursor", "config": { "cursor_path": "next_page_token", "limit_key": "limit" } }),
        ),
        ("/config/tool_tags", json!({ "token": ["read"] })),
        ("/config/label", json!("Basic authentication")),
        ("/config/headers/Authorization", json!("Token token={{context.key}}, region=\"{{context.region}}\"")),
        ("/config/headers/Idempotency-Key", json!("relink")),
        ("/config/query/key", json!("{{query.key ?: }}")),
        ("/config/query/key", json!("{{query.key|api_key:str:undefined}}")),
        ("/config/resources/authorization", json!({ "list": { "path": "/authorization" } })),
        ("/config/resources/tokens/list/body", json!({ "authorization": { "amount": 1 }, "max_output_tokens": 4096 })),
        (
            "/config/resources/tokens/list/path",
            json!("/tokens?after={{query.next_page_token ?: none}}&delta_token=latest"),
        ),
        ("/config/resources/tokens/list/examples", json!({ "response": "{\"token\": \"abc\"}", "token": "abc" })),
        (
            "/config/credentials/api_key/config/fields",
            json!([{ "name": "api_key", "label": "Key", "type": "password", "placeholder": "-----BEGIN PRIVATE KEY-----MIIE…" }]),
        ),
        ("/config/description", json!("Bearer tokens")),
        ("/config/body", json!({ "max_tokens": 4096, "page_token": "1", "token_type": "Bearer", "secret": false })),
        ("/config/credentials/oauth2/config/client", json!({ "id": "relink", "secretParamName": "api_secret" })),
    ] {
        let error = parse(&with(pointer, value).to_string()).err();
        assert!(error.is_none(), "{pointer}: {error:?}");
    }
}

#[test]
fn a_literal_where_a_credential_belongs_is_refused_by_line_and_field() {
    for (pointer, value) in misplaced() {
        let text = serde_json::to_string_pretty(&with(pointer, value.clone())).expect("JSON");
        let error = parse(&text).expect_err(pointer);
        assert!(error.position.is_some_and(|position| position.line > 1), "{pointer}: {error}");
        let field = pointer.trim_start_matches('/').replace('/', ".");
        assert!(error.path.starts_with(&field), "{pointer}: {error}");
        assert!(error.problem.contains("everybody can read it here"), "{pointer}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn an_unknown_key_in_credentials_or_authorization_is_refused_by_line_and_field() {
    for (pointer, value) in unknown() {
        let text = serde_json::to_string_pretty(&with(pointer, value.clone())).expect("JSON");
        let error = parse(&text).expect_err(pointer);
        assert!(error.position.is_some_and(|position| position.line > 1), "{pointer}: {error}");
        assert!(error.problem.starts_with("is not known here, and could be a secret"), "{pointer}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn a_method_with_an_unknown_authorization_is_refused() {
    let pointer = "/config/resources/tokens/list/authorization";
    let document = with(pointer, json!({ "format": "hmac", "config": { "key": "hunter2" } }));
    let error = parse(&document.to_string()).expect_err("refused");
    assert!(error.problem.starts_with("is for a format that is not known here"), "{error}");
    assert!(!redacted(&document["config"]).to_string().contains("hunter2"));
}

#[test]
fn a_stored_one_stays_usable_and_is_not_shown() {
    for (pointer, value) in misplaced().into_iter().chain(unknown()) {
        let stored = with(pointer, value);
        assert!(
            Definition::load(&stored, &Map::new()).is_ok() || pointer.ends_with("authorization/oauth2"),
            "{pointer}"
        );
        let shown = redacted(&stored["config"]);
        assert!(!shown.to_string().contains("hunter2") && !shown.to_string().contains("1234567"), "{pointer}: {shown}");
        assert_eq!(redacted(&shown), shown, "{pointer}");
    }
}

#[test]
fn an_override_is_checked_and_what_is_below_it_is_not() {
    let stored = Definition::load(&with("/config/api_key", json!("hunter2")), &Map::new()).expect("loaded");
    let over = |over: Value| stored.with_override(over.as_object().expect("an object"));
    let client = json!({ "credentials": { "oauth2": { "config": { "client": { "id": "mine", "secret": "s" } } } } });
    assert!(over(client).is_ok(), "a client can still be entered");
    for wrong in [
        json!({ "headers": { "Authorization": "hunter2" } }),
        json!({ "credentials": { "oauth2": { "config": { "client": { "id": "mine", "sceret": "hunter2" } } } } }),
    ] {
        let error = over(wrong.clone()).expect_err(&wrong.to_string());
        assert!(error.path.starts_with("config.") && !error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn nothing_else_is_hidden() {
    assert_eq!(redacted(&acme()["config"]), acme()["config"]);
    for definition in crate::integration::catalog() {
        assert_eq!(&redacted(definition.config()), definition.config(), "{}", definition.name());
    }
}
