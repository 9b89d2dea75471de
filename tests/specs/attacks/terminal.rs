//! Attacks on the terminal in which `relink` runs, through texts that come from elsewhere.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, sync::Arc};

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use relink_tests::{
    process,
    provider::Provider,
    relink::{Printed, Relink, program},
    session::Session,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Characters and sequences that a terminal executes, that can't be seen, or that change how a text reads.
const HARMFUL: &str = "x\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J\u{9d}0;t\u{9c}\u{7f}\u{8}\r\n\t\0\u{85}\u{61c}\u{200b}\u{200e}\u{2028}\u{2029}\u{202e}\u{2066}\u{2060}\u{feff}\u{ad}\u{e0041}\u{e000}y";

/// Where the API's answers have free text.
const FREE_TEXTS: [&str; 14] = [
    "name",
    "label",
    "integration_label",
    "identity",
    "tenant_id",
    "message",
    "title",
    "detail",
    "hint",
    "by",
    "provider_message",
    "provider_code",
    "last_error",
    "not_ready",
];

/// An API in front of Relink's, which adds harmful characters to every free text.
struct HarmfulApi {
    data_dir: PathBuf,
    /// Held like a running Relink's.
    _lock: fs::File,
}

struct Front {
    relink: String,
    client: reqwest::Client,
}

impl HarmfulApi {
    async fn start(session: &Session, relink: &Relink) -> Result<Self> {
        let front = Front { relink: relink.base_url().to_owned(), client: reqwest::Client::new() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(forward).with_state(Arc::new(front));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let data_dir = session.folder().join("harmful");
        fs::create_dir(&data_dir)?;
        fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o700))?;
        let found = json!({ "base_url": base_url, "token": relink.token(), "pid": 1, "version": "0" });
        for (name, content) in [("engine.json", found.to_string()), ("relink.lock", String::new())] {
            fs::write(data_dir.join(name), content)?;
            fs::set_permissions(data_dir.join(name), fs::Permissions::from_mode(0o600))?;
        }
        let lock = fs::File::options().write(true).open(data_dir.join("relink.lock"))?;
        lock.try_lock()?;
        Ok(Self { data_dir, _lock: lock })
    }

    async fn cli(&self, session: &Session, arguments: &[&str]) -> Result<Printed> {
        let mut command = session.command(&program());
        command.args(arguments).env("RELINK_DATA_DIR", &self.data_dir).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = process::spawn(command)?.wait_with_output().await?;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).context("not UTF-8");
        Ok(Printed { code: output.status.code().unwrap_or(-1), out: text(output.stdout)?, err: text(output.stderr)? })
    }
}

async fn forward(
    State(front): State<Arc<Front>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let mut request = front.client.request(method, format!("{}{uri}", front.relink)).body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value.clone());
        }
    }
    let response = request.send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let status = response.status();
    let mut body: Value = response.json().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    poison(&mut body);
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

fn poison(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if FREE_TEXTS.contains(&name.as_str()) => text.push_str(HARMFUL),
                    Value::Array(scopes) if name == "scopes" => scopes.push(HARMFUL.into()),
                    value => poison(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(poison),
        _ => {}
    }
}

/// Whether the text contains only what can be seen, and line breaks.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(|c| c != '\n' && (c.is_control() || (HARMFUL.contains(c) && !c.is_ascii_graphic() && c != ' ')))
}

/// Every JSON value of an output: one document, or one a line.
fn values(text: &str) -> Result<Vec<Value>> {
    serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().context("not JSON")
}

#[tokio::test]
async fn no_command_prints_what_controls_a_terminal() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let provider = Provider::start().await?;
    let id = provider.connect(&relink).await?;
    let hook = relink.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/" })).await?["id"].clone();
    let hook = hook.as_str().context("no webhook")?.to_owned();
    relink.post("/relink/api-tokens", json!({ "name": "agent" })).await?;
    let api = HarmfulApi::start(&session, &relink).await?;
    provider.control("POST", "/faults", json!({ "kind": "invalid_grant" })).await?;

    let mut harmful = 0;
    for arguments in [
        &["refresh", &id][..],
        &["status"],
        &["accounts"],
        &["account", &id],
        &["check", &id],
        &["rename", &id, "new"],
        &["timeline"],
        &["events", "--once"],
        &["integrations"],
        &["api-token", "list"],
        &["webhook", "list"],
        &["webhook", "deliveries", &hook],
        &["reauthorize", &id],
        &["account", "nobody"],
        &["token", "nobody"],
        &["delete", &id],
    ] {
        for json in [false, true] {
            let arguments = [arguments, if json { &["--json"] } else { &[] }].concat();
            let Printed { code, out, err } = api.cli(&session, &arguments).await?;
            ensure!(code != 2, "{arguments:?}: {err}");
            assert!(is_harmless(&out) && is_harmless(&err), "{arguments:?}: {out:?} {err:?}");
            if json && !out.is_empty() {
                let printed = values(&out).with_context(|| format!("{arguments:?}: {out}"))?;
                harmful += usize::from(printed.iter().any(|value| contains(value, HARMFUL)));
            }
        }
    }
    assert!(harmful >= 6, "the characters are still in the JSON's values: {harmful}");
    relink.stop().await
}

fn contains(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own.contains(text),
        Value::Array(values) => values.iter().any(|value| contains(value, text)),
        Value::Object(fields) => fields.values().any(|value| contains(value, text)),
        _ => false,
    }
}

#[tokio::test]
async fn arguments_are_repeated_without_what_controls_a_terminal() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let harmful = HARMFUL.replace('\0', "");
    for arguments in [
        &[&*harmful][..],
        &["account", &harmful],
        &["account", "x", &harmful],
        &["events", "--after", &harmful],
        &["connect", &harmful],
        &["webhook", "add", &harmful],
        &["webhook", "add", "http://127.0.0.1:9/", "--events", &harmful],
        &["integrations", "add", &harmful],
        &["callback", &harmful],
        &["rename", "nobody", &harmful],
        &["sandbox", "fault", &harmful],
        &["--data-dir", &harmful, "accounts"],
        &["--data-dir", &harmful, "--help"],
    ] {
        let Printed { code, out, err } = relink.cli(&session, arguments).await?;
        assert!(is_harmless(&out) && is_harmless(&err), "{arguments:?}: {out:?} {err:?}");
        assert_eq!(code == 0, arguments.contains(&"--help"), "{arguments:?}: {out} {err}");
        assert!(!(out + &err).is_empty(), "{arguments:?}");
    }
    relink.stop().await
}
