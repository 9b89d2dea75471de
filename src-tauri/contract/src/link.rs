//! Link tokens, and the redirect URIs that links may use.

use relink_domain::{AccountId, FlowId, LinkTokenId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::{WireSecret, connect::LinkPurpose};

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
    /// Only integrations that are mapped to these installed unified models can be connected, with the scopes that the models need unless
    /// `scopes` says others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_unified_model_id: Option<OneOrMore>,
    /// The same with unified models by their id or their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unified_model_id: Option<OneOrMore>,
    /// Accepted for compatibility with Truto, without an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truto_static_gate_id: Option<Value>,
}

/// A text or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    One(String),
    Several(Vec<String>),
}

impl OneOrMore {
    /// Those that aren't blank.
    pub fn into_texts(self) -> impl Iterator<Item = String> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        };
        texts.into_iter().filter(|text| !text.trim().is_empty())
    }
}

/// Which account's `RapidForm` a person shall fill in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewFormLink {
    /// With an account token, its own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrated_account_id: Option<String>,
    /// Where the browser goes afterwards. It must exactly match an allowed redirect URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
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

/// A link that was created. Its token is stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct IssuedLink {
    pub id: LinkTokenId,
    pub purpose: LinkPurpose,
    pub status: IssuedLinkStatus,
    /// The tenant of the new account; null if the link is for an account that exists.
    #[schema(required)]
    pub tenant_id: Option<String>,
    /// The account that the link is for.
    #[schema(required)]
    pub integrated_account_id: Option<AccountId>,
    #[schema(required)]
    pub account_name: Option<String>,
    /// The name of the API token of the program that created the link; null if the person did.
    #[schema(required)]
    pub program: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssuedLinkStatus {
    Usable,
    /// It has done what it is for.
    Used,
    Expired,
    /// The API token that created it has ended.
    Ended,
    Revoked,
}

impl IssuedLinkStatus {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

/// Where links work: only on this machine, unless the person says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(default)]
pub struct LinkSettings {
    /// Whether the connect UI is also at `http://localhost:5173`, the one address on this machine from which Truto's Link SDK
    /// accepts an iframe's messages.
    #[schema(required)]
    pub also_listen: bool,
    /// The origins of the pages that may show the connect UI in a frame.
    #[schema(required)]
    pub frame_origins: Vec<String>,
    /// The https origin of a tunnel or reverse proxy in front of the connect UI; null: links work on this machine only.
    #[schema(required)]
    pub public_address: Option<String>,
}

/// The settings of links, and what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LinkSettingsState {
    #[serde(flatten)]
    pub settings: LinkSettings,
    /// Why Relink doesn't listen on `localhost:5173` although it should; null if it does, or shouldn't.
    #[schema(required)]
    pub also_listen_problem: Option<String>,
}
