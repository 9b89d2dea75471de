//! The dedicated thread that has the connection to the keychain and may block.

use std::{io, sync::mpsc, thread};

use tokio::sync::oneshot;

use super::{Item, KeychainError, backend::KeychainBackend, parts};

/// Connects to a keychain, on the thread that will use the connection.
pub(super) type Open = dyn Fn() -> Result<Box<dyn KeychainBackend>, KeychainError> + Send + Sync;

#[derive(Debug)]
pub(super) enum Work {
    Get {
        name: String,
    },
    Set {
        name: String,
        label: String,
        item: Item,
    },
    Delete {
        name: String,
    },
    /// Checks whether items can be read and written now.
    CheckAccess,
}

impl Work {
    /// The item that this changes, if any.
    pub(super) fn writes_to(&self) -> Option<&str> {
        match self {
            Self::Set { name, .. } | Self::Delete { name } => Some(name),
            Self::Get { .. } | Self::CheckAccess => None,
        }
    }

    /// The item that this reads or changes.
    pub(super) fn item(&self) -> Option<&str> {
        match self {
            Self::Get { name } | Self::Set { name, .. } | Self::Delete { name } => Some(name),
            Self::CheckAccess => None,
        }
    }
}

/// The item, only for [`Work::Get`].
pub(super) type Outcome = Result<Option<Item>, KeychainError>;

/// A handle on the thread. The thread ends when this is dropped and its current call has returned.
pub(super) struct Worker(mpsc::Sender<(Work, oneshot::Sender<Outcome>)>);

impl Worker {
    pub(super) fn start(open: std::sync::Arc<Open>, limit: Option<usize>) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<(Work, oneshot::Sender<Outcome>)>();
        thread::Builder::new().name("relink-keychain".to_owned()).spawn(move || {
            let mut connection = Connection { open, limit, store: None };
            while let Ok((work, reply)) = jobs.recv() {
                // The caller may have been cancelled; the work is done anyway.
                let _ = reply.send(connection.perform(&work));
            }
        })?;
        Ok(Self(sender))
    }

    /// The receiver fails if the thread has died.
    pub(super) fn submit(&self, work: Work) -> oneshot::Receiver<Outcome> {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send((work, reply));
        answer
    }
}

struct Connection {
    open: std::sync::Arc<Open>,
    limit: Option<usize>,
    store: Option<Box<dyn KeychainBackend>>,
}

impl Connection {
    /// Retries once with a new connection, because the daemon behind an older one may be gone.
    fn perform(&mut self, work: &Work) -> Outcome {
        let used_before = self.store.is_some();
        match self.attempt(work) {
            Err(error) if used_before && error.invalidates_connection() => self.attempt(work),
            outcome => outcome,
        }
    }

    fn attempt(&mut self, work: &Work) -> Outcome {
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert((self.open)()?),
        };
        let outcome = run(store.as_mut(), work, self.limit);
        if outcome.as_ref().is_err_and(KeychainError::invalidates_connection) {
            self.store = None;
        }
        outcome
    }
}

pub(super) fn run(store: &mut dyn KeychainBackend, work: &Work, limit: Option<usize>) -> Outcome {
    store.access()?;
    match work {
        Work::CheckAccess => Ok(None),
        Work::Set { name, label, item } => parts::write(store, name, label, item, limit).map(|()| None),
        Work::Delete { name } => parts::erase(store, name, limit).map(|()| None),
        Work::Get { name } => match parts::read(store, name)? {
            Some(item) => Ok(Some(item)),
            // A keychain that was locked or lost meanwhile finds nothing either. Only an available one has no such
            // item.
            None => store.access().map(|()| None),
        },
    }
}
