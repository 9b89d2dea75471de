//! Runs sync jobs (contract section 9). The rules of jobs are in `relink_domain::sync`; here a graph runs, and everything that it needs is
//! behind a trait ([`host`]): pages of records, JSONata, destinations, state, and the journal that makes it durable.
//!
//! # How a run survives
//!
//! A run is a stack of durable [`Task`]s. A task is a request node with what it may look at ([`Scope`]), the elements that it loops over, and
//! its [`Place`]: which element, and which page of the list. [`Runner::step`] takes the task on top, fetches one page, takes that batch
//! through everything below the request that is no request itself (conditions, transforms, added names, state, destinations, spools) in
//! memory, and then makes **one commit**: the task's new place, the tasks of the request nodes below, the records for spools, the writes of
//! state, the counts and the errors. So:
//!
//! - A crash repeats the batch in progress at most, and loses none. The repetition has the same [`BatchId`](relink_domain::sync::BatchId)s,
//!   because they are made of the run, the task, its place and the nodes alone. Its page is fetched again: what has changed at the provider
//!   in between is in the repetition.
//! - A write of state happens exactly once, because it is part of the commit.
//! - The stack is as deep as the graph (and a recursion) and holds one page at each level, so memory stays flat. Only a spool grows, in the
//!   journal, and is in memory once, when it is released.
//! - While a batch is on its way, the next page of the list is fetched already (`ahead.rs`), unless requests depend on the batch: a slow
//!   destination slows the provider down, and at most one page waits. After a crash it is fetched again; nothing had seen it.
//!
//! A step that is dropped in the middle is as good as a crash: the runner reads its journal again.
//!
//! A request with `delete_tracking` keeps what it lists, in the journal, with the first page of each list (`missing.rs`). When all else is
//! done and nothing has failed or was skipped on the way, destinations that keep rows mark or remove those that no delivery has written.
//!
//! When the stack is empty, the first spool in the graph's order that has records is released, whole. When no spool has any, the run is over
//! but for its `event` nodes: what depends on `complete` or `error` runs then, with `sync_job_run.status` known.
//!
//! # What expressions and templates see
//!
//! Contract section 9.2 has the names; `view.rs` puts them together. What isn't in the contract:
//!
//! - A batch is seen by the path of its request and by the names of all transforms and spools that it went through, always as a list. So an
//!   expression below a spool may write `resources.crm.contacts` or `resources.all`, as Truto's examples do.
//! - `add_context` and `get_state` run before what stands beside them, and what they add is seen there too. Before any request, it is seen
//!   in the whole run.
//! - What follows a spool sees the names that the spool's first batch saw.
//! - An expression that never writes the word `resources` (or `payload`) is evaluated without it. So `$keys($)` doesn't list it, and records
//!   stay text from the provider to the destination when nobody looks at them.
//! - JSON has no times: [`TIMES`] says which texts of the input the evaluator turns into JavaScript's `Date`s, so that
//!   `sync_job_run.started_at.toISOString()` works. As JSON a `Date` is the same text again.

mod ahead;
mod fetch;
pub mod host;
mod journal;
mod missing;
mod run;
mod runner;
mod view;
mod walk;

#[cfg(test)]
mod tests;

pub use self::{
    host::{
        Account, Call, Delivery, DeliveryError, ExpressionError, Host, JournalError, Level, LogLine, Missing,
        NodeProgress, Page, RequestError,
    },
    journal::{
        Commit, Elements, Head, Outcome, Phase, Place, RecordError, Saved, Scope, SpoolHead, Spooled, StateWrite, Task,
        Top,
    },
    run::{Run, Wait},
    runner::{Ended, Progress, Runner},
    view::TIMES,
};
