//! The OpenAPI document as a whole.

use std::{env, fs, path::Path};

use crate::{OPENAPI_JSON, openapi, router};

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
    let mut document = openapi::document(router::guarded(), router::open());
    let mut ids: Vec<_> = openapi::operations(&mut document.paths.paths)
        .map(|operation| operation.operation_id.clone().expect("an id"))
        .collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
}
