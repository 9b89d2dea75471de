//! An engine on a real Sandbox, a keychain in memory, and a clock in the test's hand.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use relink_domain::{
    AccountId, Secret, Timestamp,
    account::{Account, AuthenticationMethod},
    link::{LinkOptions, Purpose},
};
use relink_engine::{
    Engine, Options,
    clock::Clock,
    connect::{BeginFlow, FlowView, IdentityChoice, PhaseName},
    keychain::{Keychain, MemoryKeychain},
};
use relink_sandbox::{Running, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Everything that a story needs.
pub struct World {
    pub engine: Engine,
    pub keychain: MemoryKeychain,
    pub clock: Clock,
    pub sandbox: Running,
    pub folder: TempDir,
    http: reqwest::Client,
}

const CONTROL: &str = "control-key-of-the-test";

impl World {
    /// A first start with the Sandbox installed.
    pub async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let sandbox = Sandbox::start(relink_sandbox::Options { listen, state: None, control_key: CONTROL.to_owned() })
            .await
            .expect("the Sandbox starts");
        let folder = tempfile::tempdir().expect("a folder");
        let (keychain, clock) = (MemoryKeychain::default(), Clock::set_to(START));
        let engine = start(&folder, &keychain, &clock).await;
        engine.install("sandbox").await.expect("installed");
        engine.sandbox_at(sandbox.base_url().as_ref()).await.expect("moved");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { engine, keychain, clock, sandbox, folder, http }
    }

    /// Stops the engine and starts another on the same folder and keychain.
    pub async fn restart(&mut self) {
        self.engine.stop().await;
        self.start_again().await;
    }

    /// Starts another engine on the same folder and keychain; the one before is gone already.
    pub async fn start_again(&mut self) {
        // The old handle keeps the folder's lock: let it go first.
        let nowhere = tempfile::tempdir().expect("a folder");
        self.engine = start(&nowhere, &MemoryKeychain::default(), &self.clock).await;
        self.engine = start(&self.folder, &self.keychain, &self.clock).await;
    }

    /// The Sandbox's control.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.sandbox.base_url().to_string().trim_end_matches('/'));
        let method = method.parse().expect("a method");
        let answer = self.http.request(method, url).bearer_auth(CONTROL).json(&body).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The next `count` answers of the token endpoint are so.
    pub async fn fault(&self, kind: &str, count: u32) {
        self.control("POST", "/control/faults", json!({ "kind": kind, "count": count, "retry_after": 120 })).await;
    }

    /// How the Sandbox rotates refresh tokens.
    pub async fn rotation(&self, rotation: &str) {
        self.control("PATCH", "/control", json!({ "rotation": rotation })).await;
    }

    /// Everything that the token endpoint has been asked, as the Sandbox's log has it.
    pub async fn token_requests(&self) -> usize {
        let log = self.control("GET", "/control/log", Value::Null).await;
        let entries = log["entries"].as_array().expect("entries");
        entries.iter().filter(|entry| entry["endpoint"] == "token").count()
    }

    /// Refreshes, and lets the deadline of an answer pass as soon as the token endpoint has its request.
    pub async fn refresh_past_its_deadline(&self, id: AccountId) -> Result<(), relink_engine::Error> {
        let log = async |query: &str| self.control("GET", &format!("/control/log{query}"), Value::Null).await;
        let seen = log("").await["entries"].as_array().map_or(0, Vec::len);
        let engine = self.engine.clone();
        let refresh = tokio::spawn(async move { engine.refresh(id).await.map(drop) });
        let noted = log(&format!("?after={seen}&wait=20")).await;
        assert_eq!(noted["entries"][0]["endpoint"], "token", "{noted}");
        tokio::time::pause();
        tokio::time::advance(relink_engine::outbound::DEADLINE).await;
        tokio::time::resume();
        refresh.await.expect("it ends")
    }

    /// A link for a new account.
    pub async fn connect_link(&self) -> Secret {
        let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
        self.engine.create_link(purpose, LinkOptions::default()).await.expect("a link").token
    }

    /// A link that mends this account.
    pub async fn reauthorize_link(&self, account_id: AccountId) -> Secret {
        self.engine
            .create_link(Purpose::Reauthorize { account_id }, LinkOptions::default())
            .await
            .expect("a link")
            .token
    }

    /// Begins an OAuth flow.
    pub async fn begin(&self, link: &Secret) -> Walk<'_> {
        self.begin_with(link, AuthenticationMethod::Oauth2, BTreeMap::new()).await
    }

    /// Begins a flow with typed fields.
    pub async fn begin_with(
        &self,
        link: &Secret,
        format: AuthenticationMethod,
        fields: BTreeMap<String, Secret>,
    ) -> Walk<'_> {
        self.begin_at("sandbox", link, format, fields).await
    }

    /// Begins a flow at this integration.
    pub async fn begin_at(
        &self,
        integration: &str,
        link: &Secret,
        format: AuthenticationMethod,
        fields: BTreeMap<String, Secret>,
    ) -> Walk<'_> {
        let begin = BeginFlow { integration: integration.into(), format, redirect: None, fields };
        let flow = self.engine.begin_flow(link.expose(), begin).await.expect("the flow begins");
        Walk { world: self, key: flow.key, flow: flow.flow }
    }

    /// A connected account of Ada's.
    pub async fn connected(&self) -> AccountId {
        let link = self.connect_link().await;
        let mut walk = self.begin(&link).await;
        let callback = walk.sign_in("ada").await;
        walk.come_back(&callback).await;
        walk.succeeds().await
    }

    pub async fn account(&self, id: AccountId) -> Account {
        self.engine.account(id).await.expect("there").account
    }

    /// The names of all events of accounts, without their prefix.
    pub async fn event_names(&self) -> Vec<String> {
        let events = self.engine.events_after(0, 1000).await.expect("events");
        events
            .iter()
            .filter_map(|event| event.kind.as_str().strip_prefix("integrated_account:").map(str::to_owned))
            .collect()
    }

    /// The timeline's lines of an account (or of nobody), newest first.
    pub async fn lines(&self, id: Option<AccountId>) -> Vec<String> {
        let entries = self.engine.timeline(id, None, 100).await.expect("a timeline");
        entries.into_iter().filter(|entry| entry.account_id == id).map(|entry| entry.event.words("Sandbox").0).collect()
    }

    /// A page of the Sandbox, or the answer to its form.
    async fn page(&self, request: reqwest::RequestBuilder) -> (u16, Option<String>, String) {
        let answer = request.send().await.expect("an answer");
        let location = answer.headers().get("location").map(|it| it.to_str().expect("text").to_owned());
        (answer.status().as_u16(), location, answer.text().await.expect("a body"))
    }
}

async fn start(folder: &TempDir, keychain: &MemoryKeychain, clock: &Clock) -> Engine {
    let engine = Engine::start(Options {
        data_dir: folder.path().to_owned(),
        keychain: Keychain::memory(keychain.clone()),
        clock: clock.clone(),
        takes_deep_links: true,
    })
    .await
    .expect("the engine starts");
    engine.listens_on(7417);
    engine.keep_alive().await.expect("it begins");
    engine
}

/// One walk through a flow.
pub struct Walk<'w> {
    pub world: &'w World,
    pub flow: FlowView,
    pub key: Secret,
}

impl Walk<'_> {
    /// Signs in at the provider as `ada` or `grace`; gives the address that the browser is sent to.
    pub async fn sign_in(&self, person: &str) -> String {
        self.answer_consent(&[("person", person), ("decision", "allow")]).await
    }

    /// Fills the consent page's form in, as a browser does.
    pub async fn answer_consent(&self, choices: &[(&str, &str)]) -> String {
        let url = self.flow.authorize_url.clone().expect("a provider to go to");
        let (status, _, html) = self.world.page(self.world.http.get(&url)).await;
        assert_eq!(status, 200, "{html}");
        let mut form: Vec<(String, String)> = Vec::new();
        for input in html.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
            let attribute = |name: &str| {
                let from = input.find(&format!("{name}=\""))? + name.len() + 2;
                input[from..].split('"').next().map(|text| text.replace("&amp;", "&"))
            };
            if attribute("type").as_deref() == Some("hidden") {
                form.push((attribute("name").expect("a name"), attribute("value").unwrap_or_default()));
            }
        }
        form.extend(choices.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let origin = self.world.sandbox.base_url().to_string();
        let target = format!("{}/authorize", origin.trim_end_matches('/'));
        let post = self.world.http.post(target).header("origin", origin.trim_end_matches('/')).form(&form);
        let (status, location, body) = self.world.page(post).await;
        location.unwrap_or_else(|| panic!("no redirect: {status} {body}"))
    }

    /// The callback arrives and the page claims it.
    pub async fn come_back(&mut self, callback: &str) {
        self.world.engine.callback(callback).await.expect("the callback is taken");
        self.flow = self.world.engine.claim_flow(self.flow.id, self.key.expose()).await.expect("claimed");
    }

    /// Waits until the flow is in one of these phases.
    pub async fn until(&mut self, phases: &[PhaseName]) -> &FlowView {
        while !phases.contains(&self.flow.phase) {
            let after = Some(self.flow.version);
            let wait = Duration::from_secs(20);
            let next = self.world.engine.flow(self.flow.id, self.key.expose(), after, wait).await.expect("the flow");
            assert!(next.version > self.flow.version, "stuck in {:?}", self.flow);
            self.flow = next;
        }
        &self.flow
    }

    /// It ends well; gives the account.
    pub async fn succeeds(&mut self) -> AccountId {
        self.until(&[PhaseName::Succeeded, PhaseName::Failed]).await;
        let outcome = self.flow.outcome.as_ref().unwrap_or_else(|| panic!("{:?}", self.flow.error));
        outcome.account.id
    }

    /// It ends badly; gives the code.
    pub async fn fails(&mut self) -> String {
        self.until(&[PhaseName::Succeeded, PhaseName::Failed]).await;
        self.flow.error.as_ref().expect("an error").code.clone()
    }

    /// The person is asked, and answers.
    pub async fn answers(&mut self, answer: IdentityChoice) {
        self.until(&[PhaseName::Question]).await;
        self.world.engine.answer_flow(self.flow.id, self.key.expose(), answer).expect("answered");
    }
}
