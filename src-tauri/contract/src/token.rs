//! API tokens.

use relink_domain::{ApiTokenId, EnvironmentId, Timestamp, UserId, caller::TokenLevel, token_limits::TokenLimits};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::WireSecret;

/// An API token's metadata. The token itself is returned once, by the response that created it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct ApiToken {
    pub id: ApiTokenId,
    pub name: String,
    /// How much the token may do.
    pub level: TokenLevel,
    #[serde(flatten)]
    pub limits: TokenLimits,
    pub created_at: Timestamp,
    /// Null if it never expires.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
    /// Null if it was never used.
    #[schema(required)]
    pub last_used_at: Option<Timestamp>,
}

/// An API token as Truto lists it (contract section 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiTokenRow {
    #[serde(flatten)]
    pub token: ApiToken,
    pub environment_id: EnvironmentId,
    /// The user: no token makes another one.
    pub created_by: UserId,
    /// The same as `created_at`: a token never changes.
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewApiToken {
    /// 1 to 100 characters, on one line.
    pub name: String,
    /// Default: `program`.
    #[serde(default)]
    pub level: TokenLevel,
    #[serde(flatten)]
    pub limits: TokenLimits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A new API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedApiToken {
    #[serde(flatten)]
    pub record: ApiToken,
    /// Returned only once.
    pub token: WireSecret,
}

/// The payload of `api_token:created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiTokenCreated {
    pub id: ApiTokenId,
    pub name: String,
    pub created_at: Timestamp,
}
