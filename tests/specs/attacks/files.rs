//! Attacks through files: modes, links, pipes, crash dumps.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
        process::ExitStatusExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::desktop::connect;
use anyhow::{Context, Result, ensure};
use relink_tests::{
    app::App,
    desktop::{ALL, Desktop},
    process,
    relink::{DEADLINE, program},
    session::Session,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

/// Runs a program where files are created for everybody, and a crash leaves a file with the memory.
const CARELESS: &str = "umask 000; ulimit -c unlimited; exec \"$0\" \"$@\"";

fn careless(session: &Session, arguments: &[&str], data_dir: &Path) -> Command {
    let mut command = session.command("sh");
    command.args(["-c", CARELESS, &program()]).args(arguments).arg("--data-dir").arg(data_dir);
    command.current_dir(session.folder());
    command
}

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// Starts `serve`. `Err`: it has exited by itself, with this status and log.
async fn serve(session: &Session, data_dir: &Path) -> Result<Result<Child, Output>> {
    let mut command = careless(session, &SERVE, data_dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process::spawn(command)?;
    let mut out = BufReader::new(child.stdout.take().context("no output")?);
    let mut line = String::new();
    timeout(DEADLINE, out.read_line(&mut line)).await.context("serve hangs")??;
    if line.is_empty() {
        return Ok(Err(timeout(DEADLINE, child.wait_with_output()).await.context("serve hangs")??));
    }
    Ok(Ok(child))
}

/// Ends it with this signal.
async fn end(mut child: Child, signal: &str) -> Result<std::process::ExitStatus> {
    process::signal(signal, child.id().context("it has exited")?)?;
    Ok(timeout(DEADLINE, child.wait()).await.context("serve does not stop")??)
}

async fn cli(session: &Session, arguments: &[&str], data_dir: &Path) -> Result<Output> {
    let command = tokio::process::Command::from(careless(session, arguments, data_dir)).output();
    timeout(DEADLINE, command).await.with_context(|| format!("{arguments:?} hangs"))?.map_err(Into::into)
}

/// The files and folders of a folder that other users may use, with their modes.
fn open_to_others(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let mode = entry.metadata()?.mode();
        if mode & 0o077 != 0 {
            found.push(format!("{} {mode:o}", entry.path().display()));
        }
        if entry.file_type()?.is_dir() {
            found.extend(open_to_others(&entry.path())?);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn every_file_is_its_users_alone_whatever_the_umask() -> Result<()> {
    let session = Session::start().await?;
    let data_dir = session.folder().join("new/data");
    let running = serve(&session, &data_dir).await?.map_err(|output| anyhow::anyhow!("{output:?}"))?;
    for arguments in [&["sandbox", "start"][..], &["api-token", "create", "agent"], &["sandbox", "api-key"]] {
        let output = cli(&session, arguments, &data_dir).await?;
        ensure!(output.status.success(), "{output:?}");
    }
    let names: Vec<_> = fs::read_dir(&data_dir)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
    for name in
        ["relink.lock", "relink.db", "relink.db-wal", "relink.db-shm", "engine.json", "sandbox.json", "api.sock"]
    {
        ensure!(names.iter().any(|found| found == name), "{name} is missing: {names:?}");
    }
    for folder in [&data_dir, &session.folder().join("run/relink")] {
        assert_eq!(fs::metadata(folder)?.mode() & 0o777, 0o700, "{}", folder.display());
        assert_eq!(open_to_others(folder)?, Vec::<String>::new());
    }
    assert_eq!(fs::metadata(session.folder().join("new"))?.mode() & 0o777, 0o700);
    ensure!(end(running, "TERM").await?.success());
    assert_eq!(open_to_others(&data_dir)?, Vec::<String>::new(), "after a stop");
    Ok(())
}

#[tokio::test]
async fn every_file_of_the_desktop_app_is_its_users_alone_whatever_the_umask() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start_with_umask(&desktop, "000").await?;
    connect(&app, &mut desktop).await?;
    let (data_dir, web_data) = (desktop.data_dir(), desktop.data_dir().join("webview"));
    for name in ["relink.db-wal", "sandbox.json", "api.sock", "webview/localstorage"] {
        ensure!(data_dir.join(name).exists(), "{name} is missing");
    }
    for folder in [&data_dir, &web_data, &desktop.folder().join("run/relink")] {
        assert_eq!(fs::metadata(folder)?.mode() & 0o777, 0o700, "{}", folder.display());
    }
    let within = web_data.display().to_string();
    let own = |found: Vec<String>| found.into_iter().filter(|path| !path.starts_with(&within)).collect::<Vec<_>>();
    assert_eq!(own(open_to_others(&data_dir)?), Vec::<String>::new());
    // The web view would store what its pages store here, where no folder is private.
    ensure!(!desktop.folder().join("data/app.relink.desktop").exists(), "the web view stores something elsewhere");
    // The user's browser inherits it.
    let status = fs::read_to_string(format!("/proc/{}/status", app.pid()))?;
    ensure!(status.contains("Umask:\t0000"), "{status}");
    desktop.press_in_tray("Quit")?;
    app.wait_for_exit().await?;
    assert_eq!(own(open_to_others(&data_dir)?), Vec::<String>::new(), "after a stop");
    Ok(())
}

#[tokio::test]
async fn a_crash_leaves_no_memory_behind() -> Result<()> {
    let session = Session::start().await?;
    // The same crash of another program, so that this test can fail.
    let mut other = session.command("sh");
    other.args(["-c", CARELESS, "sleep", "600"]).current_dir(session.folder());
    let other = process::spawn(other)?;
    process::signal("STOP", other.id().context("no pid")?)?;
    process::signal("CONT", other.id().context("no pid")?)?;
    wait_for_exec(other.id().context("no pid")?, "sleep").await?;
    if !end(other, "ABRT").await?.core_dumped() {
        eprintln!("skipped: this system writes no crash dumps");
        return Ok(());
    }

    let data_dir = session.data_dir();
    let running = serve(&session, &data_dir).await?.map_err(|output| anyhow::anyhow!("{output:?}"))?;
    let mut command = careless(&session, &["events"], &data_dir);
    command.stdout(Stdio::piped());
    let following = process::spawn(command)?;
    wait_for_exec(following.id().context("no pid")?, "relink").await?;
    for (name, child) in [("events", following), ("serve", running)] {
        let limits = async {
            let limits = format!("/proc/{}/limits", child.id().context("no pid")?);
            loop {
                // The program sets it first of all.
                let limits = fs::read_to_string(&limits)?;
                let line = limits.lines().find(|line| line.starts_with("Max core file size")).context("no limit")?;
                if line.split_whitespace().nth(4) == Some("0") {
                    return anyhow::Ok(());
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, limits).await.with_context(|| format!("{name} keeps the limit"))??;
        let ended = end(child, "ABRT").await?;
        ensure!(ended.signal().is_some() && !ended.core_dumped(), "{name}: {ended}");
    }
    Ok(())
}

/// Waits until a process runs this program.
async fn wait_for_exec(pid: u32, name: &str) -> Result<()> {
    let exec = async {
        while fs::read_to_string(format!("/proc/{pid}/comm"))?.trim() != name {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    timeout(DEADLINE, exec).await.with_context(|| format!("{name} did not start"))?
}

#[tokio::test]
async fn other_programs_of_the_user_cannot_read_the_memory() -> Result<()> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        eprintln!("skipped: root starts the program as another user, to see what the system says about it");
        return Ok(());
    }
    // What belongs to a process that can't be dumped belongs to root (proc(5)).
    let folder = tempfile::Builder::new().prefix("relink-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    let copy = folder.path().join("relink");
    fs::copy(program(), &copy)?;
    let mut command = process::command("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&copy).args(SERVE);
    command.arg("--data-dir").arg(folder.path().join("data")).current_dir("/").env("HOME", folder.path());
    command.env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("XDG_RUNTIME_DIR").stdout(Stdio::piped());
    let mut child = process::spawn(command)?;
    let mut out = BufReader::new(child.stdout.take().context("no output")?);
    let mut line = String::new();
    timeout(DEADLINE, out.read_line(&mut line)).await??;
    let pid = child.id().context("it has exited")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    ensure!(status.contains("Uid:\t65534"), "{status}");
    assert_eq!(fs::metadata(format!("/proc/{pid}/environ"))?.uid(), 0);
    Ok(())
}

/// What may be in the place of a file.
type Intruder = (&'static str, fn(&Path) -> Result<()>);

const INTRUDERS: [Intruder; 6] = [
    ("a pipe", |path| make("mkfifo", path, &[])),
    ("a device", |path| make("mknod", path, &["c", "1", "5"])),
    ("a socket", |path| UnixListener::bind(path).map(drop).map_err(Into::into)),
    ("a folder", |path| fs::create_dir(path).map_err(Into::into)),
    ("a link to a file", |path| {
        let target = target_of(path);
        fs::write(&target, "precious")?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644))?;
        symlink(target, path).map_err(Into::into)
    }),
    ("a link to nothing", |path| symlink(nothing_of(path), path).map_err(Into::into)),
];

fn make(program: &str, path: &Path, arguments: &[&str]) -> Result<()> {
    ensure!(Command::new(program).arg(path).args(arguments).status()?.success(), "{program} failed");
    Ok(())
}

fn target_of(path: &Path) -> PathBuf {
    path.with_file_name("target")
}

fn nothing_of(path: &Path) -> PathBuf {
    path.with_file_name("nothing")
}

#[tokio::test]
async fn no_pipe_device_or_link_in_the_data_folder_hangs_relink_or_leads_it_elsewhere() -> Result<()> {
    let session = Session::start().await?;
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    let files =
        ["relink.lock", "relink.db", "relink.db-wal", "relink.db-shm", "engine.json", "sandbox.json", "api.sock"];
    for (number, (file, (what, put))) in
        files.iter().flat_map(|file| INTRUDERS.iter().map(move |intruder| (file, intruder))).enumerate()
    {
        if *what == "a device" && !is_root {
            continue;
        }
        let data_dir = session.folder().join(format!("data-{number}"));
        fs::create_dir(&data_dir)?;
        fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o700))?;
        let path = data_dir.join(file);
        put(&path)?;
        // While nothing runs, and while Relink runs in spite of it.
        let before = cli(&session, &["status"], &data_dir).await?;
        ensure!(!before.status.success(), "{what} as {file}: {before:?}");
        match serve(&session, &data_dir).await? {
            Ok(running) => {
                ensure!(!file.starts_with("relink."), "{what} as {file} was accepted");
                let during = cli(&session, &["status"], &data_dir).await?;
                ensure!(during.status.success(), "{what} as {file}: {during:?}");
                ensure!(cli(&session, &["sandbox", "start"], &data_dir).await?.status.success());
                ensure!(end(running, "TERM").await?.success(), "{what} as {file}");
            }
            Err(output) => {
                let log = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(1), "{what} as {file}: {log}");
                ensure!(log.contains(file), "{what} as {file}: {log}");
            }
        }
        if target_of(&path).exists() {
            let target = target_of(&path);
            assert_eq!(fs::read_to_string(&target)?, "precious", "{what} as {file}");
            assert_eq!(fs::metadata(&target)?.mode() & 0o777, 0o644, "{what} as {file}");
        }
        ensure!(!nothing_of(&path).exists(), "{what} as {file}");
    }
    Ok(())
}

#[tokio::test]
async fn an_existing_data_folder_keeps_its_mode_and_one_that_others_can_write_to_is_refused() -> Result<()> {
    let session = Session::start().await?;
    for (number, (mode, is_accepted)) in
        [(0o700, true), (0o750, true), (0o755, true), (0o770, false), (0o757, false), (0o1777, false)]
            .into_iter()
            .enumerate()
    {
        let folder = session.folder().join(format!("folder-{number}"));
        let link = session.folder().join(format!("link-{number}"));
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
        symlink(&folder, &link)?;
        for path in [&folder, &link] {
            match serve(&session, path).await? {
                Ok(running) => {
                    ensure!(is_accepted, "{mode:o}");
                    assert_eq!(open_to_others(&folder)?, Vec::<String>::new());
                    ensure!(end(running, "TERM").await?.success());
                }
                Err(output) => {
                    let log = String::from_utf8_lossy(&output.stderr);
                    ensure!(!is_accepted && log.contains("chmod go-w"), "{mode:o}: {log}");
                }
            }
            assert_eq!(fs::metadata(&folder)?.mode() & 0o7777, mode, "its mode was changed");
        }
    }
    Ok(())
}
