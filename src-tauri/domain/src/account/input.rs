//! What goes into the state machine and what comes out of it.

use serde_json::{Map, Value};

use super::{
    Account, AccountChange, ActionOutcome, ActionRun, ConnectStep, DeferReason, Granted, Identity, ResourceMethod,
    TimelineEvent,
};
use crate::{
    LinkTokenId,
    event::EventKind,
    failure::{Failure, ProviderError},
    origins::{Origin, Origins},
    schedule::TokenLifetime,
};

/// What happened to an account, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// There are no connect steps.
    StepsPassed,
    /// The connect steps are to run: after a sign-in, or once more.
    BeginSteps { first: ConnectStep },
    /// A connect step sets keys of the account's context.
    StepContext {
        /// See [`super::Onboarding::generation`].
        generation: u64,
        context: Map<String, Value>,
    },
    /// The action that was next has ended.
    ActionEnded {
        /// See [`super::Onboarding::generation`].
        generation: u64,
        /// `None`: the definition doesn't have it.
        run: Option<ActionRun>,
        outcome: ActionOutcome,
    },
    /// A refresh is about to be tried. This intent is committed before the exchange: it proves that the disk takes writes
    /// before the old token is spent.
    BeginRefresh,
    /// At start, an intent was found open whose response was lost: the old token is tried again under the same intent.
    ResumeRefresh,
    /// The exchange succeeded, and a rotated refresh token is in the keychain.
    Refreshed {
        /// The intent's generation.
        generation: u64,
        /// Of the new access token.
        lifetime: TokenLifetime,
        /// Whether the provider issued a new refresh token.
        rotated: bool,
    },
    /// The exchange failed.
    RefreshFailed {
        /// The intent's generation.
        generation: u64,
        failure: Failure,
    },
    /// A refresh that is due can't be tried yet.
    Defer { why: DeferReason },
    /// The keychain is unlocked, and a fixed credential is missing from it or can't be read.
    CredentialGone { failure: Failure },
    /// A call was answered.
    CallAnswered {
        /// The generation of the credential that the call was made with.
        generation: u64,
        outcome: CallOutcome,
    },
    /// New credentials have passed every check and are about to be written to the keychain.
    BeginReplacement {
        granted: Granted,
        /// The link token that asked for them. This is its single success. `None`: a program gave them.
        link: Option<LinkTokenId>,
        /// The connect step that follows, if the integration has any.
        first_step: Option<ConnectStep>,
    },
    /// The new credentials are in the keychain.
    Replaced {
        /// The replacement's generation.
        generation: u64,
    },
    /// The new credentials were never written to the keychain.
    ReplacementLost {
        /// The replacement's generation.
        generation: u64,
    },
    /// The time is over for which the event of a trouble was withheld.
    AnnounceWithheld,
    /// The person renames the account.
    Rename { name: String },
    /// A program marks the account as a sandbox account, or takes the mark away.
    MarkSandbox { is_sandbox: bool },
    /// The definition of the account's integration can't be used any more.
    IntegrationUnusable { failure: Failure },
    /// The definition of the account's integration can be used again.
    IntegrationUsable,
    /// The machine's clock was set back by this many milliseconds.
    ClockSetBack { millis: i64 },
    /// The addresses of the account's integration are these now.
    FollowOrigins {
        current: Origins,
        /// Origins that credentials bound to them may leave, by a built-in definition's `moved_from`.
        accepted: Vec<Origin>,
    },
    /// A program changes the account.
    Change(Box<AccountChange>),
    /// A person submitted the `RapidForm`, whose values go into the context (contract section 2.2).
    SubmitForm { context: Map<String, Value> },
}

/// How the provider answered a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    Accepted,
    /// The credential was refused, when nothing could be refreshed or again after a refresh.
    Unauthorized {
        /// 401, unless the definition says that an error in another response means the same.
        status: u16,
        /// What the provider said.
        said: ProviderError,
    },
    /// 403.
    Forbidden {
        /// What the provider said.
        said: ProviderError,
        /// The scopes that the call lacked, if that is known.
        missing_scopes: Vec<String>,
        /// What was called, if it was a method of a resource.
        method: Option<ResourceMethod>,
    },
    /// It was accepted, but for another identity than the account's.
    AcceptedAsAnother(Identity),
    /// None of these: a network problem, or the provider's own.
    Inconclusive(Failure),
}

/// The next account, and what is recorded and announced of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub account: Account,
    /// New entries of the timeline.
    pub timeline: Vec<TimelineEvent>,
    /// New events for the outbox.
    pub events: Vec<EventKind>,
}

/// Why an input was refused. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The result belongs to an older generation, or to no open intent.
    #[error("the result of generation {got} is stale")]
    Stale {
        /// The generation that the result carries.
        got: u64,
    },
    #[error("a refresh is already in progress")]
    UnderWay,
    #[error("this connection has nothing to refresh: its credential stays the same until it is replaced")]
    NotRenewing,
    /// New credentials are being written to the keychain.
    #[error("new credentials are being saved")]
    BeingReplaced,
    #[error("an address of the integration has changed")]
    OriginChanged,
    #[error("the connect steps of this account are already done")]
    StepsDone,
    #[error("the connect steps of this account are running")]
    StepsRunning,
    #[error("this account must be reauthorized first")]
    NeedsPerson,
    #[error("this account isn't active")]
    NotActive,
}
