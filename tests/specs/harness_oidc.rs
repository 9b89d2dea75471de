//! Tests of the authorization server: issuing, rotation, revocation on reuse, and revocation.

use std::{collections::HashMap, process::Stdio};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Query, State},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use relink_tests::{browser::Browser, process, session::Session};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Child,
    sync::watch,
};

const VERIFIER: &str = "a-verifier-of-the-test-which-is-long-enough-to-be-one";

/// The authorization server, and a client with a redirect page that receives the codes.
struct Client {
    issuer: String,
    control: String,
    redirect_uri: String,
    code: watch::Receiver<Option<String>>,
    _server: Child,
}

impl Client {
    async fn start(session: &Session) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (sender, code) = watch::channel(None);
        let take = async |State(sender): State<watch::Sender<Option<String>>>,
                          Query(query): Query<HashMap<String, String>>| {
            sender.send_replace(query.get("code").cloned());
            "Back at the client"
        };
        let router = Router::new().route("/back", get(take)).with_state(sender);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let redirect_uri = format!("http://{}/back", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });

        let mut command = session.command("node");
        command.arg(process::workspace().join("tests/oidc-provider/server.mjs")).arg(&redirect_uri);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = process::spawn(command)?;
        let mut line = String::new();
        BufReader::new(server.stdout.take().context("no output")?).read_line(&mut line).await?;
        let ready: Value = serde_json::from_str(&line).context("run npm ci in tests/ (make setup does)")?;
        let text = |name: &str| ready[name].as_str().map(str::to_owned).context("no address");
        Ok(Self { issuer: text("issuer")?, control: text("control")?, redirect_uri, code, _server: server })
    }

    /// Signs in as this person in the browser. Returns the token response for the code.
    async fn sign_in(&mut self, browser: &Browser, person: &str) -> Result<Value> {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut url = url::Url::parse(&format!("{}/auth", self.issuer))?;
        url.query_pairs_mut().extend_pairs([
            ("client_id", "relink-test"),
            ("response_type", "code"),
            ("redirect_uri", &self.redirect_uri),
            ("scope", "openid profile offline_access"),
            ("prompt", "consent"),
            ("state", "a-state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        browser.open(url.as_str()).await?;
        browser.click(&format!("#user-{person}")).await?;
        browser.shows("Back at the client").await?;
        let code = self.code.wait_for(Option::is_some).await?.clone().context("no code")?;
        let (redirect_uri, grant) = (self.redirect_uri.as_str(), "authorization_code");
        self.token(&[
            ("grant_type", grant),
            ("code", &code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    async fn refresh(&self, tokens: &Value) -> Result<Value> {
        let token = tokens["refresh_token"].as_str().with_context(|| format!("no refresh token: {tokens}"))?;
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Value> {
        let form = [form, &[("client_id", "relink-test")]].concat();
        let request = reqwest::Client::new().post(format!("{}/token", self.issuer)).form(&form);
        Ok(request.send().await?.json().await?)
    }

    async fn userinfo(&self, tokens: &Value) -> Result<(u16, Value)> {
        let token = tokens["access_token"].as_str().context("no access token")?;
        let response = reqwest::Client::new().get(format!("{}/me", self.issuer)).bearer_auth(token).send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    async fn control(&self, path: &str) -> Result<Value> {
        Ok(reqwest::get(format!("{}{path}", self.control)).await?.json().await?)
    }
}

#[tokio::test]
async fn tokens_are_issued_rotated_and_revoked_on_reuse_and_on_request() -> Result<()> {
    let session = Session::start().await?;
    let mut client = Client::start(&session).await?;
    let browser = Browser::start(&session).await?;
    client.control("/lifetime?seconds=120").await?;

    let first = client.sign_in(&browser, "ada").await?;
    assert_eq!(first["expires_in"], 120, "{first}");
    let (status, person) = client.userinfo(&first).await?;
    assert_eq!((status, person["sub"].as_str(), person["name"].as_str()), (200, Some("ada"), Some("Ada Lovelace")));

    client.control("/lifetime?seconds=30").await?;
    let second = client.refresh(&first).await?;
    assert_eq!(second["expires_in"], 30);
    assert_ne!(second["refresh_token"], first["refresh_token"], "rotated");
    let third = client.refresh(&second).await?;
    assert_eq!(client.refresh(&first).await?["error"], "invalid_grant", "the refresh token was used before");
    assert_eq!(client.refresh(&third).await?["error"], "invalid_grant", "the whole token family is revoked");

    let again = client.sign_in(&browser, "ada").await?;
    client.control("/revoke").await?;
    assert_eq!(client.refresh(&again).await?["error"], "invalid_grant", "revoked");
    assert_eq!(client.userinfo(&again).await?.0, 401);

    let counters = client.control("/counters").await?;
    let count = |name: &str| counters[name].as_u64().unwrap_or(0);
    assert_eq!(count("authorization_code.ok"), 2, "{counters}");
    assert_eq!(count("refresh_token.ok"), 2, "{counters}");
    assert_eq!(count("refresh_token.invalid_grant"), 3, "{counters}");
    browser.close().await
}

#[tokio::test]
async fn another_person_can_sign_in_in_the_same_browser() -> Result<()> {
    let session = Session::start().await?;
    let mut client = Client::start(&session).await?;
    let browser = Browser::start(&session).await?;
    client.sign_in(&browser, "ada").await?;
    let grace = client.sign_in(&browser, "grace").await?;
    assert_eq!(client.userinfo(&grace).await?.1["sub"], "grace");
    browser.close().await
}
