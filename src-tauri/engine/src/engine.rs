//! The engine: what all verbs share.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use relink_domain::{AccountId, EnvironmentId, Secret, Timestamp, schedule::Jitter, schedule::TokenLifetime};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api_tokens::KnownToken,
    clock::Clock,
    connect::Flows,
    delivery,
    error::Result,
    in_flight::Flights,
    keychain::{Key, Keychain, KeychainState},
    outbound::Outbound,
    recovery, retention,
    schedule::{self, Agenda},
    store::{Opened, Store, StoreError, settings},
};

/// How the engine is set up.
#[derive(Debug)]
pub struct Options {
    /// Where the database is.
    pub data_dir: PathBuf,
    /// The keychain.
    pub keychain: Keychain,
    /// The clock.
    pub clock: Clock,
    /// Whether this process is the system's handler of the deep link.
    pub takes_deep_links: bool,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder or its database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client could not be made: without certificate authorities, for one, it could trust no provider.
    #[error(
        "Relink's network client could not be made: {}. Relink trusts the certificate authorities of this system; \
         on Linux they are in the package ca-certificates.",
        innermost(.0)
    )]
    Client(#[from] reqwest::Error),
    /// Something of the first start failed.
    #[error(transparent)]
    First(#[from] crate::Error),
    /// The system has no randomness to give.
    #[error("The system's random number generator failed: {0}")]
    Random(#[from] io::Error),
}

/// What is below all that only says where it happened.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// The engine. A clone is a handle on the same one.
#[derive(Debug, Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) outbound: Outbound,
    pub(crate) environment: EnvironmentId,
    pub(crate) takes_deep_links: bool,
    /// Where the loopback surface listens, once it does.
    pub(crate) base: tokio::sync::watch::Sender<Option<u16>>,
    pub(crate) agenda: Agenda,
    pub(crate) flights: Flights,
    pub(crate) flows: Flows,
    /// Access tokens, in memory and nowhere else.
    access: Mutex<HashMap<AccountId, AccessToken>>,
    /// When each account's use was last noted.
    pub(crate) used: Mutex<HashMap<AccountId, Timestamp>>,
    /// One lock per account: what changes its credentials happens one after the other.
    locks: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) api_tokens: Mutex<Vec<KnownToken>>,
    pub(crate) installed_changed: tokio::sync::watch::Sender<u64>,
    /// Wakes the deliveries.
    pub(crate) deliver: tokio::sync::Notify,
    /// Wakes the sweep, after one that failed.
    pub(crate) unswept: tokio::sync::Notify,
    /// Whether it was told to keep accounts alive.
    alive: AtomicBool,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    /// Keychain items that are being made: noted as strays already, and not to be swept.
    pub(crate) in_the_making: Mutex<HashSet<Key>>,
    /// Keeps other engines out of the data folder for as long as this one lives.
    _lock: fs::File,
}

/// An access token and its life.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// Its life.
    pub lifetime: TokenLifetime,
}

/// How coarse the time is at which an account or an API token was last used.
pub(crate) const USED_WITHIN_MILLIS: i64 = 60 * 1000;

/// How long a stop waits for the disk after that.
const FOLD_DEADLINE: Duration = Duration::from_secs(5);
/// How long a stop waits for refreshes that are under way.
const STOP_DEADLINE: Duration = Duration::from_secs(35);

impl Engine {
    /// Opens the data folder. Nothing is sent to anybody before [`Engine::keep_alive`].
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let data_dir = options.data_dir.clone();
        // Both read many files, and need nothing of each other.
        let outbound = tokio::task::spawn_blocking(Outbound::new);
        let opened =
            tokio::task::spawn_blocking(move || Store::open(&data_dir)).await.map_err(|_| StoreError::Stopping)?;
        let Opened { store, lock } = opened?;
        let environment = store.write(settings::ensure_environment).await?;
        let engine = Self(Arc::new(Inner {
            store,
            keychain: options.keychain,
            clock: options.clock,
            outbound: outbound.await.map_err(|_| StoreError::Stopping)??,
            environment,
            takes_deep_links: options.takes_deep_links,
            base: tokio::sync::watch::Sender::new(None),
            agenda: Agenda::default(),
            flights: Flights::default(),
            flows: Flows::default(),
            access: Mutex::default(),
            used: Mutex::default(),
            locks: Mutex::default(),
            api_tokens: Mutex::default(),
            installed_changed: tokio::sync::watch::Sender::new(0),
            deliver: tokio::sync::Notify::new(),
            unswept: tokio::sync::Notify::new(),
            in_the_making: Mutex::default(),
            alive: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            _lock: lock,
        }));
        engine.bring_catalogue().await?;
        engine.load_api_tokens().await?;
        Ok(engine)
    }

    /// Finishes what a crash cut off, and begins to keep accounts alive and to deliver webhooks. To be called when all that
    /// this needs is there: a Sandbox that starts later than its accounts' refreshes would fail them for nothing. A second
    /// call does nothing.
    pub async fn keep_alive(&self) -> Result<()> {
        if self.0.alive.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        recovery::run(self).await?;
        self.spawn_until_stop(schedule::run(self.clone()));
        self.spawn_until_stop(delivery::run(self.clone()));
        self.spawn_until_stop(retention::run(self.clone()));
        Ok(())
    }

    /// Stops: nothing new begins; refreshes under way are waited for, because the provider may have answered them already.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(STOP_DEADLINE, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("stopped while a refresh was still under way; it is taken up again at the next start");
        }
        match tokio::time::timeout(FOLD_DEADLINE, self.0.store.fold()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!("the database's log is folded in at the next start: {error}"),
            Err(_) => tracing::warn!("the disk doesn't answer; the database's log is folded in at the next start"),
        }
    }

    /// The one environment of this installation.
    pub fn environment_id(&self) -> EnvironmentId {
        self.0.environment
    }

    /// Says where the loopback surface listens.
    pub fn listens_on(&self, port: u16) {
        self.0.base.send_replace(Some(port));
    }

    /// How the keychain is, by a word that code matches on, and in words for a person where it can't be used.
    pub async fn keychain(&self) -> (&'static str, Option<String>) {
        let nobodys = Key::Account(AccountId::from_uuid(uuid::Uuid::nil()));
        match self.0.keychain.get(&nobodys).await {
            Ok(_) => ("available", None),
            Err(error) => (error.code(), Some(error.to_string())),
        }
    }

    /// Wakes whoever shows how the keychain is, after that has changed.
    pub fn keychain_changes(&self) -> tokio::sync::watch::Receiver<KeychainState> {
        self.0.keychain.state()
    }

    /// The time, by the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Runs a task that ends when the engine stops.
    pub(crate) fn spawn_until_stop(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.0.stopping.clone();
        self.0.tasks.spawn(async move {
            stopping.run_until_cancelled(task).await;
        });
    }

    /// The account's lock.
    pub(crate) fn lock_of(&self, account: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(held(&self.0.locks).entry(account).or_default())
    }

    /// The account is gone: so are its token and its lock.
    pub(crate) fn forget(&self, account: AccountId) {
        held(&self.0.access).remove(&account);
        held(&self.0.used).remove(&account);
        held(&self.0.locks).remove(&account);
        self.0.agenda.remove(account);
    }

    /// The account's access token, fresh or not.
    pub(crate) fn held_token(&self, account: AccountId) -> Option<AccessToken> {
        held(&self.0.access).get(&account).cloned()
    }

    /// Holds an access token.
    pub(crate) fn hold_token(&self, account: AccountId, token: AccessToken) {
        held(&self.0.access).insert(account, token);
    }

    /// Lets the account's access token go: its sign-in has been replaced.
    pub(crate) fn drop_token(&self, account: AccountId) {
        held(&self.0.access).remove(&account);
    }

    /// Lets an access token go that was found not to work, unless another has taken its place already.
    pub(crate) fn drop_refused(&self, account: AccountId, refused: &Secret) {
        let mut access = held(&self.0.access);
        if access.get(&account).is_some_and(|held| held.token == *refused) {
            access.remove(&account);
        }
    }
}

/// Takes a lock that is never held over an await. A panic while it was held can't have left the map half-changed.
pub(crate) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A random spread.
pub(crate) fn jitter() -> Jitter {
    // Without randomness there is no spread, which only costs evenness.
    getrandom::u64().map_or(Jitter::NONE, Jitter::from_bits)
}

/// 256 random bits as URL-safe text.
pub(crate) fn random_token() -> Result<Secret> {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut())
        .map_err(|_| crate::Error::conflict("no_randomness", "The system's random number generator failed."))?;
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

/// How a token that callers show is kept: hashed.
pub(crate) fn hash_of(token: &str) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(token.as_bytes()).into()
}
