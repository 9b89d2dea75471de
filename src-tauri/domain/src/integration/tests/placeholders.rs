//! The template language in the headers of a definition.

use super::*;

fn with_username(username: &str) -> String {
    GOOD.replace("{{credentials.email}}", username)
}

#[test]
fn a_header_may_name_whatever_an_account_can_have() {
    for username in [
        "{{email}}",
        "{{ context.email }}",
        "{{credentials.email:str}}/token",
        "{{subdomain}}.example/{{email}}",
        "{{site.id}}",
        "{{credentials.mail|credentials.email}}",
        "{{credentials.mail ?: ada}}",
        "{{credentials.mail:str:undefined}}",
        "{{oauth.token.access_token|email}}",
        "{{access_token|email}}",
        "{{tenant_id}}",
        "{{body.email|email}}",
        "{{query.email ?: x}}",
    ] {
        let parsed = parse(&with_username(username)).unwrap_or_else(|error| panic!("{username}: {error}"));
        assert_eq!(parsed.warnings, [], "{username}");
        let stored = serde_json::to_value(&parsed.definition).expect("JSON");
        assert_eq!(Definition::load(&stored, &Map::new()).expect("loaded"), parsed.definition, "{username}");
    }
    // The headers of all calls must be there for accounts of each format.
    let headers = |value: &str| GOOD.replace("{{context.region}}", value);
    for value in ["{{api_key|oauth.token.access_token}}", "{{credentials.email|access_token}}", "{{subdomain}}"] {
        parse(&headers(value)).unwrap_or_else(|error| panic!("{value}: {error}"));
    }
    let unknown = ["{{body.region}}", "{{id}}", "{{query.a|environment_variables.b}}"];
    for value in
        ["{{credentials.email}}", "{{oauth.token.access_token}}", "{{access_token}}"].into_iter().chain(unknown)
    {
        parse(&headers(value)).expect_err(value);
    }
}

#[test]
fn a_name_that_is_nearly_a_fields_is_pointed_out_once() {
    // Two formats with the field, whose calls all have the header.
    let mut both: Value = serde_json::from_str(GOOD).expect("JSON");
    both["config"]["headers"]["X-Region"] = "{{ap_key|context.email}}".into();
    let field = |name: &str| json!({"name": name, "type": "password", "required": true});
    both["config"]["credentials"]["oauth2_client_credentials"] = json!({"config": {
        "fields": [field("client_id"), field("client_secret"), field("api_key")],
        "auth": {"tokenHost": "https://auth.acme.example", "tokenPath": "/token"},
    }});
    for text in [with_username("{{api_kye}}"), both.to_string()] {
        let warnings: Vec<String> = parse(&text).expect("accepted").warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with("may be a misspelling of the field \"api_key\""), "{warnings:?}");
    }
}

#[test]
fn each_way_to_name_a_field_in_the_authorization_makes_it_secret() {
    for (username, is_secret) in [
        ("{{email}}", true),
        ("{{context.email}}", true),
        ("{{subdomain|email}}", true),
        ("{{site.email}}", false),
        ("{{[email]}}{{subdomain}}", false),
    ] {
        let mut document: Value = serde_json::from_str(GOOD).expect("JSON");
        document["config"]["authorization"]["api_key"]["config"]["username"] = username.into();
        let acme = Definition::load(&document, &Map::new()).expect("loaded");
        let fields = acme.fields(AuthenticationMethod::ApiKey).expect("a form");
        assert_eq!(fields.get("email").expect("a field").secret, is_secret, "{username}");
        let authorization = acme.authorization(AuthenticationMethod::ApiKey).expect("an authorization");
        let names_email = authorization.fields().contains(&"email");
        assert_eq!(names_email, is_secret, "{username}");
    }
}
