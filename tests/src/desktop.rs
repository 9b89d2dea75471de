//! A desktop of a test's own: a virtual display, a window manager, a notification daemon, a panel with a tray, and a browser
//! that only says what it was asked to open.

mod answering;
mod parts;

use std::{
    fs,
    ops::{Deref, DerefMut},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    process::Child,
    sync::{mpsc, watch},
    time::timeout,
};

pub use answering::Answering;
use parts::{browser_that_only_says, dunst, name_is_taken, panel, quiet, run, virtual_display};

use crate::{page::LOOK, process, relink::DEADLINE, screen, selections, session::Session};

/// What of a desktop there is. Some have no tray, some no notifications.
#[derive(Debug, Clone, Copy)]
pub struct With {
    /// A notification daemon.
    pub notifications: bool,
    /// A panel that shows tray icons.
    pub tray: bool,
}

/// Everything.
pub const ALL: With = With { notifications: true, tray: true };

/// The desktop.
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
    /// Starts one.
    pub async fn start(with: With) -> Result<Self> {
        let mut session = Session::start().await?;
        let mut parts = Vec::new();
        let (display, xvfb) = virtual_display(&session).await?;
        session.show_on(display.clone());
        parts.push(xvfb);
        parts.push(quiet(&session, "openbox", &[])?);
        let managed = tokio::task::spawn_blocking(move || screen::is_managed(&display));
        timeout(DEADLINE, managed).await.context("no window manager came")???;
        let opened = browser_that_only_says(&session).await?;
        let (daemon, notified) = if with.notifications {
            let (dunst, notified) = dunst(&session)?;
            name_is_taken(&session, "org.freedesktop.Notifications")?;
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

    /// The panel comes, with its tray.
    pub fn start_panel(&mut self) -> Result<()> {
        panel(&self.session)?;
        self.panel = Some(quiet(&self.session, "xfce4-panel", &["--disable-wm-check"])?);
        name_is_taken(&self.session, "org.kde.StatusNotifierWatcher")
    }

    /// The panel dies.
    pub async fn kill_panel(&mut self) -> Result<()> {
        let mut panel = self.panel.take().context("there is no panel")?;
        Ok(panel.kill().await?)
    }

    /// From now on the notification daemon answers nobody, and stays where it is.
    pub fn freeze_notifications(&self) -> Result<()> {
        let pid = self.daemon.as_ref().and_then(Child::id).context("a daemon")?;
        process::signal("STOP", pid)
    }

    /// The next address that the system's browser was asked to open.
    pub async fn opened(&mut self) -> Result<String> {
        let next = timeout(DEADLINE, self.opened.recv()).await.context("no address was opened")?;
        next.context("the browser is gone")
    }

    /// Waits until a notification showed this text.
    pub async fn notified(&self, text: &str) -> Result<()> {
        let mut notified = self.notified.clone();
        let seen = timeout(DEADLINE, notified.wait_for(|all| all.contains(text))).await;
        seen.with_context(|| format!("no notification said {text:?}: {}", *self.notified.borrow()))??;
        Ok(())
    }

    /// All that notifications have said.
    pub fn all_notified(&self) -> String {
        self.notified.borrow().clone()
    }

    /// What was copied, and what is marked: all selections of the display.
    pub async fn selections(&self) -> Result<String> {
        let display = self.session.display().context("a display")?.to_owned();
        let read = tokio::task::spawn_blocking(move || selections::read(&display));
        timeout(DEADLINE, read).await.context("a selection is never handed over")??
    }

    /// How many notifications had this title so far.
    pub fn times_notified(&self, title: &str) -> usize {
        times_in(&self.notified.borrow(), title)
    }

    /// Waits until so many notifications had this title.
    pub async fn notified_times(&self, title: &str, count: usize) -> Result<()> {
        let mut notified = self.notified.clone();
        let seen = timeout(DEADLINE, notified.wait_for(|all| times_in(all, title) >= count)).await;
        seen.with_context(|| format!("{title:?} was not shown {count} times"))??;
        Ok(())
    }

    /// Presses a notification's button, as dunst's menu does.
    pub fn press_on_notification(&self, button: &str) -> Result<()> {
        fs::write(self.session.folder().join("press"), button)?;
        run(&self.session, "dunstctl", &["context"])
    }

    /// The person unlocks the machine, as GNOME's screen saver says it.
    pub fn unlocks(&self) -> Result<()> {
        let signal =
            ["--session", "-o", "/org/gnome/ScreenSaver", "-s", "org.gnome.ScreenSaver.ActiveChanged", "false"];
        run(&self.session, "gdbus", &[&["emit"], &signal[..]].concat())
    }

    /// Waits until a notification is up.
    pub async fn has_a_notification(&self) -> Result<()> {
        self.notifications_up(|count| count > 0).await.context("no notification came up")
    }

    /// Waits until no notification is up.
    pub async fn has_no_notification(&self) -> Result<()> {
        self.notifications_up(|count| count == 0).await.context("a notification stays")
    }

    async fn notifications_up(&self, wanted: impl Fn(u32) -> bool) -> Result<()> {
        let seen = async {
            loop {
                let output = self.session.command("dunstctl").args(["count", "displayed"]).output()?;
                if String::from_utf8_lossy(&output.stdout).trim().parse().is_ok_and(&wanted) {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, seen).await?
    }

    /// The labels of the tray's menu, with the numbers by which they are pressed.
    pub fn tray_menu(&self) -> Result<Vec<(u32, String)>> {
        let (bus, menu) = self.tray()?;
        let layout = self.call(&bus, &menu, "com.canonical.dbusmenu.GetLayout", &["0", "-1", "[]"])?;
        // As gdbus writes it: (3, {'label': <'Open Relink'>, …}
        let mut items = Vec::new();
        for (at, _) in layout.match_indices("'label': <") {
            let rest = &layout[at + "'label': <".len()..];
            let quote = rest.chars().next().context("a label")?;
            let label = rest[1..].split(quote).next().unwrap_or_default().to_owned();
            let number = layout[..at].rsplit('(').next().and_then(|head| head.split(',').next());
            items.push((number.and_then(|number| number.trim().parse().ok()).context("a number")?, label));
        }
        Ok(items)
    }

    /// Waits until an item of the tray's menu is ticked: the menu is drawn beside the window.
    pub async fn ticks_in_tray(&self, label: &str) -> Result<()> {
        let ticks = async {
            while !self.is_ticked_in_tray(label).unwrap_or_default() {
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, ticks).await.with_context(|| format!("{label:?} is never ticked in the tray"))
    }

    fn is_ticked_in_tray(&self, label: &str) -> Result<bool> {
        let (bus, menu) = self.tray()?;
        let found = self.tray_menu()?.into_iter().find(|(_, text)| text.contains(label));
        let (number, _) = found.with_context(|| format!("no {label:?} in the tray"))?;
        let state = [&number.to_string(), "toggle-state"];
        Ok(self.call(&bus, &menu, "com.canonical.dbusmenu.GetProperty", &state)?.contains("<1>"))
    }

    /// Presses an item of the tray's menu.
    pub fn press_in_tray(&self, label: &str) -> Result<()> {
        let items = self.tray_menu()?;
        let found = items.iter().find(|(_, text)| text.contains(label));
        let (number, _) = found.with_context(|| format!("no {label:?} in the tray: {items:?}"))?;
        let (bus, menu) = self.tray()?;
        let event = [&number.to_string(), "clicked", "<int32 0>", "0"];
        self.call(&bus, &menu, "com.canonical.dbusmenu.Event", &event).map(drop)
    }

    /// Waits until the tray's menu has an item with this text.
    pub async fn tray_says(&self, text: &str) -> Result<()> {
        let says = async {
            // The menu tells nobody but its panel when it changes.
            while !self.tray_menu().unwrap_or_default().iter().any(|(_, label)| label.contains(text)) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let menu = || format!("the tray never said {text:?}: {:?}", self.tray_menu());
        timeout(DEADLINE, says).await.with_context(menu)
    }

    /// The tray icon's owner on the bus, and its menu's path.
    fn tray(&self) -> Result<(String, String)> {
        let watcher = "org.kde.StatusNotifierWatcher";
        let get = "org.freedesktop.DBus.Properties.Get";
        let items = self.call(watcher, "/StatusNotifierWatcher", get, &[watcher, "RegisteredStatusNotifierItems"])?;
        let item = items.split('\'').nth(1).context("a tray icon")?.to_owned();
        let at = item.find('/').context("a path")?;
        let (bus, path) = item.split_at(at);
        let menu = self.call(bus, path, get, &["org.kde.StatusNotifierItem", "Menu"])?;
        Ok((bus.to_owned(), menu.split('\'').nth(1).context("a menu")?.to_owned()))
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

    /// Waits until so many of the app's windows are on the screen.
    pub async fn has_windows(&self, count: usize) -> Result<Vec<String>> {
        let has = async {
            loop {
                match self.windows() {
                    Ok(windows) if windows.len() == count => return windows,
                    _ => tokio::time::sleep(LOOK).await,
                }
            }
        };
        timeout(DEADLINE, has).await.with_context(|| format!("{count} windows, there are {:?}", self.windows()))
    }

    /// Waits until a window whose title begins so is on the screen.
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
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, has).await.with_context(|| format!("no window {title:?}"))
    }

    /// Waits until no window's title on the screen begins so.
    pub async fn has_no_window_called(&self, title: &str) -> Result<()> {
        let pattern = format!("^{title}");
        let closes = async {
            loop {
                let search = ["search", "--onlyvisible", "--name", &pattern];
                let output = self.session.command("xdotool").args(search).output()?;
                if output.stdout.is_empty() {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, closes).await.with_context(|| format!("{title:?} stays"))?
    }

    /// Brings a window to the front.
    pub fn activate(&self, window: &str) -> Result<()> {
        run(&self.session, "xdotool", &["windowactivate", "--sync", window])
    }

    /// Waits until the window that has the keyboard has a title that begins so.
    pub async fn is_in_front(&self, title: &str) -> Result<()> {
        let in_front = || -> Result<String> {
            let output = self.session.command("xdotool").args(["getactivewindow", "getwindowname"]).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let waits = async {
            while !in_front().is_ok_and(|name| name.starts_with(title)) {
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, waits).await.with_context(|| format!("in front is {:?}, not {title:?}", in_front()))
    }

    /// Closes a window, as its button in a panel does. No key is pressed: one that comes while the window manager takes the
    /// keyboard anew is lost.
    pub fn close_window(&self, window: &str) -> Result<()> {
        screen::close(self.session.display().context("a display")?, window.parse()?)
    }

    /// Waits until the system has a program for our addresses: a run from a build folder sees to that beside its start.
    pub async fn takes_deep_links(&self) -> Result<()> {
        let takes = async {
            loop {
                let mut asks = self.session.command("xdg-mime");
                asks.args(["query", "default", "x-scheme-handler/app.relink.desktop"]);
                if !asks.output()?.stdout.is_empty() {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, takes).await.context("the scheme was never registered")?
    }

    /// Hands an address over as the system does, by the program's desktop entry. A program that isn't running yet is started by
    /// it: with this desktop's data folder, which it would find by itself on a person's.
    pub fn hand_over(&self, url: &str) -> Result<()> {
        let mut command = self.session.command("gio");
        command.args(["open", url]).env("RELINK_DATA_DIR", self.session.data_dir());
        // What it starts holds what it is given, for as long as it runs.
        let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(ended.success(), "gio open: {ended}");
        Ok(())
    }

    /// A picture of the whole screen.
    pub fn picture(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // By the package's own name: another program is called import, too. It reads what the screen shows; xwd reads each
        // window by its visual, and paints those of another one than the screen's black.
        let shot = format!("png:{}", path.display());
        run(&self.session, "import-im6.q16", &["-silent", "-window", "root", &shot])
    }
}

/// dunst prints each notification's parts on lines of their own.
fn times_in(printed: &str, title: &str) -> usize {
    printed.lines().filter(|line| line.contains("summary") && line.contains(title)).count()
}
