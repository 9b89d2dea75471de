//! The crash points.

use anyhow::{Context, Result};

use super::runs::{DESTINATIONS, PAGES};

/// The crash points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The intent is committed; no request was sent.
    RefreshIntent,
    /// The provider has responded; nothing is stored yet.
    RefreshAnswered,
    /// The new refresh token is in the keychain; the database isn't updated yet.
    RefreshKept,
    /// Everything is committed.
    RefreshCommitted,
    /// [`Point::RefreshIntent`], of a refresh by an integration's own steps.
    StepRefreshIntent,
    /// The provider has answered the first request of the steps, with new tokens; the next one isn't sent yet.
    StepRefreshRequested,
    /// [`Point::RefreshAnswered`] behind all steps.
    StepRefreshAnswered,
    /// A later step has failed. The new refresh token of the first one is in the keychain; the database isn't updated yet.
    StepRefreshFailed,
    /// [`Point::RefreshKept`] behind steps.
    StepRefreshKept,
    /// [`Point::RefreshCommitted`] behind steps.
    StepRefreshCommitted,
    /// A replacement item is about to be written to the keychain.
    ReplaceIntent,
    /// The replacement is in the keychain; the database isn't updated yet.
    ReplaceKept,
    /// A new account's item is in the keychain; the database doesn't know the account.
    ConnectKept,
    /// A new account's steps are open; nothing of the next one was sent.
    StepsBegin,
    /// An action has run; its end isn't stored yet.
    StepsRan,
    /// An action's end is committed.
    StepsCommitted,
    /// A delivery is about to be sent.
    DeliverySending,
    /// The receiver has responded to a delivery; the database isn't updated yet.
    DeliveryAnswered,
    /// A run has fetched a page; nothing of it is delivered.
    RunFetched,
    /// A destination has a batch; the database isn't updated yet.
    RunDelivered,
    /// A step of a run is committed.
    RunCommitted,
    /// It is decided that an event starts a workflow; nothing of that is committed.
    WorkflowDecided,
    /// The workflow's run is committed; no step is taken.
    WorkflowStarted,
    /// The first step of the workflow's run is committed.
    WorkflowStepped,
}

impl Point {
    pub const ALL: &[Self] = &[
        Self::RefreshIntent,
        Self::RefreshAnswered,
        Self::RefreshKept,
        Self::RefreshCommitted,
        Self::StepRefreshIntent,
        Self::StepRefreshRequested,
        Self::StepRefreshAnswered,
        Self::StepRefreshFailed,
        Self::StepRefreshKept,
        Self::StepRefreshCommitted,
        Self::ReplaceIntent,
        Self::ReplaceKept,
        Self::ConnectKept,
        Self::StepsBegin,
        Self::StepsRan,
        Self::StepsCommitted,
        Self::DeliverySending,
        Self::DeliveryAnswered,
        Self::RunFetched,
        Self::RunDelivered,
        Self::RunCommitted,
        Self::WorkflowDecided,
        Self::WorkflowStarted,
        Self::WorkflowStepped,
    ];

    pub fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|point| point.name() == name);
        let all = || Self::ALL.iter().map(|point| point.name()).collect::<Vec<_>>().join(", ");
        found.copied().with_context(|| format!("there is no crash point {name:?}; the crash points are {}", all()))
    }

    /// Whether it is in a run of a sync job.
    pub const fn is_in_run(self) -> bool {
        matches!(self, Self::RunFetched | Self::RunDelivered | Self::RunCommitted)
    }

    /// How often the place is passed before the kill, so that the rounds of a run hit each of its pages and destinations.
    pub const fn passes(self, round: u32) -> u32 {
        let all = match self {
            Self::RunFetched => PAGES,
            Self::RunDelivered => PAGES * DESTINATIONS,
            // The begin, the end, and that it is over, too.
            Self::RunCommitted => PAGES + 3,
            _ => return 0,
        };
        // The first two rounds are apart, and all places are hit.
        round * 3 % all
    }

    /// Whether the account is one that an integration's own steps refresh.
    pub const fn is_by_steps(self) -> bool {
        matches!(
            self,
            Self::StepRefreshIntent
                | Self::StepRefreshRequested
                | Self::StepRefreshAnswered
                | Self::StepRefreshFailed
                | Self::StepRefreshKept
                | Self::StepRefreshCommitted
        )
    }

    /// The name of the place in the code.
    pub const fn place(self) -> &'static str {
        match self {
            Self::StepRefreshIntent => Self::RefreshIntent.name(),
            Self::StepRefreshRequested => "refresh-step-answered",
            Self::StepRefreshAnswered => Self::RefreshAnswered.name(),
            Self::StepRefreshFailed => "refresh-rotated-kept",
            Self::StepRefreshKept => Self::RefreshKept.name(),
            Self::StepRefreshCommitted => Self::RefreshCommitted.name(),
            other => other.name(),
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StepRefreshIntent => "step-refresh-intent",
            Self::StepRefreshRequested => "step-refresh-requested",
            Self::StepRefreshAnswered => "step-refresh-answered",
            Self::StepRefreshFailed => "step-refresh-failed",
            Self::StepRefreshKept => "step-refresh-kept",
            Self::StepRefreshCommitted => "step-refresh-committed",
            Self::RefreshIntent => "refresh-intent",
            Self::RefreshAnswered => "refresh-answered",
            Self::RefreshKept => "refresh-kept",
            Self::RefreshCommitted => "refresh-committed",
            Self::ReplaceIntent => "replace-intent",
            Self::ReplaceKept => "replace-kept",
            Self::ConnectKept => "connect-kept",
            Self::StepsBegin => "steps-begin",
            Self::StepsRan => "steps-ran",
            Self::StepsCommitted => "steps-committed",
            Self::DeliverySending => "delivery-sending",
            Self::DeliveryAnswered => "delivery-answered",
            Self::RunFetched => "run-fetched",
            Self::RunDelivered => "run-delivered",
            Self::RunCommitted => "run-committed",
            Self::WorkflowDecided => "workflow-decided",
            Self::WorkflowStarted => "workflow-started",
            Self::WorkflowStepped => "workflow-stepped",
        }
    }
}
