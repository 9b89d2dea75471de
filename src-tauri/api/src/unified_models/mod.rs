//! Rows of unified models, of those that are installed, and of their mappings (contract section 8.1).

mod installed;
mod mappings;
mod models;

use relink_contract::unified::UnifiedModel;
use relink_domain::{EnvironmentId, TeamId, UnifiedModelId, caller::Caller};
use relink_engine::StoredModel;
use serde_json::{Map, Value, json};

use crate::{ApiState, error::ApiError, openapi::Routes};

pub(crate) fn routes() -> Routes {
    Routes::new().merge(models::routes()).merge(installed::routes()).merge(mappings::routes())
}

/// What all rows have in common.
struct Shared {
    team_id: TeamId,
    environment_id: EnvironmentId,
    installed: Vec<UnifiedModelId>,
}

impl Shared {
    async fn read(api: &ApiState, caller: &Caller) -> Result<Self, ApiError> {
        let team = api.engine.organization().team(caller).await?;
        let installed = api.engine.unified_models().installed(caller).await?;
        Ok(Self {
            team_id: team.id,
            environment_id: api.engine.environment_id(),
            installed: installed.into_iter().map(|it| it.model.id).collect(),
        })
    }

    fn model(&self, model: StoredModel) -> UnifiedModel {
        let StoredModel { id, name, built_in, version, document, created_at, updated_at } = model;
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        let object = |key: &str| document.get(key).filter(|it| it.is_object()).cloned().unwrap_or_else(|| json!({}));
        UnifiedModel {
            id,
            name,
            category: text("category"),
            description: text("description"),
            team_id: self.team_id,
            sharing: text("sharing").unwrap_or_else(|| "deny".to_owned()),
            resources: object("resources"),
            scopes: object("scopes"),
            webhooks: object("webhooks"),
            version,
            installed_environment: self.installed.contains(&id).then_some(self.environment_id).into_iter().collect(),
            is_built_in: built_in,
            created_at,
            updated_at,
        }
    }
}

/// What is written, as a document.
fn document(written: &impl serde::Serialize) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(written) {
        Ok(Value::Object(document)) => Ok(document),
        _ => Err(ApiError::bad_request("body_invalid", "The body couldn't be read.")),
    }
}
