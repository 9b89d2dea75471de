//! The timeline: what happened to an account, in words.

use serde::{Deserialize, Serialize};

use super::ConnectStep;
use crate::{Timestamp, failure::Failure};

/// Why a refresh that is due waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeferReason {
    /// The machine has no network.
    Offline,
    /// The machine has just woken: the network is given time.
    JustWoken,
    /// The keychain is locked.
    KeychainLocked,
    /// The keychain's service isn't there.
    KeychainAbsent,
}

/// How a moment is marked. Never by colour alone: each has its own shape and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Something broke.
    Bad,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TimelineEvent {
    /// The account was made.
    Connected {
        /// Who signed in.
        identity: Option<String>,
    },
    /// A step of making it failed.
    StepFailed {
        /// Which.
        step: ConnectStep,
        /// Why.
        failure: Failure,
    },
    /// It came to work.
    Activated,
    /// A new access token.
    Refreshed {
        /// When it ends, where that is known.
        expires_at: Option<Timestamp>,
        /// Whether the provider gave a new refresh token with it.
        rotated: bool,
    },
    /// A refresh was tried and failed.
    RefreshFailed {
        /// Why.
        failure: Failure,
        /// When Relink tries again by itself.
        next_try: Option<Timestamp>,
    },
    /// A refresh that is due waits.
    #[serde(alias = "put_off")]
    Deferred {
        /// Why.
        why: DeferReason,
    },
    /// A refresh was cut off by a crash and was taken up again.
    #[serde(alias = "taken_up_again")]
    Resumed,
    /// A check or call was accepted.
    Checked,
    /// A check could not tell.
    CheckInconclusive {
        /// Why.
        failure: Failure,
    },
    /// A call was answered 401.
    Unauthorized {
        /// What was seen.
        failure: Failure,
    },
    /// The account's item was found to be gone from the keychain.
    CredentialGone {
        /// What was seen.
        failure: Failure,
    },
    /// A call was answered 403.
    Forbidden,
    /// It recovered by itself.
    Reactivated,
    /// The credentials were replaced.
    Reauthorized {
        /// Who signed in.
        identity: Option<String>,
        /// Who was signed in before, if it was somebody else.
        instead_of: Option<String>,
    },
    /// A sign-in by somebody else; the person chose to keep the old credentials.
    KeptOld {
        /// Who had signed in.
        identity: Option<String>,
    },
    /// A connect flow ended without success; nothing was changed.
    FlowFailed {
        /// The stable code of the reason.
        code: String,
        /// The reason in words.
        message: String,
    },
    /// A callback that nobody asked for, or that came twice or too late; nothing was changed.
    CallbackRefused {
        /// The stable code of the reason.
        code: String,
        /// The reason in words.
        message: String,
    },
    /// A magic link was made.
    LinkCreated {
        /// When it ends.
        expires_at: Timestamp,
    },
    /// The person gave it another name.
    Renamed {
        /// The name from now on.
        name: String,
    },
    /// Its context was changed.
    ContextChanged,
    /// It was deleted.
    Deleted {
        /// What it was called.
        name: String,
        /// Whether the provider was told to revoke its tokens, where it offers that.
        revoked: Option<bool>,
    },
}

impl TimelineEvent {
    /// How it is marked.
    pub const fn tone(&self) -> Tone {
        match self {
            Self::Connected { .. }
            | Self::Activated
            | Self::Refreshed { .. }
            | Self::Checked
            | Self::Reactivated
            | Self::Reauthorized { .. }
            | Self::LinkCreated { .. }
            | Self::Renamed { .. }
            | Self::ContextChanged
            | Self::Deleted { .. } => Tone::Good,
            Self::Deferred { .. }
            | Self::Resumed
            | Self::CheckInconclusive { .. }
            | Self::Forbidden
            | Self::KeptOld { .. }
            | Self::FlowFailed { .. }
            | Self::CallbackRefused { .. }
            | Self::RefreshFailed { next_try: Some(_), .. } => Tone::Warning,
            Self::StepFailed { .. }
            | Self::RefreshFailed { next_try: None, .. }
            | Self::Unauthorized { .. }
            | Self::CredentialGone { .. } => Tone::Bad,
        }
    }

    /// The line a person reads, and the smaller one below it.
    pub fn describe(&self, provider: &str) -> (String, Option<String>) {
        let because = |failure: &Failure| Some(failure.cause.title(provider));
        match self {
            Self::Connected { identity: Some(identity) } => (format!("Connected as {identity}"), None),
            Self::Connected { identity: None } => ("Connected".into(), None),
            Self::StepFailed { step: ConnectStep::PostInstall, failure } => {
                ("A post-install step failed".into(), because(failure))
            }
            Self::StepFailed { step: ConnectStep::Validation, failure } => {
                (format!("{provider} didn't accept a first call"), because(failure))
            }
            Self::Activated => ("Ready".into(), None),
            Self::Refreshed { rotated: true, .. } => ("Refreshed".into(), Some("With a new refresh token".into())),
            Self::Refreshed { rotated: false, .. } => ("Refreshed".into(), None),
            Self::RefreshFailed { failure, next_try: Some(_) } => {
                ("Refresh failed; Relink tries again".into(), because(failure))
            }
            Self::RefreshFailed { failure, next_try: None } => ("Refresh refused".into(), because(failure)),
            Self::Deferred { why } => (
                match why {
                    DeferReason::Offline => "Refresh put off while offline",
                    DeferReason::JustWoken => "Refresh put off until the network is back",
                    DeferReason::KeychainLocked => "Refresh put off while the keychain is locked",
                    DeferReason::KeychainAbsent => "Refresh put off until the keychain's service is there",
                }
                .into(),
                None,
            ),
            Self::Resumed => ("An interrupted refresh was taken up again".into(), None),
            Self::Checked => ("Checked".into(), Some(format!("{provider} accepted a call"))),
            Self::CheckInconclusive { failure } => ("The check could not tell".into(), because(failure)),
            Self::Unauthorized { failure } => ("A call was refused".into(), because(failure)),
            Self::CredentialGone { failure } => (failure.cause.title(provider), None),
            Self::Forbidden => (
                "A call was forbidden".into(),
                Some(format!("{provider} answered 403: the account lacks a right for it")),
            ),
            Self::Reactivated => ("Works again".into(), Some("It recovered by itself".into())),
            Self::Reauthorized { identity, instead_of } => (
                identity
                    .as_ref()
                    .map_or_else(|| "Reauthorized".into(), |identity| format!("Reauthorized as {identity}")),
                instead_of.as_ref().map(|before| format!("Before: {before}")),
            ),
            Self::KeptOld { identity } => (
                "The old sign-in was kept".into(),
                identity.as_ref().map(|identity| format!("{identity} had signed in")),
            ),
            Self::FlowFailed { message, .. } => ("A sign-in did not succeed".into(), Some(message.clone())),
            Self::CallbackRefused { message, .. } => ("A sign-in's return was refused".into(), Some(message.clone())),
            Self::LinkCreated { .. } => ("A magic link was made".into(), None),
            Self::Renamed { name } => (format!("Renamed to {name}"), None),
            Self::ContextChanged => ("Its context was changed".into(), None),
            Self::Deleted { name, revoked } => (
                format!("{name} was deleted"),
                match revoked {
                    Some(true) => Some(format!("{provider} was told to revoke its tokens")),
                    Some(false) => Some(format!("{provider} could not be told to revoke its tokens")),
                    None => None,
                },
            ),
        }
    }
}
