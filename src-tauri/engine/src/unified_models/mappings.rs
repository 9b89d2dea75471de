//! Rows of mappings: the base's and the environment's.

use relink_domain::{
    EnvironmentUnifiedModelId, UnifiedMappingId,
    caller::Caller,
    merge::merge,
    unified::{Mapping, MappingError, merged},
};
use rusqlite::Connection;
use serde_json::{Map, Value};

use super::{
    UnifiedModels,
    models::{not_installed, stale},
};
use crate::{
    error::{Error, Result},
    store::{
        self,
        unified::{self, MappedMethod, MappingLayer, MappingOwner, MappingRow, StoredModel},
    },
};

/// A new mapping.
#[derive(Debug, Clone)]
pub struct NewMapping {
    pub owner: MappingOwner,
    pub of: MappedMethod,
    pub config: Map<String, Value>,
}

/// What is changed of a mapping.
#[derive(Debug, Clone, Default)]
pub struct MappingChange {
    pub integration_name: Option<String>,
    pub resource_name: Option<String>,
    pub method_name: Option<String>,
    /// Merged into the config: `null` removes a key.
    pub config: Map<String, Value>,
    /// The change is refused if the mapping has another version by now.
    pub version: Option<i64>,
}

impl UnifiedModels {
    /// The mappings of a layer, oldest first.
    pub async fn mappings(&self, _caller: &Caller, layer: MappingLayer) -> Result<Vec<MappingRow>> {
        Ok(self.0.uses.store.read(move |c| unified::mappings(c, layer)).await?)
    }

    pub async fn mapping_row(&self, _caller: &Caller, layer: MappingLayer, id: UnifiedMappingId) -> Result<MappingRow> {
        self.0.uses.store.read(move |c| unified::mapping(c, layer, id)).await?.ok_or_else(|| unknown(id))
    }

    /// Adds a mapping of a method that has none. Returns what Relink doesn't know in it as well.
    pub async fn add_mapping(&self, caller: &Caller, new: NewMapping) -> Result<(MappingRow, Vec<String>)> {
        let NewMapping { owner, of, config } = new;
        for (name, text) in [("integration_name", &of.integration_name), ("method_name", &of.method_name)] {
            if text.trim().is_empty() {
                return Err(Error::invalid_field("name_missing", name, format!("{name} is missing.")));
            }
        }
        let now = self.0.uses.clock.now();
        let id = unified::new_mapping_id();
        let row = MappingRow { id, owner, of, config, version: 1, created_at: now, updated_at: now };
        let warnings = self.check(&row).await?;
        let row = self
            .write(move |tx| {
                if let Err(refused) = require_place(tx, &row)? {
                    return Ok(Err(refused));
                }
                if unified::mapping_of(tx, row.owner, &row.of)?.is_some() {
                    return Ok(Err(taken(&row.of)));
                }
                unified::put_mapping(tx, &row)?;
                Ok(Ok(row.clone()))
            })
            .await?;
        tracing::info!(mapping = %row.id, ?caller, "a mapping was added");
        Ok((row, warnings))
    }

    /// Merges a change into a mapping.
    pub async fn change_mapping(
        &self,
        caller: &Caller,
        layer: MappingLayer,
        id: UnifiedMappingId,
        change: MappingChange,
    ) -> Result<(MappingRow, Vec<String>)> {
        let known = self.mapping_row(caller, layer, id).await?;
        let read = known.version;
        let expected = change.version.unwrap_or(read);
        if expected != read {
            return Err(stale("mapping", read, expected));
        }
        let mut row = known;
        let given = [change.integration_name, change.resource_name, change.method_name];
        let of = [&mut row.of.integration_name, &mut row.of.resource_name, &mut row.of.method_name];
        for (given, name) in given.into_iter().zip(of) {
            *name = given.filter(|given| !given.trim().is_empty()).unwrap_or_else(|| std::mem::take(name));
        }
        merge(&mut row.config, &change.config);
        row.version += 1;
        row.updated_at = self.0.uses.clock.now();
        let warnings = self.check(&row).await?;
        let row = self
            .write(move |tx| {
                // It was checked as it was read.
                match unified::mapping(tx, layer, id)? {
                    None => return Ok(Err(unknown(id))),
                    Some(now) if now.version != read => return Ok(Err(stale("mapping", now.version, read))),
                    Some(_) => {}
                }
                if let Err(refused) = require_place(tx, &row)? {
                    return Ok(Err(refused));
                }
                if unified::mapping_of(tx, row.owner, &row.of)?.is_some_and(|other| other.id != id) {
                    return Ok(Err(taken(&row.of)));
                }
                unified::put_mapping(tx, &row)?;
                Ok(Ok(row.clone()))
            })
            .await?;
        tracing::info!(mapping = %row.id, ?caller, "a mapping was changed");
        Ok((row, warnings))
    }

    /// Replaces what the environment has over a method's mapping; an empty config removes it. `read`: the version that the change is of,
    /// if there was one. Returns what Relink doesn't know in it.
    pub async fn override_mapping(
        &self,
        caller: &Caller,
        installed: EnvironmentUnifiedModelId,
        of: MappedMethod,
        config: Map<String, Value>,
        read: Option<i64>,
    ) -> Result<Vec<String>> {
        let owner = MappingOwner::Environment(installed);
        let now = self.0.uses.clock.now();
        let id = unified::new_mapping_id();
        let new = MappingRow { id, owner, of, config, version: 1, created_at: now, updated_at: now };
        let warnings = self.check(&new).await?;
        let over = new.clone();
        self.write(move |tx| {
            let known = unified::mapping_of(tx, owner, &over.of)?;
            let has = known.as_ref().map(|row| row.version);
            if has != read {
                let message = "This mapping was changed elsewhere. Read it again, and make the change to that.";
                return Ok(Err(Error::conflict("stale_version", message)));
            }
            if let Err(refused) = require_place(tx, &over)? {
                return Ok(Err(refused));
            }
            match known {
                Some(row) if over.config.is_empty() => unified::delete_mapping(tx, MappingLayer::Environment, row.id)?,
                None if over.config.is_empty() => {}
                Some(MappingRow { id, version, created_at, .. }) => {
                    unified::put_mapping(tx, &MappingRow { id, version: version + 1, created_at, ..over.clone() })?;
                }
                None => unified::put_mapping(tx, &over)?,
            }
            Ok(Ok(()))
        })
        .await?;
        tracing::info!(of = ?new.of, ?caller, "the environment's mapping was replaced");
        Ok(warnings)
    }

    pub async fn delete_mapping(&self, caller: &Caller, layer: MappingLayer, id: UnifiedMappingId) -> Result<()> {
        self.write(move |tx| {
            let Some(row) = unified::mapping(tx, layer, id)? else { return Ok(Err(unknown(id))) };
            if let Err(refused) = require_place(tx, &row)? {
                return Ok(Err(refused));
            }
            unified::delete_mapping(tx, layer, id)?;
            Ok(Ok(()))
        })
        .await?;
        tracing::info!(mapping = %id, ?caller, "a mapping was deleted");
        Ok(())
    }

    /// Strictly checks a config that is written, as it is merged, and the expressions in it. Returns what Relink doesn't know.
    async fn check(&self, row: &MappingRow) -> Result<Vec<String>> {
        let base = match row.owner {
            MappingOwner::Base(_) => None,
            MappingOwner::Environment(installed) => {
                let of = row.of.clone();
                let base = self.0.uses.store.read(move |c| {
                    let Some(installed) = unified::installed_model(c, installed)? else { return Ok(None) };
                    unified::mapping_of(c, MappingOwner::Base(installed.model.id), &of)
                });
                base.await?.map(|base| base.config)
            }
        };
        let config = merged([base.as_ref(), Some(&row.config)]).unwrap_or_default();
        let (mapping, warnings) = Mapping::check(&config).map_err(|error| refused(&error))?;
        if let Some(runner) = self.0.uses.runners.get() {
            for (key, expression) in mapping.expressions() {
                if let Err(error) = runner.check(expression).await {
                    let message = format!("config.{key}: the expression can't be used: {error}");
                    return Err(Error::invalid_field("expression_invalid", format!("config.{key}"), message));
                }
            }
        }
        Ok(warnings.iter().map(|warning| format!("config.{warning}")).collect())
    }
}

fn unknown(id: UnifiedMappingId) -> Error {
    Error::not_found("mapping", &id)
}

fn taken(of: &MappedMethod) -> Error {
    let MappedMethod { integration_name, resource_name, method_name } = of;
    let message =
        format!("{resource_name} {method_name} is mapped for {integration_name} already. Change that mapping.");
    Error::conflict("mapping_exists", message)
}

fn refused(error: &MappingError) -> Error {
    let path = if error.path.is_empty() { "config".to_owned() } else { format!("config.{}", error.path) };
    Error::invalid_field("mapping_invalid", path.clone(), format!("{path}: {}", error.problem))
}

/// Whether the mapping's owner is there, has the resource, and may be changed.
fn require_place(connection: &Connection, row: &MappingRow) -> store::Result<Result<()>> {
    let model = match row.owner {
        MappingOwner::Base(id) => match unified::model(connection, id)? {
            None => return Ok(Err(Error::not_found("unified model", &id))),
            Some(model) if model.built_in => return Ok(Err(built_in(&model))),
            Some(model) => model,
        },
        MappingOwner::Environment(id) => match unified::installed_model(connection, id)? {
            None => return Ok(Err(not_installed(id))),
            Some(installed) => {
                let document = merged([Some(&installed.model.document), Some(&installed.r#override)]);
                StoredModel { document: document.unwrap_or_default(), ..installed.model }
            }
        },
    };
    let resources = model.document.get("resources").and_then(Value::as_object);
    if resources.is_some_and(|resources| resources.contains_key(&row.of.resource_name)) {
        return Ok(Ok(()));
    }
    let names: Vec<_> = resources.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let message = format!(
        "{} has no resource {:?}. Its resources: {}.",
        model.name,
        row.of.resource_name,
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    );
    Ok(Err(Error::invalid_field("resource_unknown", "resource_name", message)))
}

fn built_in(model: &StoredModel) -> Error {
    let message = format!(
        "{} is built in, and its mappings can't be changed. Put what differs into an \
         environment-unified-model-resource-method.",
        model.name
    );
    Error::conflict("unified_model_built_in", message)
}
