//! JSON Lines: a record in each line.
//!
//! A batch is appended, its id with the new length goes into the [`Ledger`], and both files are brought to the disk at the same time. What a
//! crash leaves behind the last length is not a whole batch, and is cut off before the next one. After a loss of power the ledger may be on
//! the disk and the batch not: an entry counts if the file has what it says.

mod ledger;

use std::{
    fs,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use relink_domain::SyncJobRunId;

use self::ledger::{Ledger, Written};
use crate::{
    batch::{Batch, digest},
    folder::{self, Identity},
    problem::Problem,
};

pub(crate) struct Jsonl {
    path: PathBuf,
    file: fs::File,
    identity: Identity,
    ledger: Ledger,
    /// Of all batches that were delivered, and what was there before.
    length: u64,
}

impl Jsonl {
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let at = |error| Problem::io(path, &error);
        let mut file = folder::open_or_create(path)?;
        refuse_other_format(path, &mut file)?;
        let (mut ledger, known) = Ledger::open(path)?;
        let metadata = file.metadata().map_err(at)?;
        if let Some(mut known) = known {
            if let Some(last) = ledger.ending_at(known)
                && !has_arrived(&mut file, last).map_err(at)?
            {
                known = last.start;
                ledger.begin(known)?;
            }
            // The file grew while it was ours: by a batch that was interrupted.
            if known < metadata.len() {
                file.set_len(known).map_err(at)?;
            }
        }
        let identity = Identity::of(&metadata);
        let mut opened = Self { path: path.to_owned(), file, identity, ledger, length: 0 };
        opened.begin_at_end()?;
        folder::sync_folder_of(path).map_err(at)?;
        Ok(opened)
    }

    /// Returns when the batch is on the disk. After an error the file is as before, or is when it is opened the next time.
    pub fn append(&mut self, batch: &Batch) -> Result<(), Problem> {
        let earlier = self.ledger.get(batch.id);
        if earlier.is_some_and(|it| it.digest == batch.digest()) {
            return Ok(());
        }
        // Another program has written to it.
        if self.file.metadata().map_err(|error| Problem::io(&self.path, &error))?.len() != self.length {
            self.begin_at_end()?;
        }
        // The page has changed since. If the earlier version is the last batch, this one takes its place.
        if let Some(earlier) = earlier.filter(|it| it.length == self.length) {
            self.cut(earlier.start)?;
        }
        let end = self.length + batch.lines().len() as u64;
        let written = self.write(batch.lines()).and_then(|()| {
            let (start, digest) = (self.length, batch.digest());
            let entry = Written { run: batch.run, digest, start, length: end };
            self.ledger.add(batch.id, entry, || self.file.sync_data())
        });
        if let Err(problem) = written {
            // If this fails too, the ledger is still open and says where to cut.
            let _ = self.file.set_len(self.length);
            return Err(problem);
        }
        self.length = end;
        Ok(())
    }

    fn write(&mut self, lines: &str) -> Result<(), Problem> {
        let mut write = || {
            self.file.seek(SeekFrom::Start(self.length))?;
            self.file.write_all(lines.as_bytes())
        };
        write().map_err(|error| Problem::io(&self.path, &error))
    }

    /// A crash in the middle leaves a longer file than the ledger says, which is cut when it is opened.
    fn cut(&mut self, length: u64) -> Result<(), Problem> {
        self.ledger.begin(length)?;
        self.file.set_len(length).map_err(|error| Problem::io(&self.path, &error))?;
        self.length = length;
        Ok(())
    }

    /// Begins after what is there, on a line of its own.
    fn begin_at_end(&mut self) -> Result<(), Problem> {
        let mut find_end = || {
            let mut last = [b'\n'];
            let length = self.file.seek(SeekFrom::End(0))?;
            if length > 0 {
                self.file.seek(SeekFrom::End(-1))?;
                self.file.read_exact(&mut last)?;
            }
            if last == [b'\n'] {
                return Ok(length);
            }
            self.file.write_all(b"\n")?;
            Ok(length + 1)
        };
        self.length = find_end().map_err(|error| Problem::io(&self.path, &error))?;
        self.ledger.begin(self.length)
    }

    /// Whether the path still leads to this file.
    pub fn is_current(&self) -> bool {
        Identity::at(&self.path) == Some(self.identity)
    }

    pub fn forget(&mut self, run: SyncJobRunId) {
        self.ledger.forget(run);
    }

    /// From now on the file isn't ours: what other programs append stays.
    pub fn close(self) -> Result<(), Problem> {
        self.ledger.close(self.length)
    }
}

/// Whether the file has a batch as the ledger says.
fn has_arrived(file: &mut fs::File, batch: Written) -> io::Result<bool> {
    if file.metadata()?.len() < batch.length {
        return Ok(false);
    }
    let mut lines = Vec::new();
    file.seek(SeekFrom::Start(batch.start))?;
    file.take(batch.length - batch.start).read_to_end(&mut lines)?;
    Ok(digest(&lines) == batch.digest)
}

fn refuse_other_format(path: &Path, file: &mut fs::File) -> Result<(), Problem> {
    let mut start = Vec::new();
    file.take(16).read_to_end(&mut start).map_err(|error| Problem::io(path, &error))?;
    if start.contains(&0) || start.starts_with(b"PAR1") {
        return Err(Problem::invalid(
            "destination_not_usable",
            format!(
                "{} isn't a text file, so no lines were added to it. Choose another path in the job, or the format that it has.",
                path.display()
            ),
        ));
    }
    Ok(())
}
