//! A desktop session of a test's own: a D-Bus bus and gnome-keyring in a temporary folder, nothing of the person's.
//!
//! Where the bus is stands in the environment, and a process can't change its own safely. So each test runs itself once
//! more, alone, in a process whose environment points to the folder; what is started there is up to the test.

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

/// The folder, and what runs in it.
pub struct Session {
    folder: PathBuf,
    bus: Option<Child>,
    keyring: Option<Child>,
}

/// Runs the test in a session of its own, in which nothing is started yet.
pub fn alone<F: AsyncFnOnce(&mut Session)>(test: F) {
    if let Some(folder) = env::var_os(FOLDER) {
        let mut session = Session { folder: folder.into(), bus: None, keyring: None };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test(&mut session));
        fs::write(session.folder.join("passed"), "").unwrap();
        return;
    }
    // The test's path without the crate's name, as the test harness wants it: the closure is named after its function.
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
    assert!(folder.path().join("passed").exists(), "the test has not run in its own session");
}

#[allow(clippy::unused_self)] // the session is the environment: who asks must have one
impl Session {
    /// A bus on which nothing can be started by name.
    pub fn start_bus(&mut self) {
        self.start_bus_with(None);
    }

    /// A bus on which the keyring's prompts are answered by a program that never comes up: they stay open.
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

    /// gnome-keyring with its login collection open.
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

    /// gnome-keyring as it is when nobody has signed in: no password, no collection but the fleeting one.
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

    /// Locks the collection, as a person does in the keychain's own app.
    pub fn lock(&self) {
        let collections = format!("['{LOGIN_COLLECTION}']");
        let call = ["call", "--session", "-d", "org.freedesktop.secrets", "-o", "/org/freedesktop/secrets"];
        let method = ["-m", "org.freedesktop.Secret.Service.Lock", &collections];
        run("gdbus", &[&call[..], &method[..]].concat(), "libglib2.0-bin");
    }

    /// Unlocks it as signing in does: PAM speaks to the daemon's control socket (gnome-keyring, daemon/control).
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
        assert_eq!(answer, [0, 0, 0, 8, 0, 0, 0, 0], "the daemon refuses to unlock");
    }

    /// Stops the daemon in its tracks: it keeps its name on the bus and answers nothing.
    pub fn freeze_keyring(&self) {
        self.signal("STOP");
    }

    pub fn thaw_keyring(&self) {
        self.signal("CONT");
    }

    /// What another program finds under Relink's name.
    pub fn lookup(&self, user: &str) -> String {
        run("secret-tool", &["lookup", "service", "app.relink.desktop", "username", user], "libsecret-tools")
    }

    /// What a person sees of it: label and attributes.
    pub fn search(&self, user: &str) -> String {
        run("secret-tool", &["search", "service", "app.relink.desktop", "username", user], "libsecret-tools")
    }

    /// Removes the item, as a person does.
    pub fn clear(&self, user: &str) {
        run("secret-tool", &["clear", "service", "app.relink.desktop", "username", user], "libsecret-tools");
    }

    /// Whether a prompt is open on the bus: gnome-keyring makes an object for each.
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
        // It may have ended by itself, which is as good.
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
    // secret-tool ends with 1 and says nothing where it finds nothing.
    assert!(
        status.success() || stderr.is_empty(),
        "{program} {arguments:?}: {status}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}
