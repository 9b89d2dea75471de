//! What the window is told, and what it may say: the types of its commands. `ui/host/types` is generated from them.
//!
//! Invariant: nothing here can hold a secret that goes *to* the window. A [`Secret`](relink_domain::Secret) doesn't
//! serialize, and what a person has to be given once (an API token, a webhook's signing secret, a magic link) goes to
//! the clipboard or the browser by Rust and never through the page.

#![expect(clippy::struct_excessive_bools, reason = "what a window shows is full of yes and no")]

use relink_domain::{
    AccountId, ApiTokenId, DeliveryId, Secret, Timestamp, WebhookId,
    account::{AuthenticationMethod, Status, Tone, Verdict},
    health::Condition,
};
use relink_engine::CheckOutcome;
use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ErrorView {
    /// The stable code.
    pub code: String,
    /// What happened, in one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The field that it is about.
    pub field: Option<String>,
}

/// How Relink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Overview {
    /// Its version.
    pub version: String,
    /// Where its API listens.
    pub base_url: String,
    /// Whether the port that was wanted was taken, so that another one serves.
    pub wanted_port_taken: bool,
    /// The port that was wanted.
    pub wanted_port: u16,
    /// The keychain.
    pub keychain: Keychain,
    /// Whether the machine has a network.
    pub online: bool,
    /// How many accounts need their person.
    pub needs_you: u32,
    /// How many accounts there are.
    pub accounts: u32,
    /// Whether the Sandbox is installed.
    pub sandbox: bool,
    /// Why no notification could be shown when that was last tried, in words: at the start, or with the latest one.
    pub notifications_trouble: Option<String>,
    /// Whether there is a tray to stay in.
    pub tray: bool,
    /// Whether unlocking the machine is received, which ends "Remind me later".
    pub hears_unlocking: bool,
    /// Where Relink keeps its data.
    pub data_folder: String,
}

/// How the keychain is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Keychain {
    /// Whether it can be used.
    pub available: bool,
    /// Why not, in words.
    pub message: Option<String>,
}

/// An account, as the list and its page show it.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Account {
    /// Its id.
    #[ts(type = "string")]
    pub id: AccountId,
    /// What the person calls it.
    pub name: String,
    /// Its integration's name.
    pub integration: String,
    /// What a person calls the integration.
    pub integration_label: String,
    /// The integration's colour, as CSS writes it.
    pub color: Option<String>,
    /// The tenant.
    pub tenant_id: String,
    /// Who is signed in.
    pub identity: Option<String>,
    /// Truto's status.
    #[ts(type = "\"connecting\" | \"active\" | \"needs_reauth\" | \"validation_error\" | \"post_install_error\"")]
    pub status: Status,
    /// How it signs in.
    #[ts(type = "\"oauth2\" | \"oauth2_client_credentials\" | \"api_key\"")]
    pub method: AuthenticationMethod,
    /// The same, in words.
    pub method_label: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether it is the Sandbox's.
    pub is_sandbox: bool,
    /// While something is wrong: what it asks for.
    #[ts(type = "\"needs_person\" | \"needs_client\" | \"retrying\" | null")]
    pub verdict: Option<Verdict>,
    /// While something is wrong: since when.
    #[ts(type = "string | null")]
    pub trouble_since: Option<Timestamp>,
    /// While something is wrong: what, in words.
    pub problem: Option<Problem>,
    /// When Relink tries again by itself.
    #[ts(type = "string | null")]
    pub next_try: Option<Timestamp>,
    /// Until when the person wants to be left alone about it.
    #[ts(type = "string | null")]
    pub remind_at: Option<Timestamp>,
    /// When the access token was got.
    #[ts(type = "string | null")]
    pub refreshed_at: Option<Timestamp>,
    /// When the access token ends.
    #[ts(type = "string | null")]
    pub expires_at: Option<Timestamp>,
    /// When Relink refreshes it next, by itself.
    #[ts(type = "string | null")]
    pub next_action_at: Option<Timestamp>,
    /// When a program last used it.
    #[ts(type = "string | null")]
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    #[ts(type = "string")]
    pub created_at: Timestamp,
}

/// What is wrong with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Problem {
    /// The stable code.
    pub code: String,
    /// What happened, in one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The HTTP status that the provider answered with.
    pub http_status: Option<u16>,
    /// The provider's own code.
    pub provider_code: Option<String>,
    /// The provider's own words.
    pub provider_message: Option<String>,
    /// When it was seen.
    #[ts(type = "string")]
    pub occurred_at: Timestamp,
}

/// An account's last days at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Health {
    /// How it was, two hours a slot, oldest first; the last one ends now.
    #[ts(type = "(\"no_data\" | \"working\" | \"retrying\" | \"not_working\")[]")]
    pub slots: Vec<Condition>,
    /// The same in a sentence.
    pub sentence: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Entry {
    /// Its place in the timeline.
    #[ts(type = "number")]
    pub seq: i64,
    /// To which account.
    #[ts(type = "string | null")]
    pub account_id: Option<AccountId>,
    /// What the person calls that account, or called it while it was there.
    pub account_name: Option<String>,
    /// Whether that account is gone: there is nothing to open.
    pub account_gone: bool,
    /// When.
    #[ts(type = "string")]
    pub at: Timestamp,
    /// What kind of moment it is.
    pub kind: String,
    /// How it is marked.
    #[ts(type = "\"good\" | \"warning\" | \"bad\"")]
    pub tone: Tone,
    /// In one line.
    pub title: String,
    /// What there is to add.
    pub detail: Option<String>,
    /// What stands behind "Details": codes, the provider's own words.
    pub facts: Vec<Fact>,
}

/// A page of a timeline, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct EntryPage {
    /// What is on it. Of what went wrong alone it may be nothing, though there is more.
    pub entries: Vec<Entry>,
    /// Before which place the next page begins; `null` at the timeline's beginning.
    #[ts(type = "number | null")]
    pub next: Option<i64>,
}

/// A name and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// What stands behind it.
    pub value: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Checked {
    /// What the provider said.
    #[ts(type = "\"accepted\" | \"unauthorized\" | \"forbidden\" | \"inconclusive\" | \"no_probe\"")]
    pub outcome: CheckOutcome,
    /// The account after it.
    pub account: Account,
}

/// A magic link that Relink holds for the window. The link itself stays outside the page: it is opened or copied by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MagicLink {
    /// Its name.
    pub id: String,
    /// How it begins; its token is left out.
    pub shown: String,
    /// When it ends, unused.
    #[ts(type = "string")]
    pub expires_at: Timestamp,
}

/// What a new link is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LinkFor {
    /// Mend this account.
    Account(#[ts(type = "string")] AccountId),
    /// Connect a new account for this tenant.
    Tenant(String),
}

/// Where a link is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OpenIn {
    /// A window of the app.
    Window,
    /// The system's browser.
    Browser,
}

/// An integration of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Integration {
    /// Its name.
    pub name: String,
    /// What a person calls it.
    pub label: String,
    /// Its colour, as CSS writes it.
    pub color: Option<String>,
    /// What it is for.
    pub category: Option<String>,
    /// Whether it came with Relink.
    pub built_in: bool,
    /// Whether it is the Sandbox.
    pub is_sandbox: bool,
    /// Whether it is installed.
    pub installed: bool,
    /// How many accounts it has.
    pub accounts: u32,
    /// The ways to sign in.
    #[ts(type = "(\"oauth2\" | \"oauth2_client_credentials\" | \"api_key\")[]")]
    pub methods: Vec<AuthenticationMethod>,
    /// What is lacking before anybody can sign in, and what to do.
    pub not_ready: Option<String>,
    /// Whether its provider has a page that explains how to register a client.
    pub documented: bool,
    /// Whether it wants an OAuth client that the person registers.
    pub wants_client: bool,
    /// The id of the OAuth client, where one is set.
    pub client_id: Option<String>,
    /// The addresses to register at the provider.
    pub redirect_uris: Vec<RedirectUri>,
}

/// An address to register at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RedirectUri {
    /// `deep_link` or `loopback`.
    pub kind: String,
    /// The address.
    pub uri: String,
}

/// An integration made by form.
#[derive(Debug, Clone, Deserialize, TS)]
pub struct NewIntegration {
    /// Its name: lower case, digits and hyphens.
    pub name: String,
    /// What a person calls it.
    pub label: String,
    /// Where its API is.
    pub base_url: String,
    /// Where the person signs in.
    pub authorize_url: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: String,
    /// What is asked for, separated by spaces.
    pub scopes: String,
    /// The OAuth client's id.
    pub client_id: String,
    /// Its secret, if it has one.
    #[serde(default, deserialize_with = "secret")]
    #[ts(type = "string | null")]
    pub client_secret: Option<Secret>,
    /// The only way back that the provider takes: `deep_link` or `loopback`; `null`: both.
    pub redirect: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

/// An integration that was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// What Relink doesn't know of it or advises against.
    pub warnings: Vec<String>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Webhook {
    /// Its id.
    #[ts(type = "string")]
    pub id: WebhookId,
    /// Where deliveries go.
    pub target_url: String,
    /// Whether it is told anything.
    pub is_active: bool,
    /// The events it wants; `null`: all.
    pub event_types: Option<Vec<String>>,
    /// Since when no delivery has succeeded.
    #[ts(type = "string | null")]
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    #[ts(type = "string")]
    pub created_at: Timestamp,
}

/// What a webhook is made of.
#[derive(Debug, Clone, Deserialize, TS)]
pub struct NewWebhook {
    /// Where deliveries go.
    pub target_url: String,
    /// The events it wants; `null`: all.
    pub event_types: Option<Vec<String>>,
    /// The person's consent to a private address.
    pub allow_private: bool,
}

/// A delivery to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Delivery {
    /// Its id.
    #[ts(type = "string")]
    pub id: DeliveryId,
    /// The event.
    pub event: String,
    /// `pending`, `delivered` or `failed`.
    #[ts(type = "\"pending\" | \"delivered\" | \"failed\"")]
    pub state: &'static str,
    /// Tries so far.
    pub tries: u32,
    /// When it is tried again.
    #[ts(type = "string | null")]
    pub next_try: Option<Timestamp>,
    /// The HTTP status of the last try.
    pub last_status: Option<u16>,
    /// What went wrong at the last try.
    pub last_error: Option<String>,
    /// When it was last tried.
    #[ts(type = "string")]
    pub updated_at: Timestamp,
}

/// An API token, without itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ApiToken {
    /// Its id.
    #[ts(type = "string")]
    pub id: ApiTokenId,
    /// What the person calls it.
    pub name: String,
    /// When it was made.
    #[ts(type = "string")]
    pub created_at: Timestamp,
    /// When it ends.
    #[ts(type = "string | null")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    #[ts(type = "string | null")]
    pub last_used_at: Option<Timestamp>,
}

/// Light, dark, or as the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// What the person has chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Preferences {
    /// Light, dark, or as the system.
    pub appearance: Appearance,
    /// Whether notifications are paused.
    pub notifications_paused: bool,
    /// Whether Relink starts, in the tray, when the person signs in to the machine.
    pub start_at_login: bool,
    /// The API's port from the next start on; `null`: 7417 or the next free one.
    pub port: Option<u16>,
}

/// A notification that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NoticeRecord {
    /// Its number.
    #[ts(type = "number")]
    pub id: u64,
    /// When it was shown.
    #[ts(type = "string")]
    pub at: Timestamp,
    /// Its first line.
    pub title: String,
    /// What followed.
    pub body: String,
    /// The account that it opens, if it is about one.
    #[ts(type = "string | null")]
    pub account_id: Option<AccountId>,
    /// When it was taken back, because what it said was over.
    #[ts(type = "string | null")]
    pub withdrawn_at: Option<Timestamp>,
    /// Whether the desktop took it. It is kept here in any case.
    pub delivered: bool,
}

/// What the Sandbox does now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SandboxSettings {
    /// How long access tokens live.
    pub token_lifetime_secs: u32,
    /// `none`, `rotate`, `grace` or `strict`.
    pub rotation: String,
    /// How many answers will still go wrong on purpose.
    pub faults_left: u32,
}

/// Something to do to the Sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Rehearse {
    /// Access tokens run out now.
    Expire,
    /// Access is revoked.
    Revoke,
    /// The next answers go wrong.
    Fault {
        /// How.
        kind: String,
        /// How many.
        count: u32,
    },
    /// No more faults.
    Clear,
    /// How long access tokens live.
    Lifetime {
        /// In seconds.
        secs: u32,
    },
    /// How refresh tokens rotate.
    Rotation {
        /// `none`, `rotate`, `grace` or `strict`.
        kind: String,
    },
}

/// What has changed, so that the window asks anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// Accounts, or their timelines.
    Accounts,
    /// Integrations.
    Integrations,
    /// Webhooks, or their deliveries.
    Webhooks,
    /// API tokens.
    ApiTokens,
    /// How Relink is: keychain, network, notifications.
    Overview,
    /// Preferences.
    Preferences,
    /// Notifications that were shown.
    Notices,
}

/// Where the window should go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// The list of accounts.
    Accounts,
    /// This account.
    Account(#[ts(type = "string")] AccountId),
    /// The settings.
    Settings,
}
