//! Magic links and OAuth callbacks.

use std::process::{Command as Process, Stdio};

use relink_contract::{
    List,
    connect::{LinkPurpose, NewOpening},
    link::{Callback, IssuedLink, LinkSettings, LinkSettingsState, LinkToken, NewFormLink, NewLinkToken, RedirectUris},
};
use relink_domain::Secret;
use serde::Serialize;

use super::{input::read_stdin, lookup::find_account};
use crate::{
    api_client::{ApiClient, percent_encode},
    args::Links,
    exit::CliError,
    output::{Output, relative_time},
    table::Cell,
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
    let base_url = base_url(client)?;
    // Names of integrations have no capital letters, and people write Sandbox.
    let integration = &integration.to_lowercase();
    client.install_integration(integration)?;
    ensure_ready(client, integration)?;
    let link = client.create_link_token(&NewLinkToken { tenant_id: Some(tenant), ..NewLinkToken::default() })?;
    print_link(client, &base_url, link, Some(integration), open, output)
}

/// Where links lead: to the public address, if there is one.
fn base_url(client: &ApiClient) -> Result<String, CliError> {
    let own = client.base_url()?.to_owned();
    Ok(client.link_settings()?.settings.public_address.unwrap_or(own))
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
    let base_url = base_url(client)?;
    let account = find_account(client, id)?;
    ensure_ready(client, &account.integration)?;
    let id = account.id.to_string();
    let link =
        client.create_link_token(&NewLinkToken { integrated_account_id: Some(id), ..NewLinkToken::default() })?;
    print_link(client, &base_url, link, None, open, output)
}

pub(super) fn form(client: &ApiClient, id: &str, open: bool, output: Output) -> Result<(), CliError> {
    let base_url = base_url(client)?;
    let id = find_account(client, id)?.id.to_string();
    let link = client.create_form_link(&NewFormLink { integrated_account_id: Some(id), redirect_uri: None })?;
    print_link(client, &base_url, link, None, open, output)
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

pub(super) fn run(client: &ApiClient, command: Option<Links>, output: Output) -> Result<(), CliError> {
    match command {
        None => {
            let rows = |links: &List<IssuedLink>| links.result.iter().map(row).collect();
            output.list(&client.usable_links()?, rows, "No link can be used. To create one: relink connect INTEGRATION")
        }
        Some(Links::Revoke { id }) => output.text(&client.revoke_link(&id)?, |_| "The link was revoked.".to_owned()),
        Some(Links::Settings { also_listen, frame_origins, public_address, redirect_uris }) => {
            let redirects = match redirect_uris {
                Some(redirect_uris) => client.set_redirect_uris(&RedirectUris { redirect_uris })?,
                None => client.redirect_uris()?,
            };
            let mut links = client.link_settings()?;
            if also_listen.is_some() || frame_origins.is_some() || public_address.is_some() {
                let now = links.settings;
                links = client.set_link_settings(&LinkSettings {
                    also_listen: also_listen.unwrap_or(now.also_listen),
                    frame_origins: frame_origins.unwrap_or(now.frame_origins),
                    public_address: public_address.or(now.public_address),
                })?;
            }
            output.text(&AllSettings { links, redirects }, settings_text)
        }
    }
}

/// Where links work, and where they may lead to afterwards.
#[derive(Serialize)]
struct AllSettings {
    #[serde(flatten)]
    links: LinkSettingsState,
    #[serde(flatten)]
    redirects: RedirectUris,
}

fn row(link: &IssuedLink) -> [Cell; 4] {
    let account = link.account_name.as_deref().unwrap_or("a deleted account");
    let purpose = match link.purpose {
        LinkPurpose::Connect => {
            format!("connects an account for tenant {}", link.tenant_id.as_deref().unwrap_or_default())
        }
        LinkPurpose::Reauthorize => format!("reauthorizes {account}"),
        LinkPurpose::PostConnectForm => format!("opens the form of {account}"),
    };
    let by = link.program.as_ref().map(|name| format!("by {name}")).unwrap_or_default();
    [
        link.id.to_string().into(),
        purpose.into(),
        by.into(),
        format!("expires {}", relative_time(Some(link.expires_at))).into(),
    ]
}

fn settings_text(AllSettings { links: state, redirects }: &AllSettings) -> String {
    let LinkSettings { also_listen, frame_origins, public_address } = &state.settings;
    let mut lines = vec![match public_address {
        Some(address) => format!("Links lead to {address}."),
        None => "Links work on this machine only.".to_owned(),
    }];
    lines.push(match frame_origins.as_slice() {
        [] => "No page may show the connect UI in a frame.".to_owned(),
        origins => format!("Pages of these origins may show the connect UI in a frame: {}.", origins.join(", ")),
    });
    lines.push(match (also_listen, &state.also_listen_problem) {
        (_, Some(problem)) => format!("The connect UI isn't at http://localhost:5173: {problem}"),
        (true, None) => "The connect UI is also at http://localhost:5173.".to_owned(),
        (false, None) => "The setting for http://localhost:5173 is off.".to_owned(),
    });
    lines.push(match redirects.redirect_uris.as_slice() {
        [] => "Links lead back to no page of a program.".to_owned(),
        uris => format!("Links may lead back to: {}.", uris.join(", ")),
    });
    lines.join("\n")
}
