//! What a run needs of others.

use relink_domain::{
    Timestamp,
    sync::{BatchId, Condition, DeleteMode, DestinationKind, ResourceStats},
};
use serde_json::{Map, Value, value::RawValue};

use crate::journal::{Commit, Saved};

/// Everything that a run needs, implemented by its owner.
pub trait Host: Requests + Expressions + Destinations + States + Journal + Observer + Clock {}

impl<T: Requests + Expressions + Destinations + States + Journal + Observer + Clock> Host for T {}

/// A call of a unified or proxy method, with all templates filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'a> {
    /// The id of the integrated account.
    pub account: &'a str,
    /// With `/` it is unified.
    pub resource: &'a str,
    pub method: &'a str,
    pub id: Option<String>,
    pub query: Map<String, Value>,
    pub body: Option<Value>,
    /// Of the next page.
    pub cursor: Option<&'a str>,
    /// `raw`, `unified` or `normalized` (contract section 0.6).
    pub response_format: Option<&'a str>,
    /// The same for a repetition after a crash, for a provider or cache that knows idempotency keys.
    pub idempotency: BatchId,
}

/// A page of a list, or the one record of another method. The records stay text.
#[derive(Debug, Default)]
pub struct Page {
    pub records: Vec<Box<RawValue>>,
    pub next_cursor: Option<String>,
}

/// Why there is no page. The values are errors in Truto's form (contract section 0.4).
#[derive(Debug, Clone, PartialEq)]
pub enum RequestError {
    /// The provider asks for a wait.
    RateLimited {
        seconds: u64,
        error: Value,
    },
    /// The account needs reauthorization.
    Unauthorized(Value),
    /// Nothing came from the provider.
    NoResponse(Value),
    /// The machine's network doesn't reach the provider.
    Offline(Value),
    Other(Value),
}

/// What of an account templates and expressions see.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Account {
    /// Without secrets.
    pub context: Map<String, Value>,
    pub tenant_id: String,
}

pub trait Requests: Send + Sync {
    fn page(&self, call: Call<'_>) -> impl Future<Output = Result<Page, RequestError>> + Send;

    /// An account by its id, or the error in Truto's form.
    fn account(&self, id: &str) -> impl Future<Output = Result<Account, Value>> + Send;
}

/// Why an expression has no result, in a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(pub String);

pub trait Expressions: Send + Sync {
    /// The result over an input, in which the texts at [`TIMES`](crate::TIMES) count as times. None is JSONata's undefined.
    fn evaluate(
        &self,
        expression: &str,
        input: Box<RawValue>,
    ) -> impl Future<Output = Result<Option<Box<RawValue>>, ExpressionError>> + Send;
}

/// A batch for a destination.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    /// The same for a repetition.
    pub id: BatchId,
    pub kind: &'a DestinationKind,
    /// The destination node's name.
    pub destination: &'a str,
    /// What the records are named on the wire: a resource, or the name of a transform or spool.
    pub resource: &'a str,
    /// Its `config`, filled.
    pub config: Option<Value>,
    /// Whose records they are, as far as they come from a request.
    pub account: Option<&'a str>,
    pub records: &'a [Box<RawValue>],
    /// The name of the request that they come from, if the destination is to notice which of them are gone later.
    pub tracked: Option<&'a str>,
}

/// The end of the lists of a request with `delete_tracking`: what they no longer have is to be marked or removed.
#[derive(Debug, Clone)]
pub struct Missing<'a> {
    /// The name of the request.
    pub request: &'a str,
    /// As of its deliveries.
    pub resource: &'a str,
    pub config: &'a Value,
    pub account: &'a str,
    pub mode: DeleteMode,
    /// For each list, what a row must meet to have been in it if its record were there.
    pub lists: &'a [Vec<Condition<Value>>],
}

#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryError {
    /// The destination asks for a wait. The batch is delivered again then.
    RetryAfter { seconds: u64 },
    /// In Truto's form.
    Failed(Value),
}

pub trait Destinations: Send + Sync {
    /// Returns when the destination has the batch. One that comes again has the same id.
    fn deliver(&self, delivery: Delivery<'_>) -> impl Future<Output = Result<(), DeliveryError>> + Send;

    /// Marks or removes the rows that no delivery of this run has written, and gives their number. It may come again.
    fn delete_missing(&self, missing: Missing<'_>) -> impl Future<Output = Result<u64, DeliveryError>> + Send;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The run's journal can't be used: {0}")]
pub struct JournalError(pub String);

/// The cells of the run's state key. They are written by [`Commit::states`].
pub trait States: Send + Sync {
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Value>, JournalError>> + Send;
}

/// What makes a run durable. It belongs to one run.
pub trait Journal: Send + Sync {
    /// None: the run is new.
    fn load(&self) -> impl Future<Output = Result<Option<Saved>, JournalError>> + Send;

    /// Keeps all of it, or nothing. After an error the runner loads again, whether the commit was kept or not.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// All records of a spool, in their order.
    fn spooled(&self, spool: usize) -> impl Future<Output = Result<Vec<Box<RawValue>>, JournalError>> + Send;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Debug,
    Warn,
}

/// A line for the run's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    pub level: Level,
    pub node: &'a str,
    pub message: &'a str,
}

/// What a commit has added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeProgress<'a> {
    /// The request that was worked on.
    pub node: Option<&'a str>,
    pub added: &'a ResourceStats,
    /// Tasks that wait.
    pub waiting: usize,
}

/// Who watches. What must not be lost is in the commit instead.
pub trait Observer: Send + Sync {
    fn log(&self, line: LogLine<'_>);
    fn progress(&self, progress: NodeProgress<'_>);
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}
