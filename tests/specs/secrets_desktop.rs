//! Secrets on a desktop: in the window, in notifications and in the clipboard.

use anyhow::{Context, Result, ensure};
use relink_tests::{
    app::App,
    browser::Browser,
    canary::{self, Canaries},
    desktop::{ALL, Desktop},
    process_watch::ProcessWatch,
    receiver::Receiver,
    relink::link_token,
};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::desktop::browser;

const NO_PLACES: Vec<String> = Vec::new();
const CLIENT_SECRET: &str = "canary-typed-into-the-window-01";

/// Signs in through the connect window that was just opened, and records the secrets of the sign-in.
async fn signs_in(app: &App, desktop: &mut Desktop, canaries: &mut Canaries) -> Result<Browser> {
    let address = app.address().await?;
    ensure!(!address.contains("link_token"), "the link token is in the address");
    assert_eq!(canaries.in_text("the address", &address), NO_PLACES);
    app.press("Continue to Sandbox").await?;
    let url = desktop.opened().await?;
    canaries.add("state", &of_address(&url, "state")?)?;
    let signed_in = browser(desktop, &url).await?;
    signed_in.click("#person-ada").await?;
    signed_in.click("#allow").await?;
    app.shows("Connection successful").await?;
    Ok(signed_in)
}

fn of_address(address: &str, name: &str) -> Result<String> {
    let url = Url::parse(address)?;
    let found = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    found.with_context(|| format!("no {name} in the address"))
}

/// Records the access token and the stored refresh token of this account.
async fn record_tokens(app: &App, desktop: &Desktop, id: &str, canaries: &mut Canaries) -> Result<()> {
    let given = app.request(Method::POST, &format!("/relink/accounts/{id}/access-token"), json!({})).await?;
    canaries.add("access token", given["access_token"].as_str().context("no token")?)?;
    let item = desktop.item(&format!("account/{id}"))?;
    canaries.add("refresh token", item["secrets"]["refresh_token"].as_str().context("no token")?)
}

/// The text that was just copied to the clipboard at the user's request.
async fn pasted(desktop: &Desktop) -> Result<String> {
    desktop.selections().await?.lines().next().map(str::to_owned).context("the clipboard is empty")
}

#[tokio::test]
async fn window_notifications_and_clipboard_get_no_secret_unasked() -> Result<()> {
    let watch = ProcessWatch::start();
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    let receiver = Receiver::start().await?;
    let mut canaries = Canaries::default();
    app.record_messages().await?;

    // The main workflow: connect, refresh, revoke, notify, reauthorize.
    app.press("Try it with the Sandbox").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    let connected = signs_in(&app, &mut desktop, &mut canaries).await?;
    connected.close().await?;
    app.main_window().await?;
    desktop.has_no_window_called("Connect").await?;
    app.press("Show account").await?;
    let accounts = app.request(Method::GET, "/relink/accounts", Value::Null).await?;
    let id = accounts["result"][0]["id"].as_str().context("no account")?.to_owned();
    record_tokens(&app, &desktop, &id, &mut canaries).await?;
    app.press("Refresh now").await?;
    app.shows("Token refreshed.").await?;
    record_tokens(&app, &desktop, &id, &mut canaries).await?;
    app.press("Revoke access").await?;
    app.press("Refresh now").await?;
    desktop.notified("Sandbox no longer accepts this sign-in").await?;
    app.press("Reauthorize connection").await?;
    app.press("Get connection link").await?;
    app.shows("Magic Link").await?;
    // Nothing has been copied yet. The window never learns the link token, so the test does by copying the link.
    assert_eq!(canaries.in_text("a selection", &desktop.selections().await?), NO_PLACES);
    app.click("dialog[open] [role=\"group\"] button").await?;
    app.shows("Relink removes it from the clipboard after a minute").await?;
    canaries.add("link token", link_token(&pasted(&desktop).await?)?)?;
    app.press("Open").await?;
    app.other_window().await?;
    let reauthorized = signs_in(&app, &mut desktop, &mut canaries).await?;
    reauthorized.close().await?;
    app.main_window().await?;
    desktop.has_no_window_called("Connect").await?;
    app.press("Done").await?;
    app.shows("Working").await?;
    record_tokens(&app, &desktop, &id, &mut canaries).await?;

    // Type a secret.
    canaries.add("client secret", CLIENT_SECRET)?;
    app.press("Integrations").await?;
    app.press("GitHub").await?;
    app.fill("client_id", "client").await?;
    app.fill("client_secret", CLIENT_SECRET).await?;
    app.press("Save client").await?;
    app.shows("The secret is in your keychain").await?;

    // Nothing but the link has been copied yet.
    let copied = canaries.in_text("a selection", &desktop.selections().await?);
    assert!(copied.iter().all(|place| place.starts_with("link token")), "{copied:?}");

    // From here on, the user copies each secret, and the test reads it from the clipboard.
    app.press("Webhooks").await?;
    app.press("Add a webhook").await?;
    app.fill("target_url", receiver.url()).await?;
    app.click("[form=\"add-webhook\"]").await?;
    app.shows("The signing secret is in your clipboard").await?;
    canaries.add("webhook secret", &pasted(&desktop).await?)?;
    app.press("Settings").await?;
    app.fill("token_name", "my-agent").await?;
    app.press("Create token").await?;
    app.shows("The token for my-agent is in your clipboard").await?;
    canaries.add("API token", &pasted(&desktop).await?)?;
    app.press("Activity").await?;
    app.shows("Reauthorized").await?;

    let kinds = canaries.kinds();
    let each = ["API token", "access token", "client secret", "link token", "refresh token", "state", "webhook secret"];
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), each);
    assert_eq!((kinds["access token"], kinds["refresh token"]), (3, 3), "{kinds:?}");

    let recorded_messages = app.recorded_messages().await?;
    for known in [&id, "Ada Lovelace", "my-agent", receiver.url(), "\"event\":\"changed\""] {
        assert!(recorded_messages.contains(known), "the window receives {known}: {recorded_messages}");
    }
    assert_eq!(canaries.in_text("a message to the window", &recorded_messages), NO_PLACES);
    assert_eq!(canaries.in_text("the page", &app.source().await?), NO_PLACES);
    assert_eq!(canaries.in_text("a notification", &desktop.all_notified()), NO_PLACES);

    let processes = canary::processes_of(desktop.folder());
    ensure!(processes.contains(&app.pid()) && processes.len() >= 10, "display, panel, window: {processes:?}");
    assert_eq!(canaries.found(&[desktop.folder()], &processes), NO_PLACES);
    // The browser is given the provider's page, with the state, as an argument. It is worthless without the flow's PKCE verifier.
    let seen = watch.found(&canaries);
    assert!(seen.iter().all(|place| place.starts_with("state in the arguments of")), "{seen:?}");
    ensure!(!seen.is_empty(), "the watch sees the browser's arguments");
    Ok(())
}
