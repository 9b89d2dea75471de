//! Start time: from the start of the process to its tray icon, and to the content of its window.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result};
use relink_tests::{
    desktop::{ALL, Desktop},
    provider::Provider,
};

use crate::{
    figures::{Figures, table},
    screen::Screen,
    stage::{self, App, TrayEar},
};

const ROUNDS: usize = 10;

/// The start times of one app, in milliseconds.
#[derive(Debug, Default)]
struct Starts {
    tray: Figures,
    tray_alone: Figures,
    first: Figures,
    last: Figures,
}

/// Measures both apps, alternating.
pub(crate) async fn measure() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let provider = Provider::start().await?;
    stage::connect_accounts(&desktop, &provider).await?;
    let screen = Arc::new(Screen::open(desktop.display().context("no display")?)?);
    let mut ear = TrayEar::listen(&desktop).await?;
    let (mut relink, mut empty) = (Starts::default(), Starts::default());
    // Start each app once without measuring, so that both are in the disk cache.
    for round in 0..=ROUNDS {
        for (app, starts) in [(App::Empty, &mut empty), (App::Relink, &mut relink)] {
            let figures = once(app, &desktop, &screen, &mut ear).await?;
            if round > 0 {
                for (all, figure) in [&mut starts.tray, &mut starts.tray_alone, &mut starts.first, &mut starts.last]
                    .into_iter()
                    .zip(figures)
                {
                    all.add(figure);
                }
            }
        }
    }
    table(
        "Start, 200 accounts",
        "ms",
        "empty Tauri app",
        &[
            ("in the tray alone → its icon", &relink.tray_alone, &empty.tray_alone),
            ("with its window → tray icon", &relink.tray, &empty.tray),
            ("with its window → first text painted", &relink.first, &empty.first),
            ("with its window → last change of the picture", &relink.last, &empty.last),
        ],
    );
    Ok(())
}

/// One start with the window and one without. Returns the times of: tray, tray without window, first text, last change.
async fn once(app: App, desktop: &Desktop, screen: &Arc<Screen>, ear: &mut TrayEar) -> Result<[f64; 4]> {
    let since = |start: Instant, end: Instant| (end - start).as_secs_f64() * 1000.0;

    screen.blank()?;
    let start = Instant::now();
    let running = app.start(desktop, true)?;
    let eye = screen.clone();
    let painted = tokio::task::spawn_blocking(move || eye.painted());
    ear.put_up().await?;
    let tray = Instant::now();
    let painted = painted.await??;
    stage::end(running).await?;

    screen.blank()?;
    let start_alone = Instant::now();
    let running = app.start(desktop, false)?;
    ear.put_up().await?;
    let tray_alone = Instant::now();
    stage::end(running).await?;

    Ok([since(start, tray), since(start_alone, tray_alone), since(start, painted.first), since(start, painted.last)])
}
