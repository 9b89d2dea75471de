//! What a batch asks for, checked before anything is called.

use axum::http::StatusCode;
use relink_domain::sync::{Form, Graph, GraphError};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// The body of `POST /batch-request` (contract section 0.6).
#[derive(Debug, Deserialize)]
pub(crate) struct BatchRequest {
    #[serde(default)]
    pub(crate) integrated_account_id: Option<String>,
    #[serde(default)]
    pub(crate) args: Map<String, Value>,
    /// The entries: flat nodes of a sync job (contract section 9.3).
    #[serde(default)]
    pub(crate) resources: Value,
}

impl BatchRequest {
    pub(super) fn graph(&self) -> Result<Graph, ApiError> {
        Graph::parse(&self.resources, Form::Batch).map_err(|error| {
            let GraphError { path, is_unsupported, .. } = &error;
            let message = error.to_string();
            let refusal = if *is_unsupported {
                ApiError::new(StatusCode::NOT_IMPLEMENTED, "not_in_relink", &message)
            } else {
                ApiError::bad_request("batch_invalid", &message)
            };
            refusal.about(path)
        })
    }
}
