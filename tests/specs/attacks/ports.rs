//! Attacks by another user of the machine: requests with a stolen token, and Relink's port, taken before Relink starts.

use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    app::App,
    desktop::{ALL, Desktop},
    process,
    relink::{DEADLINE, Relink, program},
    session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

const NOBODY: &str = "65534";

/// Sends a request with a token, as a program would. `end`: `wait` prints the response; `leave` closes the connection at once.
const CLIENT: &str = r#"
import socket, sys
family, address, path, token, end = sys.argv[1:]
s = socket.socket(getattr(socket, family))
s.connect(address if family == "AF_UNIX" else (address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1])))
host = address.replace("::ffff:", "")
body = '{"name": "made-by-another-user"}'
method = "POST" if path.endswith("api-tokens") else "GET"
s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
if end == "wait":
    print(s.makefile().read())
"#;

/// Listens on a port, and prints a line for each connection.
const SQUATTER: &str = r#"
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
print("listening", s.getsockname()[1], flush=True)
while True:
    connection, _ = s.accept()
    print("got", connection.recv(4096), flush=True)
"#;

/// Only root can run programs of another user.
fn may_become_another_user() -> Result<bool> {
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    if !is_root {
        eprintln!("skipped: without root no program of another user can be started");
    }
    Ok(is_root)
}

fn python(user: Option<&str>, script: &str, arguments: &[&str]) -> Command {
    let mut command = process::command("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    // What is in root's home is closed to other users.
    command
        .args(["python3", "-c", script])
        .args(arguments)
        .current_dir("/")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
}

/// The status line and body of a request. `user`: the user who sends it; the test's own if absent.
fn request(user: Option<&str>, family: &str, address: &str, path: &str, token: &str) -> Result<String> {
    let output = python(user, CLIENT, &[family, address, path, token, "wait"]).output()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(!text.is_empty(), "there was no response");
    Ok(text)
}

#[tokio::test]
async fn requests_of_another_user_are_refused_whatever_token_they_have() -> Result<()> {
    if !may_become_another_user()? {
        return Ok(());
    }
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let address = relink.base_url().replace("http://", "");
    let mapped = format!("::ffff:{address}");
    let socket = relink.data_dir().join("api.sock").display().to_string();
    let api_token = relink.cli(&session, &["api-token", "create", "agent"]).await?.out.trim().to_owned();

    // Root's own requests, and the other user's, with IPv6 sockets too, whose addresses the system lists elsewhere.
    for (family, address) in [("AF_INET", &address), ("AF_INET6", &mapped), ("AF_UNIX", &socket)] {
        for token in [api_token.as_str(), relink.token()] {
            let own = request(None, family, address, "/integrated-account", token)?;
            ensure!(own.starts_with("HTTP/1.1 200"), "{family}: {own}");
        }
    }
    for (family, address) in [("AF_INET", &address), ("AF_INET6", &mapped)] {
        for path in ["/integrated-account", "/relink/status", "/ping", "/docs", "/connect-account"] {
            let refused = request(Some(NOBODY), family, address, path, relink.token())?;
            ensure!(
                refused.starts_with("HTTP/1.1 403") && refused.contains("other_user"),
                "{family} {path}: {refused}"
            );
        }
    }

    // The folder and the socket are closed to them. Opened by mistake, they are still refused.
    let refused = request(Some(NOBODY), "AF_UNIX", &socket, "/integrated-account", relink.token())?;
    ensure!(refused.contains("PermissionError"), "{refused}");
    for (path, mode) in [(session.folder(), 0o755), (relink.data_dir(), 0o755), (socket.as_ref(), 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    let refused = request(Some(NOBODY), "AF_UNIX", &socket, "/integrated-account", relink.token())?;
    ensure!(refused.starts_with("HTTP/1.1 403") && refused.contains("other_user"), "{refused}");
    relink.stop().await
}

#[tokio::test]
async fn a_tunnel_of_another_user_reaches_the_connect_ui_alone_and_only_while_there_is_a_public_address() -> Result<()>
{
    if !may_become_another_user()? {
        return Ok(());
    }
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let address = relink.base_url().replace("http://", "");
    let tunneled = |path: &str| {
        let script = CLIENT.replace("host = address.replace(\"::ffff:\", \"\")", "host = \"relink.example.com\"");
        let output = python(Some(NOBODY), &script, &["AF_INET", &address, path, relink.token(), "wait"]).output()?;
        anyhow::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let before = tunneled("/connect-account")?;
    ensure!(before.starts_with("HTTP/1.1 403") && before.contains("other_user"), "{before}");
    let settings = json!({ "public_address": "https://relink.example.com" });
    relink.request(Method::PUT, "/relink/link-settings", settings).await?;
    let page = tunneled("/connect-account")?;
    ensure!(
        page.starts_with("HTTP/1.1 404") && page.contains("<title>Relink</title>"),
        "the page, without a link: {page}"
    );
    for path in ["/integrated-account", "/relink/status", "/ping"] {
        let hidden = tunneled(path)?;
        ensure!(hidden.starts_with("HTTP/1.1 404") && hidden.contains("no_such_route"), "{path}: {hidden}");
    }
    // By Relink's own name, the other user is refused as before.
    let refused = request(Some(NOBODY), "AF_INET", &address, "/connect-account", relink.token())?;
    ensure!(refused.starts_with("HTTP/1.1 403") && refused.contains("other_user"), "{refused}");
    relink.stop().await
}

#[tokio::test]
async fn a_request_whose_sender_has_gone_away_does_not_count_as_roots() -> Result<()> {
    if !may_become_another_user()? {
        return Ok(());
    }
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let address = relink.base_url().replace("http://", "");
    for _ in 0..20 {
        // The system lists a closed socket as root's.
        let arguments = ["AF_INET", &address, "/relink/api-tokens", relink.token(), "leave"];
        ensure!(python(Some(NOBODY), CLIENT, &arguments).status()?.success(), "it was not sent");
    }
    let tokens = relink.get("/api-token").await?;
    ensure!(tokens["result"] == json!([]), "{tokens}");
    relink.stop().await
}

/// A program that has a port, of another user if the test may start one.
struct Squatter {
    child: Child,
    out: ChildStdout,
    port: u16,
}

impl Squatter {
    /// Takes this port; 0: any.
    fn start(port: u16) -> Result<Self> {
        let user = may_become_another_user()?.then_some(NOBODY);
        let mut command = python(user, SQUATTER, &[&port.to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut out = child.stdout.take().context("no output")?;
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            out.read_exact(&mut byte)?;
            line.extend(byte);
        }
        let port = String::from_utf8(line)?.trim().rsplit(' ').next().context("no port")?.parse()?;
        Ok(Self { child, out, port })
    }

    /// Whose program it is, in Relink's words.
    fn who() -> Result<&'static str> {
        Ok(if may_become_another_user()? { "by a program of another user" } else { "by another program" })
    }

    /// Ends it. An error if it was sent anything.
    fn end(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        let mut received = String::new();
        self.out.read_to_string(&mut received)?;
        ensure!(received.is_empty(), "the program that took the port received: {received}");
        Ok(())
    }
}

#[tokio::test]
async fn a_taken_port_ends_serve_with_words_and_its_own_exit_code() -> Result<()> {
    let session = Session::start().await?;
    let squatter = Squatter::start(0)?;
    let mut command = session.command(&program());
    command.args(["serve", "--listen", &format!("127.0.0.1:{}", squatter.port), "--data-dir"]).arg(session.data_dir());
    let output = timeout(DEADLINE, tokio::process::Command::from(command).output()).await??;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{error}");
    let words = format!("Port {} is used {}.", squatter.port, Squatter::who()?);
    ensure!(error.contains(&words) && error.contains("--listen"), "{error}");
    ensure!(output.stdout.is_empty() && !session.data_dir().join("engine.json").exists());
    squatter.end()
}

#[tokio::test]
async fn programs_find_relink_by_a_private_file_without_a_token() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let folder = session.folder().join("run/relink");
    let file = folder.join("api.json");
    let mode = |path: &Path| Ok::<_, anyhow::Error>(fs::metadata(path)?.permissions().mode() & 0o777);
    assert_eq!((mode(&folder)?, mode(&file)?), (0o700, 0o600));
    let text = fs::read_to_string(&file)?;
    ensure!(!text.contains(relink.token()), "it contains the run's token");
    let found: Value = serde_json::from_str(&text)?;
    assert_eq!(found["base_url"], relink.base_url());
    assert_eq!(found["pid"], relink.pid().context("it has exited")?);
    let socket = found["socket"].as_str().context("no socket")?;
    assert_eq!(mode(socket.as_ref())?, 0o600);
    let response = request(None, "AF_UNIX", socket, "/relink/status", relink.token())?;
    ensure!(response.starts_with("HTTP/1.1 200"), "{response}");

    let socket = socket.to_owned();
    relink.stop().await?;
    ensure!(!file.exists() && !fs::exists(socket)?, "a stop removes them");
    Ok(())
}

#[tokio::test]
async fn the_app_runs_on_without_its_port_says_so_and_sends_nothing_there() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let squatter = Squatter::start(0)?;
    let port = squatter.port;
    let app = App::start_with(&desktop, &[("RELINK_LISTEN", format!("127.0.0.1:{port}"))]).await?;
    let words = format!("Port {port} is used {}.", Squatter::who()?);
    app.shows(&words).await?;
    app.screenshot(&process::workspace().join("target/screenshots/port-taken.png")).await.ok();
    app.press("Try it with the Sandbox").await?;
    app.press("Continue").await?;
    app.shows("The connect pages are off").await?;

    // The command line still reaches it, and says the same.
    let cli = |arguments: &[&str]| {
        let mut command = desktop.command(&program());
        command.args(arguments).env("RELINK_DATA_DIR", desktop.data_dir());
        command.output()
    };
    let status = cli(&["status"])?;
    ensure!(status.status.success() && String::from_utf8_lossy(&status.stdout).contains(&words), "{status:?}");
    let status: Value = serde_json::from_slice(&cli(&["status", "--json"])?.stdout)?;
    assert_eq!((&status["base_url"], &status["port_problem"]), (&Value::Null, &json!(words)));
    let link = cli(&["connect", "sandbox"])?;
    assert_eq!(link.status.code(), Some(1), "{link:?}");
    ensure!(String::from_utf8_lossy(&link.stderr).contains(&words) && link.stdout.is_empty(), "{link:?}");
    let file = desktop.folder().join("run/relink/api.json");
    let found: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    ensure!(found["base_url"].is_null() && found["socket"].is_string(), "{found}");

    // Once the port is free, the API comes up by itself.
    squatter.end()?;
    app.hides("off until the port is free").await?;
    let found: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    assert_eq!(found["base_url"], format!("http://127.0.0.1:{port}"));
    let link = cli(&["connect", "sandbox"])?;
    ensure!(String::from_utf8_lossy(&link.stdout).starts_with(&format!("http://127.0.0.1:{port}/connect-account")));
    ensure!(TcpListener::bind(("127.0.0.1", port)).is_err(), "Relink has it");
    Ok(())
}

#[tokio::test]
async fn the_next_engine_has_the_same_port_and_no_other() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let base_url = relink.base_url().to_owned();
    let listen = base_url.replace("http://", "");
    relink.stop().await?;
    // Connections of the engine before must not keep it from its port.
    let mut command = session.command(&program());
    command.args(["serve", "--data-dir"]).arg(session.data_dir()).env("RELINK_LISTEN", &listen);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = process::spawn(command)?;
    let mut out = tokio::io::BufReader::new(child.stdout.take().context("no output")?);
    let mut line = String::new();
    timeout(DEADLINE, tokio::io::AsyncBufReadExt::read_line(&mut out, &mut line)).await??;
    let ready: Value = serde_json::from_str(&line)?;
    assert_eq!((&ready["base_url"], &ready["wanted_port_taken"]), (&json!(base_url), &json!(false)));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pong = reqwest::Client::new().request(Method::GET, format!("{base_url}/ping")).send().await?;
    ensure!(pong.status().is_success());
    Ok(())
}
