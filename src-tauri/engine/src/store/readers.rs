//! Read-only connections, in parallel to the writer.
//!
//! In WAL mode a reader sees the last commit and never waits. Each read runs in one transaction, so that its statements
//! see one state. A thread and its connection start when a read finds all others busy, so starting Relink opens none.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::{QUEUE_LENGTH, Result, STATEMENT_CACHE, StoreError};

/// The maximum number of reading connections.
const MAX_READERS: usize = 3;

/// Gets a connection with an open read transaction, or the error.
type Job = Box<dyn FnOnce(Result<&Connection>) + Send>;

/// The readers. They end when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    jobs: mpsc::Sender<Job>,
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    /// Idle threads take turns waiting for a job. No async task takes this lock.
    jobs: Mutex<mpsc::Receiver<Job>>,
    /// The number of jobs that wait or run.
    unfinished: AtomicUsize,
    threads: AtomicUsize,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE_LENGTH);
        let pool = Pool {
            path: path.to_owned(),
            jobs: Mutex::new(waiting),
            unfinished: AtomicUsize::new(0),
            threads: AtomicUsize::new(0),
        };
        Self { jobs, pool: Arc::new(pool) }
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let unfinished = Counted::new(&self.pool, |pool| &pool.unfinished);
        let job: Job = Box::new(move |connection| {
            let result = connection.and_then(read);
            // Before the result is sent, so that a read that follows needs no further thread.
            drop(unfinished);
            // The caller may have been cancelled.
            let _ = answer.send(result);
        });
        self.start_thread_if_all_are_busy()?;
        self.jobs.send(job).await.map_err(|_| StoreError::Stopping)?;
        answered.await.map_err(|_| StoreError::Stopping)?
    }

    fn start_thread_if_all_are_busy(&self) -> Result<()> {
        let unfinished = self.pool.unfinished.load(Ordering::SeqCst);
        let start = |threads| (threads < MAX_READERS.min(unfinished)).then_some(threads + 1);
        let Ok(running) = self.pool.threads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, start) else {
            return Ok(());
        };
        let thread = Counted { pool: Arc::clone(&self.pool), counter: |pool| &pool.threads };
        match thread::Builder::new().name("store-reader".into()).spawn(move || run(&thread.pool)) {
            Ok(_) => Ok(()),
            Err(_) if running > 0 => Ok(()),
            Err(source) => Err(StoreError::Folder { folder: self.pool.path.clone(), source }),
        }
    }
}

/// Counts a job or a thread until it is dropped, however it ends.
struct Counted {
    pool: Arc<Pool>,
    counter: fn(&Pool) -> &AtomicUsize,
}

impl Counted {
    fn new(pool: &Arc<Pool>, counter: fn(&Pool) -> &AtomicUsize) -> Self {
        counter(pool).fetch_add(1, Ordering::SeqCst);
        Self { pool: Arc::clone(pool), counter }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.counter)(&self.pool).fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(pool: &Pool) {
    let mut connection = None;
    loop {
        let job = pool.jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(job) = job else { return };
        match connection.take().map_or_else(|| open(&pool.path), Ok) {
            Ok(opened) => in_transaction(connection.insert(opened), job),
            // The next job tries again.
            Err(error) => job(Err(error)),
        }
    }
}

fn open(path: &Path) -> Result<Connection> {
    // Read-write, so that whichever connection closes last can write the log back and remove it.
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA busy_timeout = 5000;")?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(connection)
}

fn in_transaction(connection: &mut Connection, job: Job) {
    match connection.transaction() {
        Ok(transaction) => job(Ok(&transaction)),
        Err(error) => job(Err(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::store::{Opened, Store, settings};

    fn open_store() -> (tempfile::TempDir, Opened) {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = Store::open(folder.path()).expect("opens");
        (folder, opened)
    }

    fn value(connection: &Connection) -> Result<Option<i32>> {
        settings::get(connection, "value")
    }

    async fn set(store: &Store, value: i32) {
        store.write(move |tx| settings::set(tx, "value", &value)).await.expect("written");
    }

    /// A read or write that signals when it runs, and continues when it is released.
    fn blocked() -> (impl FnOnce() + Send + 'static, Receiver<()>, Sender<()>) {
        let ((running, runs), (go_on, waits)) = (channel(), channel());
        let block = move || {
            running.send(()).expect("the test waits");
            waits.recv().expect("the test goes on");
        };
        (block, runs, go_on)
    }

    #[tokio::test]
    async fn a_read_does_not_wait_for_a_write_in_progress() {
        let (_folder, Opened { store, .. }) = open_store();
        set(&store, 1).await;
        let (block, runs, go_on) = blocked();
        let writer = store.clone();
        let write = tokio::spawn(async move {
            let write = move |tx: &rusqlite::Transaction<'_>| {
                settings::set(tx, "value", &2)?;
                block();
                Ok(())
            };
            writer.write(write).await
        });
        tokio::task::spawn_blocking(move || runs.recv()).await.expect("joined").expect("the write runs");
        assert_eq!(store.read(value).await.expect("read"), Some(1), "the last commit is read");
        go_on.send(()).expect("the write waits");
        write.await.expect("joined").expect("written");
        assert_eq!(store.read(value).await.expect("read"), Some(2));
    }

    #[tokio::test]
    async fn a_read_sees_every_write_that_was_answered() {
        let (_folder, Opened { store, .. }) = open_store();
        for number in 0..200 {
            set(&store, number).await;
            let reads: [_; MAX_READERS] = std::array::from_fn(|_| store.read(value));
            for read in reads {
                assert_eq!(read.await.expect("read"), Some(number));
            }
        }
    }

    #[tokio::test]
    async fn a_slow_read_blocks_neither_reads_nor_writes_and_sees_one_state() {
        let (_folder, Opened { store, .. }) = open_store();
        set(&store, 1).await;
        let (block, runs, go_on) = blocked();
        let reader = store.clone();
        let slow = tokio::spawn(async move {
            let read = move |c: &Connection| {
                let before = value(c)?;
                block();
                Ok((before, value(c)?))
            };
            reader.read(read).await
        });
        tokio::task::spawn_blocking(move || runs.recv()).await.expect("joined").expect("the read runs");
        set(&store, 2).await;
        assert_eq!(store.read(value).await.expect("read"), Some(2));
        go_on.send(()).expect("the read waits");
        assert_eq!(slow.await.expect("joined").expect("read"), (Some(1), Some(1)));
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let (_folder, Opened { store, .. }) = open_store();
        let refused = store.read(|c| Ok(c.execute("INSERT INTO setting (name, value) VALUES ('a', '1')", [])?)).await;
        assert!(matches!(refused, Err(StoreError::Sqlite(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn no_reader_starts_before_the_first_read_and_no_more_than_allowed() {
        let (_folder, Opened { store, .. }) = open_store();
        let readers = store.readers.clone().expect("a store in a folder has readers");
        set(&store, 1).await;
        assert_eq!(readers.pool.threads.load(Ordering::SeqCst), 0);
        for _ in 0..10 {
            store.read(value).await.expect("read");
        }
        assert_eq!(readers.pool.threads.load(Ordering::SeqCst), 1, "one read at a time needs one reader");
        let reads: Vec<_> = (0..50)
            .map(|_| {
                tokio::spawn({
                    let store = store.clone();
                    async move { store.read(value).await }
                })
            })
            .collect();
        for read in reads {
            assert_eq!(read.await.expect("joined").expect("read"), Some(1));
        }
        assert!(readers.pool.threads.load(Ordering::SeqCst) <= MAX_READERS);
    }
}
