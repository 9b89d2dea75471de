//! The window of the app that asks about a sign-in that has returned: whether the person began it, and what to do if they
//! signed in as somebody else.

use anyhow::{Result, ensure};
use relink_tests::{
    app::App,
    browser::Browser,
    desktop::{ALL, Desktop},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{connect, revoke_access, sign_in_as};

const NOTHING: Vec<String> = Vec::new();

#[tokio::test]
async fn a_sign_in_that_a_link_began_is_confirmed_or_discarded_in_a_window() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    app.request(Method::POST, "/relink/integrations/sandbox/install", Value::Null).await?;
    desktop.has_deep_link_handler().await?;
    let other = Browser::start(&desktop).await?;

    // A program's link for a new account. The same link works after a sign-in was discarded.
    let link = app.magic_link(json!({ "tenant_id": "tenant-of-the-program" })).await?;
    for is_confirmed in [false, true] {
        let provider = other.begin_at_sandbox(&link).await?;
        let signed_in = sign_in_as("ada", &desktop, &provider).await?;
        app.other_window().await?;
        app.shows("Did you start this sign-in to Sandbox?").await?;
        for shown in ["tenant-of-the-program", "A new account", "If you didn’t start it, don’t confirm"] {
            app.shows(shown).await?;
        }
        desktop.is_in_front("Connect").await?;
        other.shows("Confirm the sign-in in Relink").await?;
        ensure!(app.accounts().await?.is_empty(), "an account was connected before the person confirmed it");
        assert_eq!(desktop.kept()?, NOTHING, "stored before the person confirmed it");
        if is_confirmed {
            app.press("Yes, connect it").await?;
            app.shows("Connection successful").await?;
            other.shows("Connection successful").await?;
        } else {
            app.press("No, discard the sign-in").await?;
            app.shows("Nothing was connected").await?;
            other.shows("The sign-in was declined").await?;
            ensure!(app.accounts().await?.is_empty(), "a discarded sign-in was connected");
            assert_eq!(desktop.kept()?, NOTHING, "stored although it was discarded");
        }
        signed_in.close().await?;
    }
    let [account] = &app.accounts().await?[..] else { anyhow::bail!("not one account") };
    assert_eq!(account["tenant_id"], "tenant-of-the-program");
    let before = desktop.kept()?;
    ensure!(!before.is_empty(), "nothing is in the keychain");

    // A program's link for this account, once the first window has closed by itself.
    app.main_window().await?;
    desktop.has_no_window_called("Connect").await?;
    let link = app.magic_link(json!({ "integrated_account_id": account["id"] })).await?;
    other.open(&link).await?;
    let provider = other.provider_page().await?;
    let signed_in = sign_in_as("ada", &desktop, &provider).await?;
    app.other_window().await?;
    for shown in ["Did you start this sign-in", "tenant-of-the-program", "Ada Lovelace", "Connected as"] {
        app.shows(shown).await?;
    }
    assert_eq!(desktop.kept()?, before, "the account was changed before the person confirmed it");
    app.press("Yes, reauthorize it").await?;
    app.shows("Connection successful").await?;
    assert_ne!(desktop.kept()?, before, "the new sign-in wasn't stored");
    assert_eq!(app.accounts().await?.len(), 1);
    signed_in.close().await?;
    other.close().await
}

/// Each account's name, the person whom it is connected as, and its status.
async fn states(app: &App) -> Result<Vec<[String; 3]>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut states: Vec<_> = app
        .accounts()
        .await?
        .iter()
        .map(|account| [text(&account["name"]), text(&account["identity"]), text(&account["status"])])
        .collect();
    states.sort();
    Ok(states)
}

#[tokio::test]
async fn a_sign_in_as_somebody_else_from_notification_or_tray_asks() -> Result<()> {
    const BROKEN: [&str; 3] = ["Ada Lovelace", "Ada Lovelace", "needs_reauth"];
    const SECOND: [&str; 3] = ["Grace Hopper", "Grace Hopper", "active"];
    const REPLACED: [&str; 3] = ["Ada Lovelace", "Grace Hopper", "active"];
    let choices: [(&str, &str, &[[&str; 3]]); 3] = [
        ("Keep Ada Lovelace", "keeps its old sign-in", &[BROKEN]),
        ("Add Grace Hopper as a second account", "Connection successful", &[BROKEN, SECOND]),
        ("Replace with Grace Hopper", "Connection successful", &[REPLACED, SECOND]),
    ];
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    revoke_access(&app, &desktop).await?;

    for (number, (choice, result, expected)) in choices.into_iter().enumerate() {
        let (accounts, kept) = (states(&app).await?, desktop.kept()?);
        if number == 0 {
            desktop.press_on_notification("Reauthorize")?;
        } else {
            desktop.press_in_tray("Reauthorize Ada Lovelace")?;
        }
        let page = desktop.opened().await?;
        let signed_in = sign_in_as("grace", &desktop, &page).await?;
        app.other_window().await?;
        app.shows("You signed in as Grace Hopper").await?;
        app.shows("This account was connected as Ada Lovelace").await?;
        desktop.is_in_front("Connect").await?;
        assert_eq!(states(&app).await?, accounts, "decided before the person did");
        assert_eq!(desktop.kept()?, kept, "stored before the person decided");
        app.press(choice).await?;
        app.shows(result).await?;
        assert_eq!(states(&app).await?, expected, "{choice}");
        assert_eq!(desktop.kept()? == kept, number == 0, "{choice}");
        signed_in.close().await?;
        if number < 2 {
            assert_eq!(desktop.times_notified("Connection successful"), 0, "the account is still broken");
        }
        app.main_window().await?;
        if number > 0 {
            desktop.has_no_window_called("Connect").await?;
        }
    }
    desktop.notified("Ada Lovelace is connected again").await?;
    desktop.tray_shows("All accounts are working").await
}
