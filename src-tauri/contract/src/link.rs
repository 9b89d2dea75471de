//! Link tokens, and the redirect URIs that links may use.

use relink_domain::FlowId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::WireSecret;

/// Pass `integrated_account_id` (to reauthorize an account) or `tenant_id` (to connect a new one). With both, the account is
/// reauthorized.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewLinkToken {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrated_account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Merged into the account's context; takes precedence over entered values. Credentials are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// Where the browser goes after the sign-in. It must exactly match an allowed redirect URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// Scopes that replace the integration's default ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Whether a reauthorization keeps the account's current context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persist_previous_context: Option<bool>,
    /// `wnam` (the default), `enam`, `apac` or `eu`. Stored and returned, without an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Accepted for compatibility with Truto, without an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_unified_model_id: Option<Value>,
    /// Accepted for compatibility with Truto, without an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unified_model_id: Option<Value>,
    /// Accepted for compatibility with Truto, without an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truto_static_gate_id: Option<Value>,
}

/// Open `{base}/connect-account?link_token=…` with this token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkToken {
    /// Expires after seven days, or after one successful flow.
    pub link_token: WireSecret,
}

/// The allowed values of a link's `redirect_uri`, compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RedirectUris {
    pub redirect_uris: Vec<String>,
}

/// An OAuth callback that didn't arrive through the browser's redirect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Callback {
    /// The complete URL.
    pub url: WireSecret,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallbackTaken {
    /// The flow that the callback belongs to.
    pub flow: FlowId,
    /// The page on which the person confirms for whom they signed in; null if that isn't needed.
    #[schema(required)]
    pub confirm_url: Option<WireSecret>,
}
