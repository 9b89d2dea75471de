//! What the connect UI sends and receives.

use std::collections::BTreeMap;

use relink_domain::{
    AccountId, FlowId, Timestamp,
    account::AuthenticationMethod,
    integration::{self, RedirectKind},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::WireSecret;

/// What a link token lets the connect UI do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Session {
    pub purpose: LinkPurpose,
    pub tenant_id: String,
    /// The account to reauthorize.
    pub account: Option<SessionAccount>,
    pub integrations: Vec<SessionIntegration>,
    /// The kinds of redirect that the running Relink can take, best first.
    pub redirects: Vec<RedirectKind>,
    #[ts(type = "string")]
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    Connect,
    Reauthorize,
}

/// An account, as its person knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionAccount {
    #[ts(type = "string")]
    pub id: AccountId,
    pub name: String,
    /// Who is signed in, where the integration can tell.
    pub identity: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionIntegration {
    pub name: String,
    pub label: String,
    pub category: String,
    /// A data URL or a web address.
    pub logo: Option<String>,
    pub color: Option<String>,
    pub methods: Vec<SessionMethod>,
}

/// A way to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionMethod {
    pub format: AuthenticationMethod,
    /// Where the person signs in; set for OAuth.
    pub host: Option<String>,
    /// What is asked for.
    pub scopes: Vec<SessionScope>,
    /// The kinds of redirect that the provider allows.
    pub redirects: Vec<RedirectKind>,
    /// The form.
    pub fields: Vec<FieldSpec>,
    /// Where the person finds what to type.
    pub documentation_link: Option<String>,
    /// Whether what is typed is tried with the provider before it is kept.
    pub is_tried: bool,
    /// What is missing before anybody can sign in this way, and what to do.
    pub not_ready: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionScope {
    pub name: String,
    /// What it allows.
    pub description: Option<String>,
}

/// One input of a form that an integration asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FieldSpec {
    pub name: String,
    pub label: String,
    pub r#type: FieldType,
    pub required: bool,
    pub default: Option<String>,
    pub placeholder: Option<String>,
    pub help_text: Option<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// What to choose from, for `single_select`.
    pub options: Vec<FieldOption>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    Text,
    Password,
    SingleSelect,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FieldOption {
    pub label: String,
    pub value: String,
}

impl From<&integration::Field> for FieldSpec {
    fn from(field: &integration::Field) -> Self {
        Self {
            name: field.name.clone(),
            label: field.label.clone(),
            r#type: match field.kind {
                integration::FieldKind::Text => FieldType::Text,
                integration::FieldKind::Password => FieldType::Password,
                integration::FieldKind::SingleSelect => FieldType::SingleSelect,
            },
            required: field.required,
            default: field.default.clone(),
            placeholder: field.placeholder.clone(),
            help_text: field.help_text.clone(),
            pattern: field.pattern.as_ref().map(|pattern| pattern.as_str().to_owned()),
            options: field
                .options
                .iter()
                .map(|option| FieldOption { label: option.label.clone(), value: option.value.clone() })
                .collect(),
        }
    }
}

/// Begins a try at connecting an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct NewFlow {
    /// The integration's name.
    pub integration: String,
    pub format: AuthenticationMethod,
    /// By which way the browser is to come back.
    #[serde(default)]
    pub redirect: Option<RedirectKind>,
    /// What the person typed.
    #[serde(default)]
    #[ts(type = "Record<string, string> | null")]
    pub fields: Option<BTreeMap<String, WireSecret>>,
}

/// One try at connecting an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Flow {
    #[ts(type = "string")]
    pub id: FlowId,
    /// Grows with every change.
    #[ts(type = "number")]
    pub version: u64,
    /// The integration's name.
    pub integration: String,
    pub integration_label: String,
    pub format: AuthenticationMethod,
    pub phase: FlowPhase,
    /// Where the browser goes, while the provider is waited for.
    pub authorize_url: Option<String>,
    /// By which way the browser comes back.
    pub redirect: Option<RedirectKind>,
    /// The OAuth redirect URI.
    pub redirect_uri: Option<String>,
    /// What goes on, while something does.
    pub step: Option<FlowStep>,
    pub question: Option<IdentityQuestion>,
    pub outcome: Option<FlowOutcome>,
    pub error: Option<FlowError>,
}

/// A flow that was just begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CreatedFlow {
    #[serde(flatten)]
    pub flow: Flow,
    /// Opens the flow; given to the page that began it, and never again.
    #[ts(type = "string")]
    pub key: WireSecret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowPhase {
    /// The person is at the provider's.
    Waiting,
    /// The callback is here; the page has not claimed it yet.
    Returned,
    /// Something goes on: see `step`.
    Working,
    /// The person is asked: see `question`.
    Question,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowStep {
    /// The code is exchanged for tokens.
    Exchanging,
    /// Identity, scopes and the probe are looked at.
    Checking,
    /// The credentials go into the keychain.
    Saving,
}

/// Somebody else signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct IdentityQuestion {
    /// Who was signed in.
    pub expected: String,
    /// Who is now.
    pub actual: String,
}

/// What to do when somebody else signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentityChoice {
    /// Keep the old sign-in.
    Keep,
    /// Put the new sign-in in its place.
    Replace,
    /// Add a second account.
    Add,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct IdentityAnswer {
    pub answer: IdentityChoice,
}

/// The address that the person copied from the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct PastedCallback {
    #[ts(type = "string")]
    pub url: WireSecret,
}

/// What came of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FlowOutcome {
    pub account: SessionAccount,
    /// Whether the account was there before.
    pub reauthorized: bool,
    /// Whether the person chose to keep the old credentials.
    pub kept_old: bool,
    /// Where the browser goes now.
    pub redirect_uri: Option<String>,
}

/// Why a flow failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FlowError {
    /// Stable: what a program matches on.
    pub code: String,
    /// What happened, in one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    pub error_type: FlowErrorType,
    /// The form field that the error is about.
    pub field: Option<String>,
}

/// Truto's kinds of a connection's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowErrorType {
    /// At the provider, or on the way to it.
    ConnectionError,
    /// What was typed, or what came, doesn't work.
    ValidationError,
}
