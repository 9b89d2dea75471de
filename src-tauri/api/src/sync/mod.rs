//! Sync jobs: their rows, runs, triggers, workflows and what runs remember (contract sections 9.1 and 10.4).

mod datastores;
mod folder;
mod jobs;
pub(crate) mod log;
mod rows;
mod runs;
mod states;
mod templates;
mod triggers;
mod workflow_runs;
mod workflows;

use relink_domain::Timestamp;
use serde_json::{Map, Value};

use crate::{error::ApiError, listing::Place, openapi::Routes};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(jobs::routes())
        .merge(templates::routes())
        .merge(triggers::routes())
        .merge(runs::routes())
        .merge(states::routes())
        .merge(workflows::routes())
        .merge(datastores::routes())
        .merge(workflow_runs::routes())
        .merge(folder::routes())
}

/// What is written, as a document.
fn document(written: &impl serde::Serialize) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(written) {
        Ok(Value::Object(document)) => Ok(document),
        _ => Err(ApiError::bad_request("body_invalid", "The body couldn't be read.")),
    }
}

fn place(id: &impl ToString, created_at: Timestamp, updated_at: Timestamp) -> Place {
    Place { created_at, updated_at, id: id.to_string() }
}
