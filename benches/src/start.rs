//! Start time: from the start of the process to its tray icon, and to the content of its window.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result};
use relink_tests::{
    desktop::{ALL, Desktop},
    provider::Provider,
};

use crate::{
    apps::{self, App, TrayMonitor},
    figures::{Figures, table},
    screen::Screen,
};

const ROUNDS: usize = 10;

/// The start times of one app, in milliseconds.
#[derive(Debug, Default)]
struct StartTimes {
    tray: Figures,
    tray_alone: Figures,
    first: Figures,
    last: Figures,
}

/// Measures both apps, alternating.
pub(crate) async fn measure() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let provider = Provider::start().await?;
    apps::connect_accounts(&desktop, &provider).await?;
    let screen = Arc::new(Screen::open(desktop.display().context("no display")?)?);
    let mut tray_monitor = TrayMonitor::listen(&desktop).await?;
    let (mut relink, mut empty) = (StartTimes::default(), StartTimes::default());
    // Start each app once without measuring, so that both are in the disk cache.
    for round in 0..=ROUNDS {
        for (app, starts) in [(App::Empty, &mut empty), (App::Relink, &mut relink)] {
            let figures = measure_start(app, &desktop, &screen, &mut tray_monitor).await?;
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
async fn measure_start(
    app: App,
    desktop: &Desktop,
    screen: &Arc<Screen>,
    tray_monitor: &mut TrayMonitor,
) -> Result<[f64; 4]> {
    let since = |start: Instant, end: Instant| (end - start).as_secs_f64() * 1000.0;

    screen.blank()?;
    let start = Instant::now();
    let running = app.start(desktop, true)?;
    let display = screen.clone();
    let painted = tokio::task::spawn_blocking(move || display.painted());
    tray_monitor.wait_for_icon().await?;
    let tray = Instant::now();
    let painted = painted.await??;
    apps::end(running).await?;

    screen.blank()?;
    let start_alone = Instant::now();
    let running = app.start(desktop, false)?;
    tray_monitor.wait_for_icon().await?;
    let tray_alone = Instant::now();
    apps::end(running).await?;

    Ok([since(start, tray), since(start_alone, tray_alone), since(start, painted.first), since(start, painted.last)])
}
