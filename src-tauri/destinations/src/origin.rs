//! Whose record a row is, for tables that follow what is deleted at the provider (`delete_tracking`, contract section 9.2).

use relink_domain::{
    SyncJobRunId, Timestamp,
    sync::{Condition, DeleteMode},
};
use serde_json::Value;

/// The columns of an origin. Those that begin with `truto_` are named as in Truto's `SuperQuery`, the others are **ours**.
pub(crate) const JOB: &str = "truto_sync_job_id";
pub(crate) const RUN: &str = "truto_sync_job_run_id";
pub(crate) const ACCOUNT: &str = "truto_integrated_account_id";
pub(crate) const SYNCED_AT: &str = "truto_synced_at";
pub(crate) const REQUEST: &str = "relink_request";
/// When the record was found to be gone.
pub(crate) const DELETED_AT: &str = "relink_deleted_at";

/// Whether a field is one of [`Origin::fields`].
pub(crate) fn is_field(name: &str) -> bool {
    [JOB, RUN, ACCOUNT, SYNCED_AT, REQUEST].contains(&name)
}

#[derive(Debug, Clone)]
pub struct Origin {
    /// The id of the job.
    pub job: String,
    pub run: SyncJobRunId,
    /// The id of the account.
    pub account: String,
    /// The name of the request.
    pub request: String,
    /// Now.
    pub at: Timestamp,
}

impl Origin {
    /// Its fields in a row, as JSON.
    pub(crate) fn fields(&self) -> [(&'static str, String); 5] {
        let text = |text: &str| Value::from(text).to_string();
        [
            (JOB, text(&self.job)),
            (RUN, text(&self.run.to_string())),
            (ACCOUNT, text(&self.account)),
            (SYNCED_AT, text(&self.at.to_string())),
            (REQUEST, text(&self.request)),
        ]
    }
}

/// The rows of a request and an account that a run hasn't written, although its lists are complete.
pub(crate) struct Gone {
    pub origin: Origin,
    /// When the run began: what another run has written since stays.
    pub since: Timestamp,
    pub mode: DeleteMode,
    /// For each list, what a row must meet to have been in it if its record were there.
    pub lists: Vec<Vec<Condition<Value>>>,
}
