//! The app on a desktop: window, deep link, notification, tray.

use anyhow::{Context, Result};
use relink_tests::{
    app::App,
    browser::Browser,
    desktop::{ALL, Desktop},
};
use url::Url;

/// The person's browser: where the system opens addresses, and from where Relink's deep links come back.
async fn browser(desktop: &Desktop, url: &str) -> Result<Browser> {
    let origin = Url::parse(url)?.origin().ascii_serialization();
    let browser = Browser::start_trusting(desktop, &[&origin]).await?;
    browser.open(url).await?;
    Ok(browser)
}

/// Signs in at the Sandbox's page, which the system was asked to open.
async fn sign_in(desktop: &mut Desktop) -> Result<Browser> {
    let url = desktop.opened().await?;
    let browser = browser(desktop, &url).await?;
    browser.click("#person-ada").await?;
    browser.click("#allow").await?;
    Ok(browser)
}

#[tokio::test]
async fn the_main_job_in_the_apps_own_window() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;

    // Connect, with the deep link as the way back.
    app.press("Try it with the Sandbox").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    app.press("Sign in to Sandbox").await?;
    app.press("Continue to Sandbox").await?;
    let connected = sign_in(&mut desktop).await?;
    app.shows("Connection successful").await?;
    connected.close().await?;
    app.main_window().await?;
    app.press("Show the account").await?;
    app.shows("Ada Lovelace").await?;

    // Broken on the provider's side: told on the desktop.
    app.press("Revoke access").await?;
    app.press("Refresh now").await?;
    desktop.notified("Sandbox no longer accepts this sign-in").await?;

    app.shows("Nothing that uses this account works").await?;

    // Mended, word for word.
    app.press("Reauthorize connection").await?;
    app.press("Get connection link").await?;
    app.shows("Magic Link").await?;
    app.press("Open").await?;
    app.other_window().await?;
    app.press("Continue to Sandbox").await?;
    let mended = sign_in(&mut desktop).await?;
    app.shows("Connection successful").await?;
    mended.close().await?;
    app.main_window().await?;
    app.shows("Connection successful").await?;
    app.press("Done").await?;
    app.shows("Working").await?;
    let up = desktop.notifications_up().context("dunst answers")?;
    assert_eq!(up, 0, "the notification was taken back");
    Ok(())
}
