//! A provider that outlives Relink: the Sandbox in the test's process.

use anyhow::{Context, Result, ensure};
use relink_sandbox::{Options, Running, Sandbox};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    canary::Canaries,
    relink::{DEADLINE, Relink},
    sign_in,
};

const CONTROL: &str = "control-key-of-the-test";
/// The name of its integration in Relink.
pub const NAME: &str = "provider";

#[derive(Debug)]
pub struct Provider {
    running: Running,
    client: Client,
}

impl Provider {
    pub async fn start() -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen = "127.0.0.1:0".parse()?;
        let running = Sandbox::start(Options { listen, state: None, control_key: CONTROL.to_owned() }).await?;
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { running, client })
    }

    pub fn base_url(&self) -> &str {
        self.running.base_url()
    }

    /// The text of its integration definition.
    pub fn definition(&self) -> String {
        include_str!("../../src-tauri/integrations/sandbox.json")
            .replace("http://127.0.0.1:7418", self.running.base_url())
            .replace("\"name\": \"sandbox\"", &format!("\"name\": \"{NAME}\""))
            .replace("\"label\": \"Sandbox\"", "\"label\": \"Provider\"")
            .replace("\"id\": \"c4dc571a-b960-5c7d-aaa2-3ee8210c9dcb\",", "")
            .replace("\"sandbox\": true", "\"sandbox\": false")
    }

    /// Calls its control API.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let url = format!("{}/control{path}", self.running.base_url());
        let response = self.client.request(method.parse()?, url).bearer_auth(CONTROL).json(&body).send().await?;
        ensure!(response.status().is_success(), "{path}: {}", response.status());
        Ok(response.json().await?)
    }

    /// A counter of its log, such as `refresh_token.ok`.
    pub async fn count(&self, what: &str) -> Result<u64> {
        Ok(self.control("GET", "", Value::Null).await?["counters"][what].as_u64().unwrap_or(0))
    }

    /// Waits until a counter reaches this value.
    pub async fn sees(&self, what: &str, count: u64) -> Result<()> {
        let waits = async {
            let mut after = Value::from(0);
            while self.count(what).await? < count {
                let log = self.control("GET", &format!("/log?after={after}&wait=20"), Value::Null).await?;
                if let Some(last) = log["entries"].as_array().and_then(|entries| entries.last()) {
                    after = last["seq"].clone();
                }
            }
            Ok(())
        };
        timeout(DEADLINE, waits).await.with_context(|| format!("{what} did not reach the expected count"))?
    }

    /// Whether it accepts an access token.
    pub async fn accepts(&self, access_token: &str) -> Result<bool> {
        let url = format!("{}/api/me", self.running.base_url());
        Ok(self.client.get(url).bearer_auth(access_token).send().await?.status().is_success())
    }

    /// Revokes the sign-in of this refresh token, current or replaced.
    pub async fn revoke_token(&self, refresh_token: &str) -> Result<()> {
        let url = format!("{}/revoke", self.running.base_url());
        let response = self.client.post(url).form(&[("token", refresh_token)]).send().await?;
        ensure!(response.status().is_success(), "the revocation failed: {}", response.status());
        Ok(())
    }

    /// Completes a link without a browser: begins the flow, consents as Ada, returns, claims, and waits for the end.
    /// Returns the flow.
    pub async fn complete_link(&self, relink: &Relink, link: &str) -> Result<Value> {
        self.complete(relink, link, NAME, &mut Canaries::default()).await
    }

    /// [`Provider::complete_link`], which also collects the secrets of the flow.
    pub async fn complete_link_recording(&self, relink: &Relink, link: &str, canaries: &mut Canaries) -> Result<Value> {
        self.complete(relink, link, NAME, canaries).await
    }

    /// [`Provider::complete_link_recording`], for an integration with another name that signs in here.
    pub(crate) async fn complete(
        &self,
        relink: &Relink,
        link: &str,
        integration: &str,
        canaries: &mut Canaries,
    ) -> Result<Value> {
        sign_in::complete_link(&self.client, relink, link, integration, canaries).await
    }

    /// Connects an account of an integration with this name, which signs in here and whose API is at another URL. Returns the
    /// account's id.
    pub async fn connect_with_api(&self, relink: &Relink, name: &str, base_url: &str) -> Result<String> {
        self.connect_with_config(relink, name, json!({ "base_url": base_url, "resources": {} })).await
    }

    /// Connects an account of an integration with this name, which signs in here and whose config has these members in place of its own.
    /// Returns the account's id.
    pub async fn connect_with_config(&self, relink: &Relink, name: &str, config: Value) -> Result<String> {
        let mut definition: Value = serde_json::from_str(&self.definition())?;
        definition["name"] = name.into();
        for (key, value) in config.as_object().context("no object")? {
            definition["config"][key] = value.clone();
        }
        let relinks = definition["config"]["relink"].as_object_mut().context("no settings of Relink's")?;
        // Nobody answers these there.
        for key in ["identity", "probe"] {
            relinks.remove(key);
        }
        relink.post("/relink/integrations", json!({ "text": definition.to_string() })).await?;
        let link = relink.magic_link(json!({ "tenant_id": name })).await?;
        let flow = self.complete(relink, &link, name, &mut Canaries::default()).await?;
        flow["outcome"]["account"]["id"].as_str().map(str::to_owned).with_context(|| format!("not connected: {flow}"))
    }

    /// Adds its integration to Relink and connects an account. Returns the account's id.
    pub async fn connect(&self, relink: &Relink) -> Result<String> {
        relink.post("/relink/integrations", json!({ "text": self.definition() })).await?;
        let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
        let flow = self.complete_link(relink, &link).await?;
        flow["outcome"]["account"]["id"].as_str().map(str::to_owned).with_context(|| format!("not connected: {flow}"))
    }
}
