//! Link tokens, and where a link may send the browser.

use relink_domain::FlowId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::WireSecret;

/// Give either `integrated_account_id` (to reauthorize an account) or `tenant_id` (to connect a new one).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewLinkToken {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrated_account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Merged into the account's context; wins over what the person types. Credentials are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// Where the browser goes after the sign-in. It must equal an entry of the list of redirect URIs exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// Replace the integration's default scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Whether a reauthorization keeps the account's present context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persist_previous_context: Option<bool>,
    /// Stored and shown, nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Truto's; accepted, without a meaning here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_unified_model_id: Option<Value>,
    /// Truto's; accepted, without a meaning here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unified_model_id: Option<Value>,
    /// Truto's; accepted, without a meaning here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truto_static_gate_id: Option<Value>,
}

/// Open `{base}/connect-account?link_token=…` with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkToken {
    /// Lives seven days unused, and has one success.
    pub link_token: WireSecret,
}

/// Where a link's `redirect_uri` may lead, compared exactly: the whole list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RedirectUris {
    pub redirect_uris: Vec<String>,
}

/// An OAuth callback that came by another way than the browser's redirect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Callback {
    /// The whole address.
    pub url: WireSecret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallbackTaken {
    /// The flow that the callback belongs to.
    pub flow: FlowId,
}
