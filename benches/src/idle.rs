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
    figures::{Figures, table},
    processes,
    stage::{self, ACCOUNTS, App, TrayEar},
};

/// How long to wait until the work that follows a start is done.
const SETTLE: Duration = Duration::from_secs(30);
/// How long wakeups are counted.
const COUNTED: Duration = Duration::from_mins(1);
const ROUNDS: usize = 2;

#[derive(Debug, Default)]
struct Rest {
    megabytes: Figures,
    wakes: Figures,
    names: Vec<String>,
}

impl Rest {
    async fn of(&mut self, pid: u32) -> Result<()> {
        sleep(SETTLE).await;
        let before = processes::wakes(pid)?;
        sleep(COUNTED).await;
        let wakes = u32::try_from(processes::wakes(pid)?.saturating_sub(before))?;
        self.wakes.add(f64::from(wakes) / COUNTED.as_secs_f64());
        self.megabytes.add(processes::proportional_memory(pid)?);
        self.names = processes::tree(pid)?.into_iter().map(|(_, name)| name).collect();
        Ok(())
    }
}

/// Both apps idle at the same time, each on its own desktop, together with `relink serve`.
pub(crate) async fn measure() -> Result<()> {
    let provider = Provider::start().await?;
    let (mut relink, mut unopened, mut empty, mut serve) =
        (Rest::default(), Rest::default(), Rest::default(), Rest::default());
    for _ in 0..ROUNDS {
        let [closed, hidden, peer, bare] = [
            desktop(&provider, true).await?,
            desktop(&provider, true).await?,
            desktop(&provider, false).await?,
            desktop(&provider, true).await?,
        ];
        let opened_and_closed = in_tray_after_its_window_was_closed(&closed).await?;
        let never_opened = in_tray(App::Relink, &hidden).await?;
        let nothing = in_tray(App::Empty, &peer).await?;
        let headless = Relink::start(&bare).await?;
        tokio::try_join!(
            relink.of(opened_and_closed.id().context("Relink has exited")?),
            unopened.of(never_opened.id().context("Relink has exited")?),
            empty.of(nothing.id().context("the empty app has exited")?),
            serve.of(headless.pid().context("relink serve has exited")?),
        )?;
        for running in [opened_and_closed, never_opened, nothing] {
            stage::end(running).await?;
        }
        headless.stop().await?;
    }
    let peer = "empty Tauri app, no window ever";
    table(
        &format!("At rest, {ACCOUNTS} accounts: proportional memory of all processes"),
        "MB",
        peer,
        &[
            ("window opened, then closed to the tray", &relink.megabytes, &empty.megabytes),
            ("started at login, no window yet", &unopened.megabytes, &empty.megabytes),
            ("`relink serve`", &serve.megabytes, &empty.megabytes),
        ],
    );
    table(
        &format!("At rest, {ACCOUNTS} accounts: wakes"),
        "per second",
        peer,
        &[
            ("window opened, then closed to the tray", &relink.wakes, &empty.wakes),
            ("started at login, no window yet", &unopened.wakes, &empty.wakes),
            ("`relink serve`", &serve.wakes, &empty.wakes),
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
        stage::connect_accounts(&desktop, provider).await?;
    }
    Ok(desktop)
}

async fn in_tray(app: App, desktop: &Desktop) -> Result<Child> {
    let mut ear = TrayEar::listen(desktop).await?;
    let running = app.start(desktop, false)?;
    ear.put_up().await?;
    Ok(running)
}

async fn in_tray_after_its_window_was_closed(desktop: &Desktop) -> Result<Child> {
    let mut ear = TrayEar::listen(desktop).await?;
    let running = App::Relink.start(desktop, true)?;
    ear.put_up().await?;
    let windows = desktop.has_windows(1).await?;
    // Keep the window open for a moment, so that its page is loaded.
    sleep(Duration::from_secs(3)).await;
    desktop.close_window(windows.first().context("no window")?)?;
    desktop.has_windows(0).await?;
    Ok(running)
}
