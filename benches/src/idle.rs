//! Idle cost: memory, wakeups and web processes while no window is open.

use std::time::Duration;

use anyhow::{Context, Result};
use relink_tests::{
    desktop::{ALL, Desktop},
    provider::Provider,
    relink::Relink,
};
use tokio::{process::Child, time::sleep};

use crate::{
    apps::{self, ACCOUNTS, App, TrayMonitor},
    figures::{Figures, table},
    processes,
};

/// How long to wait until the work that follows a start is done.
const SETTLE_TIME: Duration = Duration::from_secs(30);
/// How long wakeups are counted.
const MEASURED_PERIOD: Duration = Duration::from_mins(1);
const ROUNDS: usize = 2;

#[derive(Debug, Default)]
struct IdleCost {
    megabytes: Figures,
    wakeups: Figures,
    names: Vec<String>,
}

impl IdleCost {
    async fn measure(&mut self, pid: u32) -> Result<()> {
        sleep(SETTLE_TIME).await;
        let before = processes::wakeups(pid)?;
        sleep(MEASURED_PERIOD).await;
        let wakeups = u32::try_from(processes::wakeups(pid)?.saturating_sub(before))?;
        self.wakeups.add(f64::from(wakeups) / MEASURED_PERIOD.as_secs_f64());
        self.megabytes.add(processes::proportional_memory(pid)?);
        self.names = processes::tree(pid)?.into_iter().map(|(_, name)| name).collect();
        Ok(())
    }
}

/// Both apps idle at the same time, each on its own desktop, together with `relink serve`.
pub(crate) async fn measure() -> Result<()> {
    let provider = Provider::start().await?;
    let (mut relink, mut unopened, mut empty, mut serve) =
        (IdleCost::default(), IdleCost::default(), IdleCost::default(), IdleCost::default());
    for _ in 0..ROUNDS {
        let [closed, hidden, baseline, bare] = [
            desktop(&provider, true).await?,
            desktop(&provider, true).await?,
            desktop(&provider, false).await?,
            desktop(&provider, true).await?,
        ];
        let opened_and_closed = in_tray_after_its_window_was_closed(&closed).await?;
        let never_opened = in_tray(App::Relink, &hidden).await?;
        let nothing = in_tray(App::Empty, &baseline).await?;
        let headless = Relink::start(&bare).await?;
        tokio::try_join!(
            relink.measure(opened_and_closed.id().context("Relink has exited")?),
            unopened.measure(never_opened.id().context("Relink has exited")?),
            empty.measure(nothing.id().context("the empty app has exited")?),
            serve.measure(headless.pid().context("relink serve has exited")?),
        )?;
        for running in [opened_and_closed, never_opened, nothing] {
            apps::end(running).await?;
        }
        headless.stop().await?;
    }
    let baseline = "empty Tauri app, no window ever";
    table(
        &format!("Idle, {ACCOUNTS} accounts: proportional memory of all processes"),
        "MB",
        baseline,
        &[
            ("window opened, then closed to the tray", &relink.megabytes, &empty.megabytes),
            ("started at login, no window yet", &unopened.megabytes, &empty.megabytes),
            ("`relink serve`", &serve.megabytes, &empty.megabytes),
        ],
    );
    table(
        &format!("Idle, {ACCOUNTS} accounts: wakeups"),
        "per second",
        baseline,
        &[
            ("window opened, then closed to the tray", &relink.wakeups, &empty.wakeups),
            ("started at login, no window yet", &unopened.wakeups, &empty.wakeups),
            ("`relink serve`", &serve.wakeups, &empty.wakeups),
        ],
    );
    println!(
        "\nProcesses of Relink, its window closed: {}. Of the empty app: {}.",
        relink.names.join(", "),
        empty.names.join(", ")
    );
    Ok(())
}

async fn desktop(provider: &Provider, with_accounts: bool) -> Result<Desktop> {
    let desktop = Desktop::start(ALL).await?;
    if with_accounts {
        apps::connect_accounts(&desktop, provider).await?;
    }
    Ok(desktop)
}

async fn in_tray(app: App, desktop: &Desktop) -> Result<Child> {
    let mut tray_monitor = TrayMonitor::listen(desktop).await?;
    let running = app.start(desktop, false)?;
    tray_monitor.wait_for_icon().await?;
    Ok(running)
}

async fn in_tray_after_its_window_was_closed(desktop: &Desktop) -> Result<Child> {
    let mut tray_monitor = TrayMonitor::listen(desktop).await?;
    let running = App::Relink.start(desktop, true)?;
    tray_monitor.wait_for_icon().await?;
    let windows = desktop.has_windows(1).await?;
    // Keep the window open for a moment, so that its page is loaded.
    sleep(Duration::from_secs(3)).await;
    desktop.close_window(windows.first().context("no window")?)?;
    desktop.has_windows(0).await?;
    Ok(running)
}
