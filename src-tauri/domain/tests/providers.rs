//! Definitions of real providers: what a definition can say, and what it can't.
//!
//! - `providers/table.json`: providers with what must be got right about them. `cannot` lists what can't be said, each with an
//!   attempt that is refused.
//! - `providers/grant.json`: addresses of the npm package `grant` (MIT), made by `js/providers.mjs`.
//! - `providers/inexpressible.json`: which of the latter can't be written as definitions, and why.

use std::collections::BTreeMap;

use relink_domain::{
    integration::{Definition, parse},
    merge::merge,
};
use serde_json::{Map, Value, json};

fn data(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn grant() -> Value {
    data(include_str!("providers/grant.json"))
}

fn merged(into: &mut Value, over: &Value) {
    if let (Some(base), Some(over)) = (into.as_object_mut(), over.as_object()) {
        merge(base, over);
    }
}

/// The host of a URL, and its path.
fn split(url: &str) -> (&str, &str) {
    let begin = url.find("://").map_or(0, |at| at + 3);
    url[begin..].find('/').map_or((url, "/"), |at| url.split_at(begin + at))
}

/// A definition with these endpoints. Each placeholder in them is asked for before the redirect.
fn document(name: &str, format: &str, authorize: Option<&str>, token: &str) -> Value {
    let (token_host, token_path) = split(token);
    let mut auth = json!({"tokenHost": token_host, "tokenPath": token_path});
    if let Some((host, path)) = authorize.map(split) {
        merged(&mut auth, &json!({"authorizeHost": host, "authorizePath": path}));
    }
    let has_tenant = [authorize.unwrap_or_default(), token].iter().any(|url| url.contains("{{subdomain}}"));
    let field = json!({"name": "subdomain", "label": "Subdomain", "type": "text", "required": true});
    let fields = if has_tenant { json!([field]) } else { json!([]) };
    let config = json!({"client": {"id": "client"}, "auth": auth, "fields": fields});
    json!({"name": name, "config": {
        "label": name,
        "base_url": "https://api.example.com",
        "credentials": {format: {"format": format, "config": config}},
        "relink": {},
    }})
}

/// A provider of `grant`, with its `[subdomain]` as a placeholder.
fn of_grant(name: &str, facts: &Value) -> Value {
    let url = |key: &str| facts[key].as_str().expect("a URL").replace("[subdomain]", "{{subdomain}}");
    let (authorize, token) = (url("authorize_url"), url("access_url"));
    let mut document = document(&api_name(name), "oauth2", Some(&authorize), &token);
    // `grant` writes a plus where the form encoding of a space is one.
    let separator = facts["scope_delimiter"].as_str().map_or(",", |text| if text == "+" { " " } else { text });
    document["config"]["credentials"]["oauth2"]["config"]["options"] =
        json!({"authorizationMethod": "body", "scopeSeparator": separator});
    document
}

/// A name in URLs and commands begins with a letter.
fn api_name(name: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("p-{name}") } else { name.to_owned() }
}

/// Checks and loads a definition, and resolves its addresses for an account with this context.
fn usable(document: &Value, context: &Map<String, Value>) -> Result<Definition, String> {
    let parsed = parse(&document.to_string()).map_err(|error| error.to_string())?;
    let effectless = parsed.warnings.iter().find(|warning| warning.problem.contains("no effect"));
    if let Some(warning) = effectless {
        return Err(warning.to_string());
    }
    let stored = serde_json::to_value(&parsed.definition).expect("JSON");
    let loaded = Definition::load(&stored, &Map::new()).map_err(|error| error.to_string())?;
    assert_eq!(loaded, parsed.definition, "it is loaded as it was checked");
    if let Some(oauth2) = loaded.oauth2() {
        for address in [&oauth2.authorize_url, &oauth2.token_url, &oauth2.refresh_url] {
            address.resolve(context).map_err(|error| error.to_string())?;
        }
    }
    Ok(loaded)
}

#[test]
fn each_provider_of_the_table_can_be_written_but_for_what_is_listed() {
    let (grant, table) = (grant(), data(include_str!("providers/table.json")));
    for row in table.as_array().expect("rows") {
        let name = row["name"].as_str().expect("a name");
        let format = row["format"].as_str().unwrap_or("oauth2");
        let mut document = match row["grant"].as_str() {
            Some(known) => of_grant(known, &grant[known]),
            None => document(name, format, row["auth"][0].as_str(), row["auth"][1].as_str().expect("a URL")),
        };
        document["name"] = name.into();
        for key in ["base_url", "headers"].into_iter().filter(|key| !row[*key].is_null()) {
            document["config"][key] = row[key].clone();
        }
        let with = |mut document: Value, part: &Value| {
            // What is null is said, too: a merge would remove it.
            let leaves_out = part["config"]["params"]["response_type"].is_null()
                && part["config"]["params"].as_object().is_some_and(|params| params.contains_key("response_type"));
            merged(&mut document["config"]["credentials"][format]["config"], &part["config"]);
            merged(&mut document["config"]["relink"], &part["relink"]);
            if leaves_out {
                document["config"]["credentials"][format]["config"]["params"]["response_type"] = Value::Null;
            }
            document
        };
        let document = with(document, row);
        let mut context = json!({"subdomain": "acme"});
        merged(&mut context, &row["context"]);
        let context = context.as_object().expect("an object");
        let definition = usable(&document, context).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(expected) = row["resolves"].as_str() {
            let url = definition.base_url().expect("a base URL").resolve(context).expect(name);
            assert_eq!(url.as_str(), expected, "{name}");
        }
        for cannot in row["cannot"].as_array().into_iter().flatten() {
            assert!(cannot["why"].is_string(), "{name}");
            let says = with(document.clone(), &cannot["says"]);
            assert!(
                usable(&says, context).is_err(),
                "{name} can be written now, so it isn't listed any more: {cannot}"
            );
        }
    }
}

#[test]
fn each_provider_of_grant_can_be_written_but_for_those_listed() {
    let context = json!({"subdomain": "acme"});
    let context = context.as_object().expect("an object");
    let mut inexpressible = BTreeMap::new();
    let mut count = 0;
    for (name, facts) in grant().as_object().expect("providers").iter().filter(|(_, facts)| facts["oauth"] == 2) {
        count += 1;
        if let Err(error) = usable(&of_grant(name, facts), context) {
            // Without the place, which says how this test writes definitions.
            inexpressible.insert(name.clone(), error.split(": ").skip(1).collect::<Vec<_>>().join(": "));
        }
    }
    assert_eq!(count, 191);
    let listed: BTreeMap<String, String> =
        serde_json::from_str(include_str!("providers/inexpressible.json")).expect("JSON");
    let now = serde_json::to_string_pretty(&inexpressible).expect("JSON");
    assert_eq!(inexpressible, listed, "if this is intended, inexpressible.json becomes: {now}");
}
