//! The built-in models.

use relink_domain::{
    EnvironmentUnifiedModelId, Timestamp, UnifiedModelId,
    unified::{BuiltInModel, built_in_models},
};
use rusqlite::Transaction;
use serde_json::Map;
use uuid::Uuid;

use crate::{
    error::Result,
    store::{
        self, Store, settings,
        unified::{self, InstalledModel, MappedMethod, MappingOwner, MappingRow, StoredModel},
    },
};

/// The names of the built-in models that were installed when they came. The person may have uninstalled them since.
const INSTALLED_ONCE: &str = "unified_models_installed";

/// Stores this version's built-in models, and installs those that are new. A person's own model of the same name stays instead.
pub(super) async fn update(store: &Store, now: Timestamp) -> Result<()> {
    store
        .write(move |tx| {
            let mut installed_once: Vec<String> = settings::get(tx, INSTALLED_ONCE)?.unwrap_or_default();
            for model in built_in_models() {
                let known = unified::model_named(tx, &model.name)?;
                if known.as_ref().is_some_and(|known| !known.built_in) {
                    tracing::info!(model = model.name, "a built-in unified model is hidden by one of the same name");
                    continue;
                }
                let stored = put(tx, model, known, now)?;
                if !installed_once.contains(&model.name) {
                    install(tx, stored, now)?;
                    installed_once.push(model.name.clone());
                }
            }
            settings::set(tx, INSTALLED_ONCE, &installed_once)
        })
        .await?;
    Ok(())
}

fn put(
    tx: &Transaction<'_>,
    built_in: &BuiltInModel,
    known: Option<StoredModel>,
    now: Timestamp,
) -> store::Result<StoredModel> {
    let mut rows: Vec<(MappedMethod, _)> = Vec::new();
    for (integration, resource, method, config) in built_in.mappings() {
        let [integration_name, resource_name, method_name] = [integration, resource, method].map(str::to_owned);
        rows.push((MappedMethod { integration_name, resource_name, method_name }, config.clone()));
    }
    let model = match known {
        Some(known) if known.document == built_in.document => known,
        Some(known) => {
            StoredModel { version: known.version + 1, document: built_in.document.clone(), updated_at: now, ..known }
        }
        None => {
            // An ID that a person's own model has by chance isn't taken from it.
            let id = if unified::model(tx, built_in.id)?.is_some() { Uuid::now_v7() } else { built_in.id.as_uuid() };
            StoredModel {
                id: UnifiedModelId::from_uuid(id),
                name: built_in.name.clone(),
                built_in: true,
                version: 1,
                document: built_in.document.clone(),
                created_at: now,
                updated_at: now,
            }
        }
    };
    unified::put_model(tx, &model)?;
    let owner = MappingOwner::Base(model.id);
    let mut kept = Vec::new();
    for (of, config) in rows {
        let row = match unified::mapping_of(tx, owner, &of)? {
            Some(row) if row.config == config => row,
            Some(row) => MappingRow { version: row.version + 1, config, updated_at: now, ..row },
            None => MappingRow {
                id: unified::new_mapping_id(),
                owner,
                of,
                config,
                version: 1,
                created_at: now,
                updated_at: now,
            },
        };
        unified::put_mapping(tx, &row)?;
        kept.push(row.id);
    }
    for row in unified::mappings(tx, unified::MappingLayer::Base)? {
        if row.owner == owner && !kept.contains(&row.id) {
            unified::delete_mapping(tx, unified::MappingLayer::Base, row.id)?;
        }
    }
    Ok(model)
}

fn install(tx: &Transaction<'_>, model: StoredModel, now: Timestamp) -> store::Result<()> {
    if unified::installation_of(tx, model.id)?.is_some() {
        return Ok(());
    }
    let id = EnvironmentUnifiedModelId::from_uuid(Uuid::now_v7());
    unified::put_installed(tx, &InstalledModel { id, model, r#override: Map::new(), created_at: now, updated_at: now })
}
