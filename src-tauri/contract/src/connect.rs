//! The requests and responses of the connect UI.

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

/// What a link token permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Session {
    pub purpose: LinkPurpose,
    pub tenant_id: String,
    pub requested_by: Requester,
    /// The account that the link is for; null: a new one.
    #[schema(required)]
    pub account: Option<SessionAccount>,
    pub integrations: Vec<SessionIntegration>,
    /// The redirect types that the running Relink supports, best first.
    pub redirects: Vec<RedirectKind>,
    #[ts(type = "string")]
    pub expires_at: Timestamp,
}

/// Who asks for what a link is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Requester {
    /// The name of the team that runs this Relink.
    pub team: String,
    /// The name of the API token of the program that created the link; null if the person did.
    #[schema(required)]
    pub program: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    Connect,
    Reauthorize,
    /// Fill in the account's `RapidForm`.
    PostConnectForm,
}

/// An account, as its person recognizes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionAccount {
    #[ts(type = "string")]
    pub id: AccountId,
    pub name: String,
    /// The signed-in user, if the integration provides it.
    #[schema(required)]
    pub identity: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionIntegration {
    pub name: String,
    pub label: String,
    pub category: String,
    /// A data URL.
    #[schema(required)]
    pub logo: Option<String>,
    #[schema(required)]
    pub color: Option<String>,
    pub methods: Vec<SessionMethod>,
}

/// An authentication method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionMethod {
    pub format: AuthenticationMethod,
    /// The host of the provider's sign-in page; set for OAuth.
    #[schema(required)]
    pub host: Option<String>,
    /// The requested scopes.
    pub scopes: Vec<SessionScope>,
    /// The redirect types that the provider allows.
    pub redirects: Vec<RedirectKind>,
    /// The form's fields.
    pub fields: Vec<FieldSpec>,
    /// A page that explains where to find the credentials.
    #[schema(required)]
    pub documentation_link: Option<String>,
    /// What the key must be allowed to do at the provider.
    #[schema(required)]
    pub permissions_text: Option<String>,
    /// Whether the entered credentials are tested with the provider before they are saved.
    pub is_tried: bool,
    /// What must be set up before this method can be used; null if nothing.
    #[schema(required)]
    pub not_ready: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionScope {
    pub name: String,
    /// What the scope permits.
    #[schema(required)]
    pub description: Option<String>,
}

/// A field of an integration's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FieldSpec {
    pub name: String,
    pub label: String,
    pub r#type: FieldType,
    pub required: bool,
    #[schema(required)]
    pub default: Option<String>,
    #[schema(required)]
    pub placeholder: Option<String>,
    #[schema(required)]
    pub help_text: Option<String>,
    /// A regular expression that the whole value must match.
    #[schema(required)]
    pub pattern: Option<String>,
    /// The options of a `single_select`.
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

/// A request to begin a connect flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct NewFlow {
    /// The integration's name.
    pub integration: String,
    pub format: AuthenticationMethod,
    /// The redirect type to use.
    #[serde(default)]
    pub redirect: Option<RedirectKind>,
    /// The entered values, by field name.
    #[serde(default)]
    #[ts(type = "Record<string, string> | null")]
    pub fields: Option<BTreeMap<String, WireSecret>>,
    /// Whether the integration's `RapidForm` doesn't follow.
    #[serde(default)]
    pub skip_rapid_form: bool,
}

/// A connect flow: one attempt to connect or reauthorize an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Flow {
    #[ts(type = "string")]
    pub id: FlowId,
    /// Increases with every change.
    #[ts(type = "number")]
    pub version: u64,
    /// The integration's name.
    pub integration: String,
    pub integration_label: String,
    pub format: AuthenticationMethod,
    pub phase: FlowPhase,
    /// Whether a callback can only be claimed with the return key, which the page gets that the provider returned to.
    pub needs_return_key: bool,
    /// The URL to open in the browser, in the phase `waiting`.
    #[schema(required)]
    pub authorize_url: Option<String>,
    /// The redirect type that is used.
    #[schema(required)]
    pub redirect: Option<RedirectKind>,
    /// The OAuth redirect URI.
    #[schema(required)]
    pub redirect_uri: Option<String>,
    /// The current step, in the phase `working`.
    #[schema(required)]
    pub step: Option<FlowStep>,
    #[schema(required)]
    pub question: Option<IdentityQuestion>,
    #[schema(required)]
    pub outcome: Option<FlowOutcome>,
    #[schema(required)]
    pub error: Option<FlowError>,
}

/// A new flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CreatedFlow {
    #[serde(flatten)]
    pub flow: Flow,
    /// Authorizes requests about the flow. It is returned only once.
    #[ts(type = "string")]
    pub key: WireSecret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowPhase {
    /// The user is on the provider's page.
    Waiting,
    /// The callback has arrived; no page has claimed it yet.
    Returned,
    /// In progress: see `step`.
    Working,
    /// The user must decide: see `question`.
    Question,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowStep {
    /// Exchanging the code for tokens.
    Exchanging,
    /// Checking identity, scopes and a test request.
    Checking,
    /// Saving the credentials in the keychain.
    Saving,
    /// Running the integration's own steps. The account exists by now.
    Onboarding,
}

/// The user signed in with another identity than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct IdentityQuestion {
    /// The previous identity.
    pub expected: String,
    /// The new identity.
    pub actual: String,
}

/// What to do after a sign-in with another identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentityChoice {
    /// Keep the old sign-in.
    Keep,
    /// Replace it with the new sign-in.
    Replace,
    /// Add the new sign-in as a second account.
    Add,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct IdentityAnswer {
    pub answer: IdentityChoice,
}

/// What a person confirms whose browser didn't begin the flow that the provider returned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct ReturnedSignIn {
    pub purpose: LinkPurpose,
    pub tenant_id: String,
    /// The account to reauthorize.
    #[schema(required)]
    pub account: Option<SessionAccount>,
    pub integration_label: String,
    /// A data URL.
    #[schema(required)]
    pub logo: Option<String>,
    #[schema(required)]
    pub color: Option<String>,
}

/// A link whose page will be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct NewOpening {
    #[ts(type = "string")]
    pub link_token: WireSecret,
    /// The integration to preselect.
    #[serde(default)]
    pub integration: Option<String>,
}

/// The URL that opens a link's page. It contains no link token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Opening {
    /// Works once, within a minute.
    #[ts(type = "string")]
    pub url: WireSecret,
}

/// The nonce of a page's URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Nonce {
    #[ts(type = "string")]
    pub nonce: WireSecret,
}

/// Stands for the link token in the requests of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct PageToken {
    #[ts(type = "string")]
    pub page_token: WireSecret,
}

/// The URL that the user copied from the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct PastedCallback {
    #[ts(type = "string")]
    pub url: WireSecret,
}

/// The result of a successful flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FlowOutcome {
    pub account: SessionAccount,
    /// Whether an existing account was reauthorized.
    pub reauthorized: bool,
    /// Whether the user chose to keep the old credentials.
    pub kept_old: bool,
    /// Whether the credentials were tested with the provider.
    pub is_checked: bool,
    /// The URL that the browser goes to next.
    #[schema(required)]
    pub redirect_uri: Option<String>,
    /// Authorizes requests about the `RapidForm` that the person fills in next; null: none, or it was submitted.
    #[schema(required)]
    #[ts(type = "string | null")]
    pub form_token: Option<WireSecret>,
}

/// Why a flow failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FlowError {
    /// A stable code, for programs.
    pub code: String,
    /// What happened, in one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// A text to copy for that, such as the redirect URI to register at the provider.
    #[schema(required)]
    pub copy: Option<String>,
    /// The provider's error code, in its own words.
    #[schema(required)]
    pub provider_code: Option<String>,
    /// The provider's error message, in its own words.
    #[schema(required)]
    pub provider_message: Option<String>,
    pub error_type: FlowErrorType,
    /// The form field with the error.
    #[schema(required)]
    pub field: Option<String>,
    /// The account whose steps failed. It exists: the sign-in was saved.
    #[schema(required)]
    #[ts(type = "string | null")]
    pub integrated_account_id: Option<AccountId>,
}

/// Truto's kinds of connection errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowErrorType {
    /// An error of the provider or the network, or there is no account yet.
    ConnectionError,
    /// New credentials for an account are invalid, or the integration's `validation` of it didn't pass.
    ValidationError,
    /// A step of the integration's `post_install` failed.
    PostInstallError,
}
