//! Tests of the test harness itself.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    canary::{self, Canaries},
    fake_clock::Clock,
    network, page, process,
    process_watch::ProcessWatch,
    session::Session,
};

fn run(mut command: std::process::Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn a_locked_keychain_yields_no_secret_and_an_unlocked_one_does() -> Result<()> {
    let mut session = Session::start().await?;
    let mut store = session.command("sh");
    let attributes = "service app.relink.desktop username account/1";
    store.args(["-c", &format!("printf canary-of-the-keychain | secret-tool store --label=Kept {attributes}")]);
    run(store)?;
    let shows = |session: &Session| Ok::<_, anyhow::Error>(session.keyring_text()?.contains("canary-of-the-keychain"));
    assert!(shows(&session)?);

    session.lock()?;
    assert!(!shows(&session)?, "locked");
    assert!(session.keyring_text()?.contains("account/1"), "a locked item is still listed");
    session.unlock()?;
    assert!(shows(&session)?, "unlocked");
    session.restart_keyring().await?;
    assert!(shows(&session)?, "restarted");
    session.remove_item("account/1")?;
    assert!(!session.keyring_text()?.contains("account/1"), "removed");
    Ok(())
}

#[tokio::test]
async fn two_sessions_are_isolated() -> Result<()> {
    let (one, other) = (Session::start().await?, Session::start().await?);
    let mut store = one.command("sh");
    store.args(["-c", "printf x | secret-tool store --label=Mine service app.relink.desktop username account/1"]);
    run(store)?;
    assert!(one.keyring_text()?.contains("account/1"));
    assert!(!other.keyring_text()?.contains("account/1"));
    Ok(())
}

#[test]
fn a_set_clock_affects_only_its_programs_and_no_measured_time() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut clock = Clock::new(folder.path())?;
    let date = |environment: Vec<(&str, String)>| -> Result<i64> {
        let mut date = process::command("date");
        date.arg("+%s").envs(environment);
        Ok(run(date)?.trim().parse()?)
    };
    let ahead = |clock: &Clock| -> Result<i64> { Ok(date(clock.environment())? - date(Vec::new())?) };
    let near = |shown: i64, wanted: i64| (shown - wanted).abs() <= 2;
    assert!(near(ahead(&clock)?, 0));
    clock.jump(86_400)?;
    assert!(near(ahead(&clock)?, 86_400));
    clock.jump(-90_000)?;
    assert!(near(ahead(&clock)?, -3_600), "the clock can be set back");

    // Compare with two readings of the machine's monotonic clock.
    let measured = |environment: Vec<(&str, String)>| -> Result<f64> {
        let mut monotonic = process::command("python3");
        monotonic.args(["-c", "import time; print(time.monotonic())"]).envs(environment);
        Ok(run(monotonic)?.trim().parse()?)
    };
    let (before, shown, after) = (measured(Vec::new())?, measured(clock.environment())?, measured(Vec::new())?);
    assert!(before <= shown && shown <= after, "the monotonic clock is not faked: {before}, {shown}, {after}");
    Ok(())
}

#[test]
fn a_test_network_goes_down_and_up_without_affecting_the_machine() -> Result<()> {
    network::run_in_own_network(async |network| {
        let state = || -> Result<String> {
            let mut ip = process::command("ip");
            ip.args(["-o", "route", "get", "10.77.0.9"]);
            Ok(run(ip).unwrap_or_else(|error| error.to_string()))
        };
        assert!(state()?.contains("dev cable"), "up: {}", state()?);
        network.down()?;
        assert!(state()?.contains("unreachable"), "down: {}", state()?);
        network.up()?;
        assert!(state()?.contains("dev cable"), "up again: {}", state()?);
        // `/sys` was mounted outside, so it shows the machine's interfaces.
        assert!(Path::new("/sys/class/net/lo").exists() && !Path::new("/sys/class/net/cable").exists());
        Ok(())
    })
}

#[test]
fn canaries_are_found_in_files_and_processes_that_hold_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("deep"))?;
    std::fs::write(folder.path().join("deep/file"), [b"\0\xff", "canary-0001".as_bytes()].concat())?;
    let secrets = ["canary-0001".to_owned(), "canary-0002".to_owned()];
    assert_eq!(canary::found(&secrets, &[folder.path()], None).len(), 1);
    assert_eq!(canary::found(&secrets[1..], &[folder.path()], None), Vec::<String>::new());

    // Wait for the first output: before that, the child may not have its own environment yet. Then it waits for input.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "echo here; read -r answer"]).env("CANARY", "canary-0002");
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn()?;
    std::io::Read::read_exact(&mut child.stdout.take().context("no output")?, &mut [0; 4])?;
    let places = canary::found(&secrets, &[], Some(child.id()));
    child.kill()?;
    child.wait()?;
    assert_eq!(places.len(), 1, "{places:?}");
    assert!(places[0].contains("environ"), "{places:?}");
    Ok(())
}

#[tokio::test]
async fn a_watch_finds_a_secret_in_arguments_and_environment_also_of_a_process_that_has_exited() -> Result<()> {
    let watch = ProcessWatch::start();
    let mut canaries = Canaries::default();
    canaries.add("argument", "canary-in-an-argument")?;
    canaries.add("variable", "canary-in-a-variable")?;
    assert_eq!(watch.found(&canaries), Vec::<String>::new());
    let mut command = process::command("sh");
    command.args(["-c", "read line", "canary-in-an-argument"]).env("CANARY", "canary-in-a-variable");
    command.stdin(Stdio::piped());
    let mut child = process::spawn(command)?;
    page::until(|| watch.saw("environment", "canary-in-a-variable").then_some(())).await.context("never seen")?;
    child.kill().await?;
    let found = watch.found(&canaries);
    for place in ["argument in the arguments of sh", "variable in the environment of sh"] {
        assert!(found.iter().any(|found| found == place), "{place}: {found:?}");
    }
    Ok(())
}
