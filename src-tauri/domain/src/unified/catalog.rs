//! The built-in models.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::UnifiedModelId;

/// Their files. Each names its model's id, which must stay the same in every version of Relink.
const FILES: [&str; 2] =
    [include_str!("../../../unified-models/ticketing.json"), include_str!("../../../unified-models/crm.json")];

/// A built-in model with its mappings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BuiltInModel {
    pub id: UnifiedModelId,
    pub name: String,
    /// By integration, resource and method.
    mappings: Map<String, Value>,
    /// What else the file says: the model's document.
    #[serde(flatten)]
    pub document: Map<String, Value>,
}

impl BuiltInModel {
    /// Integration, resource, method and config of each mapping.
    pub fn mappings(&self) -> impl Iterator<Item = (&str, &str, &str, &Map<String, Value>)> {
        self.mappings.iter().flat_map(|(integration, resources)| {
            members(resources).flat_map(move |(resource, methods)| {
                members(methods).filter_map(move |(method, config)| {
                    Some((integration.as_str(), resource, method, config.as_object()?))
                })
            })
        })
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}

static MODELS: LazyLock<Vec<BuiltInModel>> = LazyLock::new(|| {
    // A malformed file would be a defect of this build; a test reads each.
    FILES
        .iter()
        .map(|text| serde_json::from_str(text))
        .collect::<Result<_, _>>()
        .expect("the built-in models are well-formed")
});

pub fn built_in_models() -> &'static [BuiltInModel] {
    &MODELS
}
