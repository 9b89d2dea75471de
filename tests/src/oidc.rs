//! A real authorization server: npm's `oidc-provider`, with rotation.

use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

use crate::{process, relink::DEADLINE, session::Session};

/// The name of its integration in Relink.
pub const NAME: &str = "oidc";

/// A running authorization server.
#[derive(Debug)]
pub struct OidcProvider {
    issuer: String,
    control: String,
    _server: Child,
}

impl OidcProvider {
    /// Starts it with the redirect URIs of the Relink instance at this address.
    pub async fn start(session: &Session, relink: &str) -> Result<Self> {
        let script = process::workspace().join("tests/oidc-provider/server.mjs");
        let mut command = session.command("node");
        command.arg(script);
        command.args([format!("{relink}/oauth/callback/{NAME}"), format!("app.relink.desktop:/oauth/callback/{NAME}")]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = process::spawn(command)?;
        let mut lines = BufReader::new(server.stdout.take().context("no output")?).lines();
        let ready = loop {
            let line = timeout(DEADLINE, lines.next_line()).await.context("the provider printed nothing")??;
            let line = line.context("the provider has exited: run npm ci in tests/ (make setup does)")?;
            if let Ok(ready) = serde_json::from_str::<Value>(&line) {
                break ready;
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let text = |name: &str| ready[name].as_str().map(str::to_owned).context("no address");
        Ok(Self { issuer: text("issuer")?, control: text("control")?, _server: server })
    }

    /// The text of its integration definition.
    pub fn definition(&self) -> String {
        json!({
            "name": NAME,
            "category": "identity",
            "config": {
                "label": "Test provider",
                "base_url": self.issuer,
                "credentials": { "oauth2": { "format": "oauth2", "config": {
                    "client": { "id": "relink-test", "secret": "" },
                    "auth": {
                        "tokenHost": self.issuer, "tokenPath": "/token",
                        "authorizeHost": self.issuer, "authorizePath": "/auth"
                    },
                    "scope": ["openid", "profile", "offline_access"],
                    "pkce": { "method": "S256" },
                    "options": { "authorizationMethod": "body", "bodyFormat": "form" }
                } } },
                "authorization": { "format": "bearer", "config": { "path": "oauth.token.access_token" } },
                "relink": {
                    "allow_local": true,
                    "client_secret": "never",
                    "issuer": self.issuer,
                    "probe": { "method": "GET", "path": "/me" },
                    "identity": { "path": "/me", "id": "sub", "label": "name" },
                    "revocation_path": "/token/revocation",
                    "authorize_params": { "prompt": "consent" }
                }
            }
        })
        .to_string()
    }

    async fn command(&self, path: &str) -> Result<Value> {
        Ok(reqwest::get(format!("{}{path}", self.control)).await?.json().await?)
    }

    /// Revokes every sign-in, as a user does in the provider's settings.
    pub async fn revoke(&self) -> Result<()> {
        self.command("/revoke").await.map(drop)
    }

    /// Sets the lifetime of access tokens that are issued from now on.
    pub async fn lifetime(&self, secs: u32) -> Result<()> {
        self.command(&format!("/lifetime?seconds={secs}")).await.map(drop)
    }

    /// Waits until a counter, such as `refresh_token.ok`, reaches this value.
    pub async fn sees(&self, what: &str, count: u64) -> Result<()> {
        let path = format!("/wait?for={what}&count={count}");
        timeout(DEADLINE, self.command(&path)).await.with_context(|| format!("too few {what}"))?.map(drop)
    }
}
