//! Path parameters.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use relink_domain::{AccountId, ApiTokenId, EnvironmentIntegrationId, FlowId, IntegrationId, WebhookId};

use crate::error::ApiError;

/// The id in a route's path. A text that is no id names nothing, as an unknown id does.
#[derive(Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

/// An id that stands in a path.
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
    ApiTokenId = "API token",
    EnvironmentIntegrationId = "installed integration",
    IntegrationId = "integration",
    WebhookId = "webhook",
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

/// The text in a route's path.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Percent-encoded bytes that are no UTF-8 name nothing.
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(text)| Self(text)).map_err(|_| ApiError::not_found("There is no such thing."))
    }
}
