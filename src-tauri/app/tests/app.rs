//! What the desktop app says and does, on a real engine and Sandbox, with a desktop of the test's own.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use relink_api::{ServeOptions, Serving};
use relink_app::{
    App, PreferenceUpdate, RuntimeInfo,
    attention::{Needs, Notifier, Order},
    types::{Changed, LinkFor, NewIntegration, Preferences, Rehearse},
};
use relink_domain::{AccountId, Secret, account::AuthenticationMethod, notice::Notice};
use relink_engine::{
    Engine, Options, Pages,
    clock::Clock,
    connect::{BeginFlow, PhaseName},
    keychain::{Keychain, MemoryKeychain},
};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

struct World {
    app: App,
    engine: Engine,
    orders: mpsc::Receiver<Order>,
    needs: watch::Receiver<Vec<Needs>>,
    serving: Serving,
    folder: TempDir,
    keychain: MemoryKeychain,
}

impl World {
    /// The app with the Sandbox installed.
    async fn new() -> Self {
        let world = Self::on(tempfile::tempdir().expect("a folder"), MemoryKeychain::default()).await;
        world.app.install("sandbox").await.expect("installed");
        world
    }

    /// Relink ends, and is started again.
    async fn restarted(self) -> Self {
        self.serving.stop().await;
        self.engine.stop().await;
        // The loops of this process keep the folder until it ends: the next run has what was written into it.
        let folder = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(self.folder.path()).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
            }
        }
        Self::on(folder, self.keychain).await
    }

    async fn on(folder: TempDir, keychain: MemoryKeychain) -> Self {
        let data_dir = folder.path().to_owned();
        let options = Options {
            data_dir: data_dir.clone(),
            keychain: Keychain::memory(keychain.clone()),
            clock: Clock::system(),
            takes_deep_links: true,
        };
        let engine = Engine::start(options).await.expect("the engine starts");
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let wanted = ServeOptions { listen: Some(listen), data_dir: data_dir.clone() };
        let serving = relink_api::serve(engine.clone(), wanted).await.expect("it serves");
        let (sender, orders) = mpsc::channel(8);
        let (needs_you, needs) = watch::channel(Vec::new());
        let runtime_info = RuntimeInfo {
            version: "0.0.0".to_owned(),
            base_url: serving.base_url().to_owned(),
            wanted_port_taken: false,
            wanted_port: relink_api::PORT,
            hears_unlocking: true,
            data_dir,
        };
        let notifier = Notifier { orders: sender, needs: needs_you };
        let sandbox_runner = serving.sandbox_runner().clone();
        let app = App::start(engine.clone(), sandbox_runner, runtime_info, notifier).await.expect("the app");
        Self { app, engine, orders, needs, serving, folder, keychain }
    }

    /// An account with an API key, which needs no browser.
    async fn connected(&self) -> AccountId {
        let made = self.app.get_connection_link(LinkFor::Tenant("acme-1".to_owned())).await.expect("a link");
        let link = self.app.link(&made.id, None).expect("it is remembered");
        let token = link.expose().split("link_token=").nth(1).expect("a token").to_owned();
        let key = self.key().await;
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new(key))]);
        let format = AuthenticationMethod::ApiKey;
        let begin = BeginFlow { integration: "sandbox".to_owned(), format, redirect: None, fields };
        let started = self.engine.begin_flow(&token, begin).await.expect("it begins");
        let mut flow = started.flow;
        while !matches!(flow.phase, PhaseName::Succeeded | PhaseName::Failed) {
            let wait = Duration::from_secs(20);
            flow = self.engine.flow(flow.id, started.key.expose(), Some(flow.version), wait).await.expect("the flow");
        }
        flow.outcome.expect("it works").account.id
    }

    async fn key(&self) -> String {
        let made = self.serving.sandbox_runner().rehearse("POST", "/control/api-keys", &serde_json::json!({})).await;
        made.expect("a key")["api_key"].as_str().expect("text").to_owned()
    }

    /// The next notification, taken by the desktop or not.
    async fn shown(&mut self, outcome: Result<(), String>) -> Notice {
        match self.orders.recv().await.expect("an order") {
            Order::Show { notice, taken, .. } => {
                taken.send(outcome).expect("it waits");
                notice
            }
            Order::Withdraw(id) => panic!("{id:?} was withdrawn"),
        }
    }

    async fn breaks(&self, id: AccountId) {
        self.app.rehearse(Rehearse::Revoke).await.expect("revoked");
        self.app.check(id).await.expect("checked");
    }
}

#[tokio::test]
async fn who_needs_the_person_is_told_once_and_counted() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.breaks(id).await;
    let notice = world.shown(Ok(())).await;
    assert!(notice.title.contains("Sandbox"), "{notice:?}");
    let needs = world.needs.wait_for(|needs| !needs.is_empty()).await.expect("told").clone();
    assert_eq!((needs[0].id, needs[0].reauthorize), (id, true));
    assert_eq!(world.app.overview().await.expect("an overview").needs_you, 1);

    // A second failure is no second notification.
    world.app.check(id).await.expect("checked");
    // Listened to beforehand: what is told right after the rename would be missed.
    let mut changes = world.app.changes();
    world.app.rename(id, "Renamed".to_owned()).await.expect("renamed");
    changes.recv().await.expect("told");
    assert!(world.orders.try_recv().is_err(), "nothing new was shown");
}

#[tokio::test]
async fn what_is_over_is_taken_back_and_kept_under_activity() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.breaks(id).await;
    let notice = world.shown(Ok(())).await;
    world.app.delete_account(id).await.expect("deleted");
    match world.orders.recv().await.expect("an order") {
        Order::Withdraw(withdrawn) => assert_eq!(withdrawn, notice.id),
        Order::Show { notice, .. } => panic!("shown: {notice:?}"),
    }
    world.needs.wait_for(Vec::is_empty).await.expect("told");
    let mut changes = world.app.changes();
    loop {
        let kept = world.app.notices().await.expect("kept");
        if kept[0].withdrawn_at.is_some() {
            assert_eq!((kept.len(), kept[0].delivered), (1, true));
            break;
        }
        changes.recv().await.expect("told");
    }
}

#[tokio::test]
async fn a_desktop_that_shows_nothing_is_said_and_the_notification_is_kept() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.breaks(id).await;
    let mut changes = world.app.changes();
    world.shown(Err("there is no daemon".to_owned())).await;
    loop {
        let kept = world.app.notices().await.expect("kept");
        if let Some(first) = kept.first() {
            assert!(!first.delivered);
            break;
        }
        changes.recv().await.expect("told");
    }
    let overview = world.app.overview().await.expect("an overview");
    assert_eq!(overview.notifications_trouble.as_deref(), Some("there is no daemon"));
}

#[tokio::test]
async fn what_was_up_at_the_end_is_put_up_anew_after_a_restart() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.breaks(id).await;
    let before = world.shown(Ok(())).await;
    let mut changes = world.app.changes();
    while world.app.notices().await.expect("kept").is_empty() {
        changes.recv().await.expect("told");
    }
    let mut world = world.restarted().await;
    let anew = world.shown(Ok(())).await;
    assert_eq!((&anew.title, &anew.about), (&before.title, &before.about));
    let mut changes = world.app.changes();
    loop {
        let kept = world.app.notices().await.expect("kept");
        if kept.len() == 2 {
            assert!(kept[0].withdrawn_at.is_none() && kept[1].withdrawn_at.is_some(), "{kept:?}");
            break;
        }
        changes.recv().await.expect("told");
    }
}

#[tokio::test]
async fn a_desktop_that_never_answers_holds_up_neither_the_tray_nor_what_the_person_says() {
    let mut world = World::new().await;
    let (first, second) = (world.connected().await, world.connected().await);
    world.breaks(first).await;
    let Order::Show { taken: _never_answered, .. } = world.orders.recv().await.expect("an order") else {
        panic!("shown")
    };
    // Sooner than anybody gives the desktop up.
    let soon = Duration::from_secs(5);
    let told = async {
        world.app.check(second).await.expect("checked");
        world.needs.wait_for(|needs| needs.len() == 2).await.expect("told");
        world.app.remind_later(first).await.expect("received");
        let mut changes = world.app.changes();
        while world.app.account(first).await.expect("there").remind_at.is_none() {
            changes.recv().await.expect("told");
        }
    };
    tokio::time::timeout(soon, told).await.expect("the policy waits for the desktop");
}

#[tokio::test]
async fn a_pause_holds_notifications_back_until_it_ends() {
    let mut world = World::new().await;
    let id = world.connected().await;
    let paused = Preferences { notifications_paused: true, ..Preferences::default() };
    world.app.set_preferences(paused).await.expect("kept");
    world.breaks(id).await;
    world.needs.wait_for(|needs| needs.len() == 1).await.expect("the tray still tells");
    assert!(world.orders.try_recv().is_err(), "paused");
    world.app.set_preferences(Preferences::default()).await.expect("kept");
    assert!(world.shown(Ok(())).await.title.contains("Sandbox"));
}

#[tokio::test]
async fn remind_me_later_is_kept_and_said() {
    let mut world = World::new().await;
    let id = world.connected().await;
    world.breaks(id).await;
    world.shown(Ok(())).await;
    let mut changes = world.app.changes();
    world.app.remind_later(id).await.expect("received");
    while world.app.account(id).await.expect("there").remind_at.is_none() {
        changes.recv().await.expect("told");
    }
}

#[tokio::test]
async fn the_page_sees_a_magic_link_without_its_token() {
    let world = World::new().await;
    let made = world.app.get_connection_link(LinkFor::Tenant("acme-1".to_owned())).await.expect("a link");
    let link = world.app.link(&made.id, Some("sandbox")).expect("it is remembered");
    let token = link.expose().split("link_token=").nth(1).and_then(|rest| rest.split('&').next()).expect("a token");
    assert!(link.expose().ends_with("&integration=sandbox"));
    let seen = serde_json::to_string(&made).expect("JSON");
    assert!(!seen.contains(token) && seen.contains("link_token=…"), "{seen}");
    assert_eq!(world.app.link("link-of-nobody", None).expect_err("unknown").code, "not_found");
}

#[tokio::test]
async fn an_integration_is_made_by_form_and_a_wrong_address_stands_at_its_field() {
    let world = World::new().await;
    let form = |token_url: &str| NewIntegration {
        name: "acme-crm".to_owned(),
        label: "Acme CRM".to_owned(),
        base_url: "https://api.acme.test".to_owned(),
        authorize_url: "https://acme.test/oauth/authorize".to_owned(),
        token_url: token_url.to_owned(),
        scopes: "read write".to_owned(),
        client_id: "abc".to_owned(),
        client_secret: Some(Secret::new("hush".to_owned())),
        redirect: Some("loopback".to_owned()),
    };
    let refused = world.app.make_integration(form("no address")).await.expect_err("refused");
    assert_eq!(refused.field.as_deref(), Some("token_url"));
    world.app.make_integration(form("https://acme.test/oauth/token")).await.expect("made");
    let all = world.app.integrations().await.expect("the catalogue");
    let made = all.iter().find(|it| it.name == "acme-crm").expect("there");
    assert_eq!((made.client_id.as_deref(), made.not_ready.as_deref()), (Some("abc"), None));
    let kinds: Vec<_> = made.redirect_uris.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["loopback"]);
}

#[test]
fn a_port_that_can_be_none_is_refused_with_its_field() {
    let typed = |port: &str| {
        let text = format!(
            r#"{{ "appearance": "dark", "notifications_paused": false, "start_at_login": true, "port": {port} }}"#
        );
        serde_json::from_str::<PreferenceUpdate>(&text).expect("whatever a number field holds is understood").read()
    };
    for port in ["80", "0", "-1", "65536", "70000", "8080.5", "1e300"] {
        assert_eq!(typed(port).expect_err(port).field.as_deref(), Some("port"), "{port}");
    }
    for (port, read) in [("null", None), ("1024", Some(1024)), ("65535", Some(65_535)), ("8080.0", Some(8080))] {
        let preferences = typed(port).expect(port);
        assert_eq!((preferences.port, preferences.start_at_login), (read, true), "{port}");
    }
}

#[tokio::test]
async fn the_timeline_still_names_an_account_that_was_deleted() {
    let world = World::new().await;
    let id = world.connected().await;
    world.app.rename(id, "The old one".to_owned()).await.expect("renamed");
    world.app.delete_account(id).await.expect("deleted");
    let all = world.app.timeline(Pages::default()).await.expect("a page").entries;
    assert_eq!(all[0].title, "The old one was deleted");
    for entry in all.iter().filter(|entry| entry.account_id == Some(id)) {
        assert_eq!((entry.account_name.as_deref(), entry.account_gone), (Some("The old one"), true), "{entry:?}");
    }
}

#[tokio::test]
async fn a_change_is_told_as_what_it_is_and_not_as_everything() {
    let world = World::new().await;
    let mut changes = world.app.changes();
    let id = world.connected().await;
    // What was gathered before is told first; of what is told at a time, this comes last.
    world.app.create_api_token("before".to_owned(), None).await.expect("made");
    while changes.recv().await.expect("told") != Changed::ApiTokens {}
    world.app.rename(id, "Renamed".to_owned()).await.expect("renamed");
    assert_eq!(changes.recv().await.expect("told"), Changed::Accounts);
    world.app.create_api_token("agent".to_owned(), None).await.expect("made");
    assert_eq!(changes.recv().await.expect("told"), Changed::ApiTokens, "a name changes no webhook and no integration");
}
