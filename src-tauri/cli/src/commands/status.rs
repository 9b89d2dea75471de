//! `relink status`.

use relink_contract::status::Status;

use crate::{
    api_client::ApiClient,
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Table, Tone},
};

pub(super) fn run(client: &ApiClient, output: Output) -> Result<(), CliError> {
    output.table(&client.status()?, describe)
}

fn describe(status: &Status) -> Table {
    let keychain = match &status.keychain.message {
        Some(message) => Cell::new(message, Tone::Bad),
        None => Cell::new("available", Tone::Good),
    };
    let (relink, api) = if let Some(base_url) = &status.base_url {
        (format!("{} at {base_url}", status.version), Cell::new("available", Tone::Good))
    } else {
        let problem = status.port_problem.as_deref().unwrap_or_default();
        (status.version.clone(), Cell::new(&format!("off, and the connect pages with it. {problem}"), Tone::Bad))
    };
    let relink = relink.into();
    let failing = status.accounts.needs_reauth;
    let tone = if failing > 0 { Tone::Bad } else { Tone::Good };
    let sandbox = status.sandbox.as_ref().map_or("not installed", |sandbox| &sandbox.base_url);
    let waiting = status.waiting.iter().map(|wait| {
        let accounts = if wait.accounts == 1 { "1 account".to_owned() } else { format!("{} accounts", wait.accounts) };
        let text =
            format!("{accounts} for {}, over {} (asked by the provider)", wait.host, relative_time(Some(wait.until)));
        ["Waiting".into(), Cell::new(&text, Tone::Warning)]
    });
    [
        ["Relink".into(), relink],
        ["API".into(), api],
        ["Keychain".into(), keychain],
        ["Accounts".into(), Cell::new(&format!("{}, {failing} not working", status.accounts.total), tone)],
        ["Sandbox".into(), sandbox.into()],
    ]
    .into_iter()
    .chain(waiting)
    .collect()
}
