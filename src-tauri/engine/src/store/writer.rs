//! The thread that writes, and the transactions that writes share.
//!
//! Each commit waits for the disk. Writes that wait at the same time are therefore committed together, each within a
//! savepoint: one that fails undoes only itself. Nobody is answered before the commit.

use std::{path::PathBuf, sync::Arc, thread};

use rusqlite::{Connection, Transaction, TransactionBehavior, ffi};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    ChangeSet, QUEUE_LENGTH, Result, StoreError,
    changes::{Publisher, Recorder},
    outbox,
};

/// The maximum number of writes in one transaction. The first one waits for the last one.
const MAX_GROUP: usize = 64;

/// What a write survives once it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The end of the process. A loss of power may undo it, with all that was written after it.
    Process,
    /// A loss of power.
    Power,
}

/// A job of the writer's thread.
enum Job {
    /// Needs the connection, outside of a transaction.
    Alone(Box<dyn FnOnce(&mut Connection) + Send>),
    Write(Box<dyn Write>),
}

/// Sends jobs to the writer's thread. Clones share it; it ends with the last one.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    outbox_seq: watch::Sender<i64>,
    publisher: Arc<Publisher>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let outbox_seq = watch::Sender::new(outbox::latest(&connection)?);
        let publisher = Arc::new(Publisher::new());
        let recorder = Recorder::install(&connection)?;
        let (sender, jobs) = mpsc::channel(QUEUE_LENGTH);
        let mut committer = Committer {
            connection,
            durability: Durability::Power,
            recorder,
            outbox_seq: outbox_seq.clone(),
            publisher: Arc::clone(&publisher),
        };
        thread::Builder::new()
            .name("store".into())
            .spawn(move || committer.run(jobs))
            .map_err(|source| StoreError::Folder { folder: PathBuf::new(), source })?;
        Ok(Self { jobs: sender, outbox_seq, publisher })
    }

    /// Runs a job after all that came before it, outside of a transaction.
    pub(super) async fn alone<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Alone(Box::new(move |connection| {
            // The caller may have been cancelled; the job runs anyway.
            let _ = answer.send(job(connection));
        }));
        self.jobs.send(job).await.map_err(|_| StoreError::Stopping)?;
        answered.await.map_err(|_| StoreError::Stopping)?
    }

    /// [`super::Store::write_then`].
    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let outcome = Err(StoreError::Stopping);
        let job = WriteJob { durability, write: Some(write), then: Some(then), outcome, answer };
        self.jobs.send(Job::Write(Box::new(job))).await.map_err(|_| StoreError::Stopping)?;
        answered.await.map_err(|_| StoreError::Stopping)?
    }

    pub(super) fn outbox_seq(&self) -> &watch::Sender<i64> {
        &self.outbox_seq
    }

    pub(super) fn publisher(&self) -> &Publisher {
        &self.publisher
    }
}

/// A write, in the order of its steps.
trait Write: Send {
    fn durability(&self) -> Durability;
    /// Writes, and remembers what became of it. The error is a copy.
    fn write(&mut self, transaction: &Transaction<'_>) -> Result<()>;
    /// After the commit: what follows from it in memory, if the write succeeded.
    fn committed(&mut self);
    /// Instead of a commit.
    fn failed(&mut self, error: StoreError);
    fn answer(self: Box<Self>);
}

struct WriteJob<W, N, T> {
    durability: Durability,
    write: Option<W>,
    then: Option<N>,
    outcome: Result<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<W, N, T> Write for WriteJob<W, N, T>
where
    W: FnOnce(&Transaction<'_>) -> Result<T> + Send,
    N: FnOnce(&T) + Send,
    T: Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn write(&mut self, transaction: &Transaction<'_>) -> Result<()> {
        if let Some(write) = self.write.take() {
            self.outcome = write(transaction);
        }
        self.outcome.as_ref().map(drop).map_err(copy)
    }

    fn committed(&mut self) {
        if let (Ok(value), Some(then)) = (&self.outcome, self.then.take()) {
            then(value);
        }
    }

    fn failed(&mut self, error: StoreError) {
        // Why a write failed by itself says more.
        if self.outcome.is_ok() || self.write.is_some() {
            self.outcome = Err(error);
        }
    }

    fn answer(self: Box<Self>) {
        // The caller may have been cancelled; the write happened anyway.
        let _ = self.answer.send(self.outcome);
    }
}

/// What the writer's thread has.
struct Committer {
    connection: Connection,
    /// As the connection commits now.
    durability: Durability,
    recorder: Recorder,
    outbox_seq: watch::Sender<i64>,
    publisher: Arc<Publisher>,
}

impl Committer {
    /// Sets how the next transactions are committed. In the write-ahead log, a commit that waits for the disk waits for all before it too.
    fn survive(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            let synchronous = if durability == Durability::Power { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.durability = durability;
        }
        Ok(())
    }

    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| jobs.blocking_recv()) {
            let first = match job {
                Job::Write(first) => first,
                Job::Alone(job) => {
                    job(&mut self.connection);
                    continue;
                }
            };
            let mut group = vec![first];
            while group.len() < MAX_GROUP {
                match jobs.try_recv() {
                    Ok(Job::Write(write)) => group.push(write),
                    Ok(alone @ Job::Alone(_)) => {
                        next = Some(alone);
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.commit(group);
        }
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Write>>) {
        match self.write(&mut group) {
            Ok((latest, changes)) => {
                for write in &mut group {
                    write.committed();
                }
                self.outbox_seq.send_if_modified(|known| std::mem::replace(known, latest) != latest);
                self.publisher.publish(&changes);
            }
            Err(error) => {
                for write in &mut group {
                    write.failed(copy(&error));
                }
            }
        }
        group.into_iter().for_each(Write::answer);
    }

    /// Writes a group in one transaction: the outbox's latest sequence number, and what changed.
    fn write(&mut self, group: &mut [Box<dyn Write>]) -> Result<(i64, ChangeSet)> {
        let mut changes = ChangeSet::default();
        self.survive(group.iter().map(|write| write.durability()).max().unwrap_or(Durability::Power))?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for write in group {
            execute(&transaction, "SAVEPOINT one_write")?;
            let outcome = write.write(&transaction);
            let recorded = self.recorder.take();
            match outcome {
                Ok(()) => changes.merge(recorded),
                // Without space or memory, SQLite may undo the whole transaction, and with it the writes before this one.
                Err(error) if transaction.is_autocommit() => return Err(error),
                Err(_) => execute(&transaction, "ROLLBACK TO one_write")?,
            }
            execute(&transaction, "RELEASE one_write")?;
        }
        let latest = outbox::latest(&transaction)?;
        transaction.commit()?;
        Ok((latest, changes))
    }
}

fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

/// The same error for another write of the group.
fn copy(error: &StoreError) -> StoreError {
    let (code, message) = match error {
        StoreError::Sqlite(rusqlite::Error::SqliteFailure(code, message)) => (*code, message.clone()),
        other => (ffi::Error::new(ffi::SQLITE_ABORT), Some(other.to_string())),
    };
    // Not by `into`: it is logged already.
    StoreError::Sqlite(rusqlite::Error::SqliteFailure(code, message))
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
