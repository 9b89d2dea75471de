//! The integrated account: a state machine whose types rule out invalid states.
//!
//! [`Account::apply`] computes the next account, the timeline's entries and the events. It has no effects.
//!
//! Invariants:
//! - Only a credential that can be renewed can have a refresh in progress ([`Attempt`] is part of [`Renewing`]).
//! - An account has a [`Trouble`] exactly while it is [`AccountState::Failing`] or [`AccountState::Moved`].
//! - It is [`AccountState::Moved`] from the moment that an address of its integration isn't one any more that its credentials
//!   may be sent to ([`Profile::origins`]), until they are replaced or the address is back.
//! - While it has steps to do or one has failed ([`Account::onboarding`]), it is never [`AccountState::Working`]: a recovery leads back
//!   to [`AccountState::Connecting`].
//! - A result carries the generation that it belongs to; one of another generation is [`Rejected::Stale`].
//! - The five Truto statuses are a view ([`Account::status`]), never stored.

mod apply;
mod call_answered;
mod change;
mod clock;
mod context;
mod credential;
mod due;
mod input;
mod moved;
mod onboarding;
mod replacement;
mod timeline_event;
mod trouble;
mod usability;
mod waiting;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use change::{AccountChange, Settings};
pub use context::{ContextValues, ENVIRONMENT_VARIABLES};
pub use credential::{Attempt, Credential, Fixed, FixedKind, Granted, NewCredential, Renewal, Renewing, Replacement};
pub use due::Due;
pub use input::{CallOutcome, Input, Rejected, Transition};
pub use onboarding::{ActionOutcome, ActionRun, Onboarding, StepRun};
pub use timeline_event::{DeferReason, TimelineEvent, Tone};
pub use trouble::Trouble;

pub use crate::verdict::Verdict;

use crate::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    event::EventKind,
    failure::{Explanation, Failure},
    origins::Origins,
};

/// Who is signed in, according to the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// An id that never changes: the `sub` of an ID token, or what the integration's `identity` section names.
    pub id: String,
    /// What a person recognizes: a login, an e-mail address.
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
    /// Its name on the wire.
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
    Active,
    /// Its connect steps are not done.
    Connecting,
    /// A post-install step failed.
    PostInstallError,
    /// The validation step failed.
    ValidationError,
    /// A refresh failed, or a call was answered with 401.
    NeedsReauth,
}

impl Status {
    /// Its name on the wire.
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

/// A step between the first credentials and an active account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectStep {
    /// The integration's action `post_install`.
    PostInstall,
    /// The integration's action `validation`.
    Validation,
}

/// The part of an account that doesn't depend on its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Stays the same through every reauthorization.
    pub id: AccountId,
    /// The caller's own name for the customer that the account belongs to. Not unique.
    pub tenant_id: String,
    pub environment_integration_id: EnvironmentIntegrationId,
    /// The integration's name.
    pub integration: String,
    /// The name that the person gave it.
    pub name: String,
    /// Whether programs may only read with it: its integration is a sandbox, or a program has marked it.
    pub is_sandbox: bool,
    /// Truto's `region`, kept as given.
    pub region: Option<String>,
    /// Truto's `context`, without any secret.
    pub context: Map<String, Value>,
    /// Who is signed in, if the integration can tell.
    pub identity: Option<Identity>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The scopes that the sign-in requested, from the definition or the link. `None` for a sign-in of an earlier version
    /// of Relink.
    #[serde(default)]
    pub requested_scopes: Option<Vec<String>>,
    /// The addresses that its credentials were given for, and to which alone they may be sent.
    #[serde(default)]
    pub origins: Origins,
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
    /// The last failure. Cleared when the account works again.
    pub last_error: Option<SeenFailure>,
    /// Set while calls are answered as somebody else than `identity`. It doesn't change the state.
    #[serde(default)]
    pub answers_as_another: Option<SeenFailure>,
    /// The last 403. It doesn't change the state.
    pub last_forbidden_error: Option<ForbiddenCall>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A failure and when it was noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFailure {
    pub failure: Failure,
    pub at: Timestamp,
}

/// A call that was answered with 403.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForbiddenCall {
    #[serde(flatten)]
    pub seen: SeenFailure,
    /// `None` for a call of another kind, and of an earlier version of Relink.
    #[serde(flatten)]
    pub method: Option<ResourceMethod>,
}

/// A method of a resource, by their names in the integration's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceMethod {
    pub resource: String,
    pub method: String,
}

/// The state of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AccountState {
    /// It has credentials, but its connect steps are not done.
    Connecting {
        credential: Credential,
    },
    /// A connect step failed.
    StepFailed {
        step: ConnectStep,
        credential: Credential,
    },
    Working {
        credential: Credential,
    },
    /// The last refresh failed, or a call was answered with 401.
    Failing {
        credential: Credential,
        trouble: Trouble,
    },
    /// An address of its integration isn't one any more that its credentials may be sent to. Nothing is begun for it.
    Moved {
        /// Its state before, which it returns to if the address is back.
        before: Box<AccountState>,
        trouble: Trouble,
    },
    /// The definition of its integration can't be used any more. Nothing happens for it meanwhile.
    Unusable {
        /// Its state before, which it returns to.
        before: Box<AccountState>,
    },
}

impl AccountState {
    /// Whether calls work, as far as is known.
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Working { .. })
    }

    pub const fn credential(&self) -> &Credential {
        match self {
            Self::Connecting { credential }
            | Self::StepFailed { credential, .. }
            | Self::Working { credential }
            | Self::Failing { credential, .. } => credential,
            Self::Unusable { before } | Self::Moved { before, .. } => before.credential(),
        }
    }

    /// The same state with another credential.
    #[must_use]
    fn with(self, credential: Credential) -> Self {
        match self {
            Self::Connecting { .. } => Self::Connecting { credential },
            Self::StepFailed { step, .. } => Self::StepFailed { step, credential },
            Self::Working { .. } => Self::Working { credential },
            Self::Failing { trouble, .. } => Self::Failing { credential, trouble },
            Self::Moved { before, trouble } => Self::Moved { before: Box::new(before.with(credential)), trouble },
            Self::Unusable { before } => Self::Unusable { before: Box::new(before.with(credential)) },
        }
    }

    /// The same state with its trouble, if it has one, changed.
    #[must_use]
    fn with_trouble(self, change: impl FnOnce(Trouble) -> Trouble) -> Self {
        match self {
            Self::Failing { credential, trouble } => Self::Failing { credential, trouble: change(trouble) },
            Self::Moved { before, trouble } => Self::Moved { before, trouble: change(trouble) },
            Self::Unusable { before } => Self::Unusable { before: Box::new(before.with_trouble(change)) },
            other @ (Self::Connecting { .. } | Self::StepFailed { .. } | Self::Working { .. }) => other,
        }
    }

    /// The same state after a fixed credential was checked. If that was due, the next check is an hour later.
    #[must_use]
    fn checked(self, now: Timestamp) -> Self {
        match self.credential().clone() {
            Credential::Fixed(fixed) if fixed.next_check.is_some_and(|due| due <= now) => {
                self.with(Credential::Fixed(Fixed { next_check: Some(now.plus_secs(60 * 60)), ..fixed }))
            }
            Credential::Fixed(_) | Credential::Renewing(_) => self,
        }
    }

    pub const fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Failing { trouble, .. } | Self::Moved { trouble, .. } => Some(trouble),
            Self::Connecting { .. } | Self::StepFailed { .. } | Self::Working { .. } | Self::Unusable { .. } => None,
        }
    }
}

/// An integrated account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub profile: Profile,
    #[serde(alias = "life")]
    pub state: AccountState,
    /// New credentials that are being written to the keychain.
    pub replacement: Option<Replacement>,
    /// Set while its connect steps aren't done, also if one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onboarding: Option<Onboarding>,
    /// What the last action did that ran after a sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_action_run: Option<ActionRun>,
    /// When the latest event about a refused call was sent. It outlasts the trouble: a credential that is refused and accepted
    /// in turn sends at most one event a minute, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal_announced_at: Option<Timestamp>,
}

impl Account {
    pub const fn id(&self) -> AccountId {
        self.profile.id
    }

    /// Creates an account whose credentials have just been written to the keychain as generation 1.
    pub fn connect(profile: Profile, granted: &Granted, now: Timestamp) -> Transition {
        let credential = Credential::new(&granted.credential, Self::FIRST_GENERATION);
        let account = Self {
            profile: profile.signed_in(granted, now),
            state: AccountState::Connecting { credential },
            replacement: None,
            onboarding: None,
            last_action_run: None,
            refusal_announced_at: None,
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

    /// Truto's status. This is the one place that decides it.
    pub const fn status(&self) -> Status {
        match &self.state {
            AccountState::Connecting { .. } => Status::Connecting,
            AccountState::StepFailed { step: ConnectStep::PostInstall, .. } => Status::PostInstallError,
            AccountState::StepFailed { step: ConnectStep::Validation, .. } | AccountState::Unusable { .. } => {
                Status::ValidationError
            }
            AccountState::Working { .. } => Status::Active,
            AccountState::Failing { .. } | AccountState::Moved { .. } => Status::NeedsReauth,
        }
    }

    /// What is wrong with the account: its last failure, or that calls are answered as somebody else.
    pub fn shown_error(&self) -> Option<&SeenFailure> {
        self.profile.last_error.as_ref().or(self.profile.answers_as_another.as_ref())
    }

    /// Whether an identity that a call was answered with is another one than the account's.
    pub fn is_another(&self, identity: &Identity) -> bool {
        self.profile.identity.as_ref().is_some_and(|own| own.id != identity.id)
    }

    /// Explains one of its failures. The hint depends on whether a retry is planned.
    pub fn explain(&self, seen: &SeenFailure, provider: &str) -> Explanation {
        let next_try = self.state.trouble().and_then(|trouble| trouble.next_try);
        seen.failure.explain(provider, Verdict::for_failure(&seen.failure, next_try))
    }

    pub const fn method(&self) -> AuthenticationMethod {
        self.state.credential().method()
    }
}

impl Profile {
    /// Since when it is a sandbox account: since its mark, or from its beginning.
    pub fn sandbox_since(&self) -> Option<Timestamp> {
        self.is_sandbox.then(|| self.settings.sandbox_since.unwrap_or(self.created_at))
    }

    /// The profile after a sign-in.
    fn signed_in(mut self, granted: &Granted, now: Timestamp) -> Self {
        // A sign-in without an identity keeps the old one: the next sign-in is compared with it.
        if granted.identity.is_some() {
            self.identity.clone_from(&granted.identity);
        }
        self.scopes.clone_from(&granted.scopes);
        self.requested_scopes = Some(granted.requested_scopes.clone());
        self.origins.clone_from(&granted.origins);
        let stored_objects = &granted.object_store_context_fields;
        self.settings.object_store_context_fields.retain(|key| {
            // Another value was written, or none is kept.
            granted.context.get(key) == self.context.get(key) && !stored_objects.contains(key)
        });
        self.settings.object_store_context_fields.extend_from_slice(stored_objects);
        self.context.clone_from(&granted.context);
        self.last_error = None;
        self.answers_as_another = None;
        self.last_forbidden_error = None;
        self.updated_at = now;
        self
    }
}
