//! A second real authorization server, of another make: the Python package `authlib`, with rotation and reuse detection.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

use crate::{process, relink::DEADLINE, session::Session};

/// A client of the server, and the name of its integration in Relink.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    pub id: &'static str,
    pub secret: &'static str,
    /// `authorizationMethod` in the definition.
    pub method: &'static str,
}

/// A public client, and confidential ones with HTTP Basic and with the secret in the form. The secrets contain what must be
/// form-encoded (RFC 6749 §2.3.1).
pub const CLIENTS: [Client; 3] = [
    Client { id: "public", secret: "", method: "body" },
    Client { id: "basic", secret: "basic/secret+with=signs&more", method: "header" },
    Client { id: "post", secret: "post/secret+with=signs&more", method: "body" },
];

/// The running server.
#[derive(Debug)]
pub struct AuthlibProvider {
    issuer: String,
    http: reqwest::Client,
    _server: Child,
}

impl AuthlibProvider {
    /// Starts it with the redirect URIs of the Relink instance at this address.
    pub async fn start(session: &Session, relink: &str) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let target = process::target();
        let mut command = session.command(&target.join("python/authlib/bin/python").to_string_lossy());
        command.arg(process::workspace().join("tests/authlib/server.py"));
        command.args(CLIENTS.iter().map(|client| format!("{relink}/oauth/callback/{}", client.id)));
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = process::spawn(command).context("run make test-setup, which installs authlib")?;
        let mut lines = BufReader::new(server.stdout.take().context("no output")?).lines();
        let ready = timeout(DEADLINE, lines.next_line()).await.context("the server printed nothing")??;
        let ready: Value = serde_json::from_str(&ready.context("the server has exited: run make test-setup")?)?;
        let issuer = ready["issuer"].as_str().context("no address")?.to_owned();
        Ok(Self { issuer, http: reqwest::Client::new(), _server: server })
    }

    /// The text of the integration definition for one of the clients.
    pub fn definition(&self, client: &Client) -> String {
        json!({
            "name": client.id,
            "category": "identity",
            "config": {
                "label": "Authlib",
                "base_url": self.issuer,
                "credentials": { "oauth2": { "format": "oauth2", "config": {
                    "client": { "id": client.id, "secret": client.secret },
                    "auth": {
                        "tokenHost": self.issuer, "tokenPath": "/token",
                        "authorizeHost": self.issuer, "authorizePath": "/authorize"
                    },
                    "scope": ["profile", "offline_access"],
                    "pkce": { "method": "S256" },
                    "options": { "authorizationMethod": client.method, "bodyFormat": "form" }
                } } },
                "authorization": { "format": "bearer", "config": { "path": "oauth.token.access_token" } },
                "relink": {
                    "allow_local": true,
                    "client_secret": if client.secret.is_empty() { "never" } else { "required" },
                    "redirects": ["loopback"],
                    "probe": { "method": "GET", "path": "/me" },
                    "identity": { "path": "/me", "id": "id", "label": "name" },
                    "revocation_path": "/revoke"
                }
            }
        })
        .to_string()
    }

    async fn control(&self, path: &str) -> Result<Value> {
        Ok(self.http.get(format!("{}/control/{path}", self.issuer)).send().await?.json().await?)
    }

    /// A counter, such as `basic.refresh_token.ok`.
    pub async fn count(&self, what: &str) -> Result<u64> {
        Ok(self.control("counters").await?[what].as_u64().unwrap_or(0))
    }

    /// Sets the lifetime of access tokens that are issued from now on.
    pub async fn lifetime(&self, secs: u32) -> Result<()> {
        self.control(&format!("lifetime/{secs}")).await.map(drop)
    }

    /// Whether it accepts an access token.
    pub async fn accepts(&self, access_token: &str) -> Result<bool> {
        let response = self.http.get(format!("{}/me", self.issuer)).bearer_auth(access_token).send().await?;
        Ok(response.status().is_success())
    }

    /// Uses a refresh token as somebody who stole it does: with the client's own id and secret.
    pub async fn refresh_as_thief(&self, client: &Client, refresh_token: &str) -> Result<Value> {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let mut request = self.http.post(format!("{}/token", self.issuer));
        if client.method == "header" {
            let encoded: String = url::form_urlencoded::byte_serialize(client.secret.as_bytes()).collect();
            request = request.basic_auth(client.id, Some(encoded));
        } else {
            form.push(("client_id", client.id));
            form.extend((!client.secret.is_empty()).then_some(("client_secret", client.secret)));
        }
        let response = request.form(&form).send().await?;
        ensure!(response.status() != 401, "the client was not authenticated");
        Ok(response.json().await?)
    }
}
