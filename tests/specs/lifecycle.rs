//! The lifecycle of an account: connect, refresh, notify, reauthorize.

use anyhow::{Context, Result, bail};
use relink_tests::{
    browser::Browser, canary, oidc::OidcProvider, receiver::Receiver, relink::Relink, session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_account_at_a_certified_authorization_server_with_rotation() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let provider = OidcProvider::start(&session, relink.base_url()).await?;
    let receiver = Receiver::start().await?;
    let webhook = relink.post("/webhook", json!({ "target_url": receiver.url() })).await?;
    let secret = webhook["secret"].as_str().context("no secret in the response")?.to_owned();
    let browser = Browser::start(&session).await?;

    // Connect in a real browser.
    relink.post("/relink/integrations", json!({ "text": provider.definition() })).await?;
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    browser.open(&format!("{link}&integration=oidc")).await?;
    browser.press("Continue to").await?;
    browser.newest_tab().await?;
    browser.click("#user-ada").await?;
    browser.shows("Connection successful").await?;
    browser.back_to_first_tab().await?;
    browser.shows("Connection successful").await?;
    let account = relink.get("/relink/accounts").await?["result"][0].clone();
    let id = account["id"].as_str().context("no account")?.to_owned();
    assert_eq!((account["status"].as_str(), account["identity"].as_str()), (Some("active"), Some("Ada Lovelace")));

    // The refresh token is only in the keychain item, which has a label that users recognize.
    let refresh_token = || -> Result<String> {
        let item = session.item(&format!("account/{id}"))?;
        item["secrets"]["refresh_token"].as_str().map(str::to_owned).context("no refresh token")
    };
    let item = session.keyring_text()?;
    assert!(item.contains("Relink: Ada Lovelace (Test provider)"), "{item}");
    let mut tokens = vec![refresh_token()?];
    let access = relink.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await?;
    assert!(!item.contains(access["access_token"].as_str().context("no token")?), "an access token is stored");

    // Relink refreshes by itself, well before the access token expires, and saves the new refresh token in the item.
    provider.lifetime(16).await?;
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    relink.logs("reason=Due").await?;
    provider.lifetime(3600).await?;
    let renewed = relink.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await?;
    assert_ne!(renewed["access_token"], access["access_token"]);
    let timeline = relink.get(&format!("/relink/timeline?account={id}")).await?;
    let lines = timeline["result"].as_array().into_iter().flatten();
    let refreshed: Vec<_> = lines.filter(|line| line["kind"] == "refreshed").collect();
    let [.., by_itself, asked_for] = refreshed[..] else { bail!("the refreshes are not in the timeline: {timeline}") };
    let (at, end) = (by_itself["at"].as_str(), asked_for["event"]["expires_at"].as_str());
    assert!(at.is_some() && at < end, "refreshed on time: {at:?}, before {end:?}");
    tokens.push(refresh_token()?);
    assert_ne!(tokens[1], tokens[0], "the item contains the rotated refresh token");
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    tokens.push(refresh_token()?);
    assert_ne!(tokens[2], tokens[1], "the item contains the next rotated refresh token");
    let kept = session.keyring_text()?;
    assert!(!tokens[..2].iter().any(|token| kept.contains(token)), "a replaced refresh token is still stored");
    assert_eq!(canary::found(&tokens, &[session.folder()], relink.pid()), Vec::<String>::new());

    // Revoke at the provider: a signed event arrives.
    provider.revoke().await?;
    let (status, refused) =
        relink.try_request(Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    assert_eq!((status, refused["code"].as_str()), (401, Some("invalid_grant")));
    let event = receiver.wait_for("integrated_account:authentication_error").await?;
    assert!(event.is_signed_with(&secret) && !event.is_signed_with("another secret"));
    assert_eq!(
        (event.body["payload"]["id"].as_str(), event.body["payload"]["status"].as_str()),
        (Some(id.as_str()), Some("needs_reauth"))
    );

    // Reauthorize with the magic link.
    let link = relink.magic_link(json!({ "integrated_account_id": id })).await?;
    browser.open(&link).await?;
    browser.shows("Reauthorize Test provider").await?;
    browser.press("Continue to").await?;
    browser.newest_tab().await?;
    browser.click("#user-ada").await?;
    browser.shows("Connection successful").await?;
    let after = relink.get(&format!("/relink/accounts/{id}")).await?;
    assert_eq!(after["status"], "active");

    // Delete the account. These are all events, in order; there is no `reactivated`.
    relink.request(Method::DELETE, &format!("/integrated-account/{id}"), Value::Null).await?;
    let events = receiver.receives(6).await?;
    assert_eq!(events, ["created", "active", "authentication_error", "updated", "active", "deleted"]);
    assert_eq!(relink.account_events().await?, events);
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn a_sandbox_account_on_the_command_line() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let browser = Browser::start(&session).await?;
    let cli = async |arguments: &[&str]| relink.cli(&session, arguments).await;

    let github = cli(&["connect", "github", "--json"]).await?;
    assert_eq!((github.code, github.out.as_str()), (8, ""), "a link would lead nowhere: {}", github.err);
    assert!(github.err.contains("relink integrations client github --id"), "it says what to do: {}", github.err);

    let connect = cli(&["connect", "sandbox"]).await?;
    assert_eq!(connect.code, 0, "{}", connect.err);
    browser.open(connect.out.trim()).await?;
    browser.sign_in_at_sandbox("ada").await?;
    browser.shows("Connection successful").await?;
    browser.back_to_first_tab().await?;

    assert_eq!(cli(&["token", "Ada Lovelace"]).await?.code, 0);
    assert_eq!(cli(&["check", "Ada Lovelace"]).await?.code, 0);
    assert_eq!(cli(&["sandbox", "revoke"]).await?.code, 0);
    let refused = cli(&["refresh", "Ada Lovelace"]).await?;
    assert_eq!(refused.code, 4, "the account needs reauthorization: {}", refused.err);
    assert!(refused.err.contains("relink reauthorize "), "the message says what to do: {}", refused.err);

    let link = cli(&["reauthorize", "Ada Lovelace"]).await?;
    browser.open(link.out.trim()).await?;
    browser.shows("Reauthorize Sandbox").await?;
    browser.sign_in_at_sandbox("ada").await?;
    browser.shows("Connection successful").await?;
    assert_eq!(cli(&["token", "Ada Lovelace"]).await?.code, 0);
    assert_eq!(relink.account_events().await?, ["created", "active", "authentication_error", "updated", "active"]);

    let second = cli(&["serve", "--listen", "127.0.0.1:0"]).await?;
    assert_eq!(second.code, 6, "one engine per data folder: {}", second.err);
    let nowhere = session.folder().join("nowhere");
    let missing = cli(&["accounts", "--data-dir", &nowhere.to_string_lossy()]).await?;
    assert_eq!(missing.code, 3, "{}", missing.err);
    browser.close().await?;
    relink.stop().await
}
