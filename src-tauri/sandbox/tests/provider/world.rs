//! A Sandbox and a client of it.

use std::{collections::HashMap, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use relink_sandbox::{CLIENT_ID, Options, Running, Sandbox};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

pub const KEY: &str = "control-key-of-the-test";
pub const REDIRECT: &str = "app.relink.desktop:/oauth/callback/sandbox";
const VERIFIER: &str = "a-verifier-of-the-test-which-is-long-enough-to-be-one";

pub struct World {
    pub sandbox: Running,
    pub http: Client,
}

/// The parameters of a valid authorization request, for a test to change.
pub fn good_request() -> HashMap<&'static str, String> {
    HashMap::from([
        ("response_type", "code".to_owned()),
        ("client_id", CLIENT_ID.to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("state", "state-of-the-test-which-is-long-enough".to_owned()),
        ("scope", "items:read profile".to_owned()),
        ("code_challenge", BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))),
        ("code_challenge_method", "S256".to_owned()),
    ])
}

impl World {
    pub async fn new() -> Self {
        Self::with_state(None).await
    }

    pub async fn with_state(state: Option<PathBuf>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen = "127.0.0.1:0".parse().expect("an address");
        let sandbox =
            Sandbox::start(Options { listen, state, control_key: KEY.to_owned() }).await.expect("the Sandbox starts");
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { sandbox, http }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    pub async fn authorize(&self, request: &HashMap<&str, String>) -> Response {
        self.http.get(self.at("/authorize")).query(request).send().await.expect("a response")
    }

    /// Opens the consent page and submits it. Returns the query of the redirect.
    pub async fn consent(&self, decision: &str) -> HashMap<String, String> {
        let html = self.authorize(&good_request()).await.text().await.expect("a page");
        let consent = html.split("name=\"consent\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let form = [("consent", consent.expect("a consent")), ("person", "ada"), ("decision", decision)];
        let response = self.http.post(self.at("/authorize")).form(&form).send().await.expect("a response");
        let location = response.headers().get("location").expect("a redirect").to_str().expect("text");
        assert!(location.starts_with(REDIRECT), "{location}");
        Url::parse(location).expect("an address").query_pairs().into_owned().collect()
    }

    pub async fn token(&self, form: &[(&str, &str)]) -> Response {
        self.http.post(self.at("/token")).form(form).send().await.expect("a response")
    }

    pub async fn exchange(&self, code: &str) -> Response {
        let grant = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)];
        self.token(&[&grant[..], &[("client_id", CLIENT_ID), ("code_verifier", VERIFIER)]].concat()).await
    }

    /// Signs in as Ada, and returns the token response.
    pub async fn sign_in(&self) -> Value {
        let back = self.consent("allow").await;
        let response = self.exchange(&back["code"]).await;
        assert_eq!(response.status(), 200);
        response.json().await.expect("JSON")
    }

    pub async fn refresh(&self, token: &Value) -> Response {
        let token = token.as_str().expect("a refresh token");
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", CLIENT_ID)]).await
    }

    /// The status of a call with this token.
    pub async fn call(&self, token: &Value) -> u16 {
        let token = token.as_str().expect("a token");
        let response = self.http.get(self.at("/api/me")).bearer_auth(token).send().await.expect("a response");
        response.status().as_u16()
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let request = self.http.request(method.parse().expect("a method"), self.at(path));
        let response = request.bearer_auth(KEY).json(&body).send().await.expect("a response");
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.expect("JSON")
    }

    pub async fn log_entries(&self) -> Vec<Value> {
        let log = self.control("GET", "/control/log", Value::Null).await;
        log["entries"].as_array().expect("entries").clone()
    }

    /// Waits until the latest log entry of an endpoint has this outcome.
    pub async fn logs(&self, endpoint: &str, outcome: &str) {
        let mut after = 0;
        loop {
            let log = self.control("GET", &format!("/control/log?after={after}&wait=20"), Value::Null).await;
            let Some(last) = log["entries"].as_array().and_then(|entries| entries.last()) else { continue };
            if last["endpoint"] == endpoint && last["outcome"] == outcome {
                return;
            }
            after = last["seq"].as_u64().expect("a place");
        }
    }

    pub async fn fault(&self, kind: &str) {
        self.control("POST", "/control/faults", json!({ "kind": kind, "retry_after": 7 })).await;
    }
}

/// The status and error code of an error response (RFC 6749 §5.2).
pub async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["error"].as_str().unwrap_or_default().to_owned())
}
