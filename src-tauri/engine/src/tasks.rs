//! The engine's background tasks, and how they are stopped.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::error::{Error, Result};

/// Spawns tasks and ends them. Clones share the same set.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    /// Where all of them run, whoever spawns them: a thread that serves connections isn't to be held up.
    runtime: Handle,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Tasks {
    /// Of the engine that is started on the current runtime.
    pub(crate) fn new() -> Self {
        Self { runtime: Handle::current(), tracker: TaskTracker::new(), stopping: CancellationToken::new() }
    }

    /// Runs a task that a stop waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn_on(task, &self.runtime);
    }

    /// Runs a task until the engine stops.
    pub(crate) fn spawn_until_stop(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        let until_stop = async move {
            stopping.run_until_cancelled(task).await;
        };
        self.tracker.spawn_on(until_stop, &self.runtime);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits for a future. Fails with [`Error::Stopping`] when the engine stops.
    pub(crate) async fn unless_stopping<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        self.stopping.run_until_cancelled(future).await.ok_or(Error::Stopping)
    }

    /// Signals every task to stop, and waits up to `deadline` for those that run to their end. Returns whether all have
    /// ended.
    pub(crate) async fn stop(&self, deadline: Duration) -> bool {
        self.stopping.cancel();
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
impl Tasks {
    /// Waits for the tasks that run now. For tests in which no task runs until the stop.
    pub(crate) async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }
}

#[cfg(test)]
mod tests {
    use tokio::{runtime::Builder, sync::oneshot};

    use super::*;

    #[test]
    fn a_task_runs_where_the_engine_was_started_whoever_spawns_it() {
        let new_runtime = || Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (engines, apis) = (new_runtime(), new_runtime());
        let tasks = engines.block_on(async { Tasks::new() });
        for until_stop in [false, true] {
            let (ran_on, where_it_ran) = oneshot::channel();
            let task = async move { ran_on.send(Handle::current().id()).expect("received") };
            apis.block_on(async { if until_stop { tasks.spawn_until_stop(task) } else { tasks.spawn(task) } });
            assert_eq!(engines.block_on(where_it_ran).expect("it ran"), engines.handle().id());
        }
    }
}
