//! The entry: evaluations, spread over engines that start when there is something to do.

use std::{collections::VecDeque, sync::Arc};

use serde_json::value::RawValue;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    Bindings, EvalError, Limits, Settings,
    job::{Job, Outcome, Program, Task},
    queue::Queue,
    worker,
};

/// Records that an engine evaluates before it looks for other work.
const RECORDS_AT_ONCE: usize = 50;
/// Evaluations that may wait for an engine; the next ones wait for a place.
const MAX_WAITING: usize = 256;
/// Maps at once. They have places of their own, so that evaluations don't wait behind them, and one each, so that no two wait for
/// each other's.
const MAX_MAPS: usize = 64;

/// Evaluates JSONata. Clones share their engines.
#[derive(Clone)]
pub struct Engines(Arc<Shared>);

struct Shared {
    settings: Settings,
    queue: Arc<Queue>,
    places: Semaphore,
    map_places: Semaphore,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Default for Engines {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Engines {
    /// Starts nothing: that is left to the first use.
    pub fn new(settings: Settings) -> Self {
        let queue = Arc::new(Queue::new(settings.max_engines, settings.idle_after));
        Self(Arc::new(Shared {
            settings,
            queue,
            places: Semaphore::new(MAX_WAITING),
            map_places: Semaphore::new(MAX_MAPS),
        }))
    }

    /// Evaluates an expression over an input. None is undefined, as an input and as a result.
    pub async fn eval(
        &self,
        expression: Arc<str>,
        input: Option<Box<RawValue>>,
        bindings: Bindings,
        limits: Limits,
    ) -> Outcome {
        let _place = self.place().await;
        let (reply, result) = oneshot::channel();
        self.start(Job { program: Program { expression, bindings, limits }, task: Task::Eval { input, reply } });
        result.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Evaluates an expression over each record: the outcomes are in the records' order.
    ///
    /// Other evaluations have their turn in between, and records may be evaluated at the same time.
    pub async fn map(
        &self,
        expression: Arc<str>,
        records: Vec<Box<RawValue>>,
        bindings: Bindings,
        limits: Limits,
    ) -> Vec<Outcome> {
        // The semaphore is never closed.
        let _place = self.0.map_places.acquire().await.ok();
        let program = Program { expression, bindings, limits };
        let mut outcomes = Vec::with_capacity(records.len());
        let mut records = records.into_iter();
        let mut running = VecDeque::new();
        loop {
            // One part on each engine for long jobs, and one that waits, so that none is idle in between.
            while running.len() <= self.0.settings.max_engines {
                let part: Vec<_> = records.by_ref().take(RECORDS_AT_ONCE).collect();
                if part.is_empty() {
                    break;
                }
                let count = part.len();
                let (reply, result) = oneshot::channel();
                self.start(Job { program: program.clone(), task: Task::Map { records: part, reply } });
                running.push_back((count, result));
            }
            let Some((count, result)) = running.pop_front() else { return outcomes };
            outcomes.extend(result.await.unwrap_or_else(|_| vec![Err(ended()); count]));
        }
    }

    /// Checks an expression's syntax and its `$names`, of which `names` are bound when it is evaluated.
    pub async fn check(&self, expression: Arc<str>, names: Vec<String>, limits: Limits) -> Result<(), EvalError> {
        let _place = self.place().await;
        let (reply, result) = oneshot::channel();
        self.start(Job {
            program: Program { expression, bindings: Bindings::default(), limits },
            task: Task::Check { names, reply },
        });
        result.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn place(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.places.acquire().await.ok()
    }

    fn start(&self, job: Job) {
        if let Some(slot) = self.0.queue.push(job) {
            worker::start(&self.0.queue, slot, self.0.settings.unknown_names);
        }
    }
}

fn ended() -> EvalError {
    EvalError::internal("The engine that evaluated this expression ended unexpectedly.")
}
