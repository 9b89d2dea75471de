//! The loop that owns all runs.

use std::{collections::HashSet, time::Duration};

use relink_domain::{AccountId, SyncJobRunId, Timestamp, account::Status, caller::Caller, sync};
use rusqlite::Transaction;
use tokio_util::sync::CancellationToken;

use super::SyncJobs;
use crate::{
    clock::{ClockChange, ClockWatch},
    error::Result,
    scheduler::pause_until,
    store::{
        accounts,
        sync_jobs::runs::{self, StoredRun},
    },
    sync::lock,
};

/// Runs that are worked on at once. The others wait.
const MAX_UNDER_WAY: usize = 8;
/// The maximum time between two readings of the wall clock.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// After this time a failed look at the database is repeated.
const STORE_RETRY_SECS: i64 = 5;

pub(super) async fn run(jobs: SyncJobs) {
    // Without calls and expressions no run gets anywhere.
    jobs.0.calls.installed().await;
    match jobs.folder(&Caller::Internal).await {
        Ok(folder) => jobs.use_folder(folder),
        Err(error) => tracing::warn!(code = error.code(), "the folder of sync jobs can't be read: {error}"),
    }
    let mut changes = jobs.0.uses.store.changes();
    let mut clock = jobs.0.uses.clock.changes();
    let mut watch = ClockWatch::new(jobs.now());
    let mut has_triggers = false;
    loop {
        let now = jobs.now();
        if matches!(watch.look(now), ClockChange::Back(_)) {
            jobs.end_waits(now).await;
            has_triggers = false;
        }
        if !has_triggers {
            match jobs.plan_triggers().await {
                Ok(()) => has_triggers = true,
                Err(error) => tracing::warn!(code = error.code(), "the triggers of sync jobs can't be read: {error}"),
            }
        }
        let next_plan = (!has_triggers).then(|| now.plus_secs(STORE_RETRY_SECS));
        let next_trigger = jobs.fire_due(now).await;
        let (next_run, awaited) = jobs.go_on(now).await.unwrap_or_else(|error| {
            tracing::warn!(code = error.code(), "the runs of sync jobs can't be read: {error}");
            (Some(now.plus_secs(STORE_RETRY_SECS)), HashSet::new())
        });
        let next = next_plan.into_iter().chain(next_trigger).chain(next_run).min();
        let pause = tokio::time::sleep(pause_until(next, now, MAX_PAUSE));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = jobs.0.changed.notified() => break,
                () = jobs.0.triggers.changed() => break,
                () = clock.changed() => break,
                () = &mut pause => break,
                set = changes.next() => {
                    // The store is closed.
                    let Some(set) = set else { return };
                    if awaited.iter().any(|account| set.accounts.contains(*account)) {
                        break;
                    }
                }
            }
        }
    }
}

impl SyncJobs {
    /// Begins to work on all runs that may go on. Gives when the next wait ends, and the accounts that are waited for.
    async fn go_on(&self, now: Timestamp) -> Result<(Option<Timestamp>, HashSet<AccountId>)> {
        let open = self.0.uses.store.read(runs::open).await?;
        let open =
            if open.iter().any(|run| run.waits_for_account.is_some()) { self.after_persons().await? } else { open };
        let known: Vec<_> = open.iter().map(StoredRun::open).collect();
        let planned = {
            let under_way = lock(&self.0.under_way);
            sync::plan(&known, |run| under_way.contains_key(&run), MAX_UNDER_WAY, now)
        };
        for run in planned.begin {
            self.begin(run);
        }
        Ok((planned.next, open.iter().filter_map(|run| run.waits_for_account).collect()))
    }

    /// Ends the waits for accounts that no longer need their person. The runs that aren't over.
    async fn after_persons(&self) -> Result<Vec<StoredRun>> {
        let write = |tx: &Transaction<'_>| {
            let mut open = runs::open(tx)?;
            for run in &mut open {
                let Some(account) = run.waits_for_account else { continue };
                let account = accounts::get(tx, account)?;
                // A run of a deleted account goes on to its error.
                if account.is_none_or(|account| account.status() != Status::NeedsReauth) {
                    run.waits_for_account = None;
                    runs::put(tx, run)?;
                }
            }
            Ok(open)
        };
        Ok(self.0.uses.store.write(write).await?)
    }

    /// The clock was set back: what waits until a time of the other clock goes on now.
    async fn end_waits(&self, now: Timestamp) {
        let write = move |tx: &Transaction<'_>| {
            for mut run in runs::open(tx)?.into_iter().filter(|run| run.wait_until.is_some()) {
                run.wait_until = run.wait_until.map(|at| at.min(now));
                runs::put(tx, &run)?;
            }
            Ok(())
        };
        if let Err(error) = self.0.uses.store.write(write).await {
            tracing::warn!("waits that were planned by another clock stay: {error}");
        }
    }

    /// Works on a run in a task of its own, until it is over, has to wait, or is stopped.
    fn begin(&self, run: SyncJobRunId) {
        let stop = CancellationToken::new();
        lock(&self.0.under_way).insert(run, stop.clone());
        let jobs = self.clone();
        self.0.uses.tasks.spawn_until_stop(async move {
            let _ended = Ended { jobs: jobs.clone(), run };
            // What is dropped in the middle is as good as a crash.
            let _ = stop.run_until_cancelled(jobs.execute(run)).await;
        });
    }
}

/// Even after a panic the run isn't under way any more.
struct Ended {
    jobs: SyncJobs,
    run: SyncJobRunId,
}

impl Drop for Ended {
    fn drop(&mut self) {
        lock(&self.jobs.0.under_way).remove(&self.run);
        self.jobs.rests(self.run);
        self.jobs.0.changed.notify_one();
    }
}
