//! Files in a folder that the person allowed, kept open between the batches of their runs.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use relink_domain::{
    SyncJobRunId, Timestamp,
    sync::{FileDestination, FileFormat},
};
use relink_sync::{Delivery, DeliveryError, Missing};
use serde_json::Value;

use crate::{
    Origin, batch::Batch, folder::Folder, jsonl::Jsonl, origin::Gone, parquet::Parquet, problem::Problem,
    sqlite::Sqlite,
};

/// How many files are open at a time. More can be written to: the one that was used least recently is closed.
const MAX_OPEN: usize = 16;

/// The files of all runs. Clones share them. Runs that write to the same file share it too, and wait for each other's batches.
#[derive(Clone)]
pub struct Files(Arc<Shared>);

struct Shared {
    folder: Folder,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    open: HashMap<Key, Arc<Slot>>,
    /// What each run has written to, also if it was closed since.
    runs: HashMap<SyncJobRunId, HashSet<Key>>,
    /// Counts uses, to know the least recent one.
    uses: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    place: PathBuf,
    format: FileFormat,
}

#[derive(Default)]
struct Slot {
    /// Locked during a batch. None: not open yet, or it had an error.
    writer: Mutex<Option<Writer>>,
    last_use: AtomicU64,
}

enum Writer {
    Jsonl(Jsonl),
    Sqlite(Box<Sqlite>),
    Parquet(Parquet),
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    /// `folder`: what the person allowed. It must exist when something is delivered.
    pub fn new(folder: PathBuf) -> Self {
        Self(Arc::new(Shared { folder: Folder::new(folder), slots: Mutex::default() }))
    }

    /// Returns when the file has the batch, on the disk. A batch that it has already isn't written again. The configuration of the
    /// delivery is a [`FileDestination`].
    ///
    /// The work is done on a thread that may block, and is completed even if this future is dropped.
    pub async fn deliver(
        &self,
        run: SyncJobRunId,
        delivery: &Delivery<'_>,
        origin: Option<Origin>,
    ) -> Result<(), DeliveryError> {
        let destination = read(delivery.config.as_ref().unwrap_or(&Value::Null))?;
        let batch = Batch::new(run, delivery, origin);
        self.blocking(move |shared| shared.write(&destination, &batch)).await.map_err(DeliveryError::from)
    }

    /// Marks or removes the rows of an SQLite table that no delivery with this origin has written, and gives their number. `since`: when
    /// its run began. A file or table that isn't there has none.
    pub async fn delete_missing(
        &self,
        missing: &Missing<'_>,
        origin: Origin,
        since: Timestamp,
    ) -> Result<u64, DeliveryError> {
        let destination = read(missing.config)?;
        let (resource, mode, lists) = (missing.resource.to_owned(), missing.mode, missing.lists.to_vec());
        let gone = Gone { origin, since, mode, lists };
        let deleted = self.blocking(move |shared| shared.delete(&destination, &resource, &gone)).await;
        deleted.map_err(DeliveryError::from)
    }

    /// The run is over, and none of its batches comes again. Closes the files that no other run uses, and forgets its batches.
    pub async fn finish(&self, run: SyncJobRunId) {
        let finished = self.blocking(move |shared| {
            shared.finish(run);
            Ok(())
        });
        if let Err(problem) = finished.await {
            tracing::warn!(?problem, "the files of a run could not be closed");
        }
    }

    /// The run was stopped, and may be resumed: its batches aren't forgotten. Closes the files that no other run uses.
    pub async fn rest(&self, run: SyncJobRunId) {
        let rested = self.blocking(move |shared| {
            lock(&shared.slots).rest(run);
            Ok(())
        });
        if let Err(problem) = rested.await {
            tracing::warn!(?problem, "the files of a run could not be closed");
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let shared = self.0.clone();
        tokio::task::spawn_blocking(move || work(&shared)).await.unwrap_or_else(|error| {
            let message = format!("Relink failed while it was writing a batch: {error}. Start the run again.");
            Err(Problem::system("destination_failed", message))
        })
    }
}

fn read(config: &Value) -> Result<FileDestination, Problem> {
    FileDestination::read(config).map_err(|error| {
        let message = format!("The destination's config.{} {error} Nothing was written.", error.key);
        Problem::invalid("destination_config", message)
    })
}

impl Shared {
    fn write(&self, destination: &FileDestination, batch: &Batch) -> Result<(), Problem> {
        if batch.len() == 0 {
            return Ok(());
        }
        let place = self.folder.place(&destination.path)?;
        let slot = self.slot(&place, destination.format, batch.run);
        let mut held = lock(&slot.writer);
        // Taken out: a writer that fails is dropped, and what it left is repaired when the file is opened again.
        let mut writer = Writer::take_or_open(&mut held, &place, destination.format)?;
        match &mut writer {
            Writer::Jsonl(jsonl) => jsonl.append(batch)?,
            Writer::Sqlite(sqlite) => sqlite.write(batch, destination)?,
            Writer::Parquet(parquet) => parquet.write(batch)?,
        }
        *held = Some(writer);
        Ok(())
    }

    fn delete(&self, destination: &FileDestination, resource: &str, gone: &Gone) -> Result<u64, Problem> {
        let place = self.folder.place(&destination.path)?;
        if !place.exists() || destination.format != FileFormat::Sqlite {
            return Ok(0);
        }
        let slot = self.slot(&place, destination.format, gone.origin.run);
        let mut held = lock(&slot.writer);
        let mut writer = Writer::take_or_open(&mut held, &place, destination.format)?;
        let deleted = match &mut writer {
            Writer::Sqlite(sqlite) => sqlite.delete(destination, resource, gone)?,
            Writer::Jsonl(_) | Writer::Parquet(_) => 0,
        };
        *held = Some(writer);
        Ok(deleted)
    }

    fn slot(&self, place: &Path, format: FileFormat, run: SyncJobRunId) -> Arc<Slot> {
        // Where case doesn't count, two paths may be one file.
        let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
        let mut slots = lock(&self.slots);
        slots.uses += 1;
        let key = Key { place, format };
        slots.runs.entry(run).or_default().insert(key.clone());
        let slot = slots.open.entry(key).or_default().clone();
        slot.last_use.store(slots.uses, Relaxed);
        if slots.open.len() > MAX_OPEN {
            slots.close_least_recent();
        }
        slot
    }

    fn finish(&self, run: SyncJobRunId) {
        let mut slots = lock(&self.slots);
        for key in slots.runs.remove(&run).unwrap_or_default() {
            let is_shared = slots.runs.values().any(|keys| keys.contains(&key));
            let slot = slots.open.get(&key).cloned().unwrap_or_default();
            if let Err(problem) = slot.forget(&key, run, is_shared) {
                tracing::warn!(?problem, place = %key.place.display(), "a destination's file could not be closed");
            }
            if !is_shared {
                slots.open.remove(&key);
            }
        }
    }
}

impl Slot {
    /// Forgets a run's batches. All of them are on the disk already, so an error here loses nothing.
    fn forget(&self, key: &Key, run: SyncJobRunId, is_shared: bool) -> Result<(), Problem> {
        let mut held = lock(&self.writer);
        if !key.place.exists() {
            return Ok(());
        }
        let mut writer = Writer::take_or_open(&mut held, &key.place, key.format)?;
        writer.forget(run)?;
        if is_shared {
            *held = Some(writer);
            return Ok(());
        }
        writer.close()
    }
}

impl Slots {
    fn rest(&mut self, run: SyncJobRunId) {
        for key in self.runs.remove(&run).unwrap_or_default() {
            let is_shared = self.runs.values().any(|keys| keys.contains(&key));
            // A batch that is being written meanwhile is complete before that.
            if let Some(slot) = self.open.get(&key).cloned().filter(|_| !is_shared) {
                close(&key, lock(&slot.writer).take());
                self.open.remove(&key);
            }
        }
    }

    fn close_least_recent(&mut self) {
        let idle = self.open.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
        let least_recent = idle.min_by_key(|(_, slot)| slot.last_use.load(Relaxed)).map(|(key, _)| key.clone());
        if let Some((key, slot)) = least_recent.and_then(|key| self.open.remove_entry(&key)) {
            close(&key, lock(&slot.writer).take());
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for (key, slot) in self.open.drain() {
            close(&key, lock(&slot.writer).take());
        }
    }
}

impl Writer {
    fn open(place: &Path, format: FileFormat) -> Result<Self, Problem> {
        match format {
            FileFormat::Jsonl => Jsonl::open(place).map(Self::Jsonl),
            FileFormat::Sqlite => Sqlite::open(place).map(Box::new).map(Self::Sqlite),
            FileFormat::Parquet => Parquet::open(place).map(Self::Parquet),
        }
    }

    fn take_or_open(held: &mut Option<Self>, place: &Path, format: FileFormat) -> Result<Self, Problem> {
        match held.take().filter(Self::is_current) {
            Some(writer) => Ok(writer),
            None => Self::open(place, format),
        }
    }

    /// Somebody may have removed or replaced the file.
    fn is_current(&self) -> bool {
        match self {
            Self::Jsonl(jsonl) => jsonl.is_current(),
            Self::Sqlite(sqlite) => sqlite.is_current(),
            Self::Parquet(parquet) => parquet.is_current(),
        }
    }

    fn forget(&mut self, run: SyncJobRunId) -> Result<(), Problem> {
        match self {
            Self::Jsonl(jsonl) => {
                jsonl.forget(run);
                Ok(())
            }
            Self::Sqlite(sqlite) => sqlite.forget(run),
            Self::Parquet(_) => Ok(()),
        }
    }

    fn close(self) -> Result<(), Problem> {
        match self {
            Self::Jsonl(jsonl) => jsonl.close(),
            Self::Sqlite(sqlite) => sqlite.close(),
            Self::Parquet(_) => Ok(()),
        }
    }
}

/// All batches are on the disk already, so an error here loses nothing.
fn close(key: &Key, writer: Option<Writer>) {
    if let Some(Err(problem)) = writer.map(Writer::close) {
        tracing::warn!(?problem, place = %key.place.display(), "a destination's file could not be closed");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
