//! The run itself, and what may interrupt it.

use relink_domain::{
    SyncJobRunId,
    sync::{ErrorHandling, OnNeedsReauth},
};
use serde_json::{Map, Value};

use crate::{host::JournalError, journal::RecordError};

/// What a run is about.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: SyncJobRunId,
    /// Its row as JSON, as nodes see it as `sync_job_run`. Empty for a batch.
    pub row: Map<String, Value>,
    pub args: Map<String, Value>,
    /// The id of its account.
    pub account: Option<String>,
    /// `started_at` of the last completed run of this job and account (contract section 9.3).
    pub previous_run_date: Option<String>,
    pub error_handling: ErrorHandling,
    pub on_needs_reauth: OnNeedsReauth,
}

/// Why a run can't go on now. It goes on where it is with the next step, whenever its owner takes one.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// The provider answered with 429.
    RateLimited { node: String, seconds: u64, error: Value },
    /// The machine's network doesn't reach the provider.
    Offline { node: String, error: Value },
    /// A destination asked for it.
    Destination { node: String, seconds: u64 },
    /// The account needs its person ([`OnNeedsReauth::Wait`]).
    NeedsReauth { node: String, account: String, error: Value },
}

/// What ends a step without a commit.
#[derive(Debug)]
pub(crate) enum Interrupt {
    Wait(Wait),
    Failed(RecordError),
    Journal(JournalError),
}

impl From<JournalError> for Interrupt {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}
