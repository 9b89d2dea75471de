//! Which batches a JSON Lines file has, and where the last one ends: a file beside it, `.NAME.relink`, with an entry in each line.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use relink_domain::{SyncJobRunId, sync::BatchId};
use serde::{Deserialize, Serialize};

use crate::{
    folder::{self, BESIDE},
    problem::Problem,
};

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// Relink begins to write at this length. What the file has behind the last known length is a batch that was interrupted.
    Open { length: u64 },
    Batch {
        id: BatchId,
        #[serde(flatten)]
        written: Written,
    },
    /// Relink doesn't write any more. What comes behind this length is someone else's.
    Closed { length: u64 },
}

/// Where a batch is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    pub run: SyncJobRunId,
    pub digest: u64,
    pub start: u64,
    /// The length of the file after it.
    pub length: u64,
}

pub(super) struct Ledger {
    path: PathBuf,
    file: fs::File,
    end: u64,
    batches: HashMap<BatchId, Written>,
    /// The file has more batches than these.
    has_forgotten: bool,
}

impl Ledger {
    /// Also returns the length that the file must be cut to, if Relink was writing to it.
    pub fn open(of: &Path) -> Result<(Self, Option<u64>), Problem> {
        let name = of.file_name().unwrap_or_default().to_string_lossy();
        let path = of.with_file_name(format!(".{name}{BESIDE}"));
        let mut file = folder::open_or_create(&path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| Problem::io(&path, &error))?;
        let (mut batches, mut known) = (HashMap::<_, Written>::new(), None);
        // An entry that was interrupted is no JSON.
        let entries = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        for entry in entries {
            match entry {
                Entry::Open { length } => {
                    batches.retain(|_, it| it.length <= length);
                    known = Some(length);
                }
                Entry::Batch { id, written } => {
                    batches.insert(id, written);
                    known = Some(written.length);
                }
                Entry::Closed { .. } => known = None,
            }
        }
        let mut ledger = Self { path, file, end: text.len() as u64, batches, has_forgotten: false };
        // What was interrupted ends here.
        if text.last().is_some_and(|last| *last != b'\n') {
            ledger.write(b"\n")?;
        }
        Ok((ledger, known))
    }

    pub fn get(&self, batch: BatchId) -> Option<Written> {
        self.batches.get(&batch).copied()
    }

    /// What the file had behind this length is no longer there.
    pub fn begin(&mut self, length: u64) -> Result<(), Problem> {
        self.write(&line(Entry::Open { length }))?;
        self.batches.retain(|_, it| it.length <= length);
        Ok(())
    }

    pub fn ending_at(&self, length: u64) -> Option<Written> {
        self.batches.values().copied().find(|it| it.length == length)
    }

    /// `sync` brings the batch itself to the disk, while the entry gets there.
    pub fn add(&mut self, id: BatchId, written: Written, sync: impl FnOnce() -> io::Result<()>) -> Result<(), Problem> {
        self.write_with(&line(Entry::Batch { id, written }), sync)?;
        self.batches.insert(id, written);
        Ok(())
    }

    pub fn forget(&mut self, run: SyncJobRunId) {
        let before = self.batches.len();
        self.batches.retain(|_, it| it.run != run);
        self.has_forgotten |= before != self.batches.len();
    }

    /// Without a batch to remember, there is nothing that must stay.
    pub fn close(mut self, length: u64) -> Result<(), Problem> {
        let closed = line(Entry::Closed { length });
        let close = || {
            if self.batches.is_empty() {
                fs::remove_file(&self.path)?;
                return folder::sync_folder_of(&self.path);
            }
            if !self.has_forgotten {
                self.file.seek(SeekFrom::Start(self.end))?;
                self.file.write_all(&closed)?;
                return self.file.sync_data();
            }
            let mut entries = Vec::new();
            for (id, written) in &self.batches {
                entries.extend(line(Entry::Batch { id: *id, written: *written }));
            }
            entries.extend(closed);
            replace(&self.path, &entries)
        };
        close().map_err(|error| Problem::io(&self.path, &error))
    }

    fn write(&mut self, entry: &[u8]) -> Result<(), Problem> {
        self.write_with(entry, || Ok(()))
    }

    /// Writes one entry, or nothing.
    fn write_with(&mut self, entry: &[u8], meanwhile: impl FnOnce() -> io::Result<()>) -> Result<(), Problem> {
        let write = || {
            self.file.seek(SeekFrom::Start(self.end))?;
            self.file.write_all(entry)?;
            // Most of the time the disk finishes both together.
            std::thread::scope(|scope| {
                let synced = scope.spawn(|| self.file.sync_data());
                meanwhile()?;
                synced.join().unwrap_or_else(|_| Err(io::Error::other("a thread has failed")))
            })
        };
        if let Err(error) = write() {
            let _ = self.file.set_len(self.end);
            return Err(Problem::io(&self.path, &error));
        }
        self.end += entry.len() as u64;
        Ok(())
    }
}

fn line(entry: Entry) -> Vec<u8> {
    let mut line = serde_json::to_vec(&entry).expect("an entry is JSON");
    line.push(b'\n');
    line
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = folder::create_new(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    folder::sync_folder_of(path)
}
