//! Unified models: one form for the records of many providers (contract section 8).
//!
//! A [`UnifiedModel`] says which resources there are and what their records look like. A [`Mapping`] says how one method of a resource is
//! called at one integration, and how the provider's answer becomes records of the model. Its config is merged of up to three, each over
//! the one before: the base, the environment's and the account's ([`merged`]).
//!
//! Like a definition, a config is checked strictly when it is written ([`Mapping::check`]) and read tolerantly when it runs
//! ([`Mapping::load`]). Nothing here evaluates JSONata or calls anybody: `relink-unified` does.

mod catalog;
mod decode;
mod expression;
mod mapping;
mod model;
mod query;
mod record;
mod required;
mod schema;

#[cfg(test)]
mod tests;

pub use self::{
    catalog::{BuiltInModel, built_in_models},
    decode::KEYS,
    expression::Expression,
    mapping::{
        Choice, Mapping, MappingError, Request, RequestTarget, ResponseMethod, SideLoad, Step, StepKind, Values,
    },
    model::{ModelResource, UnifiedModel, check_model},
    query::typed,
    record::{Field, exclude, key_by, with_remote_data},
    required::{Requirements, requirements},
    schema::{SchemaFault, SchemaField, faults, fields},
};

use serde_json::{Map, Value};

use crate::merge::merge;

/// The methods that have a route of their own. All others are custom ones.
pub const STANDARD_METHODS: [&str; 5] = ["list", "get", "create", "update", "delete"];

/// The word that stands before a method's name where its description is asked for. It wins over a record's id.
pub const META: &str = "meta";

/// A method of a resource of a model, as in `GET /unified/{model}/{resource}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnifiedMethod<'a> {
    pub model: &'a str,
    pub resource: &'a str,
    pub method: &'a str,
}

/// The name of a model as people read it: `CRM`, `Ticketing`.
pub fn label_of(model: &str) -> String {
    if model.len() <= 4 {
        return model.to_uppercase();
    }
    let mut chars = model.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.into_iter().chain([chars.as_str().replace(['_', '-'], " ")]).collect()
}

/// The configs of one mapping, merged: objects key by key, everything else replaces what was there, and null removes it (contract
/// section 8.1). `None`: there is neither a base nor an override.
pub fn merged<'a>(layers: impl IntoIterator<Item = Option<&'a Map<String, Value>>>) -> Option<Map<String, Value>> {
    let mut found: Option<Map<String, Value>> = None;
    for layer in layers.into_iter().flatten() {
        merge(found.get_or_insert_default(), layer);
    }
    found
}

/// The account's own config of a method, in its `unified_model_override`.
pub fn of_account<'a>(over: &'a Map<String, Value>, of: UnifiedMethod<'_>) -> Option<&'a Map<String, Value>> {
    over.get(of.model)?.get(of.resource)?.get(of.method)?.as_object()
}
