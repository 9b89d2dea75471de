//! When a new window appears.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    app::Program,
    desktop::{ALL, Desktop},
    page, process,
    screen::Screen,
};

/// The app shows a window without a page after this time, and no longer transparent after the other.
const READY_TIMEOUT: Duration = Duration::from_secs(3);
const PAINT_TIMEOUT: Duration = Duration::from_secs(2);

const OPAQUE: f64 = 1.0;

#[tokio::test]
async fn a_window_is_hidden_until_its_page_is_ready_but_not_for_ever() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let screen = Screen::of(desktop.display().context("no display")?)?;
    screen.claim_compositing()?;
    let started = Instant::now();
    let program = Program::start(&desktop, &[])?;
    // This page never becomes ready, and is never painted.
    let frozen = program.freeze_page().await?;
    ensure!(desktop.windows()?.is_empty(), "the window is shown before its page has loaded");
    let window = desktop.has_windows(1).await?[0].parse()?;
    ensure!(started.elapsed() >= READY_TIMEOUT, "the window was shown after {:?}", started.elapsed());
    ensure!(screen.opacity(window)? < OPAQUE, "the window is visible before its page is painted");
    is_opaque(&screen, window).await?;
    let shown = started.elapsed();
    ensure!(shown >= READY_TIMEOUT + PAINT_TIMEOUT, "the window was visible after {shown:?}");
    process::signal("CONT", frozen)
}

#[tokio::test]
async fn no_window_stays_transparent() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let screen = Screen::of(desktop.display().context("no display")?)?;
    screen.claim_compositing()?;
    let _program = Program::start(&desktop, &[])?;
    let window = desktop.has_windows(1).await?[0].parse()?;
    is_opaque(&screen, window).await?;
    // A row through the middle of the window, which without a page has only the background's color.
    let colors = || screen.row(200, 480, 900).is_ok_and(|row| row.iter().any(|color| *color != row[0])).then_some(());
    page::until(colors).await.context("the page was never painted")
}

async fn is_opaque(screen: &Screen, window: u32) -> Result<()> {
    let opaque = || screen.opacity(window).is_ok_and(|opacity| opacity >= OPAQUE).then_some(());
    page::until(opaque).await.context("the window stays transparent")
}
