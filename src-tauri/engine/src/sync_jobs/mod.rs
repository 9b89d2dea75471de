//! Sync jobs: their rows, and the owner of their runs (contract section 9).
//!
//! What runs is in the database: a run's status, what it waits for, and where it is. The owner reads which runs aren't over, and works on
//! those that may go on ([`relink_domain::sync::plan`]), whenever something changes that: a run was made or is over, a wait has ended, an
//! account has its person's attention. So a restart needs nothing of its own.
//!
//! Invariants:
//! - At most one task works on a run. What it does counts only while the run isn't over: a stop wins over whatever still happens.
//! - Statuses change with the events that announce them, in one transaction.
//! - A step of a run commits its progress, states, counts and errors in one transaction, which survives the end of the process. After a loss
//!   of power a run may begin at an earlier batch.

mod changes;
mod datastores;
mod documents;
mod execution;
mod folder;
mod host;
mod live;
mod new_run;
mod owner;
mod reach;
mod rows;
mod runs;
mod states;
mod triggers;
mod workflows;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwapOption;
use relink_destinations::Files;
use relink_domain::{EnvironmentId, SyncJobCronTriggerId, SyncJobRunId, caller::Caller};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::reach::Reaches;
pub use self::{
    documents::Checked,
    live::{LiveRun, LiveRuns},
    new_run::{NewRun, RunProblems},
    runs::{CurrentRuns, Stop},
};
use crate::{
    accounts::Accounts,
    clock::Clock,
    keychain::Keychain,
    orphans::Orphans,
    outbound::Outbound,
    outbox::Outbox,
    run_calls::{InstalledRunCalls, RunCalls},
    scheduler::Scheduler,
    step_runner::StepRunners,
    store::Store,
    tasks::Tasks,
};

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) outbound: Outbound,
    pub(crate) tasks: Tasks,
    pub(crate) accounts: Accounts,
    pub(crate) outbox: Outbox,
    pub(crate) orphans: Orphans,
    /// Checks the expressions of jobs.
    pub(crate) runners: StepRunners,
    pub(crate) environment: EnvironmentId,
    /// Relink's own, to which no job may write.
    pub(crate) data_dir: PathBuf,
}

/// Sync jobs and their runs. Clones share the same state.
#[derive(Debug, Clone)]
pub struct SyncJobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    calls: InstalledRunCalls,
    /// The files that jobs write to. None: the person has chosen no folder.
    files: ArcSwapOption<Files>,
    /// The runs that are worked on, and how to end that.
    under_way: Mutex<HashMap<SyncJobRunId, CancellationToken>>,
    /// When each trigger fires.
    triggers: Scheduler<SyncJobCronTriggerId>,
    /// Whether the network reaches providers.
    reaches: Reaches,
    /// Wakes the owner.
    changed: Notify,
    /// Where the runs are that are worked on.
    live: watch::Sender<LiveRuns>,
    /// Wakes who follows events for workflows.
    workflows_changed: Notify,
}

impl SyncJobs {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner {
            uses,
            calls: InstalledRunCalls::default(),
            files: ArcSwapOption::empty(),
            under_way: Mutex::default(),
            triggers: Scheduler::default(),
            reaches: Reaches::default(),
            changed: Notify::new(),
            live: watch::Sender::default(),
            workflows_changed: Notify::new(),
        }))
    }

    /// Sets who makes the calls of runs. The owner waits for it. Its owner keeps it alive.
    pub fn set_calls(&self, _caller: &Caller, calls: &Arc<dyn RunCalls>) {
        self.0.calls.install(calls);
    }

    /// Goes on with all runs that aren't over, fires triggers, and follows events for workflows.
    pub(crate) fn start(&self) {
        self.0.uses.tasks.spawn_until_stop(owner::run(self.clone()));
        self.0.uses.tasks.spawn_until_stop(workflows::run(self.clone()));
    }
}

#[cfg(test)]
mod tests;
