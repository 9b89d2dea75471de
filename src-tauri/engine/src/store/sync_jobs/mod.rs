//! Sync jobs, their runs, and what makes a run durable (contract section 9).

pub mod journal;
pub mod log;
pub mod runs;
pub mod states;
pub mod triggers;
pub mod workflows;
