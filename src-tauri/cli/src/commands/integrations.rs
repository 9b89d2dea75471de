//! `relink integrations`.

use relink_contract::{
    WireSecret,
    integration::{AddedIntegration, CatalogEntry, EnvironmentIntegration, IntegrationClient, OAuthClient},
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
    terminal::Stream,
};

pub(super) fn run(client: &ApiClient, command: Option<Integrations>, output: Output) -> Result<(), CliError> {
    match command {
        None => {
            let mut catalog = client.integrations()?;
            catalog.result.sort_by(|one, other| natural_order(&one.name, &other.name));
            output.table(&catalog, |catalog| catalog.result.iter().map(row).collect())?;
            let name = catalog.result.iter().find(|entry| entry.not_ready.is_some()).map(|entry| &entry.name);
            if let (Some(name), Output::Text) = (name, output) {
                // For people, not for programs that read the list.
                let _ = Stream::Errors.lines(&format!("How to set one up: relink connect {name}"));
            }
            Ok(())
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
            output.text(&client.set_oauth_client(&name, &OAuthClient { id, secret })?, describe_client)
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
    secret_of(&read_stdin()?)
}

fn secret_of(text: &str) -> Result<WireSecret, CliError> {
    match text.trim() {
        "" => Err(CliError::new("Standard input has no client secret. Nothing was changed.")),
        secret => Ok(Secret::new(secret).into()),
    }
}

fn describe_client(IntegrationClient { name, not_ready }: &IntegrationClient) -> String {
    match not_ready {
        Some(reason) => format!("The client ID of {name} is set, and that isn't all. {reason}"),
        None => format!("OAuth is set up for {name}. Connect an account: relink connect {name} --open"),
    }
}

fn describe_added(added: &AddedIntegration) -> String {
    let mut text = match (added.replaced, added.accounts) {
        (false, _) => format!("{} was added and installed.", added.name),
        (true, 0) => format!("{} was replaced. No account uses it.", added.name),
        (true, 1) => format!("{} was replaced. 1 account uses the new definition.", added.name),
        (true, many) => format!("{} was replaced. {many} accounts use the new definition.", added.name),
    };
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
    // What to do about it takes several lines, and is the same for no other integration.
    let not_ready = entry.not_ready.as_deref().map(first_sentence).unwrap_or_default();
    [entry.name.as_str().into(), entry.label.as_str().into(), state, not_ready.into()]
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::Table;

    #[test]
    fn an_integration_that_was_replaced_is_described_with_its_accounts() {
        let described = |replaced: bool, accounts: u32| {
            let id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
            let added = json!({ "name": "acme", "environment_integration_id": id, "replaced": replaced, "accounts": accounts,
                "warnings": [] });
            describe_added(&serde_json::from_value(added).expect("an added integration"))
        };
        assert_eq!(described(false, 0), "acme was added and installed.");
        assert_eq!(described(true, 0), "acme was replaced. No account uses it.");
        assert_eq!(described(true, 1), "acme was replaced. 1 account uses the new definition.");
        assert_eq!(described(true, 2), "acme was replaced. 2 accounts use the new definition.");
    }

    #[test]
    fn a_client_without_its_secret_is_not_called_set_up() {
        let described = |not_ready: Option<&str>| {
            describe_client(&IntegrationClient { name: "github".into(), not_ready: not_ready.map(str::to_owned) })
        };
        assert!(described(None).starts_with("OAuth is set up for github."));
        let text = described(Some("GitHub needs a client secret first."));
        assert!(text.contains("needs a client secret") && !text.contains("OAuth is set up"), "{text}");
        for empty in ["", " \n"] {
            assert!(secret_of(empty).expect_err("no secret").to_string().contains("Nothing was changed"));
        }
        assert_eq!(secret_of(" s\n").expect("a secret").expose(), "s");
    }

    #[test]
    fn an_integration_that_is_not_set_up_has_one_short_line() {
        let entry = json!({ "id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "name": "google", "label": "Google", "category": null,
            "built_in": true, "version": 1, "installed": true, "environment_integration_id": null, "methods": [],
            "not_ready": "Google needs a client ID first. Register one. Then run: relink integrations client google --id ID",
            "hides_built_in": false });
        let table: Table = [row(&serde_json::from_value(entry).expect("an entry"))].into_iter().collect();
        let mut text = Vec::new();
        table.write(&mut text, false).expect("written");
        let text = String::from_utf8(text).expect("UTF-8");
        assert_eq!(text, "google  Google  needs OAuth setup  Google needs a client ID first.\n");
        assert_eq!(first_sentence("One sentence."), "One sentence.");
    }

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
