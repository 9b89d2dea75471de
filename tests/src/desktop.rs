//! A desktop of a test's own: a virtual display, a window manager, a notification daemon, a panel with a tray, and a browser
//! that only says what it was asked to open.

use std::{
    fs::{self, Permissions},
    ops::{Deref, DerefMut},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpListener,
    process::Child,
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{page::LOOK, process, relink::DEADLINE, selections, session::Session};

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
        session.show_on(display);
        parts.push(xvfb);
        parts.push(quiet(&session, "openbox", &[])?);
        let opened = browser_that_only_says(&session).await?;
        let notified = if with.notifications {
            let (daemon, notified) = dunst(&session)?;
            parts.push(daemon);
            name_is_taken(&session, "org.freedesktop.Notifications")?;
            notified
        } else {
            watch::channel(String::new()).1
        };
        if with.tray {
            panel(&session)?;
            parts.push(quiet(&session, "xfce4-panel", &["--disable-wm-check"])?);
            name_is_taken(&session, "org.kde.StatusNotifierWatcher")?;
        }
        Ok(Self { session, opened, notified, _parts: parts })
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

    /// Closes a window, as Alt F4 does.
    pub fn close_window(&self, window: &str) -> Result<()> {
        run(&self.session, "xdotool", &["windowactivate", "--sync", window, "key", "--clearmodifiers", "alt+F4"])
    }

    /// Hands an address over as the system does.
    pub fn hand_over(&self, url: &str) -> Result<()> {
        run(&self.session, "gio", &["open", url])
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

fn run(session: &Session, program: &str, arguments: &[&str]) -> Result<()> {
    let output = session.command(program).args(arguments).output()?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn quiet(session: &Session, program: &str, arguments: &[&str]) -> Result<Child> {
    let mut command = session.command(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    process::spawn(command)
}

/// The bus itself waits until the name has its owner.
fn name_is_taken(session: &Session, name: &str) -> Result<()> {
    run(session, "gdbus", &["wait", "--session", "--timeout", "20", name])
}

/// A display of its own; Xvfb chooses the number and says it.
async fn virtual_display(session: &Session) -> Result<(String, Child)> {
    let (said, says) = std::os::unix::net::UnixStream::pair()?;
    said.set_nonblocking(true)?;
    let mut command = session.command("sh");
    command.args(["-c", "exec Xvfb -displayfd 1 -screen 0 1280x900x24 -nolisten tcp"]);
    command.stdout(Stdio::from(std::os::fd::OwnedFd::from(says))).stderr(Stdio::null());
    let xvfb = process::spawn(command)?;
    let mut number = String::new();
    let mut reader = BufReader::new(tokio::net::UnixStream::from_std(said)?);
    timeout(DEADLINE, reader.read_line(&mut number)).await.context("Xvfb is silent")??;
    ensure!(!number.trim().is_empty(), "Xvfb ended");
    Ok((format!(":{}", number.trim()), xvfb))
}

/// The session's default browser: a script that hands the address to the test.
async fn browser_that_only_says(session: &Session) -> Result<mpsc::Receiver<String>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let script = session.folder().join("browser");
    fs::write(&script, format!("#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/{port}\nprintf '%s' \"$1\" >&3\n"))?;
    fs::set_permissions(&script, Permissions::from_mode(0o700))?;
    let applications = session.folder().join("data/applications");
    fs::create_dir_all(&applications)?;
    let entry = format!(
        "[Desktop Entry]\nType=Application\nName=Browser\nExec={} %u\nMimeType=text/html;x-scheme-handler/http;x-scheme-handler/https;\n",
        script.display()
    );
    fs::write(applications.join("test-browser.desktop"), entry)?;
    let defaults = "[Default Applications]\nx-scheme-handler/http=test-browser.desktop\nx-scheme-handler/https=test-browser.desktop\n";
    fs::write(session.folder().join("config/mimeapps.list"), defaults)?;
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut url = String::new();
            if stream.read_to_string(&mut url).await.is_ok() && sender.send(url).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// dunst prints each notification when it comes; its menu is a script that presses what the test wants.
fn dunst(session: &Session) -> Result<(Child, watch::Receiver<String>)> {
    let press = session.folder().join("press");
    let menu = session.folder().join("menu");
    // Each line of the menu is `#action [label] …`; the script gives back the one that is wanted.
    fs::write(&menu, format!("#!/bin/bash\ngrep -F -m1 -- \"#$(cat '{}')\"\n", press.display()))?;
    fs::set_permissions(&menu, Permissions::from_mode(0o700))?;
    let config = session.folder().join("dunstrc");
    fs::write(&config, format!("[global]\ndmenu = {}\nhistory_length = 50\n", menu.display()))?;
    let mut command = session.command("dunst");
    command.arg("-config").arg(config).arg("-print").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut daemon = process::spawn(command)?;
    let mut lines = BufReader::new(daemon.stdout.take().context("no output")?).lines();
    let (sender, receiver) = watch::channel(String::new());
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|all| {
                all.push_str(&line);
                all.push('\n');
            });
        }
    });
    Ok((daemon, receiver))
}

/// A panel with nothing but a tray.
fn panel(session: &Session) -> Result<()> {
    let folder = session.folder().join("config/xfce4/xfconf/xfce-perchannel-xml");
    fs::create_dir_all(&folder)?;
    let channel = r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="size" type="uint" value="26"/>
      <property name="length" type="uint" value="100"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray"/>
  </property>
</channel>"#;
    fs::write(folder.join("xfce4-panel.xml"), channel)?;
    // The panel's settings come from a service that the session's bus starts.
    let service = "org.xfce.Xfconf.service";
    fs::copy(Path::new("/usr/share/dbus-1/services").join(service), session.folder().join("services").join(service))?;
    let bus = ["call", "--session", "-d", "org.freedesktop.DBus", "-o", "/org/freedesktop/DBus"];
    run(session, "gdbus", &[&bus[..], &["-m", "org.freedesktop.DBus.ReloadConfig"]].concat())
}
