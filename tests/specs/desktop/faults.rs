//! Desktop components that start late, crash, hang or are missing, and restarts of Relink.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::Result;
use relink_tests::{
    app::{App, Program},
    desktop::{ALL, Desktop, Parts},
    provider::Provider,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{connect, revoke_access, sign_in};

#[tokio::test]
async fn a_panel_started_after_relink_shows_its_icon() -> Result<()> {
    let mut desktop = Desktop::start(Parts { notifications: true, tray: false }).await?;
    let mut program = Program::start(&desktop, &["--hidden"])?;
    program.wait_until_serving(&desktop).await?;
    desktop.start_panel()?;
    desktop.tray_shows("All accounts are working").await?;
    assert_eq!(desktop.windows()?, Vec::<String>::new(), "after a start at login, Relink waits for the panel");
    desktop.press_in_tray("Open Relink")?;
    desktop.has_windows(1).await?;
    assert!(program.runs());
    Ok(())
}

#[tokio::test]
async fn started_at_login_without_a_panel_relink_opens_its_window() -> Result<()> {
    let desktop = Desktop::start(Parts { notifications: true, tray: false }).await?;
    let _program = Program::start(&desktop, &["--hidden"])?;
    desktop.has_windows(1).await.map(drop)
}

#[tokio::test]
async fn closing_asks_while_the_panel_is_gone_and_not_after_it_returns() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    let windows = desktop.has_windows(1).await?;
    desktop.tray_shows("All accounts are working").await?;
    desktop.kill_panel().await?;
    app.wait_for_tray(false).await?;
    desktop.close_window(&windows[0])?;
    let question = desktop.has_window_called("Quit Relink").await?;
    assert!(app.runs());
    desktop.close_window(&question)?;
    desktop.has_no_window_called("Quit Relink").await?;

    desktop.start_panel()?;
    desktop.tray_shows("All accounts are working").await?;
    app.wait_for_tray(true).await?;
    desktop.close_window(&windows[0])?;
    desktop.has_windows(0).await?;
    assert!(app.runs());
    Ok(())
}

#[tokio::test]
async fn without_the_tray_library_relink_runs_and_closing_asks() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let mut program = Program::start_without(&desktop, "libayatana-appindicator3.so.1")?;
    let windows = desktop.has_windows(1).await?;
    desktop.close_window(&windows[0])?;
    desktop.has_window_called("Quit Relink").await?;
    assert!(program.runs());
    assert!(desktop.tray_menu().is_err(), "there is no tray icon");
    Ok(())
}

#[tokio::test]
async fn notifications_are_withdrawn_on_quit_and_shown_again_on_start() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    revoke_access(&app, &desktop).await?;
    desktop.has_a_notification().await?;
    desktop.press_in_tray("Quit")?;
    app.wait_for_exit().await?;
    desktop.has_no_notification().await?;
    drop(app);

    let _again = Program::start(&desktop, &["--hidden"])?;
    desktop.has_a_notification().await?;
    desktop.press_on_notification("Reauthorize")?;
    let reauthorized = sign_in(&mut desktop).await?;
    desktop.notified("Ada Lovelace is connected again").await?;
    reauthorized.close().await
}

#[tokio::test]
async fn a_hanging_notification_service_blocks_neither_tray_nor_quit() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    desktop.freeze_notifications()?;
    app.revoke_at_sandbox().await?;
    desktop.tray_shows("1 account needs attention").await?;
    app.press("Settings").await?;
    app.shows("notification service isn’t responding").await?;
    desktop.press_in_tray("Reauthorize Ada Lovelace")?;
    let reauthorized = sign_in(&mut desktop).await?;
    desktop.tray_shows("All accounts are working").await?;
    reauthorized.close().await?;
    desktop.press_in_tray("Quit")?;
    app.wait_for_exit().await
}

#[tokio::test]
async fn a_browser_that_cannot_be_opened_is_reported() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    // Replace the system's launchers with scripts that fail once the file `no-browser` exists.
    let (launchers, gone) = (desktop.folder().join("launchers"), desktop.folder().join("no-browser"));
    fs::create_dir(&launchers)?;
    for name in ["xdg-open", "gio"] {
        let script = format!("#!/bin/sh\n[ -e '{}' ] && exit 3\nexec /usr/bin/{name} \"$@\"\n", gone.display());
        fs::write(launchers.join(name), script)?;
        fs::set_permissions(launchers.join(name), fs::Permissions::from_mode(0o700))?;
    }
    let path = format!("{}:{}", launchers.display(), std::env::var("PATH")?);
    let app = App::start_with(&desktop, &[("PATH", path)]).await?;
    connect(&app, &mut desktop).await?;
    revoke_access(&app, &desktop).await?;
    fs::write(&gone, "")?;

    // The tray item opens the account's page instead.
    app.press("Activity").await?;
    app.hides("Nothing that uses this account works").await?;
    desktop.press_in_tray("Reauthorize Ada Lovelace")?;
    app.shows("Nothing that uses this account works").await?;

    // The connect window's page can't notice the failure, so Relink shows a dialog.
    app.press("Reauthorize connection").await?;
    app.press("Get connection link").await?;
    app.press("Open").await?;
    app.other_window().await?;
    app.press("Continue to Sandbox").await?;
    desktop.has_window_called("The sign-in page can").await.map(drop)
}

#[tokio::test]
async fn sigterm_during_a_slow_exchange_hides_at_once_and_loses_nothing() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    let provider = Provider::start().await?;
    app.request(Method::POST, "/relink/integrations", json!({ "text": provider.definition() })).await?;
    app.press("Connect a real account").await?;
    app.press("Provider").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    app.press("Continue to Provider").await?;
    let connected = sign_in(&mut desktop).await?;
    app.shows("Connection successful").await?;
    connected.close().await?;
    let id = app.request(Method::GET, "/relink/accounts", Value::Null).await?["result"][0]["id"].clone();
    let refresh = format!("/relink/accounts/{}/refresh", id.as_str().unwrap_or_default());

    // The provider rotates the refresh token, and sends its response one byte at a time.
    let slow = json!({ "kind": "slow_drip", "on": "token", "count": 1 });
    provider.control("POST", "/faults", slow).await?;
    let (asked, stopped) = tokio::join!(app.request(Method::POST, &refresh, Value::Null), async {
        provider.sees("refresh_token.ok", 1).await?;
        app.terminate()?;
        desktop.has_windows(0).await?;
        assert!(app.runs(), "the app waits for the response with its windows closed");
        anyhow::Ok(())
    });
    // The API request may fail, because the app is exiting.
    drop(asked);
    stopped?;
    app.wait_for_exit().await?;
    drop(app);

    let again = App::start(&desktop).await?;
    again.request(Method::POST, &refresh, Value::Null).await?;
    assert_eq!(provider.count("refresh_token.ok").await?, 2, "the refresh token from the slow response was saved");
    Ok(())
}
