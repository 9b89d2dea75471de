//! Tests of the OpenAPI document.

use std::{collections::BTreeSet, env, fs, path::Path};

use serde_json::Value;

use crate::{OPENAPI_JSON, openapi, router, via};

/// The fields of responses that may be absent, each as `schema.field`.
const ABSENT_FIELDS: [&str; 19] = [
    "Capabilities.account",
    "ErrorBody.details",
    "ErrorBody.field",
    "Explanation.hint",
    "Explanation.title",
    "List_SyncJob.warnings",
    "List_SyncJobTemplate.warnings",
    "ProviderRefusal.next_try",
    "ProviderRefusal.provider",
    "ProviderRefusal.raw_response",
    "ProviderRefusal.truto_is_remote_error",
    "ProviderRefusal.verdict",
    "RemoteErrorBody.truto_error_insight",
    "ResourceMethod.warnings",
    // As at Truto.
    "StepResult.error",
    "StepResult.result",
    "SyncJob.warnings",
    "SyncJobTemplate.warnings",
    "WorkflowResult.error",
];

/// The committed copy, which is reviewed and linted.
#[test]
fn the_openapi_document_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = format!("{}\n", OPENAPI_JSON.as_str());
    // `make types`
    if env::var_os("RELINK_WRITE_TYPES").is_some() {
        fs::write(&file, &text).expect("written");
    }
    let kept = fs::read_to_string(&file).expect("docs/openapi.json is there");
    assert!(kept == text, "docs/openapi.json is out of date: run make types");
}

#[test]
fn operation_ids_are_unique() {
    let mut document = openapi::document(router::guarded().merge(via::routes()), router::open());
    let mut ids: Vec<_> = openapi::operations(&mut document.paths.paths)
        .map(|operation| operation.operation_id.clone().expect("an id"))
        .collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
}

#[test]
fn every_response_field_that_is_always_sent_is_required() {
    let document: Value = serde_json::from_str(OPENAPI_JSON.as_str()).expect("JSON");
    let mut walk = SchemaWalk { document: &document, seen: BTreeSet::new(), not_required: BTreeSet::new() };
    for path in document["paths"].as_object().expect("paths").values() {
        for operation in path.as_object().expect("operations").values() {
            walk.visit("", &operation["responses"]);
        }
    }
    assert!(walk.seen.len() > 50, "{:?}", walk.seen);
    assert_eq!(walk.not_required, ABSENT_FIELDS.map(str::to_owned).into());
}

/// Collects the properties that are not required from all schemas that a value refers to.
struct SchemaWalk<'a> {
    document: &'a Value,
    seen: BTreeSet<&'a str>,
    not_required: BTreeSet<String>,
}

impl<'a> SchemaWalk<'a> {
    fn visit(&mut self, schema: &str, value: &'a Value) {
        if let Some(reference) = value["$ref"].as_str()
            && self.seen.insert(reference)
        {
            let target = self.document.pointer(reference.trim_start_matches('#')).expect("a component");
            self.visit(reference.rsplit('/').next().unwrap_or_default(), target);
        }
        if let Some(properties) = value["properties"].as_object() {
            let required = value["required"].as_array().map(Vec::as_slice).unwrap_or_default();
            let optional = properties.keys().filter(|name| !required.iter().any(|other| other == name.as_str()));
            self.not_required.extend(optional.map(|name| format!("{schema}.{name}")));
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| self.visit(schema, field)),
            Value::Array(items) => items.iter().for_each(|item| self.visit(schema, item)),
            _ => {}
        }
    }
}
