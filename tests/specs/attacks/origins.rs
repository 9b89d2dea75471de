//! Attacks that redirect credentials to another origin, or hide secrets in definitions.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, ensure};
use relink_tests::{provider::Provider, receiver::Receiver, relink::Relink, session::Session};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// A host that counts who connects to it.
struct Attacker {
    origin: String,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Attacker {
    async fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(Self { origin, connections, accepting })
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The definition with one address changed.
fn changed(definition: &str, pointer: &str, address: Value) -> Result<String> {
    let mut document: Value = serde_json::from_str(definition)?;
    let (parent, key) = pointer.rsplit_once('/').context("no pointer")?;
    document.pointer_mut(parent).and_then(Value::as_object_mut).context("no object")?.insert(key.to_owned(), address);
    Ok(document.to_string())
}

async fn post_as(relink: &Relink, token: &str, text: &str) -> Result<(u16, Value)> {
    let url = format!("{}/relink/integrations", relink.base_url());
    let request = Client::new().request(Method::POST, url).bearer_auth(token).json(&json!({ "text": text }));
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

#[tokio::test]
async fn a_definition_whose_address_changes_gets_nothing_that_was_given_for_the_old_one() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let provider = Provider::start().await?;
    let receiver = Receiver::start().await?;
    relink.post("/relink/webhooks", json!({ "target_url": receiver.url() })).await?;
    let printed = relink.cli(&session, &["api-token", "create", "deployer", "--admin", "--yes"]).await?;
    ensure!(printed.code == 0, "{printed:?}");
    let full = printed.out.trim();
    // So short that the scheduled refreshes fall due within the test.
    provider.control("PATCH", "", json!({ "token_lifetime_secs": 61 })).await?;
    let id = provider.connect(&relink).await?;
    let original = provider.definition();
    let attacker = Attacker::listen().await?;
    let auth = "/config/credentials/oauth2/config/auth";
    let mut announced = 0;
    for (pointer, path) in [
        (format!("{auth}/tokenHost"), ""),
        (format!("{auth}/authorizeHost"), ""),
        ("/config/base_url".to_owned(), ""),
        ("/config/relink/revocation_url".to_owned(), "/revoke"),
    ] {
        let mut text = changed(&original, &pointer, json!(format!("{}{path}", attacker.origin)))?;
        if !path.is_empty() {
            text = changed(&text, "/config/relink/revocation_path", Value::Null)?;
        }
        let (status, refused) = post_as(&relink, full, &text).await?;
        ensure!((status, &refused["code"]) == (403, &json!("forbidden")), "{pointer}: {status} {refused}");
        ensure!(relink.get(&format!("/integrated-account/{id}")).await?["status"] == "active", "{pointer}");

        // Even where the person adds it.
        relink.post("/relink/integrations", json!({ "text": text })).await?;
        announced += 1;
        let events = relink.get(&format!("/integrated-account/{id}")).await?;
        ensure!(
            events["status"] == "needs_reauth" && events["last_error_details"]["code"] == "origin_changed",
            "{pointer}: {events}"
        );
        for command in ["token", "check", "refresh"] {
            let printed = relink.cli(&session, &[command, &id]).await?;
            ensure!(printed.code == 4 && printed.err.contains(&attacker.origin), "{pointer} {command}: {printed:?}");
        }
        let timeline = relink.cli(&session, &["timeline", &id]).await?;
        ensure!(timeline.out.contains(&attacker.origin), "{pointer}: {timeline:?}");
        relink.post("/relink/integrations", json!({ "text": original })).await?;
        let account = relink.get(&format!("/integrated-account/{id}")).await?;
        ensure!(account["status"] == "active", "{pointer}: {account}");
    }
    // The scheduled refresh goes on at the old address, and only there.
    let refreshed = provider.count("refresh_token.ok").await?;
    provider.sees("refresh_token.ok", refreshed + 1).await?;
    let events = receiver.receives(2 + 2 * announced).await?;
    ensure!(events.iter().filter(|event| *event == "authentication_error").count() == announced, "{events:?}");
    ensure!(attacker.connections.load(Ordering::SeqCst) == 0, "the attacker got a connection");
    Ok(())
}
