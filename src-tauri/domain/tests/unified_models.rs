//! The unified models that anyone can copy, as they are in their files. What their expressions give is tested with the twins (the
//! journeys of curated integrations).

use std::collections::{BTreeMap, BTreeSet};

use boon::{Compiler, Schemas};
use relink_domain::{
    integration::{Definition, built_in},
    unified::KEYS,
};
use serde_json::{Map, Value};

const FILES: [(&str, &str); 2] = [
    ("crm", include_str!("../../unified-models/crm.json")),
    ("ticketing", include_str!("../../unified-models/ticketing.json")),
];

fn models() -> impl Iterator<Item = (&'static str, Value)> {
    FILES.into_iter().map(|(name, text)| (name, serde_json::from_str(text).expect("JSON")))
}

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}

fn texts(value: &Value) -> Vec<&str> {
    let texts = value.as_array().into_iter().flatten();
    texts.map(|text| text.as_str().unwrap_or_else(|| panic!("no text: {text}"))).collect()
}

/// Each mapping: where it is, its integration's definition, and its resource, method and config.
fn mappings(name: &str, model: &Value) -> Vec<(String, &'static Definition, String, String, Value)> {
    let mut found = Vec::new();
    for (integration, resources) in members(&model["mappings"]) {
        let definition = built_in(integration).unwrap_or_else(|| panic!("{name}: no integration {integration}"));
        for (resource, methods) in members(resources) {
            for (method, config) in members(methods) {
                let at = format!("{name}/{resource} {method} of {integration}");
                found.push((at, definition, resource.clone(), method.clone(), config.clone()));
            }
        }
    }
    found
}

/// The names that a mapping may choose from: of a proxy resource, or of its method.
fn choices<'c>(config: &'c Value, key: &str, list: &str, own: &'c str) -> Vec<&'c str> {
    match &config[key] {
        Value::Null => vec![own],
        Value::String(name) => vec![name],
        computed => {
            assert!(computed["expression"].is_string(), "{computed}");
            texts(&computed[list])
        }
    }
}

fn compile(at: &str, schema: &Value) {
    let mut compiler = Compiler::new();
    compiler.add_resource("schema.json", schema.clone()).unwrap_or_else(|error| panic!("{at}: {error}"));
    compiler.compile("schema.json", &mut Schemas::new()).unwrap_or_else(|error| panic!("{at}: {error:#}"));
}

/// Each property of a schema says what it is.
fn every_property_is_described(at: &str, schema: &Value) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        assert!(property["description"].as_str().is_some_and(|text| !text.is_empty()), "{at} has no description");
        every_property_is_described(&at, property);
    }
    if schema["items"].is_object() {
        every_property_is_described(&format!("{at}[]"), &schema["items"]);
    }
}

/// The rules for schemas of unified models: IDs are texts, times end in `_at` and have their format, references have an ID of a
/// resource that is there.
fn follows_the_conventions(at: &str, model: &Value, schema: &Value) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        if name == "id" {
            assert_eq!(property["type"], "string", "{at}");
        }
        assert_eq!(name.ends_with("_at"), property["format"] == "date-time", "{at}");
        assert!(!name.ends_with("_id"), "{at}: a reference is an object");
        assert_ne!(name, "remote_data", "{at}");
        if let Some(reference) = property.get("xTrutoReference") {
            let target = reference["resource"].as_str().unwrap_or_default();
            assert!(model["resources"][target].is_object(), "{at} refers to {target:?}");
            assert_eq!((name.as_str(), &reference["attribute"]), ("id", &"id".into()), "{at}");
        }
        follows_the_conventions(&at, model, property);
        follows_the_conventions(&at, model, &property["items"]);
    }
}

#[test]
fn every_file_is_named_after_its_model_and_has_a_fixed_id() {
    let mut ids = BTreeSet::new();
    for (name, model) in models() {
        let keys: Vec<_> = members(&model).keys().map(String::as_str).collect();
        let expected = ["id", "name", "category", "description", "resources", "scopes", "webhooks", "mappings"];
        assert_eq!(keys, expected, "{name}");
        assert_eq!(model["name"], name);
        ids.insert(model["id"].as_str().expect("a text").parse::<uuid::Uuid>().expect("a UUID"));
    }
    assert_eq!(ids.len(), FILES.len());
}

#[test]
fn every_schema_is_valid_and_says_what_each_property_is() {
    for (name, model) in models() {
        for (resource, it) in members(&model["resources"]) {
            let (at, schema) = (format!("{name}/{resource}"), &it["schema"]);
            assert!(it["description"].as_str().is_some_and(|text| text.ends_with('.')), "{at} has no description");
            compile(&at, schema);
            every_property_is_described(&at, schema);
            follows_the_conventions(&at, &model, schema);
            assert_eq!(texts(&schema["required"]), ["id"], "{at}");
        }
        for (at, _, _, method, config) in mappings(name, &model) {
            for key in ["query_schema", "request_body_schema"] {
                if let Some(schema) = config.get(key) {
                    compile(&at, schema);
                    every_property_is_described(&format!("{at}: {key}"), schema);
                }
            }
            let takes = |key: &str, name: &str| config[key]["properties"][name].is_object();
            match method.as_str() {
                "list" => assert!(takes("query_schema", "limit") || at.contains("attachments list of jira"), "{at}"),
                "get" | "update" | "delete" => assert!(takes("query_schema", "id"), "{at}"),
                _ => {}
            }
            assert_eq!(config["request_body_schema"].is_object(), matches!(&*method, "create" | "update"), "{at}");
        }
    }
}

#[test]
fn every_mapping_leads_to_a_method_that_is_defined() {
    for (name, model) in models() {
        for (at, definition, resource, method, config) in mappings(name, &model) {
            let unknown = members(&config).keys().find(|key| !KEYS.contains(&key.as_str()));
            assert_eq!(unknown, None, "{at}");
            assert!(texts(&model["resources"][&resource]["methods"]).contains(&method.as_str()), "{at} isn't offered");
            for resource in choices(&config, "resource", "resources", &resource) {
                for method in choices(&config, "method", "methods", &method) {
                    let defined = definition.resources().get(resource).and_then(|it| it.get(method));
                    assert!(defined.is_some(), "{at}: {} has no {resource}.{method}", definition.name());
                }
            }
        }
    }
}

#[test]
fn every_method_is_mapped_and_needs_no_scope_that_the_model_doesnt_name() {
    for (name, model) in models() {
        let mut mapped: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (at, definition, resource, method, config) in mappings(name, &model) {
            let scopes = texts(&model["scopes"][definition.name()]);
            for choice in choices(&config, "resource", "resources", &resource) {
                let method = definition.resources().get(choice).and_then(|it| it.get(&method));
                for scope in method.iter().flat_map(|method| &method.docs.scopes) {
                    assert!(scopes.contains(&scope.as_str()), "{at} needs {scope}");
                }
            }
            mapped.entry(resource).or_default().insert(method);
        }
        for (resource, it) in members(&model["resources"]) {
            let offered: BTreeSet<_> = texts(&it["methods"]).into_iter().map(str::to_owned).collect();
            assert_eq!(mapped.get(resource), Some(&offered), "{name}/{resource}");
        }
        let integrations: Vec<_> = members(&model["mappings"]).keys().collect();
        assert_eq!(members(&model["scopes"]).keys().collect::<Vec<_>>(), integrations, "{name}");
    }
}
