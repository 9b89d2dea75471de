//! What a person has to register at a provider before anybody can sign in.

use super::{
    definition::Definition,
    oauth2::OAuth2,
    relink::{ClientSecretNeed, RedirectKind},
};
use crate::{account::AuthenticationMethod, callback};

/// An OAuth client that must be set up first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    pub missing: Missing,
    /// What is missing and what to do about it.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    ClientId,
    ClientSecret,
}

impl Definition {
    /// The redirect URIs to register at the provider, while Relink listens on this port.
    pub fn redirect_uris(&self, port: u16) -> Vec<String> {
        let redirects = self.oauth2().map(|oauth2| oauth2.redirects.as_slice()).unwrap_or_default();
        redirects.iter().map(|kind| self.redirect_uri(*kind, port)).collect()
    }

    /// The redirect URI of this kind, while Relink listens on this port.
    pub fn redirect_uri(&self, kind: RedirectKind, port: u16) -> String {
        match kind {
            RedirectKind::DeepLink => callback::deep_link_uri(self.name()),
            RedirectKind::Loopback => callback::loopback_uri(port, self.name()),
        }
    }

    /// What is missing before anybody can sign in this way.
    pub fn not_ready(&self, method: AuthenticationMethod, has_secret: bool, port: u16) -> Option<NotReady> {
        let oauth2 = self.oauth2().filter(|_| method == AuthenticationMethod::Oauth2)?;
        let missing = match oauth2.client_secret {
            _ if oauth2.client_id.is_empty() => Missing::ClientId,
            ClientSecretNeed::Required if !has_secret => Missing::ClientSecret,
            ClientSecretNeed::Required
            | ClientSecretNeed::Optional
            | ClientSecretNeed::Never
            | ClientSecretNeed::Empty => return None,
        };
        Some(NotReady { missing, message: self.how_to_register(oauth2, missing, port) })
    }

    fn how_to_register(&self, oauth2: &OAuth2, missing: Missing, port: u16) -> String {
        let what = match missing {
            Missing::ClientId => "client ID",
            Missing::ClientSecret => "client secret",
        };
        let docs = self.docs();
        let text = docs.text.as_deref().unwrap_or("Register an OAuth client at the provider.");
        let place = docs.url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default();
        let id = if oauth2.client_id.is_empty() { "CLIENT_ID" } else { &oauth2.client_id };
        let secret = if oauth2.client_secret.is_stored() { " --secret-stdin" } else { "" };
        format!(
            "{label} needs a {what} first. {text}{place} Redirect URIs to register: {uris}. Then run: relink integrations \
             client {name} --id {id}{secret}",
            label = self.label(),
            uris = self.redirect_uris(port).join(" and "),
            name = self.name(),
        )
    }
}
