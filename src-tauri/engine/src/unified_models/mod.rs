//! Unified models and their mappings (contract section 8): rows that programs and the person write, and what a call runs with.
//!
//! The installed models are in memory with their mappings, merged and read, as a snapshot that is published with the transaction that
//! changed it. So a unified call reads no database and parses no config, except for an account's own override, which is read once for
//! each account while nothing changes.
//!
//! Invariant: a config that was accepted once stays where it is. If it can't be used any more, the calls that need it say so.

mod built_in;
mod mappings;
mod models;
mod snapshot;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use relink_domain::{
    UnifiedModelId,
    caller::Caller,
    unified::{Mapping, UnifiedMethod, UnifiedModel, merged},
};
use rusqlite::Transaction;
use serde_json::{Map, Value};

pub use self::mappings::{MappingChange, NewMapping};
use self::snapshot::Snapshot;
use crate::{
    clock::Clock,
    error::{Error, Result},
    provider::PreparedAccount,
    step_runner::StepRunners,
    store::{self, Store},
};

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) runners: StepRunners,
}

/// Unified models and their mappings. Clones share the same state.
#[derive(Debug, Clone)]
pub struct UnifiedModels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    installed: Arc<ArcSwap<Snapshot>>,
}

/// What an integration can do of the installed models.
#[derive(Debug, Clone)]
pub struct MappedResource {
    pub model: String,
    pub resource: String,
    pub description: Option<String>,
    pub methods: Vec<String>,
    /// Whether the environment has a config of its own for one of them.
    pub is_overridden: bool,
}

/// A mapping as it is in force, with what the model says of its resource.
#[derive(Debug, Clone)]
pub struct MergedMapping {
    pub config: Map<String, Value>,
    pub mapping: Arc<Mapping>,
    /// The schema of a record.
    pub schema: Option<Map<String, Value>>,
}

impl UnifiedModels {
    /// Updates the built-in models and loads the installed ones.
    pub(crate) async fn open(uses: Dependencies) -> Result<Self> {
        built_in::update(&uses.store, uses.clock.now()).await?;
        let installed = uses.store.read(Snapshot::read).await?;
        let models = Self::new(uses);
        models.0.installed.store(Arc::new(installed));
        Ok(models)
    }

    /// With nothing installed.
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, installed: Arc::default() }))
    }

    /// The mapping that a call with an account runs with: the base's, the environment's over it, the account's over both.
    pub fn mapping(&self, _caller: &Caller, account: &PreparedAccount, of: UnifiedMethod<'_>) -> Result<Arc<Mapping>> {
        let installed = self.0.installed.load_full();
        let integration = account.integration_name();
        let entry = installed.entry(integration, of);
        if let Some(over) = account.mappings().over(of) {
            return account.mappings().merged(installed.version, of, || {
                let config = merged([entry.map(|entry| &entry.config), Some(over)]).unwrap_or_default();
                Mapping::load(&config).map(Arc::new).map_err(|error| broken(integration, of, &error))
            });
        }
        match entry.map(|entry| &entry.mapping) {
            Some(Ok(mapping)) => Ok(Arc::clone(mapping)),
            Some(Err(error)) => Err(broken(integration, of, error)),
            None => Err(not_mapped(&installed, integration, of)),
        }
    }

    /// The mapping of an integration's method, with the override of an account over it.
    pub fn merged_mapping(
        &self,
        _caller: &Caller,
        integration: &str,
        over: Option<&Map<String, Value>>,
        of: UnifiedMethod<'_>,
    ) -> Result<MergedMapping> {
        let installed = self.0.installed.load();
        let own = over.and_then(|over| relink_domain::unified::of_account(over, of));
        let config = merged([installed.entry(integration, of).map(|entry| &entry.config), own]);
        let config = config.ok_or_else(|| not_mapped(&installed, integration, of))?;
        let mapping = Mapping::load(&config).map_err(|error| broken(integration, of, &error))?;
        let model = installed.model(of.model).map(|it| &it.document);
        let schema = model.and_then(|model| model.resources.get(of.resource)?.schema.clone());
        Ok(MergedMapping { config, mapping: Arc::new(mapping), schema })
    }

    /// What an integration is mapped to, by model and resource.
    pub fn mapped(&self, _caller: &Caller, integration: &str) -> Vec<MappedResource> {
        let installed = self.0.installed.load();
        let mut found: Vec<MappedResource> = Vec::new();
        for (name, model) in installed.models() {
            for (of, entry) in model.mappings.iter().filter(|(of, _)| of.integration_name == integration) {
                let at = found.iter().position(|it| it.model == name && it.resource == of.resource_name);
                let at = at.unwrap_or_else(|| {
                    found.push(MappedResource {
                        model: name.to_owned(),
                        resource: of.resource_name.clone(),
                        description: model
                            .document
                            .resources
                            .get(&of.resource_name)
                            .and_then(|resource| resource.description.clone()),
                        methods: Vec::new(),
                        is_overridden: false,
                    });
                    found.len() - 1
                });
                found[at].methods.push(of.method_name.clone());
                found[at].is_overridden |= entry.is_overridden;
            }
        }
        for resource in &mut found {
            resource.methods.sort();
        }
        found.sort_by(|a, b| (&a.model, &a.resource).cmp(&(&b.model, &b.resource)));
        found
    }

    /// Whether an integration is mapped to an installed model.
    pub(crate) fn is_mapped(&self, model: UnifiedModelId, integration: &str) -> bool {
        let installed = self.0.installed.load();
        let mut of = installed.models().filter(|(_, it)| it.id == model).flat_map(|(_, it)| it.mappings.keys());
        of.any(|it| it.integration_name == integration)
    }

    /// The scopes that installed models need of an integration (contract section 1), each once.
    pub(crate) fn scopes_of(&self, models: &[UnifiedModelId], integration: &str) -> Vec<String> {
        let installed = self.0.installed.load();
        let of = installed.models().filter(|(_, it)| models.contains(&it.id));
        let mut scopes = Vec::new();
        for scope in of.filter_map(|(_, it)| it.document.scopes.get(integration)).flatten() {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        scopes
    }

    /// An installed model, with the environment's override.
    pub fn installed_model(&self, _caller: &Caller, name: &str) -> Option<Arc<UnifiedModel>> {
        self.0.installed.load().model(name).map(|model| Arc::clone(&model.document))
    }

    /// Writes, and publishes what is installed then.
    async fn write<T: Send + 'static>(
        &self,
        write: impl Fn(&Transaction<'_>) -> store::Result<Result<T>> + Send + 'static,
    ) -> Result<T> {
        let written = move |tx: &Transaction<'_>| {
            let done = write(tx)?;
            Ok(match done {
                Ok(done) => Ok((done, Snapshot::read(tx)?)),
                Err(refused) => Err(refused),
            })
        };
        let installed = Arc::clone(&self.0.installed);
        let publish = move |written: &Result<(T, Snapshot)>| {
            if let Ok((_, snapshot)) = written {
                let version = installed.load().version + 1;
                installed.store(Arc::new(Snapshot { version, ..snapshot.clone() }));
            }
        };
        Ok(self.0.uses.store.write_then(written, publish).await??.0)
    }
}

fn broken(integration: &str, of: UnifiedMethod<'_>, error: &relink_domain::unified::MappingError) -> Error {
    let UnifiedMethod { model, resource, method } = of;
    let message = format!("The mapping {model}/{resource} {method} of {integration} can't be used: {error}");
    Error::conflict("mapping_broken", message)
}

fn not_mapped(installed: &Snapshot, integration: &str, of: UnifiedMethod<'_>) -> Error {
    let UnifiedMethod { model: name, resource, method } = of;
    let asked = format!("mapping {name}/{resource} {method} of {integration}.");
    let list = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let advice = match installed.model(name) {
        None => format!("Installed unified models: {}.", list(installed.models().map(|(name, _)| name).collect())),
        Some(model) => {
            let own = || model.mappings.keys().filter(|it| it.integration_name == integration);
            if own().next().is_none() {
                let mapped = model.mappings.keys().map(|it| it.integration_name.as_str()).collect();
                format!("{name} is mapped for: {}.", list(mapped))
            } else if own().any(|it| it.resource_name == resource) {
                let of_resource = own().filter(|it| it.resource_name == resource);
                format!(
                    "Mapped methods of {resource}: {}.",
                    list(of_resource.map(|it| it.method_name.as_str()).collect())
                )
            } else {
                format!("Mapped resources: {}.", list(own().map(|it| it.resource_name.as_str()).collect()))
            }
        }
    };
    Error::not_found("unified", &format!("{asked} {advice}"))
}
