//! What is known of an account's credentials without knowing a secret.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AuthenticationMethod, Identity};
use crate::{LinkTokenId, Timestamp, schedule::TokenLifetime};

/// What an account signs in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "credential", rename_all = "snake_case")]
pub enum Credential {
    /// Access tokens are fetched with something that lasts.
    Renewing(Renewing),
    /// What there is stays as it is.
    Fixed(Fixed),
}

impl Credential {
    /// Fresh credentials of this generation.
    pub fn new(what: &NewCredential, generation: u64) -> Self {
        match *what {
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

    /// Counts every change of the credentials; a result of an older one is refused.
    pub const fn generation(&self) -> u64 {
        match self {
            Self::Renewing(renewing) => renewing.generation,
            Self::Fixed(fixed) => fixed.generation,
        }
    }

    /// How it is authenticated, in Truto's words.
    pub const fn method(&self) -> AuthenticationMethod {
        match self {
            Self::Renewing(Renewing { by: Renewal::RefreshToken, .. })
            | Self::Fixed(Fixed { kind: FixedKind::AccessToken, .. }) => AuthenticationMethod::Oauth2,
            Self::Renewing(Renewing { by: Renewal::ClientCredentials, .. }) => {
                AuthenticationMethod::Oauth2ClientCredentials
            }
            Self::Fixed(Fixed { kind: FixedKind::ApiKey, .. }) => AuthenticationMethod::ApiKey,
        }
    }
}

/// How access tokens are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

/// Credentials that give a new access token whenever one is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewing {
    /// How.
    pub by: Renewal,
    /// See [`Credential::generation`].
    pub generation: u64,
    /// The present access token's life.
    #[serde(alias = "lease")]
    pub lifetime: TokenLifetime,
    /// Whether a refresh is under way.
    pub attempt: Attempt,
    /// Whether an answer that may have carried a new refresh token was lost, by a crash or on the line. A refusal that
    /// follows has the cause `lost_response`.
    pub answer_lost: bool,
    /// Why the refresh that is due waits, said once in the timeline.
    #[serde(alias = "put_off")]
    pub deferred: Option<super::DeferReason>,
}

/// Whether a refresh is under way. Stored before the exchange begins: it is the crash recovery's starting point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "attempt", rename_all = "snake_case")]
pub enum Attempt {
    /// None.
    Idle,
    /// One, which gives this generation when it succeeds.
    Refreshing {
        /// The generation that success will carry.
        generation: u64,
        /// When it began.
        since: Timestamp,
    },
}

/// Credentials that stay as they are until the person replaces them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    /// What it is.
    pub kind: FixedKind,
    /// See [`Credential::generation`].
    pub generation: u64,
    /// When it ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When Relink looks by itself whether it still works: at its end, and then now and then.
    pub next_check: Option<Timestamp>,
}

/// What a fixed credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixedKind {
    /// An API key (or several values, as the integration's fields ask).
    ApiKey,
    /// An OAuth access token without a refresh token.
    AccessToken,
}

/// New credentials, as far as they aren't secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "credential", rename_all = "snake_case")]
pub enum NewCredential {
    /// See [`Renewing`].
    Renewing {
        /// How access tokens are fetched.
        by: Renewal,
        /// The first access token's life.
        #[serde(alias = "lease")]
        lifetime: TokenLifetime,
    },
    /// See [`Fixed`].
    Fixed {
        /// What it is.
        kind: FixedKind,
        /// When it ends, where that is known.
        expires_at: Option<Timestamp>,
    },
}

/// What a sign-in brought, as far as it isn't secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The credentials.
    pub credential: NewCredential,
    /// Who signed in, where the integration can tell.
    pub identity: Option<Identity>,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
    /// The account's context from now on.
    pub context: Map<String, Value>,
}

/// New credentials that have passed every check and are on their way into the keychain, in the old ones' place. Stored
/// before the keychain is written, so that a crash in between can be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The generation that they will have.
    pub generation: u64,
    /// What they are.
    pub granted: Granted,
    /// The link that asked for them. It was used up when they were begun with, and is given back if they are lost.
    pub link: LinkTokenId,
}
