//! A private desktop for one test: a virtual display, a window manager, a notification daemon, a panel with a tray, and
//! a default browser that only reports the addresses it was asked to open.

mod components;
mod running_app;
mod tray;

use std::{
    fs,
    ops::{Deref, DerefMut},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    process::Child,
    sync::{mpsc, watch},
    time::timeout,
};

use components::{dunst, install_reporting_browser, panel, run, spawn_silently, virtual_display, wait_for_bus_name};
pub use running_app::RunningApp;

use crate::{
    process,
    relink::{DEADLINE, POLL_INTERVAL},
    selections,
    session::Session,
    window_manager,
};

/// The optional parts of a desktop. Some desktops have no tray, some have no notifications.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// A notification daemon.
    pub notifications: bool,
    /// A panel that shows tray icons.
    pub tray: bool,
}

/// A desktop with all optional parts.
pub const ALL: Parts = Parts { notifications: true, tray: true };

/// A running desktop.
#[derive(Debug)]
pub struct Desktop {
    session: Session,
    opened: mpsc::Receiver<String>,
    notified: watch::Receiver<String>,
    daemon: Option<Child>,
    panel: Option<Child>,
    _parts: Vec<Child>,
}

impl DerefMut for Desktop {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Deref for Desktop {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Desktop {
    /// Starts a desktop with these parts.
    pub async fn start(with: Parts) -> Result<Self> {
        let mut session = Session::start().await?;
        let mut parts = Vec::new();
        let (display, xvfb) = virtual_display(&session).await?;
        session.show_on(display.clone());
        parts.push(xvfb);
        parts.push(spawn_silently(&session, "openbox", &[])?);
        let managed = tokio::task::spawn_blocking(move || window_manager::wait_until_managed(&display));
        timeout(DEADLINE, managed).await.context("the window manager did not start")???;
        let opened = install_reporting_browser(&session).await?;
        let (daemon, notified) = if with.notifications {
            let (dunst, notified) = dunst(&session)?;
            wait_for_bus_name(&session, "org.freedesktop.Notifications")?;
            (Some(dunst), notified)
        } else {
            (None, watch::channel(String::new()).1)
        };
        let mut desktop = Self { session, opened, notified, daemon, panel: None, _parts: parts };
        if with.tray {
            desktop.start_panel()?;
        }
        Ok(desktop)
    }

    /// Starts the panel with its tray.
    pub fn start_panel(&mut self) -> Result<()> {
        panel(&self.session)?;
        self.panel = Some(spawn_silently(&self.session, "xfce4-panel", &["--disable-wm-check"])?);
        wait_for_bus_name(&self.session, "org.kde.StatusNotifierWatcher")
    }

    /// Kills the panel.
    pub async fn kill_panel(&mut self) -> Result<()> {
        let mut panel = self.panel.take().context("there is no panel")?;
        Ok(panel.kill().await?)
    }

    /// Suspends the notification daemon: it keeps its name on the bus and doesn't respond.
    pub fn freeze_notifications(&self) -> Result<()> {
        let pid = self.daemon.as_ref().and_then(Child::id).context("no daemon")?;
        process::signal("STOP", pid)
    }

    /// The next address that the system's browser was asked to open.
    pub async fn opened(&mut self) -> Result<String> {
        let next = timeout(DEADLINE, self.opened.recv()).await.context("no address was opened")?;
        next.context("the browser script's channel is closed")
    }

    /// Waits until a notification has shown this text.
    pub async fn notified(&self, text: &str) -> Result<()> {
        let mut notified = self.notified.clone();
        let seen = timeout(DEADLINE, notified.wait_for(|all| all.contains(text))).await;
        seen.with_context(|| format!("no notification showed {text:?}: {}", *self.notified.borrow()))??;
        Ok(())
    }

    /// The text of all notifications so far.
    pub fn all_notified(&self) -> String {
        self.notified.borrow().clone()
    }

    /// The contents of all selections of the display: copied text and selected text.
    pub async fn selections(&self) -> Result<String> {
        let display = self.session.display().context("no display")?.to_owned();
        let read = tokio::task::spawn_blocking(move || selections::read(&display));
        timeout(DEADLINE, read).await.context("a selection was never transferred")??
    }

    /// The number of notifications with this title so far.
    pub fn times_notified(&self, title: &str) -> usize {
        count_titled(&self.notified.borrow(), title)
    }

    /// Waits until this many notifications have had this title.
    pub async fn notified_times(&self, title: &str, count: usize) -> Result<()> {
        let mut notified = self.notified.clone();
        let seen = timeout(DEADLINE, notified.wait_for(|all| count_titled(all, title) >= count)).await;
        seen.with_context(|| format!("{title:?} was not shown {count} times"))??;
        Ok(())
    }

    /// Presses a notification's button, as dunst's menu does.
    pub fn press_on_notification(&self, button: &str) -> Result<()> {
        fs::write(self.session.folder().join("press"), button)?;
        run(&self.session, "dunstctl", &["context"])
    }

    /// Sends the signal with which GNOME's screen saver reports that the machine was unlocked.
    pub fn send_unlock_signal(&self) -> Result<()> {
        let signal =
            ["--session", "-o", "/org/gnome/ScreenSaver", "-s", "org.gnome.ScreenSaver.ActiveChanged", "false"];
        run(&self.session, "gdbus", &[&["emit"], &signal[..]].concat())
    }

    /// Waits until a notification is visible.
    pub async fn has_a_notification(&self) -> Result<()> {
        self.notifications_up(|count| count > 0).await.context("no notification appeared")
    }

    /// Waits until no notification is visible.
    pub async fn has_no_notification(&self) -> Result<()> {
        self.notifications_up(|count| count == 0).await.context("a notification is still visible")
    }

    async fn notifications_up(&self, predicate: impl Fn(u32) -> bool) -> Result<()> {
        let seen = async {
            loop {
                let output = self.session.command("dunstctl").args(["count", "displayed"]).output()?;
                if String::from_utf8_lossy(&output.stdout).trim().parse().is_ok_and(&predicate) {
                    return Ok(());
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, seen).await?
    }

    fn call(&self, bus: &str, path: &str, method: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.session.command("gdbus");
        command.args(["call", "--session", "-d", bus, "-o", path, "-m", method, "--"]).args(arguments);
        let output = command.output()?;
        ensure!(output.status.success(), "{method}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The app's windows on the screen.
    pub fn windows(&self) -> Result<Vec<String>> {
        let output =
            self.session.command("xdotool").args(["search", "--onlyvisible", "--name", "^Relink$"]).output()?;
        Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
    }

    /// Waits until this many of the app's windows are on the screen.
    pub async fn has_windows(&self, count: usize) -> Result<Vec<String>> {
        let has = async {
            loop {
                match self.windows() {
                    Ok(windows) if windows.len() == count => return windows,
                    _ => tokio::time::sleep(POLL_INTERVAL).await,
                }
            }
        };
        timeout(DEADLINE, has).await.with_context(|| format!("expected {count} windows, found {:?}", self.windows()))
    }

    /// Waits until a window whose title begins with this text is on the screen.
    pub async fn has_window_called(&self, title: &str) -> Result<String> {
        let pattern = format!("^{title}");
        let has = async {
            loop {
                let search =
                    self.session.command("xdotool").args(["search", "--onlyvisible", "--name", &pattern]).output();
                let found = search.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
                if let Some(window) = found.ok().and_then(|found| found.lines().next().map(str::to_owned)) {
                    return window;
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, has).await.with_context(|| format!("no window {title:?}"))
    }

    /// Waits until no window on the screen has a title that begins with this text.
    pub async fn has_no_window_called(&self, title: &str) -> Result<()> {
        let pattern = format!("^{title}");
        let closes = async {
            loop {
                let search = ["search", "--onlyvisible", "--name", &pattern];
                let output = self.session.command("xdotool").args(search).output()?;
                if output.stdout.is_empty() {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, closes).await.with_context(|| format!("{title:?} is still on the screen"))?
    }

    /// Brings a window to the front.
    pub fn activate(&self, window: &str) -> Result<()> {
        run(&self.session, "xdotool", &["windowactivate", "--sync", window])
    }

    /// Types a text into the focused window and presses Enter, until the window, which is called so, closes. A dialog may miss the first
    /// keys, and ignores Enter while it completes what was typed.
    pub async fn enter_into(&self, title: &str, text: &str) -> Result<()> {
        let closes = async {
            loop {
                run(&self.session, "xdotool", &["key", "ctrl+a"])?;
                run(&self.session, "xdotool", &["type", "--delay", "20", text])?;
                run(&self.session, "xdotool", &["key", "Return"])?;
                if let Ok(closed) = timeout(Duration::from_secs(2), self.has_no_window_called(title)).await {
                    return closed;
                }
            }
        };
        timeout(DEADLINE, closes).await.with_context(|| format!("{title:?} doesn't close"))?
    }

    /// Waits until the focused window has a title that begins with this text.
    pub async fn is_in_front(&self, title: &str) -> Result<()> {
        let in_front = || -> Result<String> {
            let output = self.session.command("xdotool").args(["getactivewindow", "getwindowname"]).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let waits = async {
            while !in_front().is_ok_and(|name| name.starts_with(title)) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, waits).await.with_context(|| format!("the focused window is {:?}, not {title:?}", in_front()))
    }

    /// Closes a window, as its button in a panel does. Doesn't press a key, because a key press is lost while the
    /// window manager grabs the keyboard again.
    pub fn close_window(&self, window: &str) -> Result<()> {
        window_manager::close(self.session.display().context("no display")?, window.parse()?)
    }

    /// Waits until Relink's URL scheme has a registered handler. An app that runs from a build folder registers it in
    /// the background after its start.
    pub async fn has_deep_link_handler(&self) -> Result<()> {
        let takes = async {
            loop {
                let mut query = self.session.command("xdg-mime");
                query.args(["query", "default", "x-scheme-handler/app.relink.desktop"]);
                if !query.output()?.stdout.is_empty() {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, takes).await.context("the URL scheme was never registered")?
    }

    /// Opens an address as the system does, through the app's desktop entry. Starts the app if it isn't running, with
    /// this desktop's data folder; on a real desktop, the app finds the folder by itself.
    pub fn open_url(&self, url: &str) -> Result<()> {
        let mut command = self.session.command("gio");
        command.args(["open", url]).env("RELINK_DATA_DIR", self.session.data_dir());
        // The started app would keep inherited pipes open for as long as it runs.
        let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(ended.success(), "gio open: {ended}");
        Ok(())
    }

    /// Writes a screenshot of the whole screen to this file.
    pub fn screenshot(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Debian's own name of ImageMagick's `import`, since other programs have that name too. It captures the visible
        // screen; xwd would render windows whose visual differs from the screen's in black.
        let shot = format!("png:{}", path.display());
        run(&self.session, "import-im6.q16", &["-silent", "-window", "root", &shot])
    }
}

/// Counts the notifications with this title. dunst prints each part of a notification on its own line.
fn count_titled(printed: &str, title: &str) -> usize {
    printed.lines().filter(|line| line.contains("summary") && line.contains(title)).count()
}
