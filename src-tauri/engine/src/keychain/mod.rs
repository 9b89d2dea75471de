//! The keychain: where credentials that must last are kept, and nowhere else.
//!
//! A [`Keychain`] is a handle; a dedicated thread does the calls, because a keychain may block on a prompt for as long as
//! nobody answers it. Nothing here ever blocks the async runtime, every call ends at a deadline, and no call but
//! [`Keychain::unlock`] raises a prompt where the system lets that be known beforehand.
//!
//! Invariants:
//! - [`Keychain::get`] says `None` only while the keychain is there and open: locked or absent is never "never stored".
//! - A set leaves either the old or the new item, whole, wherever it is interrupted ([`parts`]).
//! - A set that was answered [`KeychainError::Slow`] may still land, but never after a later one of the same item ([`dispatcher`]).
//! - There is no plaintext fallback.

mod backend;
mod dispatcher;
mod error;
mod gate;
mod item;
mod os;
mod parts;
mod unlocking;
mod worker;

use std::{fmt, sync::Arc, time::Duration};

use relink_domain::{AccountId, EnvironmentIntegrationId, WebhookId};
use tokio::sync::{mpsc, oneshot, watch};

use backend::KeychainBackend;
pub use backend::MemoryKeychain;
pub use error::KeychainError;
pub use item::Item;
use unlocking::Unlocking;
use worker::{Outcome, Work};

/// What is kept, and by that under which name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// An account's credentials.
    Account(AccountId),
    /// An installed integration's client secret.
    Integration(EnvironmentIntegrationId),
    /// A webhook's signing secret.
    Webhook(WebhookId),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account/{id}"),
            Self::Integration(id) => write!(f, "integration/{id}"),
            Self::Webhook(id) => write!(f, "webhook/{id}"),
        }
    }
}

impl Key {
    /// The key of this name, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        let (kind, id) = name.split_once('/')?;
        match kind {
            "account" => id.parse().ok().map(Self::Account),
            "integration" => id.parse().ok().map(Self::Integration),
            "webhook" => id.parse().ok().map(Self::Webhook),
            _ => None,
        }
    }
}

/// What is known of the keychain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeychainState {
    /// Not asked yet.
    Unknown,
    /// The last call was answered.
    Available,
    /// It waits for its person to unlock it.
    Locked,
    /// There is none.
    Absent {
        /// What is missing.
        reason: String,
    },
    /// The last call was given up.
    Slow,
}

impl KeychainState {
    /// The state that a failed call reveals; `None` if it says nothing about the keychain as a whole.
    fn after(error: &KeychainError) -> Option<Self> {
        match error {
            KeychainError::Locked | KeychainError::Denied => Some(Self::Locked),
            KeychainError::Absent { reason } => Some(Self::Absent { reason: reason.clone() }),
            KeychainError::Slow { .. } => Some(Self::Slow),
            KeychainError::TooLong | KeychainError::Damaged { .. } | KeychainError::Newer { .. } => {
                Some(Self::Available)
            }
            KeychainError::Other(_) => None,
        }
    }
}

/// How patient a keychain is, and how much an item takes.
#[derive(Debug, Clone)]
pub struct KeychainOptions {
    /// After this a call is given up.
    pub deadline: Duration,
    /// After this an unanswered prompt to unlock is given up.
    pub unlock_deadline: Duration,
    /// How often a keychain that is not available is looked at.
    pub poll: Duration,
    /// The longest text of one item in UTF-16 units; longer ones are split.
    pub limit: Option<usize>,
}

impl Default for KeychainOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            unlock_deadline: Duration::from_mins(2),
            poll: Duration::from_secs(2),
            // 2,560 bytes an item in the Credential Manager, with some room.
            limit: cfg!(windows).then_some(1_200),
        }
    }
}

/// A handle to the keychain.
#[derive(Clone)]
pub struct Keychain(Backing);

#[derive(Clone)]
enum Backing {
    Os {
        requests: mpsc::Sender<dispatcher::Request>,
        state: watch::Receiver<KeychainState>,
        unlocking: Unlocking,
    },
    /// Answers at once on the caller's own task, so that tests with a paused clock stay exact.
    Memory(MemoryKeychain),
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keychain").field(&*self.state().borrow()).finish()
    }
}

impl Keychain {
    /// The system's keychain. To be called inside the tokio runtime that will use it.
    pub fn os(options: KeychainOptions) -> Self {
        Self::over(Arc::new(os::OsKeychain::open), options)
    }

    /// A keychain in memory, for tests.
    pub fn in_memory() -> Self {
        Self::memory(MemoryKeychain::default())
    }

    /// A keychain in memory whose troubles the test holds in hand.
    pub fn memory(keychain: MemoryKeychain) -> Self {
        Self(Backing::Memory(keychain))
    }

    fn over(open: Arc<worker::Open>, mut options: KeychainOptions) -> Self {
        options.limit = options.limit.map(|limit| limit.max(parts::LEAST_LIMIT));
        let unlocking = Unlocking::new(open.clone(), options.unlock_deadline);
        let (requests, state) = dispatcher::start(open, options);
        Self(Backing::Os { requests, state, unlocking })
    }

    /// The item, or `None` if the keychain is open and has none.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, KeychainError> {
        self.ask(Work::Get { name: key.to_string() }).await
    }

    /// Puts the item in the place of the one that was there. `label` is what a person reads in the keychain's own app,
    /// as in "Relink: Acme engineering (GitHub)". Once begun, it is carried out even if the caller goes away.
    pub async fn set(&self, key: &Key, label: &str, item: &Item) -> Result<(), KeychainError> {
        let work = Work::Set { name: key.to_string(), label: label.to_owned(), item: item.clone() };
        self.ask(work).await.map(drop)
    }

    /// Removes the item; an absent one is fine.
    pub async fn delete(&self, key: &Key) -> Result<(), KeychainError> {
        self.ask(Work::Delete { name: key.to_string() }).await.map(drop)
    }

    /// Asks the person to unlock the keychain (or to make a first one): only for what a person has just asked for.
    /// Other calls meanwhile are answered as before.
    pub async fn unlock(&self) -> Result<(), KeychainError> {
        match &self.0 {
            Backing::Os { unlocking, .. } => {
                let outcome = unlocking.wait().await;
                self.ask(Work::Look).await?;
                outcome
            }
            Backing::Memory(keychain) => keychain.clone().unlock(),
        }
    }

    /// The keychain's state as it changes: for a surface to show, and for work to wait on.
    pub fn state(&self) -> watch::Receiver<KeychainState> {
        match &self.0 {
            Backing::Os { state, .. } => state.clone(),
            Backing::Memory(keychain) => keychain.state(),
        }
    }

    /// Returns once the keychain is available, however long that takes.
    pub async fn available(&self) {
        let gone = self.state().wait_for(|state| *state == KeychainState::Available).await.is_err();
        if gone {
            // The runtime is being taken down: nothing will ever be available again.
            std::future::pending::<()>().await;
        }
    }

    async fn ask(&self, work: Work) -> Outcome {
        match &self.0 {
            Backing::Memory(keychain) => worker::act(&mut keychain.clone(), &work, None),
            Backing::Os { requests, .. } => {
                let stopped = || KeychainError::Other("Relink is shutting down".to_owned());
                let (reply, answer) = oneshot::channel();
                requests.send(dispatcher::Request { work, reply }).await.map_err(|_| stopped())?;
                answer.await.map_err(|_| stopped())?
            }
        }
    }
}

#[cfg(test)]
mod tests;
