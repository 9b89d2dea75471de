//! Which rules a stored definition may break.

use super::*;

fn document() -> Value {
    serde_json::from_str(GOOD).expect("JSON")
}

/// The valid file with one value replaced. `null` removes it.
pub(super) fn with(pointer: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    if value.is_null() {
        parent.remove(key);
    } else {
        parent.insert(key.to_owned(), value);
    }
    document
}

fn load(document: &Value) -> Result<Definition, DefinitionError> {
    Definition::load(document, &Map::new())
}

#[test]
fn a_definition_that_was_checked_is_loaded_as_it_was() {
    let checked = good().definition;
    let stored = serde_json::to_value(&checked).expect("JSON");
    assert_eq!(load(&stored), Ok(checked));
}

#[test]
fn rules_that_advise_or_describe_count_only_when_written() {
    let config = "/config/credentials/oauth2/config";
    let fields = "/config/credentials/api_key/config/fields";
    for (pointer, value) in [
        ("/config/relink/probe".to_owned(), Value::Null),
        ("/config/label".to_owned(), json!("x".repeat(81))),
        ("/config/label".to_owned(), json!("two\nlines")),
        ("/config/logo".to_owned(), json!("http://example.com/logo.png")),
        ("/config/relink/color".to_owned(), json!("red")),
        ("/config/relink/docs".to_owned(), json!({"url": "ftp://example.com"})),
        ("/config/relink/scope_descriptions".to_owned(), json!({"read": 1})),
        ("/config/relink/refresh".to_owned(), json!({"terminal_errors": "gone"})),
        ("/config/relink/refresh".to_owned(), json!({"default_expires_in": "3600"})),
        ("/config/relink/refresh".to_owned(), json!({"scope_on_refresh": "yes"})),
        ("/config/relink/refresh".to_owned(), json!([])),
        ("/config/relink/identity".to_owned(), json!({"from": "id_token", "path": "/me"})),
        ("/config/relink/redirects".to_owned(), json!(["deep_link", "device_code"])),
        ("/id".to_owned(), json!("1")),
        ("/config/relink/authorize_params".to_owned(), json!({"state": "x"})),
        ("/category".to_owned(), json!(7)),
        ("/config/credentials/jwt".to_owned(), json!({"config": {}})),
        ("/config/credentials/oauth2/format".to_owned(), json!("api_key")),
        ("/config/credentials/oauth2/format".to_owned(), json!("oauth3")),
        (format!("{config}/client"), json!({"id": "acme", "registered_at": "2026-01-01"})),
        ("/config/credentials/api_key/config/documentation_link".to_owned(), json!("example.com")),
        ("/config/authorization/api_key/config/username".to_owned(), json!("{{credentials.mail}}")),
        ("/config/authorization/api_key/config/username".to_owned(), json!("{{oauth.token.access_token}}")),
        ("/config/authorization/api_key/config/username".to_owned(), json!("{{credential.email}}")),
        ("/config/authorization/api_key/config/username".to_owned(), json!("{{email")),
        ("/config/authorization/api_key/config/username".to_owned(), json!("{{email:text}}")),
        ("/config/authorization/api_key/config".to_owned(), json!({"username": "fixed"})),
        (
            "/config/authorization/api_key".to_owned(),
            json!({"format": "header", "config": {"header_name": "X-Key", "header_value": "fixed"}}),
        ),
        (fields.to_owned(), json!([{"name": "api_key", "type": "single_select"}, {"name": "email", "type": "text"}])),
        (
            fields.to_owned(),
            json!([{"name": "api_key", "type": "text", "pattern": "("}, {"name": "email", "type": "text"}]),
        ),
        (
            fields.to_owned(),
            json!([{"name": "api_key", "type": "text", "help_text": 1}, {"name": "email", "type": "text"}]),
        ),
        (
            fields.to_owned(),
            json!([{"name": "api_key", "type": "password", "default": "x"}, {"name": "email", "type": "text"}]),
        ),
        (
            fields.to_owned(),
            json!([{"name": "api_key", "type": "text", "pattern": "[0-9]+", "default": "x"}, {"name": "email", "type": "text"}]),
        ),
        (
            fields.to_owned(),
            json!((0..51).map(|n| json!({"name": format!("email{n}"), "type": "text"})).collect::<Vec<_>>()),
        ),
    ] {
        let document = with(&pointer, value.clone());
        assert!(parse(&document.to_string()).is_err(), "written: {pointer} {value}");
        assert!(load(&document).is_ok(), "loaded: {pointer} {value}: {:?}", load(&document).err());
    }
}

#[test]
fn rules_that_protect_credentials_always_count() {
    let config = "/config/credentials/oauth2/config";
    for (pointer, value) in [
        ("/name".to_owned(), json!("Acme Corp")),
        ("/config/base_url".to_owned(), json!("http://example.com")),
        ("/config/base_url".to_owned(), json!("https://me:hunter2@example.com")),
        ("/config/base_url".to_owned(), json!("https://127.0.0.1")),
        ("/config/base_url".to_owned(), json!("https://169.254.169.254")),
        ("/config/base_url".to_owned(), json!("https://api.example.com?x=1")),
        ("/config/headers".to_owned(), json!({"Host": "evil.example"})),
        ("/config/headers".to_owned(), json!({"X-A": "1", "x-a": "2"})),
        ("/config/headers".to_owned(), json!({"X-A": "{{oauth.token.refresh_token}}"})),
        ("/config/credentials".to_owned(), json!({})),
        ("/config/credentials".to_owned(), json!({"jwt": {"config": {}}})),
        (format!("{config}/auth/tokenHost"), json!("https://auth.acme.example/common")),
        (format!("{config}/auth/tokenHost"), json!("ftp://auth.acme.example")),
        (format!("{config}/auth/tokenPath"), json!("//evil.example/token")),
        (format!("{config}/auth/authorizePath"), json!("https://evil.example/authorize")),
        (format!("{config}/auth/refreshPath"), json!("/../token")),
        (format!("{config}/pkce/method"), json!("plain")),
        (format!("{config}/scope"), json!(["wr ite"])),
        (format!("{config}/client"), json!({"id": "a b"})),
        (format!("{config}/options"), json!({"authorizationMethod": "mtls"})),
        (format!("{config}/options"), json!({"bodyFormat": "xml"})),
        ("/config/credentials/api_key/config/fields".to_owned(), json!([])),
        (
            "/config/credentials/api_key/config/fields".to_owned(),
            json!([{"name": "a", "type": "text"}, {"name": "a", "type": "text"}]),
        ),
        ("/config/authorization/api_key/format".to_owned(), json!("digest")),
        ("/config/relink/client_secret".to_owned(), json!("at times")),
        ("/config/relink/issuer".to_owned(), json!("https://auth.acme.example?tenant=1")),
        ("/config/relink/redirects".to_owned(), json!(["device_code"])),
        ("/config/relink/probe".to_owned(), json!({"method": "POST", "path": "/me"})),
        ("/config/relink/probe".to_owned(), json!({"path": "/../me"})),
        ("/config/relink/identity/id".to_owned(), json!("data..id")),
        ("/config/relink/revocation_url".to_owned(), json!("https://auth.acme.example/revoke")),
    ] {
        let document = with(&pointer, value.clone());
        assert!(parse(&document.to_string()).is_err(), "written: {pointer} {value}");
        let error = load(&document).expect_err(&pointer);
        assert!(error.position.is_none() && !error.path.is_empty(), "{error}");
    }
}

#[test]
fn an_identity_that_is_never_requested_is_refused_when_written_but_loads() {
    let document = with("/config/relink/probe", Value::Null);
    let error = parse(&document.to_string()).expect_err("refused");
    assert!(error.problem.starts_with("is never requested"), "{error}");
    assert!(load(&document).expect("loaded").identity().is_some());
}

#[test]
fn what_only_a_newer_version_knows_is_skipped() {
    let mut document = with("/config/relink/redirects", json!(["device_code", "loopback"]));
    document["config"]["credentials"]["jwt"] = json!({"config": {"key": "x"}});
    let acme = load(&document).expect("loaded");
    assert_eq!(acme.methods(), [AuthenticationMethod::Oauth2, AuthenticationMethod::ApiKey]);
    assert_eq!(acme.oauth2().expect("oauth2").redirects, [RedirectKind::Loopback]);
}

#[test]
fn a_field_of_an_unknown_type_is_secret_and_shows_no_default() {
    let fields = json!([{"name": "api_key", "type": "certificate", "default": "x"}, {"name": "email", "type": "text"}]);
    let acme = load(&with("/config/credentials/api_key/config/fields", fields)).expect("loaded");
    let field = acme.fields(AuthenticationMethod::ApiKey).and_then(|fields| fields.get("api_key")).expect("a field");
    assert_eq!((field.kind, field.secret, &field.default), (FieldKind::Password, true, &None));
}

#[test]
fn a_label_is_sanitized_when_loaded() {
    let label = format!("Acme\n{}", "x".repeat(100));
    let acme = load(&with("/config/label", json!(label))).expect("loaded");
    assert_eq!(acme.label(), format!("Acme {}", "x".repeat(75)));
}

#[test]
fn the_override_is_merged_into_the_stored_document() {
    let over = json!({"label": "Acme (EU)", "base_url": null, "relink": {"color": "red"}});
    let error = Definition::load(&document(), object(&over)).expect_err("a probe without a base URL");
    assert_eq!(error.path, "config.relink.probe");
    let over = json!({"label": "Acme (EU)", "credentials": {"oauth2": {"config": {"client": {"secret": "hunter3"}}}}});
    let acme = Definition::load(&document(), object(&over)).expect("loaded");
    assert_eq!(acme.label(), "Acme (EU)");
    assert!(
        !serde_json::to_string(&acme).expect("JSON").contains("hunter"),
        "a loaded definition holds no secret either"
    );
}

#[test]
fn a_stored_document_of_the_wrong_shape_is_refused() {
    for (document, problem) in [
        (json!([]), "must be an object in { }, not a list"),
        (json!({"name": "acme"}), "\"config\" is missing; add one, such as {\"label\": \"GitHub\", ...}"),
    ] {
        assert_eq!(load(&document).expect_err("refused").problem, problem);
    }
}
