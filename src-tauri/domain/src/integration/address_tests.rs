use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::integration::{Definition, parse};

/// A definition with this base URL and these origins.
fn acme(base_url: &str, origins: &Value) -> Result<Definition> {
    let document = json!({"name": "acme", "config": {
        "base_url": base_url,
        "credentials": {"oauth2": {"config": {"auth": {"tokenHost": "https://auth.acme.example"}}}},
        "relink": {"origins": origins},
    }});
    parse(&document.to_string()).map(|parsed| parsed.definition)
}

fn resolved(base_url: &str, origins: &Value, context: &Value) -> Result<String, String> {
    let definition = acme(base_url, origins).map_err(|error| error.to_string())?;
    let context = context.as_object().expect("an object");
    let url = definition.base_url().expect("a base URL").resolve(context);
    url.map(|url| url.to_string()).map_err(|error| error.to_string())
}

#[test]
fn an_accounts_values_become_labels_and_segments() {
    let context = json!({"subdomain": "acme-1", "org": "a/b", "n": 7});
    for (base_url, expected) in [
        ("https://{{subdomain}}.example.com", "https://acme-1.example.com/"),
        ("https://{{subdomain}}.example.com:8443/v1", "https://acme-1.example.com:8443/v1"),
        ("https://eu-{{ subdomain }}.example.com/v1", "https://eu-acme-1.example.com/v1"),
        ("https://{{subdomain}}api.example.com", "https://acme-1api.example.com/"),
        ("https://api.example.com/orgs/{{org}}/{{n}}", "https://api.example.com/orgs/a%2Fb/7"),
        ("https://{{missing ?: eu}}.example.com", "https://%20eu.example.com/"),
    ] {
        let found = resolved(base_url, &json!([]), &context);
        if base_url.contains("?:") {
            // A default isn't trimmed (contract section 4.5), and a space is part of no label.
            assert!(found.is_err(), "{found:?}");
        } else {
            assert_eq!(found.as_deref(), Ok(expected), "{base_url}");
        }
    }
    for (subdomain, what) in [
        (json!("evil.example/"), "a path"),
        (json!("evil.example"), "another domain"),
        (json!("a@b"), "a user"),
        (json!("a:1"), "a port"),
        (json!("-a"), "a hyphen"),
        (json!(""), "nothing"),
        (json!(null), "null"),
        (json!(["a"]), "a list of one is its text"),
        (json!("ä"), "not ASCII"),
    ] {
        let context = json!({ "subdomain": subdomain });
        let found = resolved("https://{{subdomain}}.example.com", &json!([]), &context);
        let is_harmless =
            found.as_ref().is_ok_and(|url| url == "https://a.example.com/" || url == "https://null.example.com/");
        assert!(found.is_err() || is_harmless, "{what}: {found:?}");
    }
}

#[test]
fn a_value_that_is_a_whole_host_stays_within_the_origins() {
    let salesforce = json!(["https://*.salesforce.com", "https://api.acme.example"]);
    for (value, expected) in [
        ("https://eu1.salesforce.com", Some("https://eu1.salesforce.com/")),
        ("https://acme.my.salesforce.com/", Some("https://acme.my.salesforce.com/")),
        ("https://api.acme.example", Some("https://api.acme.example/")),
        ("eu1.salesforce.com", Some("https://eu1.salesforce.com/")),
        ("https://salesforce.com", None),
        ("https://evilsalesforce.com", None),
        ("https://salesforce.com.evil.example", None),
        ("https://eu1.salesforce.com:8443", None),
        ("https://eu1.salesforce.com/path", None),
        ("https://eu1.salesforce.com@evil.example", None),
        ("http://eu1.salesforce.com", None),
        ("https://sub.api.acme.example", None),
        ("https://169.254.169.254", None),
    ] {
        let found = resolved("{{instance_url}}", &salesforce, &json!({ "instance_url": value }));
        assert_eq!(found.as_deref().ok(), expected, "{value}: {found:?}");
        assert!(found.is_ok() || !found.unwrap_err().contains("evil"), "the value isn't quoted");
    }
    let path = resolved("https://{{host}}/v2", &salesforce, &json!({"host": "eu1.salesforce.com"}));
    assert_eq!(path.as_deref(), Ok("https://eu1.salesforce.com/v2"));
}

#[test]
fn a_host_that_a_value_decides_alone_needs_origins() {
    for base_url in
        ["{{instance_url}}", "https://{{host}}", "https://{{name}}.com", "https://{{a}}.{{b}}", "https://x.{{tld}}"]
    {
        let error = acme(base_url, &json!([])).expect_err(base_url);
        assert!(error.path.ends_with("base_url") && error.problem.contains("relink"), "{base_url}: {error}");
    }
    for pattern in [
        json!("https://*"),
        json!("https://*.com"),
        json!("*.example.com"),
        json!("http://*.example.com"),
        json!("https://a.*.com"),
        json!("https://*.example.com/x"),
        json!(7),
    ] {
        assert!(acme("{{instance_url}}", &json!([pattern])).is_err(), "{pattern}");
    }
}

#[test]
fn a_private_address_needs_consent() {
    let origins = json!(["https://*.acme.example"]);
    let local = resolved("https://{{x}}.home.local", &origins, &json!({"x": "nas"}));
    assert!(local.is_err_and(|error| error.contains("this machine or its network")));
}

#[test]
fn an_origin_that_cannot_be_resolved_equals_no_other() {
    let of =
        |base_url: &str, origins: Value| acme(base_url, &origins).expect("accepted").base_url().cloned().expect("one");
    let label = of("https://{{subdomain}}.example.com/v1", json!([]));
    let nothing = Map::new();
    assert_eq!(label.origin(&nothing).as_str(), "https://{{subdomain}}.example.com");
    assert_eq!(label.shown_host(), "….example.com");
    let whole = of("{{instance_url}}", json!(["https://*.salesforce.com", "https://*.force.com:8443"]));
    assert_eq!(whole.unresolved_origin().as_str(), "https://*.salesforce.com https://*.force.com:8443");
    let wider = of("{{instance_url}}", json!(["https://*.salesforce.com", "https://*.evil.example"]));
    assert_ne!(whole.unresolved_origin(), wider.unresolved_origin());
}

#[test]
fn a_secret_is_never_part_of_a_url() {
    let document = |base_url: &str| {
        json!({"name": "acme", "config": {
            "base_url": base_url,
            "credentials": {"api_key": {"config": {"fields": [
                {"name": "api_key", "type": "password"}, {"name": "subdomain", "type": "text"},
            ]}}},
        }})
    };
    for base_url in ["https://{{api_key}}.example.com", "https://api.example.com/bot{{credentials.api_key}}"] {
        let error = parse(&document(base_url).to_string()).expect_err(base_url);
        assert!(error.problem.contains("is a secret"), "{error}");
        let loaded = Definition::load(&document(base_url), &Map::new()).expect("loaded");
        let context = json!({});
        let url = loaded.base_url().expect("one").resolve(context.as_object().expect("an object"));
        assert!(url.is_err(), "nor is it filled");
    }
    assert!(parse(&document("https://{{subdomain}}.example.com").to_string()).is_ok());
}

#[test]
fn a_credential_is_bound_to_the_resolved_addresses_and_the_clients_secret_to_those_as_written() {
    use crate::account::AuthenticationMethod::Oauth2;
    let document = |host: &str, origins: &[&str]| {
        json!({"name": "acme", "config": {
            "base_url": "{{instance_url}}",
            "credentials": {"oauth2": {"config": {"auth": {"tokenHost": host}}}},
            "relink": {"origins": origins},
        }})
    };
    let loaded =
        |host: &str, origins: &[&str]| Definition::load(&document(host, origins), &Map::new()).expect("loaded");
    let acme = loaded("https://{{subdomain}}.acme.example", &["https://*.salesforce.com"]);
    let addresses = |subdomain: &str, instance: &str| {
        let context = json!({ "subdomain": subdomain, "instance_url": instance });
        acme.addresses(Oauth2, context.as_object().expect("an object"))
    };
    let bound = addresses("eu", "https://eu1.salesforce.com");
    assert_eq!(bound.moved_to(&addresses("eu", "https://eu1.salesforce.com"), &[]), None);
    for moved in [
        addresses("us", "https://eu1.salesforce.com"),
        addresses("eu", "https://us1.salesforce.com"),
        acme.addresses(Oauth2, &Map::new()),
    ] {
        assert!(bound.moved_to(&moved, &[]).is_some(), "{moved:?}");
    }
    let secret = acme.unresolved_addresses(Oauth2);
    assert_eq!(secret.moved_to(&acme.unresolved_addresses(Oauth2), &[]), None, "all accounts share it");
    for changed in [
        loaded("https://{{subdomain}}.evil.example", &["https://*.salesforce.com"]),
        loaded("https://eu.acme.example", &["https://*.salesforce.com"]),
        loaded("https://{{subdomain}}.acme.example", &["https://*.salesforce.com", "https://*.evil.example"]),
    ] {
        assert!(secret.moved_to(&changed.unresolved_addresses(Oauth2), &[]).is_some());
    }
}

proptest! {
    /// Whatever the value, the URL is below the domain that is written out, or there is none.
    #[test]
    fn a_value_never_leaves_its_domain(value in "\\PC{0,20}", path in "\\PC{0,20}") {
        let definition = acme("https://{{a}}.example.com/x/{{b}}/y", &json!([])).expect("accepted");
        let context = json!({"a": value, "b": path});
        let url = definition.base_url().expect("one").resolve(context.as_object().expect("an object"));
        if let Ok(url) = url {
            prop_assert!(url.host().ends_with(".example.com"));
            let segments: Vec<_> = url.as_url().path_segments().expect("segments").collect();
            prop_assert_eq!((segments.len(), segments[0], segments[2]), (3, "x", "y"));
        }
    }
}
