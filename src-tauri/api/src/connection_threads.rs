//! The threads that serve clients' connections.
//!
//! Each has a runtime of its own, and a connection stays on one thread: its calls, and as a rule the connections to providers that they use.
//! On a runtime of several threads the next step of a call may be another thread's, which has to be woken for it. That cost a tenth to
//! a sixth of a call's processor time ([benchmarks](../../../docs/benchmarks.md#calls-through-relink)).

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, available_parallelism},
};

use tokio::{
    runtime::{Builder, Handle},
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// More threads are of no use to the programs of one person.
const MAX_THREADS: usize = 4;

/// The threads. They end when the last clone is dropped, and with them what runs there.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionThreads(Arc<Threads>);

#[derive(Debug)]
struct Threads {
    threads: Vec<ConnectionThread>,
    _end_when_dropped: DropGuard,
}

#[derive(Debug)]
struct ConnectionThread {
    runtime: Handle,
    connections: CountedConnection,
}

/// Counts a connection for its thread, for as long as a clone of this lives.
#[derive(Debug, Clone, Default)]
pub(crate) struct CountedConnection(Arc<()>);

impl CountedConnection {
    /// How many clones there are, with the thread's own.
    fn count(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl ConnectionThreads {
    /// As many threads as the machine has processors, up to a limit.
    pub(crate) fn start() -> Self {
        let wanted = available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let end = CancellationToken::new();
        let mut threads = Vec::with_capacity(wanted);
        for _ in 0..wanted {
            match start_one(end.clone()) {
                Ok(runtime) => threads.push(ConnectionThread { runtime, connections: CountedConnection::default() }),
                Err(error) => tracing::warn!("a thread for connections could not be started: {error}"),
            }
        }
        Self(Arc::new(Threads { threads, _end_when_dropped: end.drop_guard() }))
    }

    /// Serves a connection on the thread that has the fewest. If the system has permitted none, the caller's runtime serves it.
    pub(crate) fn serve<F>(&self, connections: &mut JoinSet<()>, connection: impl FnOnce(CountedConnection) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.0.threads.iter().min_by_key(|thread| thread.connections.count()) {
            Some(thread) => connections.spawn_on(connection(thread.connections.clone()), &thread.runtime),
            None => connections.spawn(connection(CountedConnection::default())),
        };
    }
}

/// The runtime is made and dropped on its own thread, where dropping it may block.
fn start_one(end: CancellationToken) -> io::Result<Handle> {
    let (started, start) = mpsc::channel();
    let run = move || match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let _ = started.send(Ok(runtime.handle().clone()));
            runtime.block_on(end.cancelled());
        }
        Err(error) => {
            let _ = started.send(Err(error));
        }
    };
    thread::Builder::new().name("relink-api".to_owned()).spawn(run)?;
    start.recv().map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_served_where_the_fewest_are() {
        let (threads, mut connections) = (ConnectionThreads::start(), JoinSet::new());
        let count = threads.0.threads.len();
        let (begun, mut begins) = mpsc::unbounded_channel();
        let mut open = Vec::new();
        for _ in 0..3 * count {
            let ((close, closed), begun) = (oneshot::channel::<()>(), begun.clone());
            let connection = async move |counted: CountedConnection| {
                begun.send(Handle::current().id()).expect("received");
                let _ = closed.await;
                drop(counted);
            };
            threads.serve(&mut connections, connection);
            open.push((begins.recv().await.expect("it has begun"), close));
        }
        for thread in &threads.0.threads {
            assert_eq!(open.iter().filter(|(runtime, _)| *runtime == thread.runtime.id()).count(), 3);
        }
        let (fewest, _) = open.swap_remove(count);
        connections.join_next().await.expect("one is closed").expect("without a panic");
        let connection = async move |_| begun.send(Handle::current().id()).expect("received");
        threads.serve(&mut connections, connection);
        assert_eq!(begins.recv().await, Some(fewest));
    }

    #[tokio::test]
    async fn what_goes_on_after_a_connection_still_counts() {
        let (threads, mut connections) = (ConnectionThreads::start(), JoinSet::new());
        let (upgraded, mut shares) = mpsc::unbounded_channel();
        for _ in &threads.0.threads {
            let upgraded = upgraded.clone();
            threads.serve(&mut connections, async move |share| upgraded.send(share).expect("received"));
            connections.join_next().await.expect("it has ended").expect("without a panic");
        }
        assert!(threads.0.threads.iter().all(|thread| thread.connections.count() == 2), "one on each thread");
        while let Ok(share) = shares.try_recv() {
            drop(share);
        }
        assert!(threads.0.threads.iter().all(|thread| thread.connections.count() == 1));
    }

    #[tokio::test]
    async fn without_a_thread_the_callers_runtime_serves() {
        let none = Threads { threads: Vec::new(), _end_when_dropped: CancellationToken::new().drop_guard() };
        let (own, mut connections) = (Handle::current().id(), JoinSet::new());
        let connection = async move |_| assert_eq!(Handle::current().id(), own);
        ConnectionThreads(Arc::new(none)).serve(&mut connections, connection);
        connections.join_next().await.expect("it is served").expect("here");
    }

    #[tokio::test]
    async fn what_runs_on_a_thread_ends_with_it() {
        let (threads, mut connections) = (ConnectionThreads::start(), JoinSet::new());
        threads.serve(&mut connections, |_| std::future::pending());
        drop(threads);
        let ended = connections.join_next().await.expect("one was served");
        assert!(ended.expect_err("it never ends by itself").is_cancelled());
    }
}
