//! `relink integrations`.

use relink_contract::{
    WireSecret,
    integration::{AddedIntegration, CatalogEntry, EnvironmentIntegration, OAuthClient},
};
use relink_domain::{Secret, name::natural_order};
use serde_json::{Map, Value};

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
        Some(Integrations::Override { name, file, clear }) => {
            let over = match file {
                Some(file) => Some(read_override(&read_file(&file)?)?),
                None => clear.then(Map::new),
            };
            let id = installed_id(client, &name)?;
            match over {
                Some(over) => {
                    output.text(&client.set_override(&id, over)?, |_| format!("The override of {name} was replaced."))
                }
                None => output.text(&client.environment_integration(&id)?, shown_override),
            }
        }
    }
}

/// The installed integration with this name.
fn installed_id(client: &ApiClient, name: &str) -> Result<String, CliError> {
    let catalog = client.integrations()?.result;
    let found = catalog.iter().find(|entry| entry.name == name).and_then(|entry| entry.environment_integration_id);
    let advice = || format!("{name} isn't installed. To list all integrations: relink integrations");
    found.map(|id| id.to_string()).ok_or_else(|| CliError::new(advice()))
}

fn read_override(text: &str) -> Result<Map<String, Value>, CliError> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        CliError::new(format!("The override must be a JSON object in {{ }} (line {line}, column {column})."))
    })
}

fn shown_override(installed: &EnvironmentIntegration) -> String {
    format!("{:#}", Value::Object(installed.summary.r#override.clone()))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_override_is_a_json_object_or_the_error_says_where_it_is_not() {
        let read = |text: &str| read_override(text).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"label": "Ours"}"#).map(Value::Object), Ok(json!({ "label": "Ours" })));
        for (text, place) in
            [("{\n \"label\": ,\n}", "line 2, column 11"), ("[]", "line 1, column 0"), ("", "line 1, column 0")]
        {
            let error = read(text).expect_err(text);
            assert!(error.contains(place) && error.contains("JSON object"), "{text}: {error}");
        }
    }
}
