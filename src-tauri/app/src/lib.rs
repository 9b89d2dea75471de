//! The desktop app's logic without its toolkit, so that all of it is tested without a display.
//!
//! The shell hands each command of the window to [`App::dispatch`], forwards [`App::changes`] to the page, shows the
//! notifications that the [`notifications`] policy asks for, and draws the [`tray`] menu. What only the toolkit can do, such
//! as the clipboard or a window, it offers as a [`Desktop`].

mod accounts;
mod agents;
mod api_tokens;
mod calls;
mod changes;
mod clipboard;
mod commands;
mod definitions;
mod desktop;
mod direct_sign_in;
mod error;
mod integration_form;
mod integrations;
mod links;
mod mapping_draft;
mod mappings;
mod notices;
pub mod notifications;
mod overview;
mod page;
mod port;
mod preferences;
mod reminders;
mod sandbox;
mod sign_ins;
mod sync_jobs;
mod timeline;
pub mod tray;
mod unified_models;
mod webhooks;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use relink_api::{ApiPort, LocalCalls, SandboxRunner};
use relink_contract::window::{Change, Destination, ErrorView, KeychainState, Preferences};
use relink_domain::{Secret, notice::DesktopSignal};
use relink_engine::Engine;
use tokio::sync::{broadcast, mpsc, watch};

pub use changes::Changes;
pub use desktop::{Desktop, DesktopFuture, DesktopStatus};
pub use direct_sign_in::{SignIn, SignInOutcome, SignInRoute};
use error::error_view;
pub use page::{NextPage, PageReport};
pub use preferences::preferred_port;
use tray::AccountInNeed;

/// The result of a command.
pub type Result<T, E = ErrorView> = std::result::Result<T, E>;

/// The desktop app. A clone is a handle on the same one.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    sandbox_runner: SandboxRunner,
    local_calls: LocalCalls,
    runtime_info: RuntimeInfo,
    desktop: Arc<dyn Desktop>,
    desktop_status: watch::Sender<DesktopStatus>,
    /// The link tokens that were created since the start, by the id that the page uses.
    links: Mutex<HashMap<String, Secret>>,
    /// The secret that was copied last, while it may be in the clipboard.
    copied_secret: Mutex<Option<Secret>>,
    changes: broadcast::Sender<Change>,
    /// Held while accounts are read and published, so that an older state is never published after a newer one.
    publishing_accounts: tokio::sync::Mutex<()>,
    preferences: watch::Sender<Preferences>,
    /// The keychain's last known state, and when it was read.
    keychain: Mutex<Option<(KeychainState, Instant)>>,
    accounts_in_need: watch::Sender<Vec<AccountInNeed>>,
    signals: mpsc::Sender<DesktopSignal>,
    initial_destination: Mutex<Option<Destination>>,
    sign_ins: sign_ins::SignIns,
    page_reports: page::PageReports,
}

/// Values that don't change while the app runs.
#[derive(Debug, Clone)]
pub struct RuntimeInfo {
    pub version: String,
    /// A handle on the port where the API listens.
    pub api_port: ApiPort,
    /// Whether the shell detects that the machine was unlocked.
    pub detects_unlock: bool,
    pub data_dir: PathBuf,
    /// Whether the person chose it, so that other programs don't find it without its name.
    pub has_own_data_dir: bool,
}

impl App {
    /// Starts the app on a running engine. Its background tasks end with the process.
    pub async fn start(
        engine: Engine,
        sandbox_runner: SandboxRunner,
        local_calls: LocalCalls,
        runtime_info: RuntimeInfo,
        desktop: Arc<dyn Desktop>,
        notifications: mpsc::Sender<notifications::Request>,
    ) -> Result<Self> {
        let preferences = preferences::load(&engine).await?;
        let (signals, received_signals) = mpsc::channel(64);
        let app = Self(Arc::new(Inner {
            engine,
            sandbox_runner,
            local_calls,
            runtime_info,
            desktop,
            desktop_status: watch::Sender::default(),
            links: Mutex::default(),
            copied_secret: Mutex::default(),
            changes: broadcast::Sender::new(64),
            publishing_accounts: tokio::sync::Mutex::default(),
            preferences: watch::Sender::new(preferences),
            keychain: Mutex::default(),
            accounts_in_need: watch::Sender::default(),
            signals,
            initial_destination: Mutex::default(),
            sign_ins: Mutex::default(),
            page_reports: page::PageReports::default(),
        }));
        tokio::spawn(app.clone().publish_changes());
        tokio::spawn(app.clone().publish_waits());
        tokio::spawn(app.clone().publish_sync_progress());
        tokio::spawn(app.clone().publish_port_changes());
        tokio::spawn(notifications::run(app.clone(), notifications, received_signals));
        Ok(app)
    }

    /// Accepts a callback URL that the system delivered as a deep link. If a browser began the flow, returns the page on which
    /// the person confirms for whom they signed in. Show it in a window of the app: it contains a key.
    pub async fn callback(&self, url: &str) -> Result<Option<Secret>> {
        let connections = self.0.engine.connections();
        let caller = connections.callback_caller(url).await.map_err(error_view)?;
        let taken = connections.callback(&caller, url).await.map_err(error_view)?;
        taken.return_key.map(|key| self.return_page(taken.flow, "return", &key)).transpose()
    }

    /// Where the window that is about to be opened should go.
    pub fn set_initial_destination(&self, destination: Destination) {
        *lock(&self.0.initial_destination) = Some(destination);
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.0.runtime_info.data_dir
    }
}

/// Locks a mutex that is never held over an await.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A count as the window shows it.
fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
