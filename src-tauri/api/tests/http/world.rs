//! A server on an engine with a keychain in memory, and the Sandbox.

use std::net::SocketAddr;

use relink_api::{ServeOptions, Serving};
use relink_domain::caller::{Caller, TokenLevel};
use relink_engine::{Engine, Options, clock::Clock, keychain::Keychain};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct World {
    /// An API token with full access.
    pub token: String,
    /// The run's own token: the person's.
    pub person: String,
    pub client: Client,
    pub engine: Engine,
    base: String,
    pub serving: Serving,
    pub folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::start(tempfile::tempdir().expect("a folder")).await
    }

    /// Ends the server and the engine, changes the database, and starts them again with an empty keychain.
    pub async fn restarted_after(self, sql: &str) -> Self {
        let Self { engine, serving, folder, .. } = self;
        serving.stop(&engine).await;
        // Handles of the old engine keep its folder's lock, so the new one gets a copy.
        let next = tempfile::tempdir().expect("a folder");
        std::fs::copy(folder.path().join("relink.db"), next.path().join("relink.db")).expect("copied");
        let database = rusqlite::Connection::open(next.path().join("relink.db")).expect("the database");
        assert_eq!(database.execute(sql, []).expect("changed"), 1, "{sql}");
        drop(database);
        Self::start(next).await
    }

    async fn start(folder: TempDir) -> Self {
        let engine = Engine::start(Options {
            data_dir: folder.path().to_owned(),
            keychain: Keychain::in_memory(),
            clock: Clock::system(),
            takes_deep_links: false,
        })
        .await
        .expect("the engine starts");
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let options = ServeOptions {
            listen: Some(listen),
            runs_without_port: false,
            also_listen: false,
            data_dir: folder.path().to_owned(),
            runtime_dir: None,
        };
        let serving = relink_api::serve(engine.clone(), options).await.expect("it serves");
        let token = engine.access().create_api_token(&Caller::Person, "test".into(), TokenLevel::Full, None).await;
        let (_, token) = token.expect("a token");
        let file = std::fs::read_to_string(folder.path().join("engine.json")).expect("the engine file");
        let file: Value = serde_json::from_str(&file).expect("JSON");
        let person = file["token"].as_str().expect("a token").to_owned();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let base = serving.base_url().to_string();
        Self { token: token.expose().to_owned(), person, client, engine, base, serving, folder }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn host(&self) -> &str {
        self.base().strip_prefix("http://").expect("http")
    }

    /// A request with the API token.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask_with(&self.token, method, path, body).await
    }

    /// A request with a token.
    pub async fn ask_with(&self, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.base())).bearer_auth(token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// A request with the person's token.
    pub async fn as_person(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask_with(&self.person, method, path, body).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.ask(Method::POST, path, body).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Every route and method of the OpenAPI document.
    pub async fn operations(&self) -> Vec<Operation> {
        let document = self.get("/openapi.json").await;
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("methods") {
                operations.push(Operation {
                    method: method.to_uppercase().parse().expect("a method"),
                    path: path.clone(),
                    is_guarded: operation["security"].is_array(),
                });
            }
        }
        operations
    }

    /// Installs the Sandbox.
    pub async fn sandbox(&self) {
        self.post("/relink/integrations/sandbox/install", json!({})).await;
    }

    /// An account by API key: the shortest way to have one.
    pub async fn account(&self, tenant: &str) -> String {
        let (_, key) = self.as_person(Method::POST, "/relink/sandbox/control/api-keys", json!({})).await;
        let key = key["api_key"].clone();
        let link = self.post("/link-token", json!({ "tenant_id": tenant })).await;
        let flow = self
            .begin(&link, json!({ "integration": "sandbox", "format": "api_key", "fields": { "api_key": key } }))
            .await;
        let ended = self.until_ended(&flow).await;
        ended["outcome"]["account"]["id"].as_str().unwrap_or_else(|| panic!("{ended}")).to_owned()
    }

    /// Begins a flow as the connect page does.
    pub async fn begin(&self, link: &Value, body: Value) -> Value {
        let token = link["link_token"].as_str().expect("a link token");
        let request =
            self.client.post(format!("{}/connect-account/flows", self.base())).header("x-relink-link-token", token);
        request.json(&body).send().await.expect("an answer").json().await.expect("JSON")
    }

    /// Follows a flow as the connect page does.
    pub async fn until_ended(&self, begun: &Value) -> Value {
        self.until_ended_with(begun, "").await
    }

    /// Follows a flow as the page does that the provider returned to, claiming its callback with the key of the return.
    pub async fn until_ended_with(&self, begun: &Value, return_key: &str) -> Value {
        let (id, key) =
            (begun["id"].as_str().unwrap_or_else(|| panic!("{begun}")), begun["key"].as_str().expect("a key"));
        let mut flow = begun.clone();
        loop {
            match flow["phase"].as_str().expect("a phase") {
                "succeeded" | "failed" | "question" => return flow,
                "returned" => {
                    let url = format!("{}/connect-account/flows/{id}/claim", self.base());
                    let claim = self.client.post(url).header("x-relink-flow-key", key);
                    let answer = claim.header("x-relink-return-key", return_key).send().await.expect("an answer");
                    assert_eq!(answer.status(), StatusCode::OK, "it can be claimed");
                    flow = answer.json().await.expect("JSON");
                }
                _ => {
                    let url = format!("{}/connect-account/flows/{id}?after={}", self.base(), flow["version"]);
                    let answer = self.client.get(url).header("x-relink-flow-key", key).send().await.expect("an answer");
                    flow = answer.json().await.expect("JSON");
                }
            }
        }
    }

    /// Writes bytes and reads what comes until the other side closes.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.host()).await.expect("connected");
        stream.write_all(bytes).await.expect("written");
        let mut answer = Vec::new();
        // A reset after the answer is as good as a close.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// One method of a documented route.
#[derive(Debug)]
pub struct Operation {
    pub method: Method,
    /// With its parameters' names in braces.
    pub path: String,
    pub is_guarded: bool,
}

impl Operation {
    /// The route's address, where each parameter is its own name.
    pub fn url(&self, world: &World) -> String {
        format!("{}{}", world.base(), self.path.replace(['{', '}'], ""))
    }
}
