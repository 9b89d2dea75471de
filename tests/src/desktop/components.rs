//! The parts of a desktop, each a real program.

use std::{
    fs::{self, Permissions},
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

use crate::{process, relink::DEADLINE, session::Session};

pub(super) fn run(session: &Session, program: &str, arguments: &[&str]) -> Result<()> {
    let output = session.command(program).args(arguments).output()?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

pub(super) fn spawn_silently(session: &Session, program: &str, arguments: &[&str]) -> Result<Child> {
    let mut command = session.command(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    process::spawn(command)
}

/// Waits until this bus name has an owner.
pub(super) fn wait_for_bus_name(session: &Session, name: &str) -> Result<()> {
    run(session, "gdbus", &["wait", "--session", "--timeout", "20", name])
}

/// Starts a virtual display. Xvfb chooses its number and prints it.
pub(super) async fn virtual_display(session: &Session) -> Result<(String, Child)> {
    let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    let mut command = session.command("sh");
    command.args(["-c", "exec Xvfb -displayfd 1 -screen 0 1280x900x24 -nolisten tcp"]);
    command.stdout(Stdio::from(std::os::fd::OwnedFd::from(writer))).stderr(Stdio::null());
    let xvfb = process::spawn(command)?;
    let mut number = String::new();
    let mut reader = BufReader::new(tokio::net::UnixStream::from_std(reader)?);
    timeout(DEADLINE, reader.read_line(&mut number)).await.context("Xvfb printed no display number")??;
    ensure!(!number.trim().is_empty(), "Xvfb has exited");
    Ok((format!(":{}", number.trim()), xvfb))
}

/// Installs the session's default browser: a script that passes the address to the test.
pub(super) async fn install_reporting_browser(session: &Session) -> Result<mpsc::Receiver<String>> {
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

/// Starts dunst, which prints each notification when it arrives. Its menu is a script that presses the test's choice.
pub(super) fn dunst(session: &Session) -> Result<(Child, watch::Receiver<String>)> {
    let press = session.folder().join("press");
    let menu = session.folder().join("menu");
    // Each line of the menu is `#action [label] …`; the script prints the line that the test chose.
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

/// Configures a panel that has only a tray.
pub(super) fn panel(session: &Session) -> Result<()> {
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
    // The panel's settings come from a service that the session bus starts.
    let service = "org.xfce.Xfconf.service";
    fs::copy(Path::new("/usr/share/dbus-1/services").join(service), session.folder().join("services").join(service))?;
    let bus = ["call", "--session", "-d", "org.freedesktop.DBus", "-o", "/org/freedesktop/DBus"];
    run(session, "gdbus", &[&bus[..], &["-m", "org.freedesktop.DBus.ReloadConfig"]].concat())
}
