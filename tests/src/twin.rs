//! A curated provider's twin in the test's process: the Sandbox, which plays the scenario of the same name.

use std::fs;

use anyhow::{Context, Result, ensure};
use relink_sandbox::{Options, Running, Sandbox, Scenario};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{canary::Canaries, process, relink::Relink, sign_in};

/// The Sandbox as itself. Its twin's accounts aren't marked as a sandbox's, so that they may write.
const SANDBOX: &str = "sandbox";
const CONTROL: &str = "control-key-of-the-test";

#[derive(Debug)]
pub struct Twin {
    /// The provider's name.
    pub name: &'static str,
    running: Running,
    client: Client,
    oauth_client: (String, Option<String>),
}

impl Twin {
    pub async fn start(name: &'static str) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Options { listen: "127.0.0.1:0".parse()?, state: None, control_key: CONTROL.to_owned() };
        let (running, oauth_client) = if name == SANDBOX {
            (Sandbox::start(options).await?, (relink_sandbox::CLIENT_ID.to_owned(), None))
        } else {
            let scenario = Scenario::parse(Scenario::built_in(name).context("no scenario")?)?;
            let (id, secret) = scenario.client();
            let oauth_client = (id.to_owned(), secret.map(str::to_owned));
            (Sandbox::start_twin(options, scenario).await?, oauth_client)
        };
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { name, running, client, oauth_client })
    }

    pub fn base_url(&self) -> &str {
        self.running.base_url()
    }

    /// The name of its integration in Relink: that of a built-in one is taken.
    pub fn integration(&self) -> String {
        format!("{}-twin", self.name)
    }

    /// The curated definition with its hosts at the twin, under another name, and with nothing else changed.
    pub fn definition(&self) -> Result<Value> {
        let file = process::workspace().join(format!("src-tauri/integrations/{}.json", self.name));
        let text = fs::read_to_string(file)?.replace("http://127.0.0.1:7418", self.base_url());
        let mut definition: Value = serde_json::from_str(&text)?;
        definition.as_object_mut().context("an object")?.remove("id");
        definition["name"] = self.integration().into();
        let config = &mut definition["config"];
        let credentials = &mut config["credentials"];
        let oauth2 = if credentials["oauth2"].is_null() { credentials } else { &mut credentials["oauth2"] };
        for host in ["tokenHost", "authorizeHost"] {
            self.take_place_of(&mut oauth2["config"]["auth"][host]);
        }
        self.take_place_of(&mut config["base_url"]);
        let relink = &mut config["relink"];
        self.take_place_of(&mut relink["revocation_url"]);
        if relink["revocation_url"].is_null() {
            relink.as_object_mut().context("an object")?.remove("revocation_url");
        }
        if relink["origins"].is_array() {
            relink["origins"] = json!([self.base_url()]);
        }
        relink["allow_local"] = true.into();
        if relink["sandbox"] == true {
            relink["sandbox"] = false.into();
        }
        Ok(definition)
    }

    /// Replaces the origin of a URL, unless the account decides it.
    fn take_place_of(&self, url: &mut Value) {
        if let Some(rest) = url.as_str().and_then(|url| url.strip_prefix("https://")) {
            let path = rest.find('/').map_or("", |at| &rest[at..]);
            *url = format!("{}{path}", self.base_url()).into();
        }
    }

    /// Adds the integration to Relink with the client that is registered here, and connects an account. Returns the account's ID.
    pub async fn connect(&self, relink: &Relink) -> Result<String> {
        self.install(relink).await?;
        self.connect_account(relink, json!({ "tenant_id": format!("tenant-{}", self.name) })).await
    }

    async fn install(&self, relink: &Relink) -> Result<()> {
        let text = self.definition()?.to_string();
        relink.post("/relink/integrations", json!({ "text": text })).await?;
        let (id, secret) = &self.oauth_client;
        let client = json!({ "id": id, "secret": secret });
        relink.post(&format!("/relink/integrations/{}/client", self.integration()), client).await.map(drop)
    }

    /// Connects an account with a link token that is made of this. Returns the account's ID.
    pub async fn connect_account(&self, relink: &Relink, link_token: Value) -> Result<String> {
        let link = relink.magic_link(link_token).await?;
        let flow = self.complete_link(relink, &link).await?;
        let account = flow["outcome"]["account"]["id"].as_str().map(str::to_owned);
        account.with_context(|| format!("{} is not connected: {flow}", self.name))
    }

    /// Completes a link without a browser, as Ada. Returns the flow.
    pub async fn complete_link(&self, relink: &Relink, link: &str) -> Result<Value> {
        sign_in::complete_link(&self.client, relink, link, &self.integration(), &mut Canaries::default()).await
    }

    /// The records of a collection, as a list gives them to Ada: those that callers created first. `request`: the members of a request
    /// that the records belong to.
    pub fn records(&self, collection: &str, request: &Value) -> Result<Vec<Value>> {
        let [ada, _] = &relink_sandbox::PEOPLE;
        self.running.records(collection, ada, request).with_context(|| format!("no collection {collection}"))
    }

    async fn control(&self, path: &str, body: Value) -> Result<Value> {
        self.control_with(Method::POST, path, body).await
    }

    async fn control_with(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let request = self.client.request(method, format!("{}/control{path}", self.base_url())).bearer_auth(CONTROL);
        let response = request.json(&body).send().await?;
        ensure!(response.status().is_success(), "{path}: {}", response.status());
        Ok(response.json().await?)
    }

    /// The person ends the sign-in in the provider's settings. What that ends is as the scenario says.
    pub async fn revoke(&self) -> Result<()> {
        self.control("/revoke", json!({})).await.map(drop)
    }

    /// The time of the access tokens is over.
    pub async fn expire(&self) -> Result<()> {
        self.control("/expire", json!({})).await.map(drop)
    }

    /// Puts the provider's clock ahead, so that another window of its rate limit begins.
    pub async fn put_clock_ahead(&self, secs: usize) -> Result<()> {
        self.control_with(Method::PATCH, "", json!({ "clock_skew_secs": secs })).await.map(drop)
    }

    /// The next call of the API is refused for its rate.
    pub async fn limit(&self, retry_after_secs: u32) -> Result<()> {
        let fault = json!({ "kind": "too_many_requests", "on": "api", "retry_after": retry_after_secs });
        self.control("/faults", fault).await.map(drop)
    }
}
