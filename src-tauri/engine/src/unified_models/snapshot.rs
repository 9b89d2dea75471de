//! The installed models with their mappings, merged and read, as one value that is replaced as a whole.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use relink_domain::{
    UnifiedModelId,
    unified::{Mapping, MappingError, UnifiedMethod, UnifiedModel, merged},
};
use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::store::{
    self,
    unified::{self, MappedMethod, MappingLayer, MappingOwner},
};

/// The mapping of a method for all accounts of an integration.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The base's config with the environment's over it.
    pub(super) config: Map<String, Value>,
    pub(super) mapping: Result<Arc<Mapping>, MappingError>,
    /// Whether the environment has a config of its own.
    pub(super) is_overridden: bool,
}

/// An installed model.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) id: UnifiedModelId,
    /// With the environment's override.
    pub(super) document: Arc<UnifiedModel>,
    pub(super) mappings: HashMap<MappedMethod, Entry>,
}

/// The installed models by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) models: BTreeMap<String, Model>,
    /// Counts the changes since the start.
    pub(super) version: u64,
}

impl Snapshot {
    pub(super) fn read(connection: &Connection) -> store::Result<Self> {
        let mut base: HashMap<_, Vec<_>> = HashMap::new();
        for layer in [MappingLayer::Base, MappingLayer::Environment] {
            for row in unified::mappings(connection, layer)? {
                let owner = match row.owner {
                    MappingOwner::Base(id) => id.to_string(),
                    MappingOwner::Environment(id) => id.to_string(),
                };
                base.entry(owner).or_default().push(row);
            }
        }
        let mut models = BTreeMap::new();
        for installed in unified::installed_models(connection)? {
            let mut layers: HashMap<MappedMethod, [Option<Map<String, Value>>; 2]> = HashMap::new();
            for (layer, owner) in [installed.model.id.to_string(), installed.id.to_string()].into_iter().enumerate() {
                for row in base.remove(&owner).unwrap_or_default() {
                    layers.entry(row.of).or_default()[layer] = Some(row.config);
                }
            }
            let mappings = layers.into_iter().filter_map(|(of, [base, environment])| {
                let config = merged([base.as_ref(), environment.as_ref()])?;
                let mapping = Mapping::load(&config).map(Arc::new);
                if let Err(error) = &mapping {
                    tracing::warn!(model = installed.model.name, ?of, "its mapping can't be used: {error}");
                }
                Some((of, Entry { config, mapping, is_overridden: environment.is_some() }))
            });
            let document = merged([Some(&installed.model.document), Some(&installed.r#override)]).unwrap_or_default();
            let model = Model {
                id: installed.model.id,
                document: Arc::new(UnifiedModel::load(&document)),
                mappings: mappings.collect(),
            };
            models.insert(installed.model.name, model);
        }
        Ok(Self { models, version: 0 })
    }

    pub(super) fn model(&self, name: &str) -> Option<&Model> {
        self.models.get(name)
    }

    pub(super) fn models(&self) -> impl Iterator<Item = (&str, &Model)> {
        self.models.iter().map(|(name, model)| (name.as_str(), model))
    }

    pub(super) fn entry(&self, integration: &str, of: UnifiedMethod<'_>) -> Option<&Entry> {
        let key = MappedMethod {
            integration_name: integration.to_owned(),
            resource_name: of.resource.to_owned(),
            method_name: of.method.to_owned(),
        };
        self.model(of.model)?.mappings.get(&key)
    }
}
