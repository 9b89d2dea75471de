//! The rules of sync jobs (contract section 9): what a job may contain, when its trigger fires, what becomes of a run, and which workflows
//! start one.
//!
//! A job's `resources` are decoded once into a [`Graph`]. Typed nodes (runtime 4) and flat ones (runtime 1 to 3) become the same
//! nodes, so that there is one rule for each. `relink-sync` runs a graph; here nothing runs.

mod args;
mod batch_id;
mod cron;
mod decode;
mod delete_tracking;
mod destination;
mod graph;
mod job;
mod node;
mod plan;
mod recursion;
mod run;
mod stats;
mod warnings;
mod workflow;

#[cfg(test)]
mod args_tests;
#[cfg(test)]
mod cron_tests;
#[cfg(test)]
mod delete_tracking_tests;
#[cfg(test)]
mod graph_tests;

pub use self::{
    args::{ArgFailure, ArgField, ArgKind, ArgsError, ArgsSchema},
    batch_id::BatchId,
    cron::{CronError, CronExpression, Firing},
    delete_tracking::{Condition, DeleteMode, DeleteTracking, Operator, Tracked},
    destination::{Destination, DestinationKind, FileDestination, FileFormat, FileProblem},
    graph::{Form, Graph, GraphError, Node},
    job::{DEFAULT_RUNTIME, Job, JobError, check_types, cron_of, runtime},
    node::{Content, Large, Lifecycle, NodeKind, Recursion, Request},
    plan::{OpenRun, Plan, Wait, plan},
    recursion::Filled,
    run::{
        Claim, ErrorHandling, EventFilter, OnNeedsReauth, RefusedChange, RunChange, RunEvent, RunStatus, UnknownWord,
    },
    stats::{Counts, ResourceStats},
    warnings::warnings,
    workflow::{ACTION, Chain, STEP_TYPE, Step, StepConfig, StepResult, Workflow, WorkflowResult, WorkflowRunStatus},
};
