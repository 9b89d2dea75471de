//! A private desktop session for one test: a D-Bus bus and gnome-keyring in a temporary folder. The user's own session
//! isn't touched.
//!
//! The address of the bus is an environment variable, and a process can't change its own environment safely. So each
//! test runs itself again, alone, in a process whose environment points to the folder. The test decides what to start.

use std::{
    any::type_name,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

const FOLDER: &str = "RELINK_TEST_SESSION";
const PASSWORD: &str = "correct horse";
const LOGIN_COLLECTION: &str = "/org/freedesktop/secrets/collection/login";

/// The temporary folder, and the processes that run in it.
pub struct Session {
    folder: PathBuf,
    bus: Option<Child>,
    keyring: Option<Child>,
}

/// Runs the test in its own session, in which nothing is started yet.
pub fn alone<F: AsyncFnOnce(&mut Session)>(test: F) {
    if let Some(folder) = env::var_os(FOLDER) {
        let mut session = Session { folder: folder.into(), bus: None, keyring: None };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test(&mut session));
        fs::write(session.folder.join("passed"), "").unwrap();
        return;
    }
    // The test's path without the crate name, as libtest expects it. The closure's type name contains the path.
    let name = type_name::<F>().split("::").skip(1).take_while(|part| !part.starts_with('{')).collect::<Vec<_>>();
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(env::current_exe().unwrap())
        .args([name.join("::").as_str(), "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("HOME", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("XDG_DATA_HOME", folder.path().join("data"))
        .env("XDG_CONFIG_HOME", folder.path().join("config"))
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", folder.path().join("bus").display()))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("GNOME_KEYRING_CONTROL")
        .status()
        .unwrap();
    assert!(status.success(), "failed in its own session: {status}");
    assert!(folder.path().join("passed").exists(), "the test did not run in its own session");
}

#[allow(clippy::unused_self)] // the state is in the environment; `self` proves that the session exists
impl Session {
    /// A bus without activatable services.
    pub fn start_bus(&mut self) {
        self.start_bus_with(None);
    }

    /// A bus whose keyring prompter never starts, so that prompts stay open.
    pub fn start_bus_whose_prompts_stay_open(&mut self) {
        self.start_bus_with(Some("[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/sleep 600\n"));
    }

    fn start_bus_with(&mut self, prompter: Option<&str>) {
        let services = self.folder.join("services");
        fs::create_dir(&services).unwrap();
        if let Some(prompter) = prompter {
            fs::write(services.join("prompter.service"), prompter).unwrap();
        }
        let config = self.folder.join("bus.conf");
        fs::write(
            &config,
            format!(
                r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
                    "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
                <busconfig>
                    <type>session</type>
                    <listen>unix:path={}</listen>
                    <servicedir>{}</servicedir>
                    <policy context="default">
                        <allow send_destination="*" eavesdrop="true"/>
                        <allow eavesdrop="true"/>
                        <allow own="*"/>
                    </policy>
                    <limit name="service_start_timeout">600000</limit>
                </busconfig>"#,
                self.folder.join("bus").display(),
                services.display()
            ),
        )
        .unwrap();
        let mut bus = spawn(
            Command::new("dbus-daemon")
                .arg(format!("--config-file={}", config.display()))
                .args(["--nofork", "--print-address"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
            "dbus",
        );
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        self.bus = Some(bus);
    }

    /// gnome-keyring with an unlocked login collection.
    pub fn start_keyring(&mut self) {
        let mut keyring = spawn(
            Command::new("gnome-keyring-daemon")
                .args(["--unlock", "--components=secrets", "--foreground"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
            "gnome-keyring",
        );
        keyring.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        self.keyring = Some(keyring);
        wait_for_the_service();
    }

    /// gnome-keyring as it is before anybody has signed in: no password, and only the session collection.
    pub fn start_keyring_without_signing_in(&mut self) {
        self.keyring = Some(spawn(
            Command::new("gnome-keyring-daemon")
                .args(["--start", "--components=secrets", "--foreground"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
            "gnome-keyring",
        ));
        wait_for_the_service();
    }

    pub fn stop_keyring(&mut self) {
        end(self.keyring.take());
    }

    /// Locks the collection, as a user does in the keychain's own app.
    pub fn lock(&self) {
        let collections = format!("['{LOGIN_COLLECTION}']");
        let call = ["call", "--session", "-d", "org.freedesktop.secrets", "-o", "/org/freedesktop/secrets"];
        let method = ["-m", "org.freedesktop.Secret.Service.Lock", &collections];
        run("gdbus", &[&call[..], &method[..]].concat(), "libglib2.0-bin");
    }

    /// Unlocks the collection through the daemon's control socket, as PAM does (gnome-keyring, daemon/control).
    pub fn unlock(&self) {
        const UNLOCK: u32 = 1;
        let mut packet = vec![0_u8]; // the byte that carries the peer's credentials
        packet.extend((12 + u32::try_from(PASSWORD.len()).unwrap()).to_be_bytes());
        packet.extend(UNLOCK.to_be_bytes());
        packet.extend(u32::try_from(PASSWORD.len()).unwrap().to_be_bytes());
        packet.extend(PASSWORD.as_bytes());
        let mut control = UnixStream::connect(self.folder.join("keyring/control")).unwrap();
        control.write_all(&packet).unwrap();
        let mut answer = [0_u8; 8];
        control.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0, 0, 0, 8, 0, 0, 0, 0], "the daemon refused to unlock");
    }

    /// Suspends the daemon. It keeps its name on the bus and doesn't respond.
    pub fn freeze_keyring(&self) {
        self.signal("STOP");
    }

    pub fn thaw_keyring(&self) {
        self.signal("CONT");
    }

    /// The secret that another program finds under Relink's service name.
    pub fn lookup(&self, user: &str) -> String {
        run("secret-tool", &["lookup", "service", "app.relink.desktop", "username", user], "libsecret-tools")
    }

    /// What the user sees of the item: label and attributes.
    pub fn search(&self, user: &str) -> String {
        run("secret-tool", &["search", "service", "app.relink.desktop", "username", user], "libsecret-tools")
    }

    /// Removes the item, as the user can.
    pub fn clear(&self, user: &str) {
        run("secret-tool", &["clear", "service", "app.relink.desktop", "username", user], "libsecret-tools");
    }

    /// The number of open prompts. gnome-keyring exports one object for each.
    pub fn prompts(&self) -> usize {
        run(
            "gdbus",
            &["introspect", "--session", "-d", "org.freedesktop.secrets", "-o", "/org/freedesktop/secrets/prompt"],
            "libglib2.0-bin",
        )
        .lines()
        .filter(|line| line.trim_start().starts_with("node ") && !line.contains("/prompt {"))
        .count()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn signal(&self, signal: &str) {
        let keyring = self.keyring.as_ref().expect("the keyring runs").id();
        run("kill", &[&format!("-{signal}"), &keyring.to_string()], "procps");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        end(self.keyring.take());
        end(self.bus.take());
    }
}

fn wait_for_the_service() {
    run("gdbus", &["wait", "--session", "--timeout", "20", "org.freedesktop.secrets"], "libglib2.0-bin");
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        // The process may already have exited, which is fine.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn spawn(command: &mut Command, package: &str) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; install the Debian package {package}"))
}

fn run(program: &str, arguments: &[&str], package: &str) -> String {
    let Output { status, stdout, stderr } = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; install the Debian package {package}"));
    // secret-tool exits with 1 and prints nothing if it finds nothing.
    assert!(
        status.success() || stderr.is_empty(),
        "{program} {arguments:?}: {status}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}
