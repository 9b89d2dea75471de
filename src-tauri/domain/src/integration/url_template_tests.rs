//! Where filled paths and URLs lead.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

struct Account {
    context: Map<String, Value>,
    fields: BTreeMap<String, crate::Secret>,
}

impl Account {
    fn new() -> Self {
        let context = json!({
            "region": "eu", "site": {"id": 7}, "empty": "", "subdomain": "acme", "host": "a.example.com", "dots": "..",
            "instance_url": "https://acme.my.example.com", "path": "a/b c", "evil": "evil.example/",
        });
        let Value::Object(context) = context else { panic!("an object") };
        Self { context, fields: BTreeMap::new() }
    }

    fn scope(&self) -> Scope<'_> {
        Scope::new(&self.context, &self.fields, None)
    }
}

fn path(template: &str) -> Result<String, FillError> {
    let account = Account::new();
    let path = PathTemplate::parse(template).expect("a template").fill(&account.scope())?;
    Ok(path.query().map_or_else(|| path.path().to_owned(), |query| format!("{}?{query}", path.path())))
}

fn url(template: &str) -> Result<String, FillError> {
    let account = Account::new();
    let url = UrlTemplate::parse(template).expect("a template").fill(&account.scope())?;
    Ok(url.as_str().to_owned())
}

#[test]
fn a_value_in_a_path_is_one_segment() {
    for (template, filled) in [
        ("/users/{{path}}", "/users/a%2Fb%20c"),
        ("users/{{site.id}}.json", "/users/7.json"),
        ("/x/{{gone:str:undefined}}", "/x/"),
        ("/x/a{{dots}}", "/x/a.."),
        ("/x?a={{path}}&b={{gone ?: 1:int}}", "/x?a=a%2Fb+c&b=1"),
        ("/{{evil}}", "/evil.example%2F"),
    ] {
        assert_eq!(path(template).as_deref(), Ok(filled), "{template}");
    }
}

#[test]
fn a_value_cannot_change_the_segments_of_a_path() {
    for template in
        ["/a/{{dots}}", "/a/{{dots}}/b", "/{{empty}}", "/a/{{empty}}/b", "/.{{empty}}/b", "/.{{gone:str:undefined}}./b"]
    {
        assert!(matches!(path(template), Err(FillError::NotASegment { .. })), "{template}");
    }
    assert!(matches!(path("/a/{{gone}}"), Err(FillError::Missing(missing)) if missing.placeholder == "gone"));
}

#[test]
fn a_path_is_checked_around_its_placeholders() {
    for text in ["/a/../{{x}}", "//{{x}}", "/a\\{{x}}", "/a/{{x", "/a/{{[x]}}", "/a/{x}", "/a#{{x}}"] {
        assert!(PathTemplate::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_value_in_a_host_is_a_label() {
    for (template, filled) in [
        ("https://{{subdomain}}.example.com", "https://acme.example.com/"),
        (
            "https://api-{{region}}.example.com:8443/v{{site.id}}/{{path}}",
            "https://api-eu.example.com:8443/v7/a%2Fb%20c",
        ),
        ("https://{{host}}/x", "https://a.example.com/x"),
        ("https://{{subdomain}}.{{gone|region}}.example", "https://acme.eu.example/"),
        ("{{instance_url}}/services", "https://acme.my.example.com/services"),
        ("{{host}}", "https://a.example.com/"),
        ("https://example.com/{{region}}", "https://example.com/eu"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com?a={{region}}", "https://example.com/?a=eu"),
    ] {
        assert_eq!(url(template).as_deref(), Ok(filled), "{template}");
    }
}

#[test]
fn a_value_cannot_change_where_a_url_leads() {
    for template in ["https://{{evil}}.example.com", "https://{{host}}.example.com", "https://{{empty}}.example.com"] {
        assert!(matches!(url(template), Err(FillError::NotALabel { .. })), "{template}");
    }
    for template in ["https://{{evil}}", "https://{{instance_url}}", "{{evil}}", "{{path}}/x", "https://{{dots}}"] {
        assert!(matches!(url(template), Err(FillError::NotAHost { .. })), "{template}");
    }
    for template in
        ["http://{{subdomain}}.example.com", "ftp://{{host}}", "{{host}}.example.com", "https://{{a}}@{{host}}"]
    {
        assert!(UrlTemplate::parse(template).is_err() || url(template).is_err(), "{template}");
    }
}

#[test]
fn a_host_that_a_value_decides_is_known() {
    for (template, is_any_host) in [
        ("{{instance_url}}", true),
        ("https://{{host}}/x", true),
        ("https://{{subdomain}}.example.com", false),
        ("https://example.com/{{host}}", false),
        ("https://example.com", false),
    ] {
        let template = UrlTemplate::parse(template).expect("a template");
        assert_eq!(template.is_any_host(), is_any_host, "{template:?}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        "[a-z0-9{}./:@%?#\\\\\r\n -]{0,10}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(null)),
        Just(json!(["..", ""])),
    ]
}

fn context() -> impl Strategy<Value = Map<String, Value>> {
    (value(), value(), value())
        .prop_map(|(a, b, c)| Map::from_iter([("a".into(), a), ("b".into(), b), ("c".into(), c)]))
}

proptest! {
    #[test]
    fn nothing_panics(text in "(https://|/)?[a-c{}:/.?@#% |-]{0,30}", any in any::<String>(), context in context()) {
        let fields = BTreeMap::new();
        for text in [&text, &any] {
            let _ = PathTemplate::parse(text).map(|path| path.fill(&Scope::new(&context, &fields, None)));
            let _ = UrlTemplate::parse(text).map(|url| url.fill(&Scope::new(&context, &fields, None)));
        }
    }

    #[test]
    fn a_filled_path_has_the_segments_of_its_template(
        names in prop::collection::vec("[a-z.]{0,3}(\\{\\{[abcd](:str:undefined)?\\}\\})?[a-z.]{0,2}", 1..5),
        context in context(),
    ) {
        let text = format!("/{}", names.join("/"));
        let Ok(template) = PathTemplate::parse(&text) else { return Ok(()) };
        let fields = BTreeMap::new();
        let Ok(path) = template.fill(&Scope::new(&context, &fields, None)) else { return Ok(()) };
        let base = WebUrl::parse("https://example.com").expect("a URL");
        let url = base.append(&path);
        prop_assert_eq!(url.as_url().path(), path.path());
        prop_assert_eq!(path.path().split('/').count(), names.len() + 1, "{}", path.path());
        prop_assert!(path.query().is_none() && url.as_url().query().is_none() && url.as_url().fragment().is_none());
        prop_assert_eq!(url.origin(), base.origin());
    }

    #[test]
    fn a_filled_host_stays_below_its_templates_domain(context in context(), prefix in "[a-z]{0,2}") {
        let template = UrlTemplate::parse(&format!("https://{prefix}{{{{a}}}}.example.com/{{{{b}}}}")).expect("a template");
        let fields = BTreeMap::new();
        let Ok(url) = template.fill(&Scope::new(&context, &fields, None)) else { return Ok(()) };
        prop_assert!(url.host().ends_with(".example.com") && url.as_url().port().is_none());
        prop_assert!(url.as_url().scheme() == "https" && url.as_url().username().is_empty());
    }
    #[test]
    fn a_host_that_a_value_decides_is_the_value(context in context(), host in "[a-zA-Z0-9.-]{1,12}|[a-z]{1,5}\\.[a-z]{2,3}") {
        let fields = BTreeMap::new();
        let mut context = context;
        for value in [None, Some(host)] {
            if let Some(host) = value {
                context.insert("a".to_owned(), host.into());
            }
            let template = UrlTemplate::parse("https://{{a}}/x/{{b}}").expect("a template");
            let Ok(url) = template.fill(&Scope::new(&context, &fields, None)) else { continue };
            let value = context["a"].as_str().map_or_else(|| context["a"].to_string(), str::to_owned);
            let is_number = url.host().chars().all(|c| c.is_ascii_digit() || c == '.');
            prop_assert!(url.host() == value.to_ascii_lowercase() || is_number, "{}", url);
            prop_assert!(url.as_url().port().is_none() && url.as_url().path().starts_with("/x/"));
            prop_assert_eq!(url.as_url().scheme(), "https");
        }
    }
}
