//! What an engine is asked to do.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::{Bindings, EvalError, Limits};

/// The result's JSON; none for undefined.
pub(crate) type Outcome = Result<Option<Box<RawValue>>, EvalError>;

/// An expression, with what it is evaluated over.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) expression: Arc<str>,
    pub(crate) bindings: Bindings,
    pub(crate) limits: Limits,
}

pub(crate) enum Task {
    Eval {
        input: Option<Box<RawValue>>,
        reply: oneshot::Sender<Outcome>,
    },
    /// Some records of a map.
    Map {
        records: Vec<Box<RawValue>>,
        reply: oneshot::Sender<Vec<Outcome>>,
    },
    Check {
        names: Vec<String>,
        reply: oneshot::Sender<Result<(), EvalError>>,
    },
}

pub(crate) struct Job {
    pub(crate) program: Program,
    pub(crate) task: Task,
}

impl Job {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match &self.task {
            Task::Eval { reply, .. } => reply.is_closed(),
            Task::Map { reply, .. } => reply.is_closed(),
            Task::Check { reply, .. } => reply.is_closed(),
        }
    }

    /// Bytes that say how much work it is likely to be.
    pub(crate) fn size(&self) -> usize {
        let input = match &self.task {
            Task::Eval { input, .. } => input.as_ref().map_or(0, |input| input.get().len()),
            Task::Map { .. } => return usize::MAX,
            Task::Check { .. } => 0,
        };
        self.program.expression.len() + self.program.bindings.size() + input
    }
}
