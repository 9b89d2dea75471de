//! The app on a desktop: window, deep links, notifications and tray.

mod faults;
mod first_paint;
mod pages;
mod returned;
mod two_clicks;

use anyhow::Result;
use relink_tests::{
    app::{App, Program},
    browser::Browser,
    desktop::{ALL, Desktop, Parts, RunningApp},
    oidc::OidcProvider,
    relink::Relink,
};
use reqwest::Method;
use serde_json::json;
use url::Url;

/// The user's browser, in which the system opens addresses and which follows Relink's deep links.
pub(crate) async fn browser(desktop: &Desktop, url: &str) -> Result<Browser> {
    let origin = Url::parse(url)?.origin().ascii_serialization();
    let browser = Browser::start_trusting(desktop, &[&origin]).await?;
    browser.open(url).await?;
    Ok(browser)
}

/// Signs in on the Sandbox's page, which Relink has asked the system to open.
async fn sign_in(desktop: &mut Desktop) -> Result<Browser> {
    let url = desktop.opened().await?;
    sign_in_as("ada", desktop, &url).await
}

/// Signs in as this person on the Sandbox's page.
async fn sign_in_as(person: &str, desktop: &Desktop, url: &str) -> Result<Browser> {
    let browser = browser(desktop, url).await?;
    browser.click(&format!("#person-{person}")).await?;
    browser.click("#allow").await?;
    Ok(browser)
}

/// Connects the first account, starting from an empty window and returning through the deep link.
pub(crate) async fn connect(app: &App, desktop: &mut Desktop) -> Result<()> {
    app.press("Try it with the Sandbox").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    app.press("Continue to Sandbox").await?;
    let connected = sign_in(desktop).await?;
    app.shows("Connection successful").await?;
    connected.close().await?;
    app.main_window().await?;
    desktop.has_no_window_called("Connect").await?;
    app.press("Show account").await?;
    Ok(())
}

/// Revokes the access at the provider, and waits for the notification.
async fn revoke_access(app: &App, desktop: &Desktop) -> Result<()> {
    app.press("Revoke access").await?;
    app.press("Refresh now").await?;
    desktop.notified("Sandbox no longer accepts this sign-in").await?;
    app.shows("Nothing that uses this account works").await
}

#[tokio::test]
async fn the_main_use_in_the_apps_window() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;

    connect(&app, &mut desktop).await?;
    app.shows("Ada Lovelace").await?;

    revoke_access(&app, &desktop).await?;

    // Reauthorize with a magic link.
    app.press("Reauthorize connection").await?;
    app.press("Get connection link").await?;
    app.shows("Magic Link").await?;
    app.press("Open").await?;
    app.other_window().await?;
    app.press("Continue to Sandbox").await?;
    let main = desktop.has_windows(1).await?;
    desktop.activate(&main[0])?;
    let reauthorized = sign_in(&mut desktop).await?;
    desktop.is_in_front("Connect").await?;
    app.shows("Connection successful").await?;
    reauthorized.close().await?;
    app.main_window().await?;
    desktop.has_no_window_called("Connect").await?;
    app.shows("Connection successful").await?;
    app.press("Done").await?;
    app.shows("Working").await?;
    // The notification is withdrawn, because the account works again.
    desktop.has_no_notification().await
}

#[tokio::test]
async fn the_connect_window_can_call_no_command() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    assert_eq!(app.try_invoke("accounts").await?, "answered", "the main window may call commands");
    app.press("Try it with the Sandbox").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    app.shows("Continue to Sandbox").await?;
    let answer = app.try_invoke("accounts").await?;
    assert!(answer.starts_with("refused: ") || answer == "no IPC", "{answer}");
    Ok(())
}

#[tokio::test]
async fn the_main_use_with_a_certified_authorization_server() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    let provider = OidcProvider::start(&desktop, app.base_url()).await?;
    app.request(Method::POST, "/relink/integrations", json!({ "text": provider.definition() })).await?;
    let sign_in = async |desktop: &mut Desktop| {
        let url = desktop.opened().await?;
        let browser = browser(desktop, &url).await?;
        browser.click("#user-ada").await?;
        anyhow::Ok(browser)
    };

    app.press("Connect a real account").await?;
    app.press("Test provider").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    app.press("Continue to Test provider").await?;
    let connected = sign_in(&mut desktop).await?;
    app.shows("Connection successful").await?;
    connected.close().await?;
    app.main_window().await?;
    desktop.has_no_window_called("Connect").await?;
    app.press("Show account").await?;
    app.shows("Ada Lovelace").await?;

    provider.revoke().await?;
    app.press("Refresh now").await?;
    desktop.notified("Test provider no longer accepts this sign-in").await?;
    app.shows("Nothing that uses this account works").await?;

    // Integrated Accounts → the account → Connection → Reauthorize connection → Get connection link → Magic Link.
    app.press("Accounts").await?;
    app.shows("Integrated accounts").await?;
    app.press("Reauthorize connection").await?;
    app.press("Get connection link").await?;
    app.shows("Magic Link").await?;
    app.press("Open").await?;
    app.other_window().await?;
    app.press("Continue to Test provider").await?;
    let reauthorized = sign_in(&mut desktop).await?;
    app.shows("Connection successful").await?;
    reauthorized.close().await?;
    app.main_window().await?;
    desktop.has_no_window_called("Connect").await?;
    app.press("Done").await?;
    app.shows("Working").await?;
    desktop.has_no_notification().await
}

#[tokio::test]
async fn one_click_on_the_notification_starts_the_reauthorization() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    revoke_access(&app, &desktop).await?;
    desktop.press_on_notification("Reauthorize")?;
    let reauthorized = sign_in(&mut desktop).await?;
    desktop.notified("Ada Lovelace is connected again. You can close the browser tab.").await?;
    app.shows("Reauthorized").await?;
    app.shows("Working").await?;
    desktop.has_no_notification().await?;
    reauthorized.close().await
}

#[tokio::test]
async fn the_tray_counts_accounts_and_one_click_starts_the_reauthorization() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    desktop.tray_shows("All accounts are working").await?;
    desktop.tray_label_is("").await?;
    revoke_access(&app, &desktop).await?;
    desktop.tray_shows("1 account needs attention").await?;
    desktop.tray_label_is("1").await?;
    desktop.press_in_tray("Reauthorize Ada Lovelace")?;
    let reauthorized = sign_in(&mut desktop).await?;
    desktop.tray_shows("All accounts are working").await?;
    desktop.tray_label_is("").await?;
    desktop.notified("Ada Lovelace is connected again").await?;
    reauthorized.close().await?;

    desktop.press_in_tray("Pause notifications")?;
    app.press("Settings").await?;
    while !app.is_checked("Pause notifications").await? {
        tokio::task::yield_now().await;
    }
    desktop.is_checked_in_tray("Pause notifications").await?;
    let title = "Sandbox no longer accepts this sign-in";
    let before = desktop.times_notified(title);
    app.revoke_at_sandbox().await?;
    desktop.tray_shows("1 account needs attention").await?;
    assert_eq!(desktop.times_notified(title), before, "notifications are paused");
    desktop.press_in_tray("Pause notifications")?;
    // The notification that was held back is shown now.
    desktop.notified_times(title, before + 1).await
}

#[tokio::test]
async fn remind_me_later_withdraws_the_notification_and_shows_until_when() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    revoke_access(&app, &desktop).await?;
    desktop.press_on_notification("Remind me later")?;
    app.shows("You will be reminded").await?;
    app.press("Activity").await?;
    app.press_label("Notifications").await?;
    app.shows("Sandbox no longer accepts this sign-in").await?;
    desktop.has_no_notification().await?;

    // The reminder is also due when the machine is next unlocked.
    desktop.send_unlock_signal()?;
    desktop.has_a_notification().await
}

#[tokio::test]
async fn a_closed_window_leaves_relink_in_the_tray_and_a_second_start_opens_it() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let mut first = Program::start(&desktop, &[])?;
    let windows = desktop.has_windows(1).await?;
    desktop.tray_shows("All accounts are working").await?;
    first.has_a_page().await?;
    desktop.close_window(&windows[0])?;
    desktop.has_windows(0).await?;
    desktop.notified("Relink is still running in the tray").await?;
    first.has_no_page().await?;
    assert!(first.runs());
    assert!(Program::start(&desktop, &["--hidden"])?.wait_for_exit().await?, "a hidden second start exits too");
    assert_eq!(desktop.windows()?, Vec::<String>::new());

    assert!(Program::start(&desktop, &[])?.wait_for_exit().await?, "a second start exits at once");
    let windows = desktop.has_windows(1).await?;
    desktop.close_window(&windows[0])?;
    desktop.has_windows(0).await?;
    desktop.press_in_tray("Open Relink")?;
    desktop.has_windows(1).await?;
    desktop.press_in_tray("Quit")?;
    assert!(first.wait_for_exit().await?, "the app exits with success");
    assert_eq!(desktop.times_notified("Relink is still running in the tray"), 1, "shown only once");
    Ok(())
}

#[tokio::test]
async fn started_at_login_relink_stays_in_the_tray() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let mut program = Program::start(&desktop, &["--hidden"])?;
    desktop.tray_shows("All accounts are working").await?;
    assert_eq!(desktop.windows()?, Vec::<String>::new());
    assert!(program.runs());
    Ok(())
}

#[tokio::test]
async fn without_a_tray_closing_asks() -> Result<()> {
    let desktop = Desktop::start(Parts { notifications: true, tray: false }).await?;
    let mut program = Program::start(&desktop, &[])?;
    let windows = desktop.has_windows(1).await?;
    desktop.close_window(&windows[0])?;
    desktop.has_window_called("Quit Relink").await?;
    assert!(program.runs());
    Ok(())
}

#[tokio::test]
async fn an_unsolicited_deep_link_starts_relink_and_changes_nothing() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    // Start once, which registers the URL scheme like an installed package.
    let mut first = Program::start(&desktop, &[])?;
    desktop.has_deep_link_handler().await?;
    desktop.tray_shows("All accounts are working").await?;
    desktop.press_in_tray("Quit")?;
    assert!(first.wait_for_exit().await?);

    desktop.open_url("app.relink.desktop:/oauth/callback/sandbox?code=x&state=nobody")?;
    desktop.has_windows(1).await?;
    let app = RunningApp::of(&desktop)?;
    let lines = app.timeline_until(1).await?;
    assert_eq!(lines.len(), 1, "one timeline entry: {lines:?}");
    assert!(app.accounts().await?.is_empty());

    // A second start is ignored unless it has exactly one argument.
    let two = ["app.relink.desktop:/oauth/callback/sandbox?code=y&state=z", "--more"];
    assert!(Program::start(&desktop, &two)?.wait_for_exit().await?);
    assert!(Program::start(&desktop, &["file:///etc/passwd"])?.wait_for_exit().await?);
    desktop.open_url("app.relink.desktop:/nothing/of/ours")?;
    assert_eq!(app.timeline_until(1).await?.len(), 1, "invalid deep links add no timeline entry");

    // The system passes a deep link to a running app in the same way.
    desktop.open_url("app.relink.desktop:/oauth/callback/sandbox?code=y&state=nobody")?;
    assert_eq!(app.timeline_until(2).await?.len(), 2);
    assert!(app.accounts().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_keychain_locked_at_start_is_reported_and_waited_for() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    desktop.lock()?;
    let app = App::start(&desktop).await?;
    app.shows("Relink resumes").await?;
    desktop.unlock()?;
    app.hides("Relink resumes").await
}

#[tokio::test]
async fn without_a_notification_daemon_the_window_informs_and_the_settings_explain() -> Result<()> {
    let mut desktop = Desktop::start(Parts { notifications: false, tray: true }).await?;
    let app = App::start(&desktop).await?;
    // The settings explain it before any notification is needed.
    app.press("Settings").await?;
    app.shows("This desktop can’t show notifications").await?;
    app.press("Accounts").await?;
    connect(&app, &mut desktop).await?;
    app.press("Revoke access").await?;
    app.press("Refresh now").await?;
    app.shows("Nothing that uses this account works").await?;
    desktop.tray_shows("1 account needs attention").await?;
    app.press("Settings").await?;
    app.shows("This desktop can’t show notifications").await
}

#[tokio::test]
async fn the_settings_test_the_sign_in_return_and_a_notification() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    app.press("Settings").await?;
    app.press("Test sign-in redirect").await?;
    let page = desktop.opened().await?;
    let walked = browser(&desktop, &page).await?;
    app.shows("your browser returned to Relink").await?;
    walked.shows("Then you can close this tab").await?;
    walked.open(&page).await?;
    walked.shows("This test has ended").await?;
    walked.close().await?;
    app.press("Send a test notification").await?;
    desktop.notified("Notifications work").await?;
    app.shows("Notification sent.").await
}

#[tokio::test]
async fn a_failed_start_explains_and_exits() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let serving = Relink::start(&desktop).await?;
    let mut app = Program::start(&desktop, &[])?;
    let dialog = desktop.has_window_called("Relink can").await?;
    assert!(app.runs(), "the app waits until the dialog is closed");
    desktop.close_window(&dialog)?;
    assert!(!app.wait_for_exit().await?, "the app exits with a failure");
    assert!(serving.get("/relink/accounts").await.is_ok(), "the first Relink keeps running");
    serving.stop().await
}
