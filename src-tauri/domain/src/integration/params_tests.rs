use serde_json::{Map, Value, json};

use super::*;
use crate::integration::{Definition, parse};

fn acme(authorize_path: &str, params: &Value) -> Value {
    json!({ "name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": { "format": "oauth2", "config": {
            "client": { "id": "relink" },
            "auth": {
                "tokenHost": "https://auth.acme.example",
                "tokenPath": "/token",
                "authorizePath": authorize_path,
            },
        } },
        "relink": { "authorize_params": params },
    } })
}

#[test]
fn a_parameter_that_relink_sets_is_refused_in_the_path_and_in_the_params() {
    for name in RESERVED_IN_AUTHORIZATION.iter().copied().chain(["State", "REDIRECT_URI", "Nonce"]) {
        let in_params = parse(&acme("/authorize", &json!({ name: "x" })).to_string()).expect_err(name);
        assert!(in_params.path.ends_with(&format!("authorize_params.{name}")), "{in_params}");
        for query in [format!("{name}=x"), format!("prompt=consent&{name}=x"), name.to_owned(), format!("%20{name}=x")]
        {
            let path = format!("/authorize?{query}");
            let in_path = parse(&acme(&path, &json!({})).to_string()).expect_err(&query);
            assert!(in_path.position.is_some() && in_path.path.ends_with("auth.authorizePath"), "{query}: {in_path}");
        }
    }
    for encoded in ["/authorize?st%61te=x", "/authorize?%73tate=x", "/authorize?code%5Fchallenge_method=plain"] {
        assert!(parse(&acme(encoded, &json!({})).to_string()).is_err(), "{encoded}");
    }
}

#[test]
fn a_placeholder_that_is_never_filled_is_refused() {
    let error = parse(&acme("/authorize", &json!({ "audience": "{{context.audience" })).to_string());
    assert!(error.expect_err("refused").problem.starts_with("contains {{ that begins no placeholder"));
    let auth = "/config/credentials/oauth2/config";
    for (pointer, value) in [
        ("/client/id", json!("{{context.client}}")),
        ("/scope", json!(["{{context.scope}}"])),
        ("/scope", json!("read {{scope}}")),
    ] {
        let mut document = acme("/authorize", &json!({}));
        let credentials = document["config"]["credentials"].take();
        document["config"]["credentials"] = json!({ "oauth2": credentials });
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = document.pointer_mut(&format!("{auth}{parent}")).expect(pointer);
        parent[key] = value;
        let error = parse(&document.to_string()).expect_err(pointer);
        assert!(error.problem.starts_with("contains a placeholder"), "{pointer}: {error}");
        assert!(Definition::load(&document, &Map::new()).is_ok(), "{pointer}: stored ones stay");
    }
}

#[test]
fn other_parameters_stay() {
    let path = "/authorize?prompt=consent&access_type=offline&states=1&my_state=2";
    let parsed = parse(&acme(path, &json!({ "audience": "api", "token_access_type": "offline" })).to_string());
    let definition = parsed.expect("accepted").definition;
    let oauth2 = definition.oauth2().expect("oauth2");
    assert_eq!(oauth2.authorize_url.as_fixed().expect("fixed").as_str(), format!("https://auth.acme.example{path}"));
    assert_eq!(oauth2.authorize_params.names(), ["audience", "token_access_type"]);
}

#[test]
fn a_stored_definition_stays_usable_without_them() {
    let stored = acme(
        "/authorize?state=x&prompt=consent&code_challenge_method=plain",
        &json!({ "nonce": "x", "audience": "api", "redirect_uri": "https://evil.example" }),
    );
    let definition = Definition::load(&stored, &Map::new()).expect("loaded");
    let oauth2 = definition.oauth2().expect("oauth2");
    assert_eq!(
        oauth2.authorize_url.as_fixed().expect("fixed").as_str(),
        "https://auth.acme.example/authorize?prompt=consent"
    );
    assert_eq!(oauth2.authorize_params.names(), ["audience"]);
    let only_reserved = Definition::load(&acme("/authorize?state=x", &json!({})), &Map::new()).expect("loaded");
    assert_eq!(
        only_reserved.oauth2().expect("oauth2").authorize_url.as_fixed().expect("fixed").as_str(),
        "https://auth.acme.example/authorize"
    );
}

#[test]
fn parameters_are_filled_from_the_account() {
    let params = json!({
        "tenant": "{{tenant}}", "fixed": "x", "number": 7, "none": "{{missing:str:undefined}}", "half": "{{optional}}",
    });
    let definition = parse(&acme("/authorize", &params).to_string()).expect("accepted").definition;
    let params = &definition.oauth2().expect("oauth2").authorize_params;
    let (context, fields) = (json!({"tenant": "a b"}), std::collections::BTreeMap::new());
    let scope = Scope { optional: &["optional"], ..Scope::new(context.as_object().expect("an object"), &fields, None) };
    let filled = params.fill(&scope).expect("filled");
    let filled: Vec<_> = filled.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(filled, [("tenant", "a b"), ("fixed", "x"), ("number", "7")]);
    let nothing = Map::new();
    let missing = params.fill(&Scope::new(&nothing, &fields, None)).expect_err("no tenant");
    assert!(missing.to_string().contains("tenant"), "{missing}");
}

#[test]
fn a_secret_is_no_parameter_that_a_browser_sees() {
    for secret in ["{{api_key}}", "{{oauth.token.access_token}}", "{{oauth.token.refresh_token}}"] {
        let refused = parse(&acme("/authorize", &json!({ "hint": secret })).to_string());
        assert!(refused.is_err(), "{secret}");
    }
}
