//! Reauthorizing in two clicks, from the red card of the app's own window.

use anyhow::Result;
use relink_tests::{
    app::App,
    desktop::{ALL, Desktop},
    oidc::OidcProvider,
};
use reqwest::Method;
use serde_json::json;

use super::{browser, connect};

#[tokio::test]
async fn two_clicks_reauthorize_at_a_certified_authorization_server() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    let provider = OidcProvider::start(&desktop, app.base_url()).await?;
    app.request(Method::POST, "/relink/integrations", json!({ "text": provider.definition() })).await?;
    app.press("Connect a real account").await?;
    app.press("Test provider").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    app.press("Continue to Test provider").await?;
    let page = desktop.opened().await?;
    let first = browser(&desktop, &page).await?;
    first.click("#user-ada").await?;
    app.shows("Connection successful").await?;
    first.close().await?;
    app.main_window().await?;
    app.press("Show account").await?;
    provider.revoke().await?;
    app.press("Refresh now").await?;
    app.shows("Nothing that uses this account works").await?;

    let before = app.clicks();
    app.press("Reauthorize").await?;
    let page = desktop.opened().await?;
    assert!(!page.contains("connect-account"), "the provider's page, not the connect UI: {page}");
    app.shows("Waiting for you at Test provider…").await?;
    let provider_page = browser(&desktop, &page).await?;
    provider_page.click("#user-ada").await?;
    app.shows("Connection successful").await?;
    assert_eq!(app.clicks() - before + provider_page.clicks(), 2, "one click in the window, one at the provider");
    desktop.is_in_front("Relink").await?;
    provider_page.close().await?;
    app.press("Done").await?;
    app.shows("Working").await?;
    desktop.has_no_notification().await
}

#[tokio::test]
async fn a_sign_in_can_be_opened_again_cancelled_and_refused() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    app.revoke_at_sandbox().await?;
    app.shows("Nothing that uses this account works").await?;

    app.press("Reauthorize").await?;
    let page = desktop.opened().await?;
    app.press("Open again").await?;
    assert_eq!(desktop.opened().await?, page, "the same sign-in");
    app.press("Cancel").await?;
    let late = browser(&desktop, &page).await?;
    late.click("#person-ada").await?;
    late.click("#allow").await?;
    app.shows("Nothing that uses this account works").await?;
    late.close().await?;

    app.press("Reauthorize").await?;
    let page = desktop.opened().await?;
    let refusing = browser(&desktop, &page).await?;
    refusing.click("#deny").await?;
    app.press("Try again").await?;
    refusing.close().await?;
    let page = desktop.opened().await?;
    let signed_in = browser(&desktop, &page).await?;
    signed_in.click("#person-ada").await?;
    signed_in.click("#allow").await?;
    app.shows("Connection successful").await?;
    signed_in.close().await?;
    app.press("Done").await?;
    app.shows("Working").await
}
