//! What an account signs in with, without the secrets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AuthenticationMethod, Identity};
use crate::{LinkTokenId, Timestamp, origins::Origins, schedule::TokenLifetime};

/// An account's credential, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "credential", rename_all = "snake_case")]
pub enum Credential {
    Renewing(Renewing),
    Fixed(Fixed),
}

impl Credential {
    pub fn new(new: &NewCredential, generation: u64) -> Self {
        match *new {
            NewCredential::Renewing { by, lifetime } => Self::Renewing(Renewing {
                by,
                generation,
                lifetime,
                attempt: Attempt::Idle,
                answer_lost: false,
                deferred: None,
            }),
            NewCredential::Fixed { kind, expires_at } => {
                Self::Fixed(Fixed { kind, generation, expires_at, next_check: expires_at })
            }
        }
    }

    /// Counts the changes of the credential. A result that belongs to an older generation is rejected.
    pub const fn generation(&self) -> u64 {
        match self {
            Self::Renewing(renewing) => renewing.generation,
            Self::Fixed(fixed) => fixed.generation,
        }
    }

    pub const fn method(&self) -> AuthenticationMethod {
        match self {
            Self::Renewing(Renewing { by: Renewal::RefreshToken | Renewal::Action, .. })
            | Self::Fixed(Fixed { kind: FixedKind::AccessToken, .. }) => AuthenticationMethod::Oauth2,
            Self::Renewing(Renewing { by: Renewal::ClientCredentials, .. }) => {
                AuthenticationMethod::Oauth2ClientCredentials
            }
            Self::Fixed(Fixed { kind: FixedKind::ApiKey, .. }) => AuthenticationMethod::ApiKey,
        }
    }
}

/// The grant that issues new access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// None: there is no refresh token, and the steps of the integration's action `refresh_token` issue new tokens (contract
    /// section 4.8).
    Action,
}

/// A credential that new access tokens can be fetched with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewing {
    pub by: Renewal,
    /// See [`Credential::generation`].
    pub generation: u64,
    /// Of the current access token.
    #[serde(alias = "lease")]
    pub lifetime: TokenLifetime,
    pub attempt: Attempt,
    /// Whether a response that may have carried a new refresh token was lost, by a crash or on the network. A refusal that
    /// follows has the cause `lost_response`.
    pub answer_lost: bool,
    /// Why the refresh that is due is deferred; noted in the timeline once.
    #[serde(alias = "put_off")]
    pub deferred: Option<super::DeferReason>,
}

/// Whether a refresh is in progress. Stored before the exchange begins: crash recovery starts from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "attempt", rename_all = "snake_case")]
pub enum Attempt {
    Idle,
    Refreshing {
        /// The generation that the credential has after a success.
        generation: u64,
        since: Timestamp,
    },
}

/// A credential that stays the same until the person replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    pub kind: FixedKind,
    /// See [`Credential::generation`].
    pub generation: u64,
    /// When it expires, if known.
    pub expires_at: Option<Timestamp>,
    /// When Relink next checks whether it still works: when it expires, then once an hour.
    pub next_check: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixedKind {
    /// An API key, or the several values that the integration's fields ask for.
    ApiKey,
    /// An OAuth access token without a refresh token.
    AccessToken,
}

/// A new credential, without its secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "credential", rename_all = "snake_case")]
pub enum NewCredential {
    /// See [`Renewing`].
    Renewing {
        by: Renewal,
        /// Of the first access token.
        #[serde(alias = "lease")]
        lifetime: TokenLifetime,
    },
    /// See [`Fixed`].
    Fixed {
        kind: FixedKind,
        /// When it expires, if known.
        expires_at: Option<Timestamp>,
    },
}

/// What a sign-in granted, without the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    pub credential: NewCredential,
    /// Who signed in, if the integration can tell.
    pub identity: Option<Identity>,
    pub scopes: Vec<String>,
    #[serde(default)]
    pub requested_scopes: Vec<String>,
    /// The account's new context.
    pub context: Map<String, Value>,
    /// The keys of the context whose values were given with the sign-in as objects to store.
    #[serde(default)]
    pub object_store_context_fields: Vec<String>,
    /// The addresses of the provider that the person gave the credentials to.
    #[serde(default)]
    pub origins: Origins,
}

/// New credentials that have passed every check and are being written to the keychain. Stored before that, so that
/// recovery can finish it after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The generation that the credential will have.
    pub generation: u64,
    pub granted: Granted,
    /// The link token that asked for them. It counts as used from the beginning, and becomes usable again if they are
    /// lost. `None`: a program gave them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkTokenId>,
    /// The connect step that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_step: Option<super::ConnectStep>,
}
