//! Performs the main workflow in the app's window, on a virtual desktop, and describes each step. Writes screenshots to
//! target/demo/.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result};
use relink_tests::{
    app::App,
    browser::Browser,
    desktop::{ALL, Desktop},
    process,
    receiver::Receiver,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Prints each step and its result.
struct Narrator {
    step: u32,
    began: Instant,
    pictures: PathBuf,
}

impl Narrator {
    #[expect(clippy::print_stdout, reason = "this is what the demo is for")]
    fn record_step(&mut self, desktop: &Desktop, what: &str) -> Result<()> {
        self.step += 1;
        println!("{:>2}. {:>5.1} s  {what}", self.step, self.began.elapsed().as_secs_f32());
        desktop.screenshot(&self.pictures.join(format!("{:02}.png", self.step)))
    }
}

/// Opens the provider's page in a real browser, as the system would. The browser returns through the deep link.
async fn sign_in(demo: &mut Narrator, desktop: &mut Desktop) -> Result<Browser> {
    let url = desktop.opened().await?;
    let origin = url::Url::parse(&url)?.origin().ascii_serialization();
    let browser = Browser::start_trusting(desktop, &[&origin]).await?;
    browser.open(&url).await?;
    browser.shows("Sign in as").await?;
    let page = demo.pictures.join(format!("{:02}-provider.png", demo.step));
    browser.screenshot(&page).await?;
    browser.click("#person-ada").await?;
    browser.click("#allow").await?;
    Ok(browser)
}

#[tokio::main]
async fn main() -> Result<()> {
    let pictures = process::workspace().join("target/demo");
    // Remove the results of an earlier run.
    let _ = std::fs::remove_dir_all(&pictures);
    let mut demo = Narrator { step: 0, began: Instant::now(), pictures: pictures.clone() };

    let mut desktop = Desktop::start(ALL).await?;
    demo.record_step(&desktop, "a private desktop: display, keychain, notifications, tray; yours is not touched")?;
    let app = App::start(&desktop).await?;
    app.shows("Connect your first account").await?;
    app.is_painted().await?;
    demo.record_step(&desktop, "the app's window is open, and its icon is in the tray")?;
    let receiver = Receiver::start().await?;
    let webhook = app.request(Method::POST, "/webhook", json!({ "target_url": receiver.url() })).await?;
    let secret = webhook["secret"].as_str().context("no secret")?.to_owned();

    app.press("Try it with the Sandbox").await?;
    app.press("Continue").await?;
    app.other_window().await?;
    app.shows("Relink will ask for").await?;
    app.is_painted().await?;
    demo.record_step(&desktop, "Try it with the Sandbox: the connect page lists the permissions")?;
    app.press("Continue to Sandbox").await?;
    app.shows("Sign in on Sandbox").await?;
    let browser = sign_in(&mut demo, &mut desktop).await?;
    app.shows("Connection successful").await?;
    app.is_painted().await?;
    demo.record_step(
        &desktop,
        "signed in as Ada in the browser; returned through the deep link: Connection successful",
    )?;
    browser.close().await?;
    close_connect_window(&desktop).await?;

    app.main_window().await?;
    app.press("Show account").await?;
    app.shows("Ada Lovelace").await?;
    let id = app.request(Method::GET, "/relink/accounts", Value::Null).await?["result"][0]["id"].clone();
    app.press("Refresh now").await?;
    app.shows("Token refreshed.").await?;
    app.is_painted().await?;
    demo.record_step(&desktop, "the account works; its token was refreshed")?;

    app.press("Revoke access").await?;
    app.press("Refresh now").await?;
    desktop.notified("Sandbox no longer accepts this sign-in").await?;
    app.shows("Nothing that uses this account works").await?;
    app.is_painted().await?;
    demo.record_step(&desktop, "access was revoked: the window, the tray and a notification explain it")?;
    let event = receiver.wait_for("integrated_account:authentication_error").await?;
    anyhow::ensure!(event.is_signed_with(&secret), "the signature is invalid");
    demo.record_step(&desktop, "integrated_account:authentication_error was delivered, with a valid signature")?;

    app.press("Reauthorize connection").await?;
    app.press("Get connection link").await?;
    app.shows("Magic Link").await?;
    app.is_painted().await?;
    demo.record_step(&desktop, "Reauthorize connection, Get connection link: the Magic Link")?;
    app.press("Open").await?;
    app.other_window().await?;
    app.press("Continue to Sandbox").await?;
    let browser = sign_in(&mut demo, &mut desktop).await?;
    app.shows("Connection successful").await?;
    app.is_painted().await?;
    demo.record_step(&desktop, "signed in again: Connection successful")?;
    browser.close().await?;
    close_connect_window(&desktop).await?;

    app.main_window().await?;
    app.press("Done").await?;
    app.shows("Working").await?;
    desktop.has_no_notification().await?;
    let after = app.request(Method::GET, "/relink/accounts", Value::Null).await?["result"][0].clone();
    anyhow::ensure!(after["id"] == id && after["status"] == "active", "{after}");
    let events = receiver.receives(5).await?;
    let expected = ["created", "active", "authentication_error", "updated", "active"];
    anyhow::ensure!(events == expected, "{events:?}");
    app.is_painted().await?;
    demo.record_step(
        &desktop,
        "the account kept its id and works; its events were updated and active, not reactivated",
    )?;
    finish(&pictures);
    Ok(())
}

async fn close_connect_window(desktop: &Desktop) -> Result<()> {
    let window = desktop.has_window_called("Connect").await?;
    desktop.close_window(&window)?;
    desktop.has_windows(1).await.map(drop)
}

#[expect(clippy::print_stdout, reason = "this is what the demo is for")]
fn finish(pictures: &std::path::Path) {
    println!("    The pictures are in {}", pictures.display());
}
