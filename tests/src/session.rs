//! A private desktop session for one test: a D-Bus bus and gnome-keyring in a temporary folder. The user's own session
//! isn't touched.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::process;

const PASSWORD: &str = "correct horse";

/// A running session.
#[derive(Debug)]
pub struct Session {
    folder: TempDir,
    display: Option<String>,
    _bus: Child,
    keyring: Option<Child>,
}

impl Session {
    /// Starts a bus, and a keyring with an unlocked collection.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("relink-").tempdir()?;
        for name in ["run", "data", "config", "cache", "services"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let config = folder.path().join("bus.conf");
        fs::write(&config, bus_config(folder.path()))?;
        let mut command = process::command("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut bus = process::spawn(command)?;
        let out = bus.stdout.take().context("the bus has no output")?;
        BufReader::new(out).read_line(&mut String::new()).await?;
        let mut session = Self { folder, display: None, _bus: bus, keyring: None };
        session.start_keyring()?;
        Ok(session)
    }

    /// The session's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Relink's data folder in this session.
    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("relink")
    }

    /// Sets the display for programs that are started from now on.
    pub(crate) fn show_on(&mut self, display: String) {
        self.display = Some(display);
    }

    /// The display of the session's programs, if there is one.
    pub fn display(&self) -> Option<&str> {
        self.display.as_deref()
    }

    /// The environment variables of every program in the session.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let at = |name: &str| self.folder.path().join(name);
        vec![
            ("HOME", self.folder.path().to_owned()),
            ("XDG_RUNTIME_DIR", at("run")),
            ("XDG_DATA_HOME", at("data")),
            ("XDG_CONFIG_HOME", at("config")),
            ("XDG_CACHE_HOME", at("cache")),
            // Several tests run at a time, and the default port is the user's own Relink's.
            ("RELINK_LISTEN", PathBuf::from("127.0.0.1:0")),
            ("DBUS_SESSION_BUS_ADDRESS", PathBuf::from(format!("unix:path={}", at("bus").display()))),
        ]
    }

    /// A command that runs in the session.
    pub fn command(&self, program: &str) -> Command {
        let mut command = process::command(program);
        command.envs(self.environment());
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL"] {
            command.env_remove(name);
        }
        if let Some(display) = &self.display {
            command.env("DISPLAY", display).env("XDG_CURRENT_DESKTOP", "GNOME").env("GDK_BACKEND", "x11");
        }
        command
    }

    fn start_keyring(&mut self) -> Result<()> {
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--unlock", "--components=secrets", "--foreground"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keyring = process::spawn(command)?;
        let stdin = keyring.stdin.take().context("the keyring's standard input is not available")?;
        let mut stdin = stdin.into_owned_fd().map(fs::File::from)?;
        stdin.write_all(PASSWORD.as_bytes())?;
        drop(stdin);
        self.keyring = Some(keyring);
        // Wait until the bus name has an owner.
        self.dbus(&["wait", "--session", "--timeout", "20", "org.freedesktop.secrets"])
    }

    fn dbus(&self, arguments: &[&str]) -> Result<()> {
        let output = self.command("gdbus").args(arguments).output()?;
        ensure!(output.status.success(), "gdbus {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Locks the collection, as a user does in the keychain's own app.
    pub fn lock(&self) -> Result<()> {
        let objects = "['/org/freedesktop/secrets/collection/login']";
        let call = ["call", "--session", "-d", "org.freedesktop.secrets", "-o", "/org/freedesktop/secrets", "-m"];
        self.dbus(&[&call[..], &["org.freedesktop.Secret.Service.Lock", objects]].concat())
    }

    /// Unlocks the collection through the daemon's control socket, as PAM does (gnome-keyring, daemon/control).
    pub fn unlock(&self) -> Result<()> {
        const UNLOCK: u32 = 1;
        let length = u32::try_from(8 + 4 + PASSWORD.len())?;
        let mut packet = vec![0_u8]; // the byte that carries the peer's credentials
        packet.extend(length.to_be_bytes());
        packet.extend(UNLOCK.to_be_bytes());
        packet.extend(u32::try_from(PASSWORD.len())?.to_be_bytes());
        packet.extend(PASSWORD.as_bytes());
        let mut socket = UnixStream::connect(self.folder.path().join("run/keyring/control"))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        socket.write_all(&packet)?;
        let mut answer = [0_u8; 8];
        socket.read_exact(&mut answer)?;
        ensure!(answer[4..] == [0; 4], "the keyring did not unlock: {answer:?}");
        Ok(())
    }

    /// Whether the keyring daemon has exited by itself.
    pub fn keyring_has_died(&mut self) -> bool {
        self.keyring.as_mut().is_none_or(|keyring| !matches!(keyring.try_wait(), Ok(None)))
    }

    /// Kills the keyring daemon and starts it again. Its items are unchanged.
    pub async fn restart_keyring(&mut self) -> Result<()> {
        if let Some(mut keyring) = self.keyring.take() {
            keyring.kill().await?;
        }
        self.start_keyring()
    }

    /// All of Relink's items in the keyring, including their secrets, as `secret-tool` prints them.
    pub fn keyring_text(&self) -> Result<String> {
        let output = self.command("secret-tool").args(["search", "--all", "service", "app.relink.desktop"]).output()?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// The content of the item with this name.
    pub fn item(&self, user: &str) -> Result<Value> {
        let output =
            self.command("secret-tool").args(["lookup", "service", "app.relink.desktop", "username", user]).output()?;
        serde_json::from_slice(&output.stdout).with_context(|| format!("the keyring has no item {user}"))
    }

    /// The secrets of all of Relink's items in the keyring.
    pub fn kept(&self) -> Result<Vec<String>> {
        let text = self.keyring_text()?;
        let items = text.lines().filter_map(|line| line.strip_prefix("secret = "));
        let items = items.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        let secrets = items.iter().filter_map(|item| item["secrets"].as_object()).flat_map(|secrets| secrets.values());
        Ok(secrets.filter_map(|secret| secret.as_str().map(str::to_owned)).collect())
    }

    /// Removes the item with this name, as a user does in the keychain's own app.
    pub fn remove_item(&self, user: &str) -> Result<()> {
        let output =
            self.command("secret-tool").args(["clear", "service", "app.relink.desktop", "username", user]).output()?;
        ensure!(output.status.success(), "secret-tool: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

fn bus_config(folder: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
          "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
        <busconfig>
          <type>session</type>
          <listen>unix:path={folder}/bus</listen>
          <servicedir>{folder}/services</servicedir>
          <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
        </busconfig>"#,
        folder = folder.display()
    )
}
