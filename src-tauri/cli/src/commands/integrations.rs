//! `relink integrations`.

use relink_contract::{
    WireSecret,
    integration::{AddedIntegration, CatalogEntry, OAuthClient},
};
use relink_domain::{Secret, name::natural_order};

use super::input::{read_file, read_stdin};
use crate::{
    api_client::ApiClient,
    args::Integrations,
    exit::CliError,
    output::Output,
    table::{Cell, Tone},
};

pub(super) fn run(client: &ApiClient, command: Option<Integrations>, output: Output) -> Result<(), CliError> {
    match command {
        None => {
            let mut catalog = client.integrations()?;
            catalog.result.sort_by(|one, other| natural_order(&one.name, &other.name));
            output.table(&catalog, |catalog| catalog.result.iter().map(row).collect())
        }
        Some(Integrations::Add { file }) => output.text(&client.add_integration(read_file(&file)?)?, describe_added),
        Some(Integrations::Install { name }) => {
            output.text(&client.install_integration(&name)?, |_| format!("{name} is installed."))
        }
        Some(Integrations::Uninstall { name }) => {
            output.text(&client.uninstall_integration(&name)?, |_| format!("{name} was uninstalled."))
        }
        Some(Integrations::Client { name, id, secret_stdin }) => {
            let secret = if secret_stdin { Some(read_secret()?) } else { None };
            output.text(&client.set_oauth_client(&name, &OAuthClient { id, secret })?, |_| {
                format!("OAuth is set up for {name}. Connect an account: relink connect {name} --open")
            })
        }
    }
}

fn read_secret() -> Result<WireSecret, CliError> {
    Ok(Secret::new(read_stdin()?.trim()).into())
}

fn describe_added(added: &AddedIntegration) -> String {
    let mut text = format!("{} was added and installed.", added.name);
    for warning in &added.warnings {
        text.push_str("\nNote: ");
        text.push_str(warning);
    }
    text
}

fn row(entry: &CatalogEntry) -> [Cell; 4] {
    let state = match (entry.installed, &entry.not_ready) {
        (true, None) => Cell::new("installed", Tone::Good),
        (true, Some(_)) => Cell::new("needs OAuth setup", Tone::Warning),
        (false, _) => Cell::new("not installed", Tone::Plain),
    };
    let not_ready = entry.not_ready.as_deref().unwrap_or_default();
    [entry.name.as_str().into(), entry.label.as_str().into(), state, not_ready.into()]
}
