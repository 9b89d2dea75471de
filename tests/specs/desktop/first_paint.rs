//! When a new window appears.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use relink_tests::{
    app::Program,
    desktop::{ALL, Desktop},
    process,
};

/// The app shows a window without a page after this time.
const PAGE_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_window_is_hidden_until_its_page_is_ready_but_not_for_ever() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let started = Instant::now();
    let program = Program::start(&desktop, &[])?;
    // This page never becomes ready.
    let page = program.freeze_page().await?;
    ensure!(desktop.windows()?.is_empty(), "the window is shown before its page has loaded");
    desktop.has_windows(1).await?;
    ensure!(started.elapsed() >= PAGE_TIMEOUT, "the window was shown after {:?}", started.elapsed());
    process::signal("CONT", page)
}
