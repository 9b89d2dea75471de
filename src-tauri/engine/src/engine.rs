//! The engine: builds the components, starts and stops them.

mod components;
mod start_error;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use relink_domain::{EnvironmentId, Timestamp, caller::Caller};
use tokio::sync::watch;

pub use self::start_error::StartError;
use crate::{
    access::{self, Access, TokensOfAccounts},
    access_tokens::AccessTokens,
    accounts::{self, Accounts},
    address::ApiAddress,
    call_log::{self, CallLog},
    catalog::{self, Catalog},
    clock::Clock,
    connections::{self, Connections},
    documents::Documents,
    error::Result,
    hosts::Hosts,
    keychain::{Keychain, KeychainState, KeychainStatus},
    network::{self, Network},
    onboarding::{self, Onboarding},
    organization::{Organization, OrganizationIds},
    orphans::{self, Orphans},
    outbound::Outbound,
    outbox::{self, Outbox},
    provider::Providers,
    random::{hash_of, random_token},
    recovery::{self, Recovery},
    refresher::{self, Refresher},
    retention::{self, Retention},
    schedule::RefreshSchedule,
    step_runner::StepRunners,
    store::{Changes, Opened, Store, StoreError, settings},
    sync_jobs::{self, SyncJobs},
    tasks::Tasks,
    unfinished::Unfinished,
    unified_models::{self, UnifiedModels},
};

#[derive(Debug)]
pub struct Options {
    /// The folder of the database.
    pub data_dir: PathBuf,
    pub keychain: Keychain,
    pub clock: Clock,
    /// Whether this process is the system's handler for deep links.
    pub takes_deep_links: bool,
}

/// The engine. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    keychain: Keychain,
    clock: Clock,
    tasks: Tasks,
    ids: OrganizationIds,
    address: ApiAddress,
    /// Signs the cursors that callers get. It is in the database and not in the keychain, because whoever can read that has the lists.
    cursor_key: [u8; 32],
    orphans: Orphans,
    catalog: Catalog,
    accounts: Accounts,
    refresher: Refresher,
    recovery: Recovery,
    connections: Connections,
    onboarding: Onboarding,
    outbox: Outbox,
    access: Access,
    call_log: CallLog,
    retention: Retention,
    documents: Documents,
    organization: Organization,
    unified_models: UnifiedModels,
    sync_jobs: SyncJobs,
    /// Whether [`Engine::keep_alive`] was called.
    is_alive: AtomicBool,
    /// Prevents other engines from using the data folder while this one exists.
    _lock: fs::File,
}

/// How long a stop waits for refreshes that are in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(35);
/// How long a stop waits for the checkpoint after that.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(5);

impl Engine {
    /// Opens the data folder and builds the components. Nothing is sent before [`Engine::keep_alive`].
    #[expect(clippy::too_many_lines, reason = "every component and what it uses, in one place")]
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { data_dir, keychain, clock, takes_deep_links } = options;
        // Run both in parallel: both read many files, and neither needs the other.
        let outbound = tokio::task::spawn_blocking(Outbound::new);
        let folder = data_dir.clone();
        let opened =
            tokio::task::spawn_blocking(move || Store::open(&folder)).await.map_err(|_| StoreError::Stopping)?;
        let Opened { store, lock } = opened?;
        let outbound = outbound.await.map_err(|_| StoreError::Stopping)??;
        let new_key = random_token()?;
        let now = clock.now();
        let settings = move |tx: &rusqlite::Transaction<'_>| {
            Ok((OrganizationIds::ensure(tx, now)?, settings::ensure_cursor_key(tx, &new_key)?))
        };
        let (ids, cursor_key) = store.write(settings).await?;
        let tasks = Tasks::new();
        let address = ApiAddress::default();
        let tokens = AccessTokens::default();
        let of_accounts = TokensOfAccounts::default();
        let schedule = Arc::new(RefreshSchedule::default());
        let hosts = Arc::new(Hosts::default());
        let (unfinished, connecting) = (Unfinished::default(), Unfinished::default());
        let runners = StepRunners::default();
        let providers = Providers::new(keychain.clone(), address.clone());

        let orphans = Orphans::new(orphans::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        let accounts = Accounts::new(accounts::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            outbound: outbound.clone(),
            tasks: tasks.clone(),
            ids,
            providers: providers.clone(),
            orphans: orphans.clone(),
            tokens: tokens.clone(),
            schedule: Arc::clone(&schedule),
            hosts: Arc::clone(&hosts),
            own_tokens: of_accounts.clone(),
            connecting: connecting.clone(),
            runners: runners.clone(),
        });
        let catalog = Catalog::open(catalog::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            orphans: orphans.clone(),
            providers: providers.clone(),
            accounts: accounts.clone(),
            environment: ids.environment,
            runners: runners.clone(),
        })
        .await?;
        let refresher = Refresher::new(refresher::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            outbound: outbound.clone(),
            tasks: tasks.clone(),
            providers: providers.clone(),
            accounts: accounts.clone(),
            tokens: tokens.clone(),
            schedule: Arc::clone(&schedule),
            hosts: Arc::clone(&hosts),
            runners: runners.clone(),
        });
        let recovery = Recovery::new(recovery::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            providers: providers.clone(),
            accounts: accounts.clone(),
            schedule,
            unfinished: unfinished.clone(),
        });
        let onboarding = Onboarding::new(onboarding::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            tasks: tasks.clone(),
            providers: providers.clone(),
            accounts: accounts.clone(),
            tokens: tokens.clone(),
            connecting,
            runners: runners.clone(),
        });
        let unified_models = UnifiedModels::open(unified_models::Dependencies {
            store: store.clone(),
            clock: clock.clone(),
            runners: runners.clone(),
        })
        .await?;
        let organization = Organization::new(store.clone(), clock.clone());
        let link_settings = connections::stored_settings(&store).await?;
        let uses = connections::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            outbound: outbound.clone(),
            tasks: tasks.clone(),
            providers,
            accounts: accounts.clone(),
            orphans: orphans.clone(),
            unfinished,
            tokens,
            onboarding: onboarding.clone(),
            address: address.clone(),
            organization: organization.clone(),
            unified_models: unified_models.clone(),
            takes_deep_links,
        };
        let connections = Connections::new(uses, link_settings);
        let outbox = Outbox::new(outbox::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            outbound: outbound.clone(),
            tasks: tasks.clone(),
            orphans: orphans.clone(),
            environment: ids.environment,
        });
        let sync_jobs = SyncJobs::new(sync_jobs::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            outbound,
            tasks: tasks.clone(),
            accounts: accounts.clone(),
            outbox: outbox.clone(),
            orphans: orphans.clone(),
            runners,
            environment: ids.environment,
            data_dir,
        });
        let access = Access::open(access::Dependencies {
            store: store.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            of_accounts,
        })
        .await?;
        let call_log = CallLog::new(call_log::Dependencies {
            store: store.clone(),
            accounts: accounts.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        let retention = Retention::new(retention::Dependencies {
            store: store.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        Ok(Self(Arc::new(Inner {
            documents: Documents::new(store.clone()),
            organization,
            unified_models,
            sync_jobs,
            store,
            keychain,
            clock,
            tasks,
            ids,
            cursor_key: hash_of(cursor_key.expose()),
            address,
            orphans,
            catalog,
            accounts,
            refresher,
            recovery,
            connections,
            onboarding,
            outbox,
            access,
            call_log,
            retention,
            is_alive: AtomicBool::new(false),
            _lock: lock,
        })))
    }

    /// Finishes what a crash interrupted, and begins to refresh accounts and to deliver webhooks. Call it when
    /// everything that this needs is running: a Sandbox that starts after its accounts' refreshes would make them fail.
    /// A second call does nothing.
    pub async fn keep_alive(&self) -> Result<()> {
        let inner = &self.0;
        if inner.is_alive.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let prepared = async {
            inner.refresher.schedule_all().await?;
            inner.recovery.start().await
        };
        if let Err(error) = prepared.await {
            // Allow another call to retry: nothing below has begun.
            inner.is_alive.store(false, Ordering::SeqCst);
            return Err(error);
        }
        inner.orphans.start();
        inner.accounts.start();
        inner.connections.start();
        inner.onboarding.start();
        inner.refresher.start();
        inner.outbox.start();
        inner.sync_jobs.start();
        inner.call_log.start();
        inner.retention.start();
        Ok(())
    }

    /// Stops the engine: nothing new begins. Waits for refreshes in flight, because the provider may have responded
    /// already.
    pub async fn stop(&self) {
        if !self.0.tasks.stop(STOP_TIMEOUT).await {
            tracing::warn!("stopped while a refresh was still in flight; it is resumed at the next start");
        }
        let fold = async {
            self.0.call_log.save().await;
            self.0.store.fold().await
        };
        match tokio::time::timeout(CHECKPOINT_TIMEOUT, fold).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!("the write-ahead log is merged at the next start: {error}"),
            Err(_) => tracing::warn!("the disk doesn't answer; the write-ahead log is merged at the next start"),
        }
    }

    /// The one environment of this installation.
    pub fn environment_id(&self) -> EnvironmentId {
        self.0.ids.environment
    }

    /// What its rows belong to.
    pub fn organization_ids(&self) -> OrganizationIds {
        self.0.ids
    }

    /// A key that only this installation has, for signing the cursors of lists.
    pub fn cursor_key(&self) -> [u8; 32] {
        self.0.cursor_key
    }

    /// The time by the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether the system has a route to the internet.
    pub fn is_online(&self, _caller: &Caller) -> bool {
        network::now() == Network::Up
    }

    /// Sets the port on which the local API listens.
    pub fn set_api_port(&self, port: u16) {
        self.0.address.set_port(port);
    }

    /// Sets the port on which the local API would listen if no other program did. Until then, sign-ins don't return there.
    pub fn set_api_port_taken(&self, port: u16) {
        self.0.address.set_taken_port(port);
    }

    /// The changes of the database, for views that show it.
    pub fn changes(&self, _caller: &Caller) -> Changes {
        self.0.store.changes()
    }

    pub async fn keychain_status(&self, _caller: &Caller) -> KeychainStatus {
        self.0.keychain.status().await
    }

    /// The keychain's state, with notification of its changes.
    pub fn keychain_changes(&self, _caller: &Caller) -> watch::Receiver<KeychainState> {
        self.0.keychain.state()
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
