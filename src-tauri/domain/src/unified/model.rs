//! A unified model: its resources and what their records look like (contract section 8.1).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::mapping::MappingError;
use crate::integration::{
    DefinitionError, SHARING, Warning,
    node::{Node, Object, Source},
    resources::Schema,
    strictness::Strictness,
};

/// The document of a model, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnifiedModel {
    pub category: Option<String>,
    pub description: Option<String>,
    pub resources: BTreeMap<String, ModelResource>,
    /// The scopes that a sign-in needs for it, by integration.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// The expressions that make records of what a provider sends in, by integration.
    pub webhooks: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelResource {
    /// A JSON schema of a record.
    pub schema: Option<Map<String, Value>>,
    pub description: Option<String>,
    pub methods: Vec<String>,
}

const KEYS: &[&str] = &["category", "description", "resources", "scopes", "sharing", "webhooks"];

/// Strictly checks a model that is written.
pub fn check_model(document: &Map<String, Value>) -> Result<(UnifiedModel, Vec<Warning>), MappingError> {
    let document = Value::Object(document.clone());
    let source = Source::new(None, false, Strictness::Written);
    let model = decode(&source.root(&document))?;
    Ok((model, source.into_warnings()))
}

impl UnifiedModel {
    /// Reads a stored model. What isn't understood counts as missing.
    pub fn load(document: &Map<String, Value>) -> Self {
        let document = Value::Object(document.clone());
        let source = Source::new(None, false, Strictness::Loaded);
        decode(&source.root(&document)).unwrap_or_default()
    }
}

fn decode(root: &Node<'_>) -> Result<UnifiedModel, DefinitionError> {
    let object = root.object()?;
    object.warn_unknown_keys(KEYS);
    let mut resources = BTreeMap::new();
    if let Some(found) = object.describing("resources", |node| node.object())? {
        for (name, node) in found.entries() {
            if name.is_empty() || name.contains('/') {
                node.fail_if_written("is no name of a resource: it must not be empty, and have no slash")?;
            }
            resources.insert(name.to_owned(), resource(&node)?);
        }
    }
    let mut scopes = BTreeMap::new();
    if let Some(found) = object.describing("scopes", |node| node.object())? {
        for (integration, node) in found.entries() {
            // Truto's documents don't say what they look like otherwise.
            let names = node.array().ok().map(|names| names.iter().filter_map(|name| name.text().ok()).collect());
            let names: Vec<&str> = names.unwrap_or_default();
            scopes.insert(integration.to_owned(), names.into_iter().map(str::to_owned).collect());
        }
    }
    object.describing("sharing", |node| node.one_of(&SHARING.map(|word| (word, ()))))?;
    Ok(UnifiedModel {
        category: object.text("category")?,
        description: object.text("description")?,
        resources,
        scopes,
        webhooks: texts(&object, "webhooks")?,
    })
}

fn texts(object: &Object<'_>, key: &str) -> Result<BTreeMap<String, String>, DefinitionError> {
    let Some(found) = object.describing(key, |node| node.object())? else { return Ok(BTreeMap::new()) };
    found.entries().map(|(name, node)| Ok((name.to_owned(), node.text()?.to_owned()))).collect()
}

fn resource(node: &Node<'_>) -> Result<ModelResource, DefinitionError> {
    let object = node.object()?;
    object.warn_unknown_keys(&["schema", "description", "methods"]);
    let methods = object.describing("methods", |node| {
        node.array()?.iter().map(|name| name.text().map(str::to_owned)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(ModelResource {
        schema: object.describing("schema", |node| Ok(Schema::decode(&node)?.object().cloned()))?.flatten(),
        description: object.text("description")?,
        methods: methods.unwrap_or_default(),
    })
}
