//! The keychain: the only place that stores credentials.
//!
//! A [`Keychain`] is a handle. A dedicated thread makes the calls, because a keychain may block on a prompt until the
//! user answers it. Nothing here blocks the async runtime, and every call ends at a deadline. Only [`Keychain::unlock`]
//! prompts, as far as the system tells beforehand whether a call would.
//!
//! Invariants:
//! - [`Keychain::get`] returns `None` only while the keychain is available: "locked" is never mistaken for "not
//!   stored".
//! - [`Keychain::set`] leaves either the old or the new item complete, wherever it is interrupted ([`parts`]).
//! - A set that was answered with [`KeychainError::Slow`] may still be carried out, but never after a later set of the
//!   same item ([`dispatcher`]).
//! - There is no fallback that stores plaintext.

mod backend;
mod dispatcher;
mod error;
mod gate;
mod item;
#[cfg(any(test, feature = "test-support"))]
mod memory;
mod os;
mod parts;
mod status;
mod unlocking;
mod waiting;
mod worker;

use std::{fmt, sync::Arc, time::Duration};

use relink_domain::{AccountId, EnvironmentIntegrationId, WebhookId};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

#[cfg(any(test, feature = "test-support"))]
use backend::KeychainBackend;
pub use error::KeychainError;
pub use item::Item;
#[cfg(any(test, feature = "test-support"))]
pub use memory::MemoryKeychain;
pub use status::KeychainStatus;
use unlocking::UnlockPrompt;
use worker::{Outcome, Work};

/// What an item belongs to. Its text form is the item's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// An account's credentials.
    Account(AccountId),
    /// An installed integration's client secret.
    Integration(EnvironmentIntegrationId),
    /// A webhook's signing secret.
    Webhook(WebhookId),
    /// The access keys of a datastore. Each change of them has an item of its own.
    Datastore(Uuid),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account/{id}"),
            Self::Integration(id) => write!(f, "integration/{id}"),
            Self::Webhook(id) => write!(f, "webhook/{id}"),
            Self::Datastore(id) => write!(f, "datastore/{id}"),
        }
    }
}

impl Key {
    /// Parses an item's name.
    pub fn parse(name: &str) -> Option<Self> {
        let (kind, id) = name.split_once('/')?;
        match kind {
            "account" => id.parse().ok().map(Self::Account),
            "integration" => id.parse().ok().map(Self::Integration),
            "webhook" => id.parse().ok().map(Self::Webhook),
            "datastore" => id.parse().ok().map(Self::Datastore),
            _ => None,
        }
    }
}

/// What the last call revealed about the keychain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeychainState {
    /// No call was made yet.
    Unknown,
    Available,
    Locked,
    Absent {
        /// What is missing.
        reason: String,
    },
    /// The last call exceeded its deadline.
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

#[derive(Debug, Clone)]
pub struct KeychainOptions {
    /// A call that takes longer is abandoned.
    pub deadline: Duration,
    /// Checking access takes about a millisecond; if it takes longer than this, the service hangs.
    pub check_deadline: Duration,
    /// How long [`Keychain::unlock`] waits for the person.
    pub unlock_deadline: Duration,
    /// How often it is checked whether an unavailable keychain is available again.
    pub poll_interval: Duration,
    /// The maximum length of an item's text, in UTF-16 code units. A longer one is split.
    pub limit: Option<usize>,
}

impl Default for KeychainOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            check_deadline: Duration::from_secs(2),
            unlock_deadline: Duration::from_mins(2),
            poll_interval: Duration::from_secs(2),
            // Windows' Credential Manager holds 2,560 bytes, which is 1,280 units. The rest is a margin.
            limit: cfg!(windows).then_some(1_200),
        }
    }
}

/// A handle on the keychain.
#[derive(Clone)]
pub struct Keychain(Backing);

#[derive(Clone)]
enum Backing {
    Os {
        requests: mpsc::Sender<dispatcher::Request>,
        state: watch::Receiver<KeychainState>,
        prompt: UnlockPrompt,
    },
    /// Answers on the caller's task, so that tests with a paused clock are exact.
    #[cfg(any(test, feature = "test-support"))]
    Memory(MemoryKeychain),
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keychain").field(&*self.state().borrow()).finish()
    }
}

impl Keychain {
    /// The system's keychain. Call it inside the tokio runtime that will use it.
    pub fn os(options: KeychainOptions) -> Self {
        Self::over(Arc::new(os::OsKeychain::open), options)
    }

    #[cfg(any(test, feature = "test-support"))]
    pub fn in_memory() -> Self {
        Self::memory(MemoryKeychain::default())
    }

    /// A keychain in memory that the test can make fail.
    #[cfg(any(test, feature = "test-support"))]
    pub fn memory(keychain: MemoryKeychain) -> Self {
        Self(Backing::Memory(keychain))
    }

    fn over(open: Arc<worker::Open>, mut options: KeychainOptions) -> Self {
        options.limit = options.limit.map(|limit| limit.max(parts::MIN_LIMIT));
        let prompt = UnlockPrompt::new(open.clone(), options.unlock_deadline);
        let (requests, state) = dispatcher::start(open, options);
        Self(Backing::Os { requests, state, prompt })
    }

    /// The item; `None` if the keychain is available and has no such item.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, KeychainError> {
        self.call(Work::Get { name: key.to_string() }).await
    }

    /// Stores the item in place of the old one. `label` is shown in the keychain's own app, for example
    /// "Relink: Acme engineering (GitHub)". Once it has begun, it is carried out even if the caller is cancelled.
    pub async fn set(&self, key: &Key, label: &str, item: &Item) -> Result<(), KeychainError> {
        let work = Work::Set { name: key.to_string(), label: label.to_owned(), item: item.clone() };
        self.call(work).await.map(drop)
    }

    /// Removes the item, if there is one.
    pub async fn delete(&self, key: &Key) -> Result<(), KeychainError> {
        self.call(Work::Delete { name: key.to_string() }).await.map(drop)
    }

    /// Prompts the user to unlock the keychain, or to create a first one. Call it only for an action that the user has
    /// just requested. Other calls are answered meanwhile.
    pub async fn unlock(&self) -> Result<(), KeychainError> {
        match &self.0 {
            Backing::Os { prompt, .. } => {
                let outcome = prompt.answer().await;
                self.call(Work::CheckAccess).await?;
                outcome
            }
            #[cfg(any(test, feature = "test-support"))]
            Backing::Memory(keychain) => keychain.clone().unlock(),
        }
    }

    pub fn state(&self) -> watch::Receiver<KeychainState> {
        match &self.0 {
            Backing::Os { state, .. } => state.clone(),
            #[cfg(any(test, feature = "test-support"))]
            Backing::Memory(keychain) => keychain.state(),
        }
    }

    /// Returns once the keychain is available.
    pub async fn available(&self) {
        let stopped = self.state().wait_for(|state| *state == KeychainState::Available).await.is_err();
        if stopped {
            // The runtime is shutting down: the keychain will never be available again.
            std::future::pending::<()>().await;
        }
    }

    async fn call(&self, work: Work) -> Outcome {
        match &self.0 {
            #[cfg(any(test, feature = "test-support"))]
            Backing::Memory(keychain) => worker::run(&mut keychain.clone(), &work, None),
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
