//! A running app on a real engine, API and Sandbox, with an in-memory keychain and a fake desktop that records its calls.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use relink_api::{ServeOptions, Serving};
use relink_app::{App, Changes, Desktop, DesktopFuture, RuntimeInfo, notifications::Request, tray::AccountInNeed};
use relink_contract::connect::FlowPhase;
use relink_contract::window::{Change, LinkFor, SandboxAction};
use relink_domain::{AccountId, Secret, account::AuthenticationMethod, caller::Caller, notice::Notice};
use relink_engine::{
    BeginFlow, Engine, Options,
    clock::Clock,
    keychain::{Keychain, MemoryKeychain},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use url::Url;

/// A desktop that records its calls.
#[derive(Debug, Default)]
pub struct FakeDesktop {
    pub clipboard: Mutex<Option<String>>,
    pub clipboard_fails: AtomicBool,
    pub opened_in_browser: Mutex<Option<Url>>,
    pub starts_at_login: AtomicBool,
    pub connect_window: Mutex<Option<Url>>,
    /// How often the main window was brought to the front.
    pub brought_to_front: AtomicUsize,
    /// What the dialog for folders answers, once.
    pub chosen_folder: Mutex<Option<PathBuf>>,
    /// Where it was opened last.
    pub folder_dialog_start: Mutex<Option<PathBuf>>,
}

impl FakeDesktop {
    pub fn copied(&self) -> String {
        self.clipboard.lock().expect("not poisoned").clone().expect("something was copied")
    }
}

impl Desktop for FakeDesktop {
    fn copy_to_clipboard(&self, text: &Secret) -> Result<(), String> {
        if self.clipboard_fails.load(Ordering::SeqCst) {
            return Err("There is no clipboard.".to_owned());
        }
        *self.clipboard.lock().expect("not poisoned") = Some(text.expose().to_owned());
        Ok(())
    }

    fn clear_clipboard_of(&self, text: &Secret) -> Result<(), String> {
        self.clipboard.lock().expect("not poisoned").take_if(|copied| copied == text.expose());
        Ok(())
    }

    fn open_in_browser<'a>(&'a self, url: &'a Url) -> DesktopFuture<'a, ()> {
        *self.opened_in_browser.lock().expect("not poisoned") = Some(url.clone());
        Box::pin(async { Ok(()) })
    }

    fn open_connect_window(&self, link: &Url) -> Result<(), String> {
        *self.connect_window.lock().expect("not poisoned") = Some(link.clone());
        Ok(())
    }

    fn bring_to_front(&self) {
        self.brought_to_front.fetch_add(1, Ordering::SeqCst);
    }

    fn open_folder(&self, _: &Path) -> Result<(), String> {
        Ok(())
    }

    fn choose_folder(&self, start: Option<PathBuf>) -> DesktopFuture<'_, Option<PathBuf>> {
        *self.folder_dialog_start.lock().expect("not poisoned") = start;
        let chosen = self.chosen_folder.lock().expect("not poisoned").take();
        Box::pin(async { Ok(chosen) })
    }

    fn set_start_at_login(&self, enabled: bool) -> Result<(), String> {
        self.starts_at_login.store(enabled, Ordering::SeqCst);
        Ok(())
    }

    fn test_notification(&self) -> DesktopFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn test_sign_in_redirect(&self) -> DesktopFuture<'_, String> {
        Box::pin(async { Ok("It came back.".to_owned()) })
    }
}

pub struct World {
    pub app: App,
    pub engine: Engine,
    pub desktop: Arc<FakeDesktop>,
    pub requests: mpsc::Receiver<Request>,
    pub in_need: watch::Receiver<Vec<AccountInNeed>>,
    serving: Serving,
    folder: TempDir,
    pub keychain: MemoryKeychain,
}

impl World {
    /// With the Sandbox installed.
    pub async fn new() -> Self {
        let world = Self::start(tempfile::tempdir().expect("a folder"), MemoryKeychain::default()).await;
        world.app.install("sandbox".to_owned()).await.expect("the Sandbox is installed");
        world
    }

    /// Ends Relink, changes its stored data, and starts it again.
    pub async fn restarted_after(self, change: impl FnOnce(&Path)) -> Self {
        self.serving.stop(&self.engine).await;
        // The old app's tasks keep its folder until the process ends, so the new one gets a copy.
        let folder = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(self.folder.path()).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("the file is copied");
            }
        }
        change(folder.path());
        Self::start(folder, self.keychain).await
    }

    async fn start(folder: TempDir, keychain: MemoryKeychain) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), folder, keychain).await
    }

    /// Starts it with this address for the API.
    pub async fn start_at(listen: SocketAddr, folder: TempDir, keychain: MemoryKeychain) -> Self {
        let data_dir = folder.path().to_owned();
        let options = Options {
            data_dir: data_dir.clone(),
            keychain: Keychain::memory(keychain.clone()),
            clock: Clock::system(),
            takes_deep_links: true,
        };
        let engine = Engine::start(options).await.expect("the engine starts");
        let wanted = ServeOptions {
            listen: Some(listen),
            runs_without_port: true,
            also_listen: false,
            data_dir: data_dir.clone(),
            runtime_dir: None,
        };
        let serving = relink_api::serve(engine.clone(), wanted).await.expect("the API listens");
        let (sender, requests) = mpsc::channel(8);
        let runtime_info = RuntimeInfo {
            version: "0.0.0".to_owned(),
            api_port: serving.port().clone(),
            detects_unlock: true,
            data_dir,
            has_own_data_dir: true,
        };
        let desktop = Arc::new(FakeDesktop::default());
        let sandbox_runner = serving.sandbox_runner().clone();
        let local_calls = serving.local_calls().clone();
        let app = App::start(engine.clone(), sandbox_runner, local_calls, runtime_info, desktop.clone(), sender).await;
        let app = app.expect("the app starts");
        let in_need = app.follow_accounts_in_need();
        Self { app, engine, desktop, requests, in_need, serving, folder, keychain }
    }

    /// Connects an account with an API key, which needs no browser.
    pub async fn connect(&self) -> AccountId {
        self.connect_to("sandbox", self.api_key().await).await
    }

    /// Connects an account of an integration with this key.
    pub async fn connect_to(&self, integration: &str, key: String) -> AccountId {
        let link = self.app.get_connection_link(LinkFor::Tenant("acme-1".to_owned())).await.expect("a link");
        self.app.copy_link(link.id).await.expect("the link is copied");
        let copied = self.desktop.copied();
        let (_, token) = copied.split_once("link_token=").expect("a token");
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new(key))]);
        let format = AuthenticationMethod::ApiKey;
        let begin = BeginFlow { integration: integration.to_owned(), format, redirect: None, fields, skips_form: true };
        let started =
            self.engine.connections().begin_flow(&Caller::Person, token, begin).await.expect("the flow begins");
        let mut flow = started.flow;
        while !matches!(flow.phase, FlowPhase::Succeeded | FlowPhase::Failed) {
            let timeout = Duration::from_secs(20);
            flow = self
                .engine
                .connections()
                .flow(&Caller::Person, flow.id, started.key.expose(), Some(flow.version), timeout)
                .await
                .expect("the flow");
        }
        flow.outcome.expect("the flow succeeds").account.id
    }

    async fn api_key(&self) -> String {
        let created = self.serving.sandbox_runner().call_control("POST", "/control/api-keys", &json!({})).await;
        created.expect("a key")["api_key"].as_str().expect("text").to_owned()
    }

    /// Makes the account fail so that it needs reauthorization.
    pub async fn break_account(&self, id: AccountId) {
        self.app.control_sandbox(SandboxAction::Revoke).await.expect("access is revoked");
        self.app.check(id).await.expect("the account is checked");
    }

    /// The same for an account whose sign-in can be refreshed: the check fails, because the refresh does.
    pub async fn break_sign_in(&self, id: AccountId) {
        self.app.control_sandbox(SandboxAction::Revoke).await.expect("access is revoked");
        assert_eq!(self.app.check(id).await.expect_err("it is refused").code, "invalid_grant");
    }

    /// Receives the next request to show a notification, and replies with this outcome.
    pub async fn next_notification(&mut self, outcome: Result<(), String>) -> Notice {
        match self.requests.recv().await.expect("a request") {
            Request::Show { notice, accepted, .. } => {
                accepted.send(outcome).expect("the policy waits for the outcome");
                notice
            }
            Request::Withdraw(id) => panic!("{id:?} was withdrawn"),
        }
    }

    /// Runs a command as the window does.
    pub async fn command(&self, name: &str, arguments: Value) -> Value {
        let answer = self.app.dispatch(name, arguments).await.expect(name);
        serde_json::from_str(&answer).expect("the answer is JSON")
    }
}

/// Waits for the next change that the window receives.
pub async fn next(changes: &mut Changes) -> Change {
    changes.next().await.expect("the app runs")
}
