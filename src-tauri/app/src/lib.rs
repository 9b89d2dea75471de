//! What the desktop app says and does, without its toolkit.
//!
//! The shell decodes a command of the window, calls one verb of [`App`], and encodes; it draws what [`attention`] says.
//! So all of it can be tried without a display.

mod accounts;
pub mod attention;
mod direct_sign_in;
mod integrations;
mod links;
mod notices;
mod preferences;
mod sandbox;
mod tokens;
pub mod types;
mod typescript;
mod webhooks;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use relink_api::SandboxRunner;
use relink_domain::{
    Secret,
    account::{Status, Verdict},
    notice::FailingAccount,
};
use relink_engine::{ChangeSet, Engine, Filter, SANDBOX, network};
use tokio::sync::{broadcast, watch};

pub use direct_sign_in::{SignIn, SignInOutcome, SignInRoute};
pub use preferences::PreferenceUpdate;
use types::{Changed, ErrorView, Keychain, Overview, Preferences};
pub use typescript::typescript;

/// What a verb answers.
pub type Result<T, E = ErrorView> = std::result::Result<T, E>;

/// The desktop app's verbs. A clone is a handle on the same one.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    sandbox_runner: SandboxRunner,
    runtime_info: RuntimeInfo,
    /// The links of this run, by name: they open or are copied by it.
    links: Mutex<HashMap<String, Secret>>,
    changed: broadcast::Sender<Changed>,
    preferences: watch::Sender<Preferences>,
    desktop: watch::Sender<Desktop>,
    /// How the keychain was, and when it was asked.
    keychain: Mutex<Option<(Keychain, Instant)>>,
    received: tokio::sync::mpsc::Sender<relink_domain::notice::DesktopSignal>,
}

/// What does not change while the app runs.
#[derive(Debug, Clone)]
pub struct RuntimeInfo {
    /// The version.
    pub version: String,
    /// Where the API listens.
    pub base_url: String,
    /// Whether the port that was wanted was taken.
    pub wanted_port_taken: bool,
    /// The port that was wanted.
    pub wanted_port: u16,
    /// Whether the shell hears when the machine is unlocked.
    pub hears_unlocking: bool,
    /// The data folder.
    pub data_dir: PathBuf,
}

/// What this desktop can do, as far as it was tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desktop {
    /// Why no notification could be shown when that was last tried.
    pub notifications_trouble: Option<String>,
    /// Whether there is a tray to stay in.
    pub tray: bool,
}

/// Changes that come together are told together.
const GATHER: Duration = Duration::from_millis(100);
/// How long an answer of the keychain's holds, unless it is known to have changed.
const KEYCHAIN_HOLDS: Duration = Duration::from_secs(30);

impl App {
    /// The verbs on a running engine, and the loops behind them: they end with the engine's process.
    pub async fn start(
        engine: Engine,
        sandbox_runner: SandboxRunner,
        runtime_info: RuntimeInfo,
        notifier: attention::Notifier,
    ) -> Result<Self> {
        let preferences: Preferences =
            engine.document(preferences::NAME).await.map_err(error_view)?.unwrap_or_default();
        let (received, desktop) = tokio::sync::mpsc::channel(64);
        let app = Self(Arc::new(Inner {
            engine,
            sandbox_runner,
            runtime_info,
            links: Mutex::default(),
            changed: broadcast::Sender::new(64),
            preferences: watch::Sender::new(preferences),
            desktop: watch::Sender::new(Desktop::default()),
            keychain: Mutex::default(),
            received,
        }));
        tokio::spawn(app.clone().publish_changes());
        tokio::spawn(attention::run(app.clone(), notifier, desktop));
        Ok(app)
    }

    /// What has changed, from now on. Who is too slow is told that everything may have.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.0.changed.subscribe()
    }

    fn publish(&self, changed: Changed) {
        // Nobody looks: there is nothing to tell.
        let _ = self.0.changed.send(changed);
    }

    async fn publish_changes(self) {
        let mut store_changes = self.0.engine.changes();
        let mut keychain = self.0.engine.keychain_changes();
        let mut online = network::is_online();
        loop {
            let mut set = tokio::select! {
                set = store_changes.next() => match set {
                    Some(set) => set,
                    None => return,
                },
                changed = keychain.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    *lock(&self.0.keychain) = None;
                    self.publish(Changed::Overview);
                    continue;
                }
                () = tokio::time::sleep(Duration::from_secs(5)) => {
                    let now = network::is_online();
                    if std::mem::replace(&mut online, now) != now {
                        self.publish(Changed::Overview);
                    }
                    continue;
                }
            };
            tokio::time::sleep(GATHER).await;
            set.merge(store_changes.take().unwrap_or_default());
            for changed in changed_kinds(&set) {
                self.publish(changed);
            }
        }
    }

    /// How Relink is.
    pub async fn overview(&self) -> Result<Overview> {
        let engine = &self.0.engine;
        let accounts = engine.account_counts().await.map_err(error_view)?.into_values().sum();
        let troubled = self.troubled().await?;
        let needs_you = troubled.iter().filter(|one| one.trouble.verdict() != Verdict::Retrying).count();
        let keychain = self.keychain().await;
        let desktop = self.0.desktop.borrow().clone();
        let around = &self.0.runtime_info;
        Ok(Overview {
            version: around.version.clone(),
            base_url: around.base_url.clone(),
            wanted_port_taken: around.wanted_port_taken,
            wanted_port: around.wanted_port,
            keychain,
            online: network::is_online(),
            needs_you: count(needs_you),
            accounts,
            sandbox: engine.is_installed(SANDBOX).await.map_err(error_view)?,
            notifications_trouble: desktop.notifications_trouble,
            tray: desktop.tray,
            hears_unlocking: around.hears_unlocking,
            data_folder: around.data_dir.display().to_string(),
        })
    }

    /// Who is in trouble. The others, however many, are not looked at.
    pub(crate) async fn troubled(&self) -> Result<Vec<FailingAccount>> {
        let failing = Filter { statuses: vec![Status::NeedsReauth.as_str().to_owned()], ..Filter::default() };
        let views = self.0.engine.accounts(failing, None, None).await.map_err(error_view)?;
        Ok(views.iter().filter_map(|view| FailingAccount::of(&view.account, &view.label)).collect())
    }

    /// How the keychain is. It is asked when it has changed and now and then, not whenever anything else has.
    async fn keychain(&self) -> Keychain {
        let known = lock(&self.0.keychain).clone();
        if let Some((keychain, _)) = known.filter(|(_, asked)| asked.elapsed() < KEYCHAIN_HOLDS) {
            return keychain;
        }
        let asked = Instant::now();
        let (state, message) = self.0.engine.keychain().await;
        let keychain = Keychain { available: state == "available", message };
        *lock(&self.0.keychain) = Some((keychain.clone(), asked));
        keychain
    }

    /// Says what this desktop turned out to be able to do.
    pub fn desktop_is(&self, change: impl FnOnce(&mut Desktop)) {
        let changed = self.0.desktop.send_if_modified(|desktop| {
            let before = desktop.clone();
            change(desktop);
            before != *desktop
        });
        if changed {
            self.publish(Changed::Overview);
        }
    }

    /// Takes an OAuth callback that the system handed over as a deep link. What is none, or nobody asked for, changes
    /// nothing; the engine notes it where that helps.
    pub async fn callback(&self, url: &str) -> Result<()> {
        self.0.engine.callback(url).await.map(drop).map_err(error_view)
    }

    /// Where the API listens.
    pub fn base_url(&self) -> &str {
        &self.0.runtime_info.base_url
    }

    /// The data folder.
    pub fn data_dir(&self) -> &std::path::Path {
        &self.0.runtime_info.data_dir
    }
}

/// The lists of the window that have changed.
fn changed_kinds(set: &ChangeSet) -> impl Iterator<Item = Changed> {
    let kinds = [
        (!set.accounts.is_empty() || set.timeline, Changed::Accounts),
        (set.integrations, Changed::Integrations),
        (set.webhooks, Changed::Webhooks),
        (set.api_tokens, Changed::ApiTokens),
    ];
    kinds.into_iter().filter_map(|(changed, kind)| changed.then_some(kind))
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

/// Takes a lock that is never held over an await.
fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error of the engine's, as the window shows it.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn error_view(error: relink_engine::Error) -> ErrorView {
    let (title, message) = match &error {
        relink_engine::Error::Provider { words, .. } => (words.title.clone(), words.message.clone()),
        other => (other.title(), other.to_string()),
    };
    let field = match &error {
        relink_engine::Error::Invalid { field, .. } => field.clone(),
        _ => None,
    };
    ErrorView { code: error.code().to_owned(), title, message, hint: error.hint(), field }
}

/// Something typed that can't be used.
fn refused(field: &str, message: &str) -> ErrorView {
    ErrorView {
        code: "invalid".to_owned(),
        title: "This value isn’t valid".to_owned(),
        message: message.to_owned(),
        hint: None,
        field: Some(field.to_owned()),
    }
}
