//! Magic links and callbacks.

use std::process::{Command as Process, Stdio};

use serde_json::{Value, json};

use super::{id_of, stdin};
use crate::{
    client::{Engine, segment},
    exit::Failed,
    show::{self, text},
};

pub(super) fn connect(
    engine: &Engine,
    integration: &str,
    tenant: &str,
    open: bool,
    as_json: bool,
) -> Result<(), Failed> {
    engine.post(&format!("/relink/integrations/{}/install", segment(integration)), &Value::Null)?;
    let link = engine.post("/link-token", &json!({ "tenant_id": tenant }))?;
    hand_out(&magic_link(engine, &link, Some(integration)), open, as_json)
}

pub(super) fn reauthorize(engine: &Engine, id: &str, open: bool, as_json: bool) -> Result<(), Failed> {
    let link = engine.post("/link-token", &json!({ "integrated_account_id": id_of(engine, id)? }))?;
    hand_out(&magic_link(engine, &link, None), open, as_json)
}

fn magic_link(engine: &Engine, link: &Value, integration: Option<&str>) -> String {
    let mut url = format!("{}/connect-account?link_token={}", engine.base_url(), segment(text(link, "link_token")));
    if let Some(integration) = integration {
        url.push_str("&integration=");
        url.push_str(&segment(integration));
    }
    url
}

/// Prints the magic link, alone, and opens it if that is wanted.
fn hand_out(url: &str, open: bool, as_json: bool) -> Result<(), Failed> {
    if as_json {
        show::json(&json!({ "url": url }))?;
    } else {
        show::line(url)?;
    }
    if open { open_in_browser(url) } else { Ok(()) }
}

/// The address is our own, made of checked parts; no shell reads it.
fn open_in_browser(url: &str) -> Result<(), Failed> {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let started = Process::new(program)
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.map(drop).map_err(|error| {
        Failed::new(format!("The browser could not be opened ({program}: {error}). Open the link yourself."))
    })
}

pub(super) fn callback(engine: &Engine, url: String, as_json: bool) -> Result<(), Failed> {
    let url = if url == "-" { stdin()? } else { url };
    let taken = engine.post("/relink/callback", &json!({ "url": url.trim() }))?;
    show::either(&taken, "Taken. The connect page goes on.", as_json)
}
