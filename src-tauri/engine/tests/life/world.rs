//! An engine with a real Sandbox, a keychain in memory and a clock that the test moves.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use relink_contract::connect::{self, FlowPhase, IdentityChoice};
use relink_domain::{
    AccountId, Secret, Timestamp,
    account::{Account, AuthenticationMethod, Status},
    link::{LinkOptions, Purpose},
};
use relink_engine::{
    BeginFlow, Engine, Options,
    clock::Clock,
    keychain::{Keychain, MemoryKeychain},
};
use relink_sandbox::{Running, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// How long a test waits for something that must happen. It only bounds a failure: a busy machine never gets there.
pub const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

pub struct World {
    pub engine: Engine,
    pub keychain: MemoryKeychain,
    pub clock: Clock,
    pub sandbox: Running,
    pub folder: TempDir,
    http: reqwest::Client,
}

pub const PERSON: relink_domain::caller::Caller = relink_domain::caller::Caller::Person;

const CONTROL: &str = "control-key-of-the-test";

impl World {
    /// Starts an engine for the first time, with the Sandbox installed.
    pub async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let sandbox = Sandbox::start(relink_sandbox::Options { listen, state: None, control_key: CONTROL.to_owned() })
            .await
            .expect("the Sandbox starts");
        let folder = tempfile::tempdir().expect("a folder");
        let (keychain, clock) = (MemoryKeychain::default(), Clock::set_to(START));
        let engine = start(&folder, &keychain, &clock).await;
        engine.catalog().install(&PERSON, "sandbox").await.expect("installed");
        engine.catalog().set_sandbox_address(&PERSON, sandbox.base_url().as_ref()).await.expect("moved");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { engine, keychain, clock, sandbox, folder, http }
    }

    /// Stops the engine and starts another with the same folder and keychain.
    pub async fn restart(&mut self) {
        self.engine.stop().await;
        self.start_again().await;
    }

    /// Starts another engine with the same folder and keychain, after the one before has stopped.
    pub async fn start_again(&mut self) {
        // The old handle holds the folder's lock, so it is replaced first.
        let nowhere = tempfile::tempdir().expect("a folder");
        self.engine = start(&nowhere, &MemoryKeychain::default(), &self.clock).await;
        self.engine = start(&self.folder, &self.keychain, &self.clock).await;
    }

    /// Calls the Sandbox's control API.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.sandbox.base_url().to_string().trim_end_matches('/'));
        let method = method.parse().expect("a method");
        let answer = self.http.request(method, url).bearer_auth(CONTROL).json(&body).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Makes the next `count` token requests fail like this.
    pub async fn fault(&self, kind: &str, count: u32) {
        self.control("POST", "/control/faults", json!({ "kind": kind, "count": count, "retry_after": 120 })).await;
    }

    /// Sets how the Sandbox rotates refresh tokens.
    pub async fn rotation(&self, rotation: &str) {
        self.control("PATCH", "/control", json!({ "rotation": rotation })).await;
    }

    /// Sets how long the access tokens of later sign-ins and refreshes are valid.
    pub async fn token_lifetime(&self, secs: i64) {
        self.control("PATCH", "/control", json!({ "token_lifetime_secs": secs })).await;
    }

    /// The number of token requests in the Sandbox's log.
    pub async fn token_requests(&self) -> usize {
        self.requests("token").await
    }

    /// The number of revocations in the Sandbox's log.
    pub async fn revocations(&self) -> usize {
        self.requests("revoke").await
    }

    async fn requests(&self, endpoint: &str) -> usize {
        let log = self.control("GET", "/control/log", Value::Null).await;
        let entries = log["entries"].as_array().expect("entries");
        entries.iter().filter(|entry| entry["endpoint"] == endpoint).count()
    }

    /// Refreshes, and lets the response time out as soon as the token endpoint has the request.
    pub async fn refresh_past_its_deadline(&self, id: AccountId) -> Result<(), relink_engine::Error> {
        let log = async |query: &str| self.control("GET", &format!("/control/log{query}"), Value::Null).await;
        let seen = log("").await["entries"].as_array().map_or(0, Vec::len);
        let engine = self.engine.clone();
        let refresh = tokio::spawn(async move { engine.refresher().refresh(&PERSON, id).await.map(drop) });
        let noted = log(&format!("?after={seen}&wait=20")).await;
        assert_eq!(noted["entries"][0]["endpoint"], "token", "{noted}");
        tokio::time::pause();
        tokio::time::advance(relink_engine::OUTBOUND_DEADLINE).await;
        tokio::time::resume();
        refresh.await.expect("it ends")
    }

    /// A link for a new account.
    pub async fn connect_link(&self) -> Secret {
        let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
        self.engine.connections().create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link").token
    }

    /// A link that reauthorizes this account.
    pub async fn reauthorize_link(&self, account_id: AccountId) -> Secret {
        self.engine
            .connections()
            .create_link(&PERSON, Purpose::Reauthorize { account_id }, LinkOptions::default())
            .await
            .expect("a link")
            .token
    }

    /// Begins an OAuth flow.
    pub async fn begin(&self, link: &Secret) -> Flow<'_> {
        self.begin_with(link, AuthenticationMethod::Oauth2, BTreeMap::new()).await
    }

    /// Begins a flow with typed fields.
    pub async fn begin_with(
        &self,
        link: &Secret,
        format: AuthenticationMethod,
        fields: BTreeMap<String, Secret>,
    ) -> Flow<'_> {
        self.begin_at("sandbox", link, format, fields).await
    }

    /// Begins a flow at this integration.
    pub async fn begin_at(
        &self,
        integration: &str,
        link: &Secret,
        format: AuthenticationMethod,
        fields: BTreeMap<String, Secret>,
    ) -> Flow<'_> {
        let begin = BeginFlow { integration: integration.into(), format, redirect: None, fields, skips_form: true };
        let flow = self.engine.connections().begin_flow(&PERSON, link.expose(), begin).await.expect("the flow begins");
        Flow { world: self, key: flow.key, view: flow.flow }
    }

    /// Connects an account as Ada.
    pub async fn connected(&self) -> AccountId {
        let link = self.connect_link().await;
        let mut flow = self.begin(&link).await;
        let callback = flow.sign_in("ada").await;
        flow.receive_callback(&callback).await;
        flow.succeeds().await
    }

    pub async fn account(&self, id: AccountId) -> Account {
        self.engine.accounts().get(&PERSON, id).await.expect("there").account
    }

    pub async fn until_status(&self, id: AccountId, status: Status) {
        eventually(status.as_str(), async || self.account(id).await.status() == status).await;
    }

    /// The names of all account events, without their prefix.
    pub async fn event_names(&self) -> Vec<String> {
        let events = self.engine.outbox().events_after(&PERSON, 0, 1000).await.expect("events");
        events
            .iter()
            .filter_map(|event| event.kind.as_str().strip_prefix("integrated_account:").map(str::to_owned))
            .collect()
    }

    /// The timeline lines of an account, or of no account, newest first.
    pub async fn lines(&self, id: Option<AccountId>) -> Vec<String> {
        let entries = self.engine.accounts().timeline(&PERSON, id, None, 100).await.expect("a timeline");
        entries
            .into_iter()
            .filter(|entry| entry.account_id == id)
            .map(|entry| entry.event.describe("Sandbox").0)
            .collect()
    }

    /// Waits until this is the newest line of the account's timeline.
    pub async fn until_latest_line(&self, id: AccountId, line: &str) {
        let mut changes = self.engine.changes(&PERSON);
        let seen = async {
            while self.lines(Some(id)).await.first().is_none_or(|latest| latest != line) {
                changes.next().await.expect("the engine runs");
            }
        };
        let seen = tokio::time::timeout(WAIT_TIMEOUT, seen).await;
        assert!(seen.is_ok(), "{line:?} did not come; the timeline is {:?}", self.lines(Some(id)).await);
    }

    /// Lets the clock run, faster than real time, until the guard is dropped.
    pub fn let_the_clock_run(&self) -> AbortOnDropHandle<()> {
        let clock = self.clock.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                clock.advance_secs(1);
            }
        }))
    }

    /// Sends a request to the Sandbox's pages: status, `Location` and body.
    async fn page(&self, request: reqwest::RequestBuilder) -> (u16, Option<String>, String) {
        let answer = request.send().await.expect("an answer");
        let location = answer.headers().get("location").map(|it| it.to_str().expect("text").to_owned());
        (answer.status().as_u16(), location, answer.text().await.expect("a body"))
    }
}

/// Waits until a condition holds that nothing signals.
pub async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(WAIT_TIMEOUT, holds).await.is_ok(), "never came true: {what}");
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
    engine.set_api_port(7417);
    engine.keep_alive().await.expect("it begins");
    engine
}

/// A connect flow, driven as the connect page and a browser drive it.
pub struct Flow<'w> {
    pub world: &'w World,
    pub view: connect::Flow,
    pub key: Secret,
}

impl Flow<'_> {
    /// Signs in at the provider as `ada` or `grace`, and returns the callback URL.
    pub async fn sign_in(&self, person: &str) -> String {
        self.answer_consent(&[("person", person), ("decision", "allow")]).await
    }

    /// Submits the consent page's form as a browser does.
    pub async fn answer_consent(&self, choices: &[(&str, &str)]) -> String {
        let url = self.view.authorize_url.clone().expect("a provider URL");
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

    /// Delivers the callback, and claims it as the page does.
    pub async fn receive_callback(&mut self, callback: &str) {
        self.world.engine.connections().callback(&PERSON, callback).await.expect("the callback is taken");
        self.view = self
            .world
            .engine
            .connections()
            .claim_flow(&PERSON, self.view.id, self.key.expose(), None)
            .await
            .expect("claimed");
    }

    /// Waits until the flow is in one of these phases.
    pub async fn until(&mut self, phases: &[FlowPhase]) -> &connect::Flow {
        while !phases.contains(&self.view.phase) {
            let after = Some(self.view.version);
            let next = self
                .world
                .engine
                .connections()
                .flow(&PERSON, self.view.id, self.key.expose(), after, WAIT_TIMEOUT)
                .await
                .expect("the flow");
            assert!(next.version > self.view.version, "stuck in {:?}", self.view);
            self.view = next;
        }
        &self.view
    }

    /// Waits for success, and returns the account.
    pub async fn succeeds(&mut self) -> AccountId {
        self.until(&[FlowPhase::Succeeded, FlowPhase::Failed]).await;
        let outcome = self.view.outcome.as_ref().unwrap_or_else(|| panic!("{:?}", self.view.error));
        outcome.account.id
    }

    /// Waits for failure, and returns the error code.
    pub async fn fails(&mut self) -> String {
        self.until(&[FlowPhase::Succeeded, FlowPhase::Failed]).await;
        self.view.error.as_ref().expect("an error").code.clone()
    }

    /// Waits for the question about the identity, and answers it.
    pub async fn answers(&mut self, answer: IdentityChoice) {
        self.until(&[FlowPhase::Question]).await;
        self.world
            .engine
            .connections()
            .answer_flow(&PERSON, self.view.id, self.key.expose(), answer)
            .expect("answered");
    }
}
