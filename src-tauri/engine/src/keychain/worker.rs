//! The dedicated thread: it alone holds the connection to the keychain, and it may block.

use std::{io, sync::mpsc, thread};

use tokio::sync::oneshot;

use super::{Item, KeychainError, backend::KeychainBackend, parts};

/// Makes a connection to a keychain, on the thread that will use it.
pub(super) type Open = dyn Fn() -> Result<Box<dyn KeychainBackend>, KeychainError> + Send + Sync;

/// One thing to do.
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
    /// Only see whether the keychain is open.
    Look,
}

impl Work {
    /// The item that this changes, if it does.
    pub(super) fn changes(&self) -> Option<&str> {
        match self {
            Self::Set { name, .. } | Self::Delete { name } => Some(name),
            Self::Get { .. } | Self::Look => None,
        }
    }

    /// The item that this is about.
    pub(super) fn item(&self) -> Option<&str> {
        match self {
            Self::Get { name } | Self::Set { name, .. } | Self::Delete { name } => Some(name),
            Self::Look => None,
        }
    }
}

/// What came of it; an item only for `Get`.
pub(super) type Outcome = Result<Option<Item>, KeychainError>;

/// Hands work to the thread. Dropping it ends the thread, at the latest when the call that it hangs in returns.
pub(super) struct Worker(mpsc::Sender<(Work, oneshot::Sender<Outcome>)>);

impl Worker {
    pub(super) fn start(open: std::sync::Arc<Open>, limit: Option<usize>) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<(Work, oneshot::Sender<Outcome>)>();
        thread::Builder::new().name("relink-keychain".to_owned()).spawn(move || {
            let mut connection = Connection { open, limit, store: None };
            while let Ok((work, reply)) = jobs.recv() {
                // Whoever asked may have gone; the work is done all the same.
                let _ = reply.send(connection.carry_out(&work));
            }
        })?;
        Ok(Self(sender))
    }

    /// The answer, whenever it comes; it never comes if the thread has died.
    pub(super) fn hand_over(&self, work: Work) -> oneshot::Receiver<Outcome> {
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
    /// A connection that was made earlier may belong to a daemon that is gone: its failure counts only if a new one fails too.
    fn carry_out(&mut self, work: &Work) -> Outcome {
        let used_before = self.store.is_some();
        match self.attempt(work) {
            Err(error) if used_before && error.spends_connection() => self.attempt(work),
            outcome => outcome,
        }
    }

    fn attempt(&mut self, work: &Work) -> Outcome {
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert((self.open)()?),
        };
        let outcome = act(store.as_mut(), work, self.limit);
        if outcome.as_ref().is_err_and(KeychainError::spends_connection) {
            self.store = None;
        }
        outcome
    }
}

pub(super) fn act(store: &mut dyn KeychainBackend, work: &Work, limit: Option<usize>) -> Outcome {
    store.access()?;
    match work {
        Work::Look => Ok(None),
        Work::Set { name, label, item } => parts::write(store, name, label, item, limit).map(|()| None),
        Work::Delete { name } => parts::erase(store, name, limit).map(|()| None),
        Work::Get { name } => match parts::read(store, name)? {
            Some(item) => Ok(Some(item)),
            // A keychain that was taken away meanwhile also finds nothing: only an open one may say "never stored".
            None => store.access().map(|()| None),
        },
    }
}
