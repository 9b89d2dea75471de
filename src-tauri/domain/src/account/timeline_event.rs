//! The timeline: what happened to an account.

use serde::{Deserialize, Serialize};

use super::ConnectStep;
use crate::{
    Timestamp,
    failure::{Failure, Occasion, provider_words},
    origins::MovedAddress,
    verdict::Verdict,
};

/// Why a refresh that is due is deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeferReason {
    Offline,
    /// The machine has just woken, and the network may not be up yet.
    JustWoken,
    KeychainLocked,
    /// No keychain service is running.
    KeychainAbsent,
    /// The provider asked all accounts at its host to wait (`Retry-After`).
    ProviderAsked,
}

/// How an entry is marked. Never by color alone: each tone has a shape and words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    Good,
    /// Worth a look.
    Warning,
    /// The account stopped working.
    Bad,
}

/// One entry of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TimelineEvent {
    /// The account was created.
    Connected {
        /// The label of the identity that signed in.
        identity: Option<String>,
    },
    /// The connect steps run after a reauthorization, or once more.
    StepsBegun,
    /// A connect step failed.
    StepFailed { step: ConnectStep, failure: Failure },
    /// All connect steps passed.
    Activated,
    /// The provider issued a new access token.
    Refreshed {
        /// When the new access token expires, if known.
        expires_at: Option<Timestamp>,
        /// Whether the provider issued a new refresh token as well.
        rotated: bool,
    },
    /// A refresh failed.
    RefreshFailed {
        failure: Failure,
        /// When Relink retries; `None` if only the person can fix it.
        next_try: Option<Timestamp>,
    },
    /// A refresh that is due was deferred.
    #[serde(alias = "put_off")]
    Deferred { why: DeferReason },
    /// A refresh that a crash had interrupted was resumed.
    #[serde(alias = "taken_up_again")]
    Resumed,
    /// A check or call was accepted.
    Checked,
    /// A check neither succeeded nor was refused.
    CheckInconclusive { failure: Failure },
    /// A call was accepted, but for another identity than the account's.
    AnsweredAsAnother {
        /// The label of the identity in the response.
        identity: String,
        /// The label of the account's identity.
        instead_of: Option<String>,
    },
    /// A call was refused because of the credential.
    Unauthorized { failure: Failure },
    /// The account's item is missing from the keychain, or can't be read.
    CredentialGone { failure: Failure },
    /// A call was answered with 403.
    Forbidden {
        /// `None` in an entry of an earlier version of Relink.
        #[serde(default)]
        failure: Option<Failure>,
    },
    /// The account recovered without its person.
    Reactivated,
    /// The credentials were replaced.
    Reauthorized {
        /// The label of the identity that signed in.
        identity: Option<String>,
        /// The label of the identity that was signed in before, if it is another one.
        instead_of: Option<String>,
    },
    /// Another identity signed in, and the person chose to keep the old credentials.
    KeptOld {
        /// The label of the identity that signed in.
        identity: Option<String>,
    },
    /// A connect flow ended without success. Nothing was changed.
    FlowFailed {
        /// The stable error code.
        code: String,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_code: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_message: Option<String>,
    },
    /// A callback was unexpected, repeated or late. Nothing was changed.
    CallbackRefused {
        /// The stable error code.
        code: String,
        message: String,
    },
    /// A link token for this account was created.
    LinkCreated { expires_at: Timestamp },
    /// The account has a new name.
    Renamed { name: String },
    /// The account's context was changed.
    ContextChanged,
    /// A person submitted the integration's `RapidForm`.
    FormSubmitted,
    /// A program changed what is set for the account.
    SettingsChanged {
        /// Their names in the API.
        settings: Vec<String>,
    },
    /// A program marked it as a sandbox account, or took the mark away.
    SandboxMarked { is_sandbox: bool },
    /// The definition of its integration can't be used any more.
    IntegrationUnusable { failure: Failure },
    /// The definition of its integration can be used again.
    IntegrationUsable,
    /// An address of its integration changed, and its credentials may not be sent there.
    OriginChanged { failure: Failure },
    /// The addresses of its integration are again those that its credentials were given for.
    OriginRestored {
        /// When a refresh that had failed before is retried.
        next_try: Option<Timestamp>,
    },
    /// An address of a built-in integration changed with an update of Relink, and the credentials followed.
    OriginFollowed { moved: MovedAddress },
    /// A built-in integration is hidden, because the person made one of the same name. It belongs to no account.
    BuiltInHidden { integration: String },
    /// The account was deleted.
    Deleted {
        name: String,
        /// Whether the provider confirmed that it revoked the tokens; `None` if it offers no revocation, or if that is still
        /// to be done.
        revoked: Option<bool>,
        /// Whether the revocation is still to be done: because the keychain was locked, or because many accounts were deleted
        /// at once.
        #[serde(default)]
        is_pending: bool,
        /// Whether its integration was removed with all of its accounts.
        #[serde(default)]
        with_integration: bool,
        /// The label of its integration.
        #[serde(default)]
        provider: Option<String>,
    },
    /// The revocation that was still to be done when the account was deleted has ended.
    RevokedLater {
        /// The label of the account's integration.
        provider: String,
        /// Whether the provider confirmed it. If not, Relink has given up.
        revoked: bool,
    },
}

impl TimelineEvent {
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
            | Self::FormSubmitted
            | Self::SettingsChanged { .. }
            | Self::SandboxMarked { .. }
            | Self::IntegrationUsable
            | Self::OriginRestored { .. }
            | Self::OriginFollowed { .. }
            | Self::Deleted { revoked: None | Some(true), is_pending: false, .. }
            | Self::Deleted { revoked: None, with_integration: true, .. }
            | Self::RevokedLater { revoked: true, .. } => Tone::Good,
            Self::Deferred { .. }
            | Self::Resumed
            | Self::StepsBegun
            | Self::CheckInconclusive { .. }
            | Self::AnsweredAsAnother { .. }
            | Self::Forbidden { .. }
            | Self::KeptOld { .. }
            | Self::FlowFailed { .. }
            | Self::CallbackRefused { .. }
            | Self::BuiltInHidden { .. }
            | Self::Deleted { .. }
            | Self::RevokedLater { .. }
            | Self::RefreshFailed { next_try: Some(_), .. } => Tone::Warning,
            Self::StepFailed { .. }
            | Self::RefreshFailed { next_try: None, .. }
            | Self::Unauthorized { .. }
            | Self::IntegrationUnusable { .. }
            | Self::OriginChanged { .. }
            | Self::CredentialGone { .. } => Tone::Bad,
        }
    }

    /// The texts of changed addresses.
    fn describe_origins(&self, provider: &str) -> (String, Option<String>) {
        match self {
            Self::OriginChanged { failure } => {
                let explanation = failure.explain(provider, Verdict::NeedsPerson);
                (explanation.title, Some(format!("{} {}", explanation.message, explanation.hint)))
            }
            Self::OriginFollowed { moved } => {
                (moved.title(provider), Some(format!("With an update of Relink, {}", moved.change())))
            }
            _ => (
                format!("{provider}'s addresses are the old ones again"),
                Some("The credentials can be used again".into()),
            ),
        }
    }

    /// The line that a person reads, and the smaller one below it.
    pub fn describe(&self, provider: &str) -> (String, Option<String>) {
        let cause = |failure: &Failure| Some(with_provider_words(failure.cause.title(provider), failure, provider));
        match self {
            Self::Connected { identity: Some(identity) } => (format!("Connected as {identity}"), None),
            Self::Connected { identity: None } => ("Connected".into(), None),
            Self::StepsBegun => ("Running the integration's steps".into(), None),
            Self::StepFailed { failure, .. } => (failure.cause.title(provider), failure.step_error.clone()),
            Self::Activated => ("Ready".into(), None),
            Self::Refreshed { rotated: true, .. } => ("Refreshed".into(), Some("With a new refresh token".into())),
            Self::Refreshed { rotated: false, .. } => ("Refreshed".into(), None),
            Self::RefreshFailed { failure, next_try: Some(_) } => {
                ("Refresh failed. Relink will retry.".into(), cause(failure))
            }
            Self::RefreshFailed { failure, next_try: None } => ("Refresh refused".into(), cause(failure)),
            Self::Deferred { why } => (
                match why {
                    DeferReason::Offline => "Refresh deferred: offline",
                    DeferReason::JustWoken => "Refresh deferred: waiting for the network",
                    DeferReason::KeychainLocked => "Refresh deferred: the keychain is locked",
                    DeferReason::KeychainAbsent => "Refresh deferred: no keychain service is running",
                    DeferReason::ProviderAsked => "Refresh deferred: the provider asked to wait",
                }
                .into(),
                None,
            ),
            Self::Resumed => ("Interrupted refresh resumed".into(), None),
            Self::Checked => ("Checked".into(), Some(format!("{provider} accepted a call"))),
            Self::CheckInconclusive { failure } => ("Check inconclusive".into(), cause(failure)),
            Self::AnsweredAsAnother { identity, instead_of } => (
                format!("{provider} answered as {identity}"),
                instead_of.as_ref().map(|own| format!("This account belongs to {own}")),
            ),
            Self::Unauthorized { failure } => ("A call was refused".into(), cause(failure)),
            Self::CredentialGone { failure } => (failure.cause.title(provider), None),
            Self::Forbidden { failure } => {
                let detail = format!("{provider} answered 403: the account lacks a permission for it");
                let detail = match failure {
                    Some(failure) => with_provider_words(detail, failure, provider),
                    None => detail,
                };
                ("A call was forbidden".into(), Some(detail))
            }
            Self::Reactivated => ("Working again".into(), Some("It recovered without signing in again".into())),
            Self::Reauthorized { identity, instead_of } => (
                identity
                    .as_ref()
                    .map_or_else(|| "Reauthorized".into(), |identity| format!("Reauthorized as {identity}")),
                instead_of.as_ref().map(|before| format!("Previously: {before}")),
            ),
            Self::KeptOld { identity } => {
                ("Kept the old sign-in".into(), identity.as_ref().map(|identity| format!("{identity} signed in")))
            }
            Self::FlowFailed { message, provider_code, provider_message, .. } => {
                let words = provider_words(provider_code.as_deref(), provider_message.as_deref());
                let said = words.map(|words| format!(" {provider} said: \"{words}\"")).unwrap_or_default();
                ("Sign-in failed".into(), Some(format!("{message}{said}")))
            }
            Self::CallbackRefused { message, .. } => ("Sign-in callback refused".into(), Some(message.clone())),
            Self::LinkCreated { .. } => ("Magic link created".into(), None),
            Self::Renamed { name } => (format!("Renamed to {name}"), None),
            Self::IntegrationUnusable { failure } => (failure.cause.title(provider), failure.provider_message.clone()),
            Self::OriginChanged { .. } | Self::OriginRestored { .. } | Self::OriginFollowed { .. } => {
                self.describe_origins(provider)
            }
            Self::IntegrationUsable => (format!("{provider} can be used again"), None),
            Self::BuiltInHidden { integration } => (
                format!("Built-in integration {integration} hidden"),
                Some("Yours has the same name, and is used instead".into()),
            ),
            Self::ContextChanged => ("Context changed".into(), None),
            Self::FormSubmitted => ("Form submitted".into(), None),
            Self::SettingsChanged { settings } => ("Settings changed".into(), Some(settings.join(", "))),
            Self::SandboxMarked { is_sandbox } => describe_mark(*is_sandbox),
            Self::Deleted { name, revoked, is_pending, with_integration, provider: own } => {
                let provider = own.as_deref().unwrap_or(provider);
                let detail = match revoked {
                    None if *is_pending && *with_integration => {
                        Some(format!("Removed with {provider}. Relink revokes its tokens there next."))
                    }
                    None if *with_integration => Some(format!("Removed with {provider}")),
                    _ if *is_pending => Some(format!(
                        "Not revoked at {provider} yet: the keychain is locked. Relink revokes it when the keychain is unlocked."
                    )),
                    Some(true) => Some(format!("{provider} revoked its tokens")),
                    Some(false) => Some(format!(
                        "Not revoked at {provider}. Remove Relink's access in your account settings there."
                    )),
                    None => None,
                };
                (format!("{name} was deleted"), detail)
            }
            Self::RevokedLater { provider, revoked: true } => {
                (format!("Revoked at {provider}"), Some("The account was deleted before".into()))
            }
            Self::RevokedLater { provider, revoked: false } => (
                format!("Not revoked at {provider}"),
                Some("Relink has given up. Remove its access in your account settings there.".into()),
            ),
        }
    }
}

/// What happened, followed by the provider's words and the advice for them.
fn with_provider_words(text: String, failure: &Failure, provider: &str) -> String {
    let Some(words) = failure.provider_words() else { return text };
    let occasion = Occasion::Account(Verdict::for_failure(failure, None));
    let hint = failure.advice(provider, occasion).map(|advice| format!(" {}", advice.hint)).unwrap_or_default();
    format!("{text}. {provider} said: \"{words}\"{hint}")
}

/// The texts of a sandbox account's mark.
fn describe_mark(is_sandbox: bool) -> (String, Option<String>) {
    if is_sandbox {
        ("Marked as a sandbox account".into(), Some("Programs can read with it, but not write".into()))
    } else {
        ("No longer a sandbox account".into(), Some("Programs can write with it".into()))
    }
}
