//! An engine's thread: takes jobs from the queue until it was idle for long enough.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use crate::{
    EvalError, Limits, UnknownNames,
    engine::Engine,
    job::{Job, Outcome, Program, Task},
    queue::Queue,
};

/// The engine checks its own stack against [`Limits::MAX_STACK`]; the rest is for what it calls.
const THREAD_STACK: usize = 2 * Limits::MAX_STACK;

/// Starts an engine's thread in a slot that the queue gave out.
pub(crate) fn start(queue: &Arc<Queue>, slot: usize, unknown_names: UnknownNames) {
    let shared = Arc::clone(queue);
    let started = thread::Builder::new()
        .name(format!("jsonata-{slot}"))
        .stack_size(THREAD_STACK)
        .spawn(move || work(&shared, slot, unknown_names));
    if started.is_err() {
        queue.release(slot);
    }
}

fn work(queue: &Queue, slot: usize, unknown_names: UnknownNames) {
    let mut worker = Worker { engine: None, broken: None, longest: Duration::ZERO, unknown_names };
    let mut small_in_a_row = 0;
    let slot = HeldSlot { queue, slot };
    while let Some(job) = queue.next(slot.slot, &mut small_in_a_row) {
        if job.is_abandoned() {
            continue;
        }
        let expression = Arc::clone(&job.program.expression);
        if catch_unwind(AssertUnwindSafe(|| worker.run(job))).is_err() {
            // Whoever asked learns it from the dropped reply.
            worker.engine = None;
        }
        queue.took(&expression, mem::take(&mut worker.longest));
        // Freeing what an evaluation used takes milliseconds, for which nobody should wait.
        worker.broken = None;
    }
    // The queue has freed the slot, and may have given it to another thread.
    mem::forget(slot);
}

/// Frees the slot of a thread that panics.
struct HeldSlot<'a> {
    queue: &'a Queue,
    slot: usize,
}

impl Drop for HeldSlot<'_> {
    fn drop(&mut self) {
        self.queue.release(self.slot);
    }
}

struct Worker {
    engine: Option<Engine>,
    /// The last engine that ended by a limit, until its answer is sent.
    broken: Option<Engine>,
    /// The longest evaluation of a job, without the start of its engine.
    longest: Duration,
    unknown_names: UnknownNames,
}

impl Worker {
    fn run(&mut self, Job { program, task }: Job) {
        match task {
            Task::Eval { input, reply } => {
                let outcome = self.eval(&program, input.as_deref().map(serde_json::value::RawValue::get));
                let _ = reply.send(outcome);
            }
            Task::Map { records, reply } => {
                let mut outcomes = Vec::with_capacity(records.len());
                for record in records {
                    if reply.is_closed() {
                        return;
                    }
                    outcomes.push(self.eval(&program, Some(record.get())));
                }
                let _ = reply.send(outcomes);
            }
            Task::Check { names, reply } => {
                let outcome = self.with_engine(|engine| engine.check(&program, &names));
                let _ = reply.send(outcome);
            }
        }
    }

    fn eval(&mut self, program: &Program, input: Option<&str>) -> Outcome {
        let unknown_names = self.unknown_names;
        self.with_engine(|engine| engine.eval(program, input, unknown_names))
    }

    /// An engine that ended by a limit isn't used again: what an interrupted evaluation left behind is unknown.
    fn with_engine<T>(&mut self, run: impl FnOnce(&mut Engine) -> Result<T, EvalError>) -> Result<T, EvalError> {
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::new()?,
        };
        let outcome = run(&mut engine);
        self.longest = self.longest.max(engine.last_time());
        let is_broken = engine.is_broken();
        *(if is_broken { &mut self.broken } else { &mut self.engine }) = Some(engine);
        outcome
    }
}
