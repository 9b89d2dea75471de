//! What is kept of a run.

use std::collections::{BTreeMap, BTreeSet};

use relink_domain::{Timestamp, sync::ResourceStats};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

/// A request node that is to be worked on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Its number in the run. No other task has or had it.
    pub id: u64,
    /// The node, by its place in the graph.
    pub node: usize,
    pub scope: Scope,
    /// What it loops over: one request for each. None: there is one request.
    pub elements: Option<Elements>,
    /// How many recursions have led here. Above 0 the node's `recurse.config` applies.
    pub depth: u32,
    /// The only part that changes.
    pub place: Place,
}

/// The values that a node sees beside the run's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// Names at the top: `resources`, and what `add_context` added.
    pub values: Map<String, Value>,
    /// Whose context is seen. None: that of the run's account.
    pub account: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Elements {
    /// Where the current one is seen.
    pub paths: Vec<Vec<String>>,
    pub records: Vec<Box<RawValue>>,
}

/// How far a task is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub element: u64,
    pub page: u64,
    pub cursor: Option<String>,
    /// `total_records_size`.
    pub seen: u64,
}

/// Where a run is, apart from its tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub phase: Phase,
    /// What nodes without a request above them have found.
    pub base: Scope,
    /// The spools that have records.
    pub spools: BTreeMap<usize, SpoolHead>,
    /// The destinations that may lack records, by their places in [`Graph::tracked`](relink_domain::sync::Graph::tracked): something on the
    /// way has failed, or was skipped.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub incomplete: BTreeSet<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing has run.
    #[default]
    Begin,
    Main,
    /// What depends on the event nodes runs.
    End {
        outcome: Outcome,
        at: Timestamp,
    },
    Over {
        outcome: Outcome,
        at: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Completed,
    Failed(RecordError),
}

/// What a spool passes on, beside its records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpoolHead {
    /// That of its first batch.
    pub scope: Scope,
    /// By which its records are seen.
    pub names: Vec<Vec<String>>,
}

/// The payload of the event `sync_job_run:record_error`, but for `meta`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordError {
    /// The name of the node.
    pub node: String,
    pub resource: String,
    /// In Truto's form.
    pub error: Value,
}

/// Everything of a run that is kept in memory while it runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Saved {
    pub head: Head,
    pub next_task: u64,
    /// The last one is on top.
    pub tasks: Vec<Task>,
}

/// What a step leads to. It is kept whole, or not at all. Its parts count in the order in which they stand here.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// All tasks and all records of spools go.
    pub clear: bool,
    /// What becomes of the task on top.
    pub top: Top,
    /// New ones, from the bottom to the top.
    pub push: Vec<Task>,
    pub next_task: u64,
    /// If it has changed.
    pub head: Option<Head>,
    /// Records for the end of spools, and of requests with `delete_tracking` what they have listed.
    pub spooled: Vec<Spooled>,
    /// The spool whose records are no longer needed.
    pub released: Option<usize>,
    /// In their order, for the run's state key.
    pub states: Vec<StateWrite>,
    /// To be added to the run's.
    pub stats: ResourceStats,
    /// To be sent as the run's `error_handling` says.
    pub errors: Vec<RecordError>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Top {
    #[default]
    Kept,
    Moved(Place),
    Done,
}

#[derive(Debug, Clone)]
pub struct Spooled {
    /// The node, by its place in the graph.
    pub spool: usize,
    pub records: Vec<Box<RawValue>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StateWrite {
    Put { key: String, value: Value },
    Delete { key: String },
}

impl StateWrite {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

impl Saved {
    /// What a commit means for the tasks. Spools' records, states, counts and errors are the journal's.
    pub(crate) fn apply(&mut self, commit: &mut Commit) {
        if commit.clear {
            self.tasks.clear();
        }
        match std::mem::take(&mut commit.top) {
            Top::Kept => {}
            Top::Moved(place) => {
                if let Some(task) = self.tasks.last_mut() {
                    task.place = place;
                }
            }
            Top::Done => {
                self.tasks.pop();
            }
        }
        self.tasks.append(&mut commit.push);
        self.next_task = commit.next_task;
        if let Some(head) = commit.head.take() {
            self.head = head;
        }
    }
}
