//! What a copied secret leaves behind in the clipboard, which every program of the user can read.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    app::App,
    desktop::{ALL, Desktop},
};
use tokio::time::timeout;

/// Longer than a secret stays there. Only a failing test waits this long.
const CLEARED_TIMEOUT: Duration = Duration::from_mins(3);

#[tokio::test]
async fn a_copied_token_leaves_the_clipboard_after_a_minute() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    app.press("Settings").await?;
    app.fill("token_name", "my-agent").await?;
    app.press("Create token").await?;
    app.shows("The token for my-agent is in your clipboard").await?;
    let copied = Instant::now();
    let token = desktop.selections().await?.lines().next().map(str::to_owned).context("the clipboard is empty")?;
    ensure!(token.len() > 20, "this is no token");
    let cleared = async {
        while desktop.selections().await?.contains(&token) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        anyhow::Ok(())
    };
    timeout(CLEARED_TIMEOUT, cleared).await.context("the token stays in the clipboard")??;
    ensure!(copied.elapsed() > Duration::from_secs(50), "there was no time to paste it");
    ensure!(app.runs(), "the clipboard is empty because the app has exited");
    Ok(())
}
