//! Documentation of integrations and their methods (contract section 4.1).

use relink_domain::{
    DocumentationId, Timestamp,
    caller::Caller,
    integration::{DefinitionError, resources::check_documentation},
    merge::merge,
};
use rusqlite::{Connection, Transaction};
use serde_json::{Map, Value};

use super::Catalog;
use crate::{
    error::{Error, Result},
    store::{
        self,
        documentation::{self, Documentation, EntityType},
        integrations::{self, Installed},
    },
};

/// A new row of documentation.
#[derive(Debug, Clone)]
pub struct NewDocumentation {
    pub entity_type: EntityType,
    pub entity_id: String,
    /// Its type and content, and the resource and method that it is about.
    pub document: Map<String, Value>,
}

impl Catalog {
    /// The rows about these integrations or installed integrations, by their ids.
    pub async fn documentation(&self, _caller: &Caller, entities: Vec<String>) -> Result<Vec<Documentation>> {
        let read = move |c: &Connection| {
            let rows = entities.iter().map(|entity| documentation::of_entity(c, entity));
            Ok(rows.collect::<store::Result<Vec<_>>>()?.concat())
        };
        Ok(self.0.store.read(read).await?)
    }

    pub async fn documentation_row(&self, _caller: &Caller, id: DocumentationId) -> Result<Documentation> {
        let found = self.0.store.read(move |c| documentation::get(c, id)).await?;
        found.ok_or_else(|| unknown(id))
    }

    /// Adds a row. The content of a schema must be YAML.
    pub async fn add_documentation(&self, caller: &Caller, new: NewDocumentation) -> Result<Documentation> {
        let NewDocumentation { entity_type, entity_id, document } = new;
        check(&document)?;
        let now = self.0.clock.now();
        let id = documentation::new_id();
        let row = Documentation { id, entity_type, entity_id, document, created_at: now, updated_at: now };
        self.write_documentation(caller, row, |tx, row| {
            documentation::put(tx, row)?;
            Ok(Ok(row.clone()))
        })
        .await
    }

    /// Merges a change into a row: `null` removes a key.
    pub async fn change_documentation(
        &self,
        caller: &Caller,
        id: DocumentationId,
        change: Map<String, Value>,
    ) -> Result<Documentation> {
        let row = self.documentation_row(caller, id).await?;
        let now = self.0.clock.now();
        self.write_documentation(caller, row, move |tx, row| {
            let Some(mut row) = documentation::get(tx, row.id)? else { return Ok(Err(unknown(row.id))) };
            merge(&mut row.document, &change);
            if let Err(refused) = check(&row.document) {
                return Ok(Err(refused));
            }
            row.updated_at = now;
            documentation::put(tx, &row)?;
            Ok(Ok(row))
        })
        .await
    }

    pub async fn delete_documentation(&self, caller: &Caller, id: DocumentationId) -> Result<()> {
        let row = self.documentation_row(caller, id).await?;
        let delete = |tx: &Transaction<'_>, row: &Documentation| {
            documentation::delete(tx, row.id)?;
            Ok(Ok(row.clone()))
        };
        self.write_documentation(caller, row, delete).await.map(drop)
    }

    /// Writes a row, if what it is about exists, and publishes the definition that it is a part of.
    async fn write_documentation(
        &self,
        caller: &Caller,
        row: Documentation,
        write: impl Fn(&Transaction<'_>, &Documentation) -> store::Result<Result<Documentation>> + Send + 'static,
    ) -> Result<Documentation> {
        let written = move |tx: &Transaction<'_>| {
            let Some(name) = name_of(tx, &row)? else { return Ok(Err(entity_unknown(&row))) };
            match write(tx, &row)? {
                Ok(row) => Ok(Ok((row, integrations::installed_named(tx, &name)?))),
                Err(refused) => Ok(Err(refused)),
            }
        };
        let providers = self.0.providers.clone();
        let publish = move |written: &Result<(Documentation, Option<Installed>)>| {
            written.iter().filter_map(|(_, installed)| installed.clone()).for_each(|it| providers.publish(it));
        };
        let (row, _) = self.0.store.write_then(written, publish).await??;
        tracing::info!(documentation = %row.id, entity = row.entity_id, ?caller, "documentation was changed");
        Ok(row)
    }
}

fn unknown(id: DocumentationId) -> Error {
    Error::not_found("documentation", &id)
}

fn entity_unknown(row: &Documentation) -> Error {
    let kind = row.entity_type.as_str().replace('_', " ");
    let message = format!("There is no {kind} with this id: {}", row.entity_id);
    Error::invalid_field("entity_unknown", "entity_id", message)
}

/// The name of the integration that a row is about.
fn name_of(tx: &Transaction<'_>, row: &Documentation) -> store::Result<Option<String>> {
    Ok(match row.entity_type {
        EntityType::Integration => {
            let Ok(id) = row.entity_id.parse() else { return Ok(None) };
            integrations::get(tx, id)?.map(|integration| integration.name)
        }
        EntityType::EnvironmentIntegration => {
            let Ok(id) = row.entity_id.parse() else { return Ok(None) };
            integrations::installed(tx, id)?.map(|installed| installed.integration.name)
        }
    })
}

/// Strictly checks a row that a program writes.
fn check(row: &Map<String, Value>) -> Result<()> {
    check_documentation(&Value::Object(row.clone())).map_err(|error| {
        let code = "documentation_invalid";
        let message = error.to_string();
        let DefinitionError { path, .. } = error;
        Error::Invalid { code, message, field: Some(path) }
    })
}

/// The rows of a file's `documentation[]`. A schema that is an object becomes a text: JSON is YAML.
pub(super) fn rows_of_file(rows: Vec<Value>, entity_id: &str, now: Timestamp) -> Vec<Documentation> {
    let row = |row: Value| {
        let Value::Object(mut document) = row else { return None };
        document.retain(|key, _| !matches!(key.as_str(), "id" | "entity_id" | "created_at" | "updated_at"));
        document.get("type").and_then(Value::as_str)?;
        if let Some(content) = document.get_mut("content").filter(|content| content.is_object()) {
            *content = content.to_string().into();
        }
        let (id, entity_id) = (documentation::new_id(), entity_id.to_owned());
        let entity_type = EntityType::Integration;
        Some(Documentation { id, entity_type, entity_id, document, created_at: now, updated_at: now })
    };
    rows.into_iter().filter_map(row).collect()
}
