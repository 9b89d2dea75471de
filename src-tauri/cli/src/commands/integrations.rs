//! The integrations.

use serde_json::{Value, json};

use super::{entries, read_file, stdin};
use crate::{
    args::Integrations,
    client::{Engine, segment},
    exit::Failed,
    show::{self, Mark, plain, text},
};

pub(super) fn run(engine: &Engine, command: Option<Integrations>, as_json: bool) -> Result<(), Failed> {
    let (answer, said) = match command {
        None => return list(engine, as_json),
        Some(Integrations::Add { file }) => {
            let added = engine.post("/relink/integrations", &json!({ "text": read_file(&file)? }))?;
            let mut said = format!("{} was added and installed.", text(&added, "name"));
            for warning in added["warnings"].as_array().map(Vec::as_slice).unwrap_or_default() {
                said.push_str("\nNote: ");
                said.push_str(warning.as_str().unwrap_or_default());
            }
            (added, said)
        }
        Some(Integrations::Install { name }) => (
            engine.post(&format!("/relink/integrations/{}/install", segment(&name)), &Value::Null)?,
            format!("{name} is installed."),
        ),
        Some(Integrations::Uninstall { name }) => (
            engine.post(&format!("/relink/integrations/{}/uninstall", segment(&name)), &Value::Null)?,
            format!("{name} was uninstalled."),
        ),
        Some(Integrations::Client { name, id, secret_stdin }) => {
            let secret = if secret_stdin { Some(stdin()?.trim().to_owned()) } else { None };
            let path = format!("/relink/integrations/{}/client", segment(&name));
            (
                engine.post(&path, &json!({ "id": id, "secret": secret }))?,
                format!("{name} has its client. Connect it: relink connect {name} --open"),
            )
        }
    };
    show::either(&answer, &said, as_json)
}

fn list(engine: &Engine, as_json: bool) -> Result<(), Failed> {
    let answer = engine.get("/relink/integrations")?;
    if as_json {
        return show::json(&answer);
    }
    let rows: Vec<_> = entries(&answer)
        .iter()
        .map(|integration| {
            let state = match (integration["installed"].as_bool(), integration["not_ready"].as_str()) {
                (Some(true), None) => ("installed".to_owned(), Mark::Good),
                (Some(true), Some(_)) => ("needs its client".to_owned(), Mark::Warning),
                _ => ("not installed".to_owned(), Mark::None),
            };
            vec![
                plain(text(integration, "name")),
                plain(text(integration, "label")),
                state,
                plain(integration["not_ready"].as_str().unwrap_or_default()),
            ]
        })
        .collect();
    show::table(&rows)
}
