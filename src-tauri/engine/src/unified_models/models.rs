//! Models, and those that are installed.

use relink_domain::{
    EnvironmentUnifiedModelId, UnifiedModelId,
    caller::Caller,
    merge::merge,
    unified::{MappingError, check_model, merged},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::UnifiedModels;
use crate::{
    error::{Error, Result},
    store::unified::{self, InstalledModel, StoredModel},
};

/// The maximum length of a name, in characters.
const MAX_NAME: usize = 100;

impl UnifiedModels {
    /// All models by name.
    pub async fn models(&self, _caller: &Caller) -> Result<Vec<StoredModel>> {
        Ok(self.0.uses.store.read(unified::models).await?)
    }

    pub async fn model(&self, _caller: &Caller, id: UnifiedModelId) -> Result<StoredModel> {
        self.0.uses.store.read(move |c| unified::model(c, id)).await?.ok_or_else(|| unknown(id))
    }

    /// The model with this name.
    pub async fn model_named(&self, _caller: &Caller, name: &str) -> Result<StoredModel> {
        let wanted = name.to_owned();
        let found = self.0.uses.store.read(move |c| unified::model_named(c, &wanted)).await?;
        found.ok_or_else(|| Error::not_found("unified model", name))
    }

    /// Adds a model. It can be called when it is installed.
    pub async fn add_model(&self, caller: &Caller, name: String, document: Map<String, Value>) -> Result<StoredModel> {
        check_name(&name)?;
        check_model(&document).map_err(|error| refused(&error))?;
        let now = self.0.uses.clock.now();
        let id = UnifiedModelId::from_uuid(Uuid::now_v7());
        let model = StoredModel { id, name, built_in: false, version: 1, document, created_at: now, updated_at: now };
        let model = self
            .write(move |tx| {
                if unified::model_named(tx, &model.name)?.is_some() {
                    return Ok(Err(taken(&model.name)));
                }
                unified::put_model(tx, &model)?;
                Ok(Ok(model.clone()))
            })
            .await?;
        tracing::info!(model = model.name, ?caller, "a unified model was added");
        Ok(model)
    }

    /// Merges a change into a model: `null` removes a key. Nothing changes if it has another version by now.
    pub async fn change_model(
        &self,
        caller: &Caller,
        id: UnifiedModelId,
        version: i64,
        name: Option<String>,
        change: Map<String, Value>,
    ) -> Result<StoredModel> {
        if let Some(name) = &name {
            check_name(name)?;
        }
        let now = self.0.uses.clock.now();
        let model = self
            .write(move |tx| {
                let Some(mut model) = unified::model(tx, id)? else { return Ok(Err(unknown(id))) };
                if let Err(refused) = require_own(&model) {
                    return Ok(Err(refused));
                }
                if model.version != version {
                    return Ok(Err(stale("unified model", model.version, version)));
                }
                merge(&mut model.document, &change);
                if let Err(error) = check_model(&model.document) {
                    return Ok(Err(refused(&error)));
                }
                if let Some(name) = &name {
                    if unified::model_named(tx, name)?.is_some_and(|other| other.id != id) {
                        return Ok(Err(taken(name)));
                    }
                    model.name.clone_from(name);
                }
                model.version += 1;
                model.updated_at = now;
                unified::put_model(tx, &model)?;
                Ok(Ok(model))
            })
            .await?;
        tracing::info!(model = model.name, ?caller, "a unified model was changed");
        Ok(model)
    }

    /// Deletes a model with everything that is mapped to it.
    pub async fn delete_model(&self, caller: &Caller, id: UnifiedModelId) -> Result<()> {
        let name = self
            .write(move |tx| {
                let Some(model) = unified::model(tx, id)? else { return Ok(Err(unknown(id))) };
                if let Err(refused) = require_own(&model) {
                    return Ok(Err(refused));
                }
                unified::delete_model(tx, id)?;
                Ok(Ok(model.name))
            })
            .await?;
        tracing::info!(model = name, ?caller, "a unified model was deleted");
        Ok(())
    }

    /// The installed models by name.
    pub async fn installed(&self, _caller: &Caller) -> Result<Vec<InstalledModel>> {
        Ok(self.0.uses.store.read(unified::installed_models).await?)
    }

    pub async fn installation(&self, _caller: &Caller, id: EnvironmentUnifiedModelId) -> Result<InstalledModel> {
        self.0.uses.store.read(move |c| unified::installed_model(c, id)).await?.ok_or_else(|| not_installed(id))
    }

    /// Installs a model. One that is installed already stays as it is, except for an override that is given.
    pub async fn install(
        &self,
        caller: &Caller,
        model_id: UnifiedModelId,
        over: Option<Map<String, Value>>,
    ) -> Result<InstalledModel> {
        let now = self.0.uses.clock.now();
        let installed = self
            .write(move |tx| {
                let Some(model) = unified::model(tx, model_id)? else { return Ok(Err(unknown(model_id))) };
                let mut installed = match unified::installation_of(tx, model_id)? {
                    Some(installed) => installed,
                    None => InstalledModel {
                        id: EnvironmentUnifiedModelId::from_uuid(Uuid::now_v7()),
                        model,
                        r#override: Map::new(),
                        created_at: now,
                        updated_at: now,
                    },
                };
                if let Some(over) = &over {
                    merge(&mut installed.r#override, over);
                    installed.updated_at = now;
                }
                if let Err(refused) = check_installed(&installed) {
                    return Ok(Err(refused));
                }
                unified::put_installed(tx, &installed)?;
                Ok(Ok(installed))
            })
            .await?;
        tracing::info!(model = installed.model.name, ?caller, "a unified model was installed");
        Ok(installed)
    }

    /// Merges a change into an installation's override.
    pub async fn change_installed(
        &self,
        caller: &Caller,
        id: EnvironmentUnifiedModelId,
        over: Map<String, Value>,
    ) -> Result<InstalledModel> {
        let now = self.0.uses.clock.now();
        let installed = self
            .write(move |tx| {
                let Some(mut installed) = unified::installed_model(tx, id)? else { return Ok(Err(not_installed(id))) };
                merge(&mut installed.r#override, &over);
                if let Err(refused) = check_installed(&installed) {
                    return Ok(Err(refused));
                }
                installed.updated_at = now;
                unified::put_installed(tx, &installed)?;
                Ok(Ok(installed))
            })
            .await?;
        tracing::info!(model = installed.model.name, ?caller, "an installed unified model was changed");
        Ok(installed)
    }

    /// Uninstalls a model, with the environment's mappings of it.
    pub async fn uninstall(&self, caller: &Caller, id: EnvironmentUnifiedModelId) -> Result<()> {
        let name = self
            .write(move |tx| {
                let Some(installed) = unified::installed_model(tx, id)? else { return Ok(Err(not_installed(id))) };
                unified::uninstall(tx, id)?;
                Ok(Ok(installed.model.name))
            })
            .await?;
        tracing::info!(model = name, ?caller, "a unified model was uninstalled");
        Ok(())
    }
}

fn unknown(id: UnifiedModelId) -> Error {
    Error::not_found("unified model", &id)
}

pub(super) fn not_installed(id: EnvironmentUnifiedModelId) -> Error {
    Error::not_found("installed unified model", &id)
}

fn taken(name: &str) -> Error {
    Error::conflict("unified_model_exists", format!("There is a unified model named {name} already."))
}

fn refused(error: &MappingError) -> Error {
    Error::invalid_field("unified_model_invalid", error.path.clone(), error.to_string())
}

pub(super) fn stale(what: &str, has: i64, given: i64) -> Error {
    let message =
        format!("The {what} has version {has} by now, not {given}. Read it again, and make the change to that.");
    Error::conflict("stale_version", message)
}

fn require_own(model: &StoredModel) -> Result<()> {
    if !model.built_in {
        return Ok(());
    }
    let name = &model.name;
    let message = format!(
        "{name} is built in, and can't be changed. Change how it is used here: with the override of its \
         environment-unified-model, or with a mapping in environment-unified-model-resource-method."
    );
    Err(Error::conflict("unified_model_built_in", message))
}

fn check_installed(installed: &InstalledModel) -> Result<()> {
    let document = merged([Some(&installed.model.document), Some(&installed.r#override)]).unwrap_or_default();
    check_model(&document).map(drop).map_err(|error| refused(&error))
}

fn check_name(name: &str) -> Result<()> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_good) || name == relink_domain::unified::META {
        let message = format!(
            "name must have 1 to {MAX_NAME} letters, digits, hyphens and underscores, such as crm. It is part of a path."
        );
        return Err(Error::invalid_field("name_invalid", "name", message));
    }
    Ok(())
}
