//! The compiled installed integrations, as one value that is replaced as a whole.

use std::{collections::HashMap, sync::Arc};

use relink_domain::{
    EnvironmentIntegrationId,
    integration::{Definition, DefinitionError},
};

use super::Provider;
use crate::{
    error::{Error, Result},
    store::integrations::Installed,
};

/// An installed integration: usable, or with the reason why it isn't.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) installed: Arc<Installed>,
    pub(crate) provider: std::result::Result<Arc<Provider>, Arc<DefinitionError>>,
}

impl Entry {
    pub(crate) fn compile(installed: Installed) -> Self {
        let installed = Arc::new(installed);
        let provider = compile::definition(&installed)
            .map(|definition| {
                let moved_from = compile::moved_from(&installed, &definition);
                Arc::new(Provider { installed: Arc::clone(&installed), definition: Arc::new(definition), moved_from })
            })
            .map_err(Arc::new);
        if let Err(error) = &provider {
            tracing::warn!(integration = installed.integration.name, "its definition can't be used: {error}");
        }
        Self { installed, provider }
    }

    pub(crate) fn usable(&self) -> Result<Arc<Provider>> {
        self.provider.clone().map_err(|error| unusable(&self.installed, &error))
    }
}

/// The error for an integration whose definition can't be loaded.
pub(crate) fn unusable(installed: &Installed, error: &DefinitionError) -> Error {
    let message = format!("The integration {} can't be used: {error}", installed.integration.name);
    Error::conflict("integration_broken", message)
}

/// All installed integrations.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot(HashMap<EnvironmentIntegrationId, Entry>);

impl Snapshot {
    pub(super) fn of(installed: Vec<Installed>) -> Self {
        Self(installed.into_iter().map(|installed| (installed.id, Entry::compile(installed))).collect())
    }

    pub(super) fn get(&self, id: EnvironmentIntegrationId) -> Option<&Entry> {
        self.0.get(&id)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Entry> {
        self.0.values().find(|entry| entry.installed.integration.name == name)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    pub(super) fn with(&self, entry: Entry) -> Self {
        let mut entries = self.0.clone();
        entries.insert(entry.installed.id, entry);
        Self(entries)
    }

    pub(super) fn without(&self, id: EnvironmentIntegrationId) -> Self {
        let mut entries = self.0.clone();
        entries.remove(&id);
        Self(entries)
    }
}

pub(crate) mod compile {
    //! Loads definitions from the store's records.

    use std::sync::Arc;

    use relink_domain::origins::Origin;
    use serde_json::Map;

    use super::{Definition, DefinitionError, Installed};
    use crate::store::integrations::Integration;

    /// The integration's definition with the installation's override applied.
    pub(crate) fn definition(installed: &Installed) -> Result<Definition, DefinitionError> {
        let rows = [installed.integration.documentation.as_slice(), &installed.documentation].concat();
        Definition::load_documented(&installed.integration.document, rows, &installed.r#override)
    }

    /// The origins that credentials may leave: those that a built-in definition says its provider has left, where the
    /// addresses in force are the definition's own. A file or an override can't say so.
    pub(crate) fn moved_from(installed: &Installed, definition: &Definition) -> Vec<Origin> {
        if !installed.integration.built_in || definition.moved_from().is_empty() {
            return Vec::new();
        }
        let addresses = |definition: &Definition| {
            definition.methods().into_iter().map(|it| definition.addresses(it, &Map::new())).collect::<Vec<_>>()
        };
        let own = without_override(&installed.integration);
        match own {
            Some(own) if addresses(&own) == addresses(definition) => own.moved_from().to_vec(),
            Some(_) | None => Vec::new(),
        }
    }

    /// The definition of an integration that is not installed.
    pub(crate) fn without_override(integration: &Integration) -> Option<Arc<Definition>> {
        let rows = integration.documentation.clone();
        Definition::load_documented(&integration.document, rows, &Map::new()).ok().map(Arc::new)
    }
}
