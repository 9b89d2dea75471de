//! The lifecycle of accounts with an API key, with client credentials, with a second identity, and with an abandoned
//! sign-in.

use anyhow::{Context, Result};
use relink_tests::{browser::Browser, receiver::Receiver, relink::Relink, session::Session};
use serde_json::{Value, json};

async fn sandbox() -> Result<(Session, Relink, Browser)> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    relink.post("/relink/integrations/sandbox/install", Value::Null).await?;
    let browser = Browser::start(&session).await?;
    Ok((session, relink, browser))
}

async fn only_account(relink: &Relink) -> Result<Value> {
    Ok(relink.get("/relink/accounts").await?["result"][0].clone())
}

#[tokio::test]
async fn an_api_key_account_from_connect_to_reauthorization() -> Result<()> {
    let (_session, relink, browser) = sandbox().await?;
    let key = async || -> Result<String> {
        let made = relink.post("/relink/sandbox/control/api-keys", json!({})).await?;
        made["api_key"].as_str().map(str::to_owned).context("no key")
    };
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    browser.open(&format!("{link}&integration=sandbox")).await?;
    browser.press("API key").await?;
    browser.fill("api_key", "sk_sandbox_wrong").await?;
    browser.press("Connect").await?;
    browser.shows("doesn’t accept this key").await?;
    browser.open(&format!("{link}&integration=sandbox")).await?;
    browser.press("API key").await?;
    browser.fill("api_key", &key().await?).await?;
    browser.press("Connect").await?;
    browser.shows("Connection successful").await?;

    let id = only_account(&relink).await?["id"].as_str().context("no id")?.to_owned();
    relink.post("/relink/sandbox/control/revoke", json!({})).await?;
    let checked = relink.post(&format!("/relink/accounts/{id}/check"), Value::Null).await?;
    assert_eq!(
        (checked["outcome"].as_str(), checked["account"]["status"].as_str()),
        (Some("unauthorized"), Some("needs_reauth"))
    );

    browser.open(&relink.magic_link(json!({ "integrated_account_id": id })).await?).await?;
    browser.fill("api_key", &key().await?).await?;
    browser.press("Reauthorize").await?;
    browser.shows("Connection successful").await?;
    assert_eq!(relink.account_events().await?, ["created", "active", "authentication_error", "updated", "active"]);
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn a_client_credentials_account_from_connect_to_reauthorization() -> Result<()> {
    let (_session, relink, browser) = sandbox().await?;
    let receiver = Receiver::start().await?;
    let webhook = relink.post("/webhook", json!({ "target_url": receiver.url() })).await?;
    let signing = webhook["secret"].as_str().context("no secret in the response")?;
    let secret = async || -> Result<String> {
        let client = relink.post("/relink/sandbox/control/clients", json!({})).await?;
        client["client_secret"].as_str().map(str::to_owned).context("no secret")
    };
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    browser.open(&format!("{link}&integration=sandbox")).await?;
    browser.press("Client credentials").await?;
    browser.fill("client_secret", &secret().await?).await?;
    browser.press("Connect").await?;
    browser.shows("Connection successful").await?;
    let account = only_account(&relink).await?;
    assert_eq!(account["authentication_method"], "oauth2_client_credentials");
    let id = account["id"].as_str().context("no id")?.to_owned();
    let refresh = format!("/relink/accounts/{id}/refresh");
    relink.post(&refresh, Value::Null).await?;

    // Revoke at the provider: a signed event arrives, and the account needs reauthorization (the verdict `needs_person`,
    // not one that blames the integration's client).
    relink.post("/relink/sandbox/control/revoke", json!({})).await?;
    let (status, refused) = relink.try_request(reqwest::Method::POST, &refresh, Value::Null).await?;
    assert_eq!((status, refused["verdict"].as_str()), (401, Some("needs_person")), "{refused}");
    let event = receiver.wait_for("integrated_account:authentication_error").await?;
    assert!(event.is_signed_with(signing) && !event.is_signed_with("another secret"));
    assert_eq!(
        (event.body["payload"]["id"].as_str(), event.body["payload"]["status"].as_str()),
        (Some(id.as_str()), Some("needs_reauth"))
    );
    assert_eq!(only_account(&relink).await?["status"], "needs_reauth");

    // Reauthorize with the magic link, which asks for the client credentials again.
    browser.open(&relink.magic_link(json!({ "integrated_account_id": id })).await?).await?;
    browser.shows("Reauthorize Sandbox").await?;
    browser.fill("client_secret", &secret().await?).await?;
    browser.press("Reauthorize").await?;
    browser.shows("Connection successful").await?;
    let events = receiver.receives(5).await?;
    assert_eq!(events, ["created", "active", "authentication_error", "updated", "active"], "no `reactivated` event");
    assert_eq!(relink.account_events().await?, events);
    let after = only_account(&relink).await?;
    assert_eq!((after["id"].as_str(), after["status"].as_str()), (Some(id.as_str()), Some("active")));
    relink.post(&refresh, Value::Null).await?;
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn a_second_identity_asks_whose_account_it_is() -> Result<()> {
    let (_session, relink, browser) = sandbox().await?;
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    browser.open(&format!("{link}&integration=sandbox")).await?;
    browser.sign_in_at_sandbox("ada").await?;
    browser.shows("Connection successful").await?;
    browser.back_to_first_tab().await?;
    let id = only_account(&relink).await?["id"].as_str().context("no id")?.to_owned();

    for (answer, names) in [
        ("Keep Ada Lovelace", vec!["Ada Lovelace"]),
        ("Add Grace Hopper as a second account", vec!["Ada Lovelace", "Grace Hopper"]),
        ("Replace with Grace Hopper", vec!["Grace Hopper", "Grace Hopper"]),
    ] {
        browser.open(&relink.magic_link(json!({ "integrated_account_id": id })).await?).await?;
        browser.sign_in_at_sandbox("grace").await?;
        browser.back_to_first_tab().await?;
        browser.shows("You signed in as Grace Hopper").await?;
        browser.press(answer).await?;
        browser.shows(if answer.starts_with("Keep") { "Nothing was changed" } else { "Connection successful" }).await?;
        relink.get(&format!("/relink/accounts/{id}")).await?;
        let rows = relink.get("/relink/accounts").await?["result"].as_array().cloned().unwrap_or_default();
        let identities: Vec<_> = rows.iter().filter_map(|row| row["identity"].as_str()).collect();
        assert_eq!(identities, names, "{answer}");
    }
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn an_abandoned_reauthorization_changes_nothing() -> Result<()> {
    let (_session, relink, browser) = sandbox().await?;
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    browser.open(&format!("{link}&integration=sandbox")).await?;
    browser.sign_in_at_sandbox("ada").await?;
    browser.shows("Connection successful").await?;
    browser.back_to_first_tab().await?;
    let before = only_account(&relink).await?;
    let id = before["id"].as_str().context("no id")?;

    let link = relink.magic_link(json!({ "integrated_account_id": id })).await?;
    browser.open(&link).await?;
    browser.press("Continue to").await?;
    browser.newest_tab().await?;
    browser.shows("Let Relink use your Sandbox account?").await?;
    browser.back_to_first_tab().await?;
    browser.open("about:blank").await?;
    assert_eq!(only_account(&relink).await?, before);
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;

    // The abandoned sign-in did not use up the link.
    browser.open(&link).await?;
    browser.shows("Reauthorize Sandbox").await?;
    browser.close().await?;
    relink.stop().await
}
