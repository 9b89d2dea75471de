//! Magic links and OAuth callbacks.

use std::process::{Command as Process, Stdio};

use relink_contract::{
    connect::NewOpening,
    link::{Callback, LinkToken, NewLinkToken},
};
use relink_domain::Secret;
use serde::Serialize;

use super::{input::read_stdin, lookup::find_account};
use crate::{
    api_client::{ApiClient, percent_encode},
    exit::CliError,
    output::Output,
};

#[derive(Serialize)]
struct MagicLink {
    url: String,
}

pub(super) fn connect(
    client: &ApiClient,
    integration: &str,
    tenant: String,
    open: bool,
    output: Output,
) -> Result<(), CliError> {
    let base_url = client.base_url()?;
    client.install_integration(integration)?;
    ensure_ready(client, integration)?;
    let link = client.create_link_token(&NewLinkToken { tenant_id: Some(tenant), ..NewLinkToken::default() })?;
    print_link(client, base_url, link, Some(integration), open, output)
}

/// Refuses an integration that lacks its OAuth client: its link would lead nowhere.
fn ensure_ready(client: &ApiClient, integration: &str) -> Result<(), CliError> {
    let catalog = client.integrations()?.result;
    let entry = catalog.iter().find(|entry| entry.name == integration);
    match entry.and_then(|entry| Some((entry, entry.not_ready.as_deref()?))) {
        Some((entry, reason)) => Err(CliError::needs_setup(&entry.label, reason)),
        None => Ok(()),
    }
}

pub(super) fn reauthorize(client: &ApiClient, id: &str, open: bool, output: Output) -> Result<(), CliError> {
    let base_url = client.base_url()?;
    let account = find_account(client, id)?;
    ensure_ready(client, &account.integration)?;
    let id = account.id.to_string();
    let link =
        client.create_link_token(&NewLinkToken { integrated_account_id: Some(id), ..NewLinkToken::default() })?;
    print_link(client, base_url, link, None, open, output)
}

fn magic_link(base_url: &str, link: &LinkToken, integration: Option<&str>) -> MagicLink {
    let token = percent_encode(link.link_token.expose());
    let integration = integration.map(|name| format!("&integration={}", percent_encode(name))).unwrap_or_default();
    MagicLink { url: format!("{base_url}/connect-account?link_token={token}{integration}") }
}

fn print_link(
    client: &ApiClient,
    base_url: &str,
    link: LinkToken,
    integration: Option<&str>,
    open: bool,
    output: Output,
) -> Result<(), CliError> {
    output.exact(&magic_link(base_url, &link, integration), |link| &link.url)?;
    if !open {
        return Ok(());
    }
    // Every user of the machine can read the arguments of the program that opens it, so they don't contain the link token.
    let integration = integration.map(str::to_owned);
    let opening = client.prepare_opening(&NewOpening { link_token: link.link_token, integration })?;
    open_in_browser(opening.url.expose())
}

/// The URL's parts are percent-encoded, and it isn't passed through a shell.
fn open_in_browser(url: &str) -> Result<(), CliError> {
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
        CliError::new(format!("The browser could not be opened ({program}: {error}). Open the link yourself."))
    })
}

pub(super) fn callback(client: &ApiClient, url: String, output: Output) -> Result<(), CliError> {
    let url = if url == "-" { read_stdin()? } else { url };
    let callback = Callback { url: Secret::new(url.trim()).into() };
    output.text(&client.submit_callback(&callback)?, |taken| match &taken.confirm_url {
        Some(page) => format!("Callback received. Confirm the sign-in in your browser: {}", page.expose()),
        None => "Callback received. The sign-in continues on the connect page.".to_owned(),
    })
}
