//! The integrated account: one state machine in which a wrong state can't be written down.
//!
//! `apply(account, input, now)` gives the next account, the timeline's entries and the events. It does nothing itself.
//!
//! Invariants:
//! - Only a credential that can be renewed can have a refresh under way (`Attempt` is part of [`Renewing`]).
//! - Only a [`AccountState::Failing`] account has a trouble, and every one has.
//! - A result carries the generation it belongs to; one of another generation is [`Stale`](Rejected::Stale).
//! - The five Truto statuses are a view ([`Account::status`]), never stored.

mod apply;
mod credential;
mod replacement;
mod timeline_event;
mod trouble;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use apply::{CallOutcome, Input, Rejected, Transition};
pub use credential::{Attempt, Credential, Fixed, FixedKind, Granted, NewCredential, Renewal, Renewing, Replacement};
pub use timeline_event::{DeferReason, TimelineEvent, Tone};
pub use trouble::{Trouble, Verdict};

use crate::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    event::EventKind,
    failure::{Explanation, Failure},
    schedule::{self, Jitter},
};

/// Who the provider says this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What never changes: the `sub` of an id token, or what the integration's identity probe names.
    pub id: String,
    /// What a person recognises: a login, an e-mail address.
    pub label: String,
}

/// How the connection is authenticated, in Truto's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationMethod {
    /// OAuth 2.0, with or without a refresh token.
    Oauth2,
    /// An API key, or whatever else the integration's fields ask for.
    ApiKey,
    /// RFC 6749 §4.4.
    Oauth2ClientCredentials,
}

impl AuthenticationMethod {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oauth2 => "oauth2",
            Self::ApiKey => "api_key",
            Self::Oauth2ClientCredentials => "oauth2_client_credentials",
        }
    }
}

/// Truto's five statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Works.
    Active,
    /// Being made.
    Connecting,
    /// A post-install step failed.
    PostInstallError,
    /// The validation step failed.
    ValidationError,
    /// A refresh failed, or a call was answered 401.
    NeedsReauth,
}

impl Status {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Connecting => "connecting",
            Self::PostInstallError => "post_install_error",
            Self::ValidationError => "validation_error",
            Self::NeedsReauth => "needs_reauth",
        }
    }
}

/// The step of making an account that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectStep {
    /// The integration's post-install actions.
    PostInstall,
    /// The probe: a call that any working credential may make.
    Validation,
}

/// What is true of an account whatever its life does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its id, for ever.
    pub id: AccountId,
    /// The caller's own name for the customer that it belongs to. Not unique.
    pub tenant_id: String,
    /// The installed integration it belongs to.
    pub environment_integration_id: EnvironmentIntegrationId,
    /// That integration's name.
    pub integration: String,
    /// What the person calls it.
    pub name: String,
    /// Whether it lives on the Sandbox.
    pub is_sandbox: bool,
    /// Truto's `region`, kept as given.
    pub region: Option<String>,
    /// Truto's `context`, without any secret.
    pub context: Map<String, Value>,
    /// Who is signed in, where the integration can tell.
    pub identity: Option<Identity>,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
    /// The last failure and when it was seen.
    pub last_error: Option<SeenFailure>,
    /// The last 403 and when it was seen.
    pub last_forbidden_error: Option<SeenFailure>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A failure and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFailure {
    /// What it was.
    pub failure: Failure,
    /// When.
    pub at: Timestamp,
}

/// Where an account is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AccountState {
    /// Its credentials are kept; its steps are not done.
    Connecting {
        /// What it signs in with.
        credential: Credential,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        step: ConnectStep,
        /// What it signs in with.
        credential: Credential,
    },
    /// Nothing is wrong.
    Working {
        /// What it signs in with.
        credential: Credential,
    },
    /// The last refresh failed, or a call was answered 401.
    Failing {
        /// What it signs in with.
        credential: Credential,
        /// What is wrong.
        trouble: Trouble,
    },
}

impl AccountState {
    /// What it signs in with.
    pub const fn credential(&self) -> &Credential {
        match self {
            Self::Connecting { credential }
            | Self::StepFailed { credential, .. }
            | Self::Working { credential }
            | Self::Failing { credential, .. } => credential,
        }
    }

    /// The same life with this credential.
    #[must_use]
    fn with(self, credential: Credential) -> Self {
        match self {
            Self::Connecting { .. } => Self::Connecting { credential },
            Self::StepFailed { step, .. } => Self::StepFailed { step, credential },
            Self::Working { .. } => Self::Working { credential },
            Self::Failing { trouble, .. } => Self::Failing { credential, trouble },
        }
    }

    /// The same life after a look at a credential that stays as it is. Where that was due, the next look is an hour later.
    #[must_use]
    fn looked_at(self, now: Timestamp) -> Self {
        match self.credential().clone() {
            Credential::Fixed(fixed) if fixed.next_check.is_some_and(|due| due <= now) => {
                self.with(Credential::Fixed(Fixed { next_check: Some(now.plus_secs(60 * 60)), ..fixed }))
            }
            Credential::Fixed(_) | Credential::Renewing(_) => self,
        }
    }

    /// What is wrong, if something is.
    pub const fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Failing { trouble, .. } => Some(trouble),
            Self::Connecting { .. } | Self::StepFailed { .. } | Self::Working { .. } => None,
        }
    }
}

/// An integrated account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What is true of it whatever its life does.
    pub profile: Profile,
    #[serde(alias = "life")]
    pub state: AccountState,
    /// New credentials on their way into the keychain, in the old ones' place.
    pub replacement: Option<Replacement>,
}

/// What Relink does next for an account by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Refresh its token.
    Refresh(Timestamp),
    /// See whether a token that can't be refreshed still works.
    Check(Timestamp),
}

impl Due {
    /// When.
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Refresh(at) | Self::Check(at) => at,
        }
    }

    /// The same at another time.
    #[must_use]
    pub const fn moved_to(self, at: Timestamp) -> Self {
        match self {
            Self::Refresh(_) => Self::Refresh(at),
            Self::Check(_) => Self::Check(at),
        }
    }
}

impl Account {
    /// Its id.
    pub const fn id(&self) -> AccountId {
        self.profile.id
    }

    /// A new account whose credentials have just been put into the keychain, as generation 1.
    pub fn connect(profile: Profile, granted: &Granted, now: Timestamp) -> Transition {
        let credential = Credential::new(&granted.credential, Self::FIRST_GENERATION);
        let account = Self {
            profile: profile.signed_in(granted, now),
            state: AccountState::Connecting { credential },
            replacement: None,
        };
        let identity = account.profile.identity.as_ref().map(|identity| identity.label.clone());
        Transition {
            account,
            timeline: vec![TimelineEvent::Connected { identity }],
            events: vec![EventKind::AccountCreated],
        }
    }

    /// The generation of an account's first credentials.
    pub const FIRST_GENERATION: u64 = 1;

    /// Truto's status: the one place where it is decided.
    pub const fn status(&self) -> Status {
        match &self.state {
            AccountState::Connecting { .. } => Status::Connecting,
            AccountState::StepFailed { step: ConnectStep::PostInstall, .. } => Status::PostInstallError,
            AccountState::StepFailed { step: ConnectStep::Validation, .. } => Status::ValidationError,
            AccountState::Working { .. } => Status::Active,
            AccountState::Failing { .. } => Status::NeedsReauth,
        }
    }

    /// The words for what it has seen. Whether it is still tried by itself decides what they say to do.
    pub fn explain(&self, seen: &SeenFailure, provider: &str) -> Explanation {
        let next_try = self.state.trouble().and_then(|trouble| trouble.next_try);
        seen.failure.cause.explain(provider, Verdict::for_failure(&seen.failure, next_try))
    }

    /// How it is authenticated.
    pub const fn method(&self) -> AuthenticationMethod {
        self.state.credential().method()
    }

    /// What Relink does next for it by itself, and when. Nothing while a refresh is under way, nor for a trouble that
    /// only a person can mend.
    pub fn due(&self, jitter: Jitter) -> Option<Due> {
        match (self.state.credential(), &self.state) {
            (Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. }), _)
            | (_, AccountState::Connecting { .. })
            | (Credential::Fixed(_), AccountState::StepFailed { .. } | AccountState::Failing { .. }) => None,
            (Credential::Renewing(_), AccountState::Failing { trouble, .. }) => trouble.next_try.map(Due::Refresh),
            (Credential::Renewing(renewing), AccountState::Working { .. } | AccountState::StepFailed { .. }) => {
                schedule::due_at(renewing.lifetime, jitter).map(Due::Refresh)
            }
            (Credential::Fixed(fixed), AccountState::Working { .. }) => fixed.next_check.map(Due::Check),
        }
    }

    /// [`Account::due`] by a clock that was set back to `now`: what a clock that was ahead has planned comes no later than
    /// it would if it were planned now.
    pub fn due_by(&self, now: Timestamp, jitter: Jitter) -> Option<Due> {
        let due = self.due(jitter)?;
        let latest = match (self.state.credential(), &self.state) {
            (_, AccountState::Failing { trouble, .. }) => {
                schedule::retry_at(&trouble.failure, trouble.tries, false, now, jitter)
            }
            (Credential::Renewing(renewing), _) if schedule::is_ahead(renewing.lifetime, now) => now,
            (Credential::Renewing(_) | Credential::Fixed(_), _) => due.at(),
        };
        Some(due.moved_to(due.at().min(latest)))
    }

    /// The generation that the next credentials would get.
    pub const fn next_generation(&self) -> u64 {
        let present = self.state.credential().generation();
        let attempted = match self.state.credential() {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, .. }) => *generation,
            Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => 0,
        };
        let staged = match &self.replacement {
            Some(replacement) => replacement.generation,
            None => 0,
        };
        let highest = if attempted > staged { attempted } else { staged };
        (if highest > present { highest } else { present }) + 1
    }
}

impl Profile {
    /// The profile after a sign-in.
    fn signed_in(mut self, granted: &Granted, now: Timestamp) -> Self {
        // Who was signed in is never forgotten: the next sign-in is compared with it.
        if granted.identity.is_some() {
            self.identity.clone_from(&granted.identity);
        }
        self.scopes.clone_from(&granted.scopes);
        self.context.clone_from(&granted.context);
        self.last_error = None;
        self.last_forbidden_error = None;
        self.updated_at = now;
        self
    }
}
