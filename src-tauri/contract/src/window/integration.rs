#![expect(clippy::struct_excessive_bools, reason = "the window shows each of them")]

use relink_domain::{account::AuthenticationMethod, integration::RedirectKind};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::SecretInput;

/// An integration of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Integration {
    /// Unique.
    pub name: String,
    pub label: String,
    /// In CSS syntax.
    pub color: Option<String>,
    pub category: Option<String>,
    /// Whether it is built in.
    pub built_in: bool,
    /// Whether it is Relink's own Sandbox.
    pub is_own_sandbox: bool,
    pub installed: bool,
    /// How many accounts it has.
    pub accounts: u32,
    pub methods: Vec<AuthenticationMethod>,
    /// What must be set up before an account can be connected; `null` if nothing.
    pub not_ready: Option<String>,
    /// Whether it hides a built-in integration of the same name.
    pub hides_built_in: bool,
    /// Whether the provider has a guide to registering an OAuth client.
    pub documented: bool,
    /// Whether it needs an OAuth client that the user registers.
    pub wants_client: bool,
    /// The OAuth client's id, if one is set.
    pub client_id: Option<String>,
    /// Whether a secret of that client is in the keychain.
    pub has_client_secret: bool,
    /// The redirect URIs to register with the provider.
    pub redirect_uris: Vec<RedirectUri>,
}

/// A redirect URI to register with a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RedirectUri {
    pub kind: RedirectKind,
    pub uri: String,
}

/// The values of the form for a new integration.
#[derive(Debug, Clone, Deserialize, TS)]
pub struct NewIntegration {
    /// Lower case letters, digits and hyphens.
    pub name: String,
    pub label: String,
    /// The base URL of the provider's API.
    pub base_url: String,
    /// The OAuth authorization endpoint.
    pub authorize_url: String,
    /// The OAuth token endpoint.
    pub token_url: String,
    /// Separated by spaces.
    pub scopes: String,
    pub client_id: String,
    /// `null` or empty for a public client.
    pub client_secret: Option<SecretInput>,
    /// The only redirect URI that the provider accepts; `null` if it accepts both.
    pub redirect: Option<RedirectKind>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct AddedIntegration {
    pub name: String,
    /// How many accounts use it, if it took the place of a definition of the same name; `null` if it is new.
    pub replaced_for: Option<u32>,
    /// Warnings about unknown keys or inadvisable values in the definition.
    pub warnings: Vec<String>,
}
