//! Path parameters.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use relink_domain::{
    AccountId, ApiTokenId, DatastoreId, DeliveryId, DocumentationId, EnvironmentId, EnvironmentIntegrationId,
    EnvironmentUnifiedModelId, FlowId, IntegrationId, LinkTokenId, McpTokenId, SyncJobCronTriggerId, SyncJobId,
    SyncJobRunId, SyncJobTemplateId, TeamId, UnifiedMappingId, UnifiedModelId, UserId, WebhookId, WorkflowId,
    WorkflowRunId,
};

use crate::error::ApiError;

/// An id in a path. An invalid id gets the same response as an unknown one.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

/// An id that can be a path parameter.
pub(crate) trait Id: FromStr + Send {
    fn not_found(text: &str) -> ApiError;
}

macro_rules! ids {
    ($($id:ty = $what:literal,)+) => {$(
        impl Id for $id {
            fn not_found(text: &str) -> ApiError {
                ApiError::not_found(&format!(concat!("There is no ", $what, " {}"), text))
            }
        }
    )+};
}

ids! {
    AccountId = "account",
    EnvironmentId = "environment",
    TeamId = "team",
    UserId = "user",
    ApiTokenId = "API token",
    EnvironmentIntegrationId = "installed integration",
    IntegrationId = "integration",
    LinkTokenId = "link",
    McpTokenId = "MCP server",
    DocumentationId = "documentation",
    UnifiedModelId = "unified model",
    EnvironmentUnifiedModelId = "installed unified model",
    UnifiedMappingId = "mapping",
    SyncJobId = "sync job",
    SyncJobTemplateId = "template of sync jobs",
    SyncJobCronTriggerId = "trigger of a sync job",
    SyncJobRunId = "run of a sync job",
    WorkflowId = "workflow",
    DatastoreId = "datastore",
    WorkflowRunId = "run of a workflow",
    WebhookId = "webhook",
    DeliveryId = "delivery",
}

impl Id for FlowId {
    fn not_found(_: &str) -> ApiError {
        ApiError::not_found("This sign-in doesn't exist.")
    }
}

impl<S: Send + Sync, T: Id> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let PathText(text) = PathText::from_request_parts(parts, state).await?;
        text.parse().map(Self).map_err(|_| T::not_found(&text))
    }
}

/// Two ids in a path, the second one of something that belongs to the first.
#[derive(Debug)]
pub(crate) struct PathIds<A, B>(pub(crate) A, pub(crate) B);

impl<S: Send + Sync, A: Id, B: Id> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((one, other)) = found.map_err(|_| ApiError::not_found("Nothing was found under this name."))?;
        Ok(Self(one.parse().map_err(|_| A::not_found(&one))?, other.parse().map_err(|_| B::not_found(&other))?))
    }
}

/// A text in a path.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Percent-encoded bytes that aren't UTF-8 get the same response as an unknown name.
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(text)| Self(text)).map_err(|_| ApiError::not_found("Nothing was found under this name."))
    }
}
