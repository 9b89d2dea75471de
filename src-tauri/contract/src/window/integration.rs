#![expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that the window shows")]

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
    /// As CSS writes it.
    pub color: Option<String>,
    pub category: Option<String>,
    /// Whether it came with Relink.
    pub built_in: bool,
    pub is_sandbox: bool,
    pub installed: bool,
    /// How many accounts it has.
    pub accounts: u32,
    pub methods: Vec<AuthenticationMethod>,
    /// What is missing before anybody can sign in, and what to do about it.
    pub not_ready: Option<String>,
    /// Whether a built-in integration of the same name is hidden, because the person's keeps the name.
    pub hides_built_in: bool,
    /// Whether its provider has a page that explains how to register an OAuth client.
    pub documented: bool,
    /// Whether the person has to register an OAuth client for it.
    pub wants_client: bool,
    /// The OAuth client's id, where one is set.
    pub client_id: Option<String>,
    /// The redirect URIs to register at the provider.
    pub redirect_uris: Vec<RedirectUri>,
}

/// A redirect URI to register at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RedirectUri {
    pub kind: RedirectKind,
    pub uri: String,
}

/// An integration as the form describes it.
#[derive(Debug, Clone, Deserialize, TS)]
pub struct NewIntegration {
    /// Lower case letters, digits and hyphens.
    pub name: String,
    pub label: String,
    /// Where its API is.
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
    /// What Relink doesn't know in the definition, or advises against.
    pub warnings: Vec<String>,
}
