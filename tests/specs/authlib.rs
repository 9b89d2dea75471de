//! The main job with an authorization server of another make: the Python package `authlib`.

use anyhow::{Context, Result, ensure};
use relink_tests::{
    authlib::{AuthlibProvider, CLIENTS, Client},
    browser::Browser,
    receiver::Receiver,
    relink::Relink,
    session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};

/// A Relink, the server, a webhook's receiver and a browser.
struct World {
    session: Session,
    relink: Relink,
    provider: AuthlibProvider,
    browser: Browser,
}

impl World {
    async fn start() -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start(&session).await?;
        let provider = AuthlibProvider::start(&session, relink.base_url()).await?;
        let browser = Browser::start(&session).await?;
        Ok(Self { session, relink, provider, browser })
    }

    /// Signs in at the server, in a tab of its own, and returns to the connect page.
    async fn sign_in(&self, link: &str, person: &str) -> Result<()> {
        self.browser.open(link).await?;
        self.browser.press("Continue to").await?;
        self.browser.newest_tab().await?;
        self.browser.click(&format!("#user-{person}")).await?;
        self.browser.shows("Connection successful").await?;
        self.browser.back_to_first_tab().await?;
        self.browser.shows("Connection successful").await
    }

    async fn connect(&self, client: &Client) -> Result<String> {
        self.relink.post("/relink/integrations", json!({ "text": self.provider.definition(client) })).await?;
        let link = self.relink.magic_link(json!({ "tenant_id": format!("tenant-{}", client.id) })).await?;
        self.sign_in(&format!("{link}&integration={}", client.id), "ada").await?;
        let accounts = self.relink.get("/relink/accounts").await?;
        let mut accounts = accounts["result"].as_array().into_iter().flatten();
        let account = accounts.find(|account| account["integration"] == client.id).context("no account")?;
        ensure!(account["status"] == "active" && account["identity"] == "Ada Lovelace", "{account}");
        account["id"].as_str().map(str::to_owned).context("no id")
    }

    async fn refresh(&self, id: &str) -> Result<(u16, Value)> {
        self.relink.try_request(Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await
    }

    async fn access_token(&self, id: &str) -> Result<String> {
        let given = self.relink.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await?;
        given["access_token"].as_str().map(str::to_owned).with_context(|| format!("no token: {given}"))
    }

    fn refresh_token(&self, id: &str) -> Result<String> {
        let item = self.session.item(&format!("account/{id}"))?;
        item["secrets"]["refresh_token"].as_str().map(str::to_owned).context("no refresh token")
    }

    async fn account(&self, id: &str) -> Result<Value> {
        self.relink.get(&format!("/relink/accounts/{id}")).await
    }
}

async fn lives_through_rotation_and_theft(world: &World, client: &Client) -> Result<()> {
    let World { relink, provider, .. } = world;
    let name = client.id;
    let receiver = Receiver::start().await?;
    relink.post("/webhook", json!({ "target_url": receiver.url() })).await?;
    let id = world.connect(client).await?;
    receiver.receives(2).await?;

    // Each refresh replaces the refresh token.
    let mut replaced = vec![world.refresh_token(&id)?];
    for _ in 0..2 {
        let (status, refreshed) = world.refresh(&id).await?;
        assert_eq!(status, 200, "{name}: {refreshed}");
        let current = world.refresh_token(&id)?;
        assert!(!replaced.contains(&current), "{name}: the refresh token was not rotated");
        replaced.push(current);
    }
    assert_eq!(provider.count(&format!("{name}.refresh_token.ok")).await?, 2, "{name}: nothing is sent twice");
    let access = world.access_token(&id).await?;
    assert!(provider.accepts(&access).await?, "{name}");

    // Somebody uses a replaced refresh token, so the server revokes the whole family.
    let stolen = replaced.first().context("a replaced token")?;
    assert_eq!(provider.refresh_as_thief(client, stolen).await?["error"], "invalid_grant", "{name}");
    assert!(!provider.accepts(&access).await?, "{name}");
    let (status, refused) = world.refresh(&id).await?;
    assert_eq!((status, refused["code"].as_str()), (401, Some("invalid_grant")), "{name}: {refused}");
    let event = receiver.wait_for("integrated_account:authentication_error").await?;
    let payload = &event.body["payload"];
    assert_eq!((payload["id"].as_str(), payload["status"].as_str()), (Some(&*id), Some("needs_reauth")), "{name}");
    let account = world.account(&id).await?;
    assert_eq!((account["status"].as_str(), account["verdict"].as_str()), (Some("needs_reauth"), Some("needs_person")));
    let token = relink.cli(&world.session, &["token", &id]).await?;
    assert_eq!((token.code, token.out.as_str()), (4, ""), "{name}: the revoked access token isn't handed out");

    // The magic link repairs the account, which keeps its id.
    let link = relink.cli(&world.session, &["reauthorize", &id]).await?;
    world.sign_in(link.out.trim(), "ada").await?;
    let repaired = world.account(&id).await?;
    assert_eq!((repaired["status"].as_str(), &repaired["id"]), (Some("active"), &account["id"]), "{name}");
    assert!(provider.accepts(&world.access_token(&id).await?).await?, "{name}");
    assert_eq!(world.refresh(&id).await?.0, 200, "{name}");
    let events = receiver.receives(5).await?;
    assert_eq!(events, ["created", "active", "authentication_error", "updated", "active"], "{name}");

    // Deleting the account revokes it at the server.
    let access = world.access_token(&id).await?;
    relink.request(Method::DELETE, &format!("/integrated-account/{id}"), Value::Null).await?;
    assert!(!provider.accepts(&access).await?, "{name}: not revoked");
    let hooks = relink.get("/webhook").await?;
    let hook = hooks["result"][0]["id"].as_str().context("no webhook")?.to_owned();
    relink.request(Method::DELETE, &format!("/webhook/{hook}"), Value::Null).await.map(drop)
}

#[tokio::test]
async fn public_and_confidential_clients_at_authlib_with_rotation_and_reuse_detection() -> Result<()> {
    let world = World::start().await?;
    for client in &CLIENTS {
        lives_through_rotation_and_theft(&world, client).await.context(client.id)?;
    }
    world.browser.close().await?;
    world.relink.stop().await
}

#[tokio::test]
async fn an_account_at_authlib_is_refreshed_by_itself() -> Result<()> {
    let world = World::start().await?;
    world.provider.lifetime(16).await?;
    let id = world.connect(&CLIENTS[0]).await?;
    let first = world.refresh_token(&id)?;
    world.relink.logs("reason=Due").await?;
    world.provider.lifetime(3600).await?;
    assert_ne!(world.refresh_token(&id)?, first, "rotated");
    assert!(world.provider.accepts(&world.access_token(&id).await?).await?);
    assert_eq!(world.provider.count("reuse").await?, 0, "no refresh token was used twice");
    world.browser.close().await?;
    world.relink.stop().await
}
