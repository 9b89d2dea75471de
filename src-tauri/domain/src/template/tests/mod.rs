//! What the templates do, beside the library's own cases.

mod fill;
mod properties;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::*;
use crate::Secret;

/// An account with a field `api_key`, a token, and a context, which holds what it shouldn't as well.
struct Account {
    context: Map<String, Value>,
    fields: BTreeMap<String, Secret>,
    variables: BTreeMap<String, Secret>,
    token: Secret,
}

impl Account {
    fn new() -> Self {
        let context = json!({
            "region": "eu", "site": {"id": 7}, "list": [1, null], "api_key": "smuggled", "nothing": null, "empty": "",
            "text": "{{api_key}}", "id": "hidden", "subdomain": "acme", "host": "a.example.com", "dots": "..",
            "secret_environment_variables": {"HOOK": "smuggled", "OTHER": "smuggled"},
            "instance_url": "https://acme.my.example.com", "path": "a/b c", "evil": "evil.example/",
            "oauth": {"scope": ["read"], "token": {"access_token": "old", "refresh_token": "rt"}},
        });
        let Value::Object(context) = context else { panic!("an object") };
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new("k {{region}}"))]);
        let variables = BTreeMap::from([("HOOK".to_owned(), Secret::new("wh-1"))]);
        Self { context, fields, variables, token: Secret::new("at-1") }
    }

    fn scope(&self) -> Scope<'_> {
        let account = Scope::new(&self.context, &self.fields, Some(&self.token));
        Scope { optional: &["other"], variables: Some(&self.variables), ..account }
    }
}

/// The filled template, and whether it holds a secret.
fn filled(template: &Value) -> (Option<Value>, bool) {
    let account = Account::new();
    let filled = Template::compile(template).fill(&account.scope()).expect("a value");
    (filled.expose().cloned(), filled.holds_secret())
}

fn secret(template: &str) -> Result<Option<String>, FillError> {
    let account = Account::new();
    let filled = TextTemplate::parse(template).fill_secret(&account.scope())?;
    Ok(filled.map(|secret| secret.expose().to_owned()))
}
