//! What an evaluation may use, and how many engines there may be.

use std::{thread, time::Duration};

/// What one evaluation may use. One that wants more ends with an error of the matching [`ErrorKind`](crate::ErrorKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the evaluation's start on its engine; waiting for an engine doesn't count. Of each record, for a map.
    pub time: Duration,
    /// Bytes, beside what the engine itself needs.
    pub memory: usize,
    /// Bytes of stack. More than [`Limits::MAX_STACK`] counts as that.
    pub stack: usize,
    /// Bytes of the result's JSON.
    pub output: usize,
}

impl Limits {
    /// An engine's thread has twice as much. QuickJS doesn't check its stack at all above this limit.
    pub const MAX_STACK: usize = 16 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(2), memory: 128 << 20, stack: Self::MAX_STACK, output: 32 << 20 }
    }
}

/// What a `$name` that nothing binds means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownNames {
    /// An error that names it: it is a typing mistake.
    #[default]
    Refuse,
    /// Undefined, as in JSONata itself.
    Undefined,
}

/// How the engines run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub unknown_names: UnknownNames,
    /// The most engines at once, each with its thread; at least 2, of which one takes only small evaluations.
    pub max_engines: usize,
    /// An engine that had nothing to do for so long ends, and frees its memory.
    pub idle_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self {
            unknown_names: UnknownNames::default(),
            max_engines: cores.clamp(2, 4),
            idle_after: Duration::from_secs(30),
        }
    }
}
