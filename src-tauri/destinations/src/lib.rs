//! Where sync jobs write (contract section 9.2): files in a folder that the person allowed (**ours**), and S3-compatible datastores. What
//! the files look like is in docs/sync-destinations.md.
//!
//! # Exactly once
//!
//! A batch has the same [`BatchId`](relink_domain::sync::BatchId) when it is delivered again, after a crash or because the run's own commit
//! failed. Each destination remembers the ids of the batches that it has, and a batch that it has already is not written again. But the
//! provider's page may have changed meanwhile, and what is new in it must not be lost:
//!
//! | destination | where the ids are | a batch that comes again with other records |
//! |---|---|---|
//! | SQLite | in the table `relink_batches`, in the transaction that writes the records | is written too; with a key, its records replace those that are there |
//! | JSON Lines | in a ledger beside the file, with the place of each batch (`jsonl/ledger.rs`) | replaces its earlier version, unless another run's batch is behind that: then it is written too |
//! | Parquet | in the names of the parts | replaces its earlier version |
//! | S3 | in the keys of the objects | replaces its earlier version |
//!
//! A delivery returns when the batch is on the disk (`fdatasync`, or SQLite's `synchronous = FULL`), so it survives a loss of power too: the
//! run's own journal does, and it says that the batch was delivered.
//!
//! [`Files::finish`] forgets the ids of a run, because no batch of it comes again.

mod batch;
mod files;
mod folder;
mod jsonl;
mod origin;
mod parquet;
mod problem;
mod record;
mod s3;
mod sqlite;

pub use self::{
    files::Files,
    origin::Origin,
    s3::{Datastore, DatastoreProblem, S3},
};
