//! The commands that ask the running engine.

mod accounts;
mod integrations;
mod links;
mod telling;
mod tokens;
mod webhooks;

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    args::Command,
    client::{Engine, segment},
    exit::Failed,
    sandbox,
    show::text,
};

/// Carries a command out.
pub(crate) fn run(engine: &Engine, command: Command, as_json: bool) -> Result<(), Failed> {
    match command {
        // `main` runs it without an engine to ask.
        Command::Serve { .. } => Ok(()),
        Command::Status => accounts::status(engine, as_json),
        Command::Accounts => accounts::list(engine, as_json),
        Command::Account { id } => accounts::show(&find(engine, &id)?, as_json),
        Command::Connect { integration, tenant, open } => links::connect(engine, &integration, &tenant, open, as_json),
        Command::Reauthorize { id, open } => links::reauthorize(engine, &id, open, as_json),
        Command::Token { id } => accounts::token(engine, &id, as_json),
        Command::Check { id } => accounts::check(engine, &id, as_json),
        Command::Refresh { id } => {
            let refreshed = engine.post(&of(&id_of(engine, &id)?, "/refresh"), &Value::Null)?;
            accounts::show(&refreshed, as_json)
        }
        Command::Rename { id, name } => {
            let renamed = engine.post(&of(&id_of(engine, &id)?, "/rename"), &json!({ "name": name }))?;
            accounts::show(&renamed, as_json)
        }
        Command::Delete { id, yes } => accounts::delete(engine, &id, yes, as_json),
        Command::Timeline { id, limit } => telling::timeline(engine, id.as_deref(), limit, as_json),
        Command::Events { after, once } => telling::events(engine, after, once, as_json),
        Command::Integrations { command } => integrations::run(engine, command, as_json),
        Command::Sandbox { command } => sandbox::run(engine, command, as_json),
        Command::ApiToken { command } => tokens::run(engine, command, as_json),
        Command::Webhook { command } => webhooks::run(engine, command, as_json),
        Command::Callback { url } => links::callback(engine, url, as_json),
    }
}

/// A route of an account's own.
fn of(id: &str, path: &str) -> String {
    format!("/relink/accounts/{}{path}", segment(id))
}

/// The account that is meant: by its id, the beginning of it, or its name.
fn find(engine: &Engine, wanted: &str) -> Result<Value, Failed> {
    if is_whole_id(wanted) {
        return engine.get(&of(wanted, ""));
    }
    let all = engine.get("/relink/accounts")?;
    chosen(entries(&all), wanted).cloned()
}

/// The id that is meant. A whole one is taken as it is, which saves a question; the engine knows whether it exists.
fn id_of(engine: &Engine, wanted: &str) -> Result<String, Failed> {
    if is_whole_id(wanted) { Ok(wanted.to_owned()) } else { Ok(text(&find(engine, wanted)?, "id").to_owned()) }
}

fn is_whole_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn chosen<'a>(accounts: &'a [Value], wanted: &str) -> Result<&'a Value, Failed> {
    if let Some(exact) = accounts.iter().find(|account| text(account, "id") == wanted) {
        return Ok(exact);
    }
    let mut meant: Vec<_> = accounts.iter().filter(|account| text(account, "name") == wanted).collect();
    if meant.is_empty() && wanted.len() >= 4 {
        meant = accounts.iter().filter(|account| text(account, "id").starts_with(wanted)).collect();
    }
    match meant.as_slice() {
        [one] => Ok(one),
        [] => Err(Failed::new(format!("There is no account {wanted}. relink accounts lists them."))),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|account| {
                    format!(
                        "  {}  {} ({})",
                        text(account, "id"),
                        text(account, "name"),
                        text(account, "integration_label")
                    )
                })
                .collect();
            Err(Failed::new(format!(
                "Several accounts are meant by {wanted}. Give the id of one:\n{}",
                names.join("\n")
            )))
        }
    }
}

/// The entries of a list.
fn entries(answer: &Value) -> &[Value] {
    answer["result"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn read_file(path: &Path) -> Result<String, Failed> {
    if path.as_os_str() == "-" {
        return stdin();
    }
    fs::read_to_string(path).map_err(|error| Failed::new(format!("{} can't be read: {error}", path.display())))
}

fn stdin() -> Result<String, Failed> {
    let mut text = String::new();
    let read = io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failed::new(format!("Standard input can't be read: {error}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_id_by_its_beginning_or_by_name() {
        let accounts = [
            json!({ "id": "0190aaaa-1", "name": "Acme" }),
            json!({ "id": "0190aaaa-2", "name": "Acme" }),
            json!({ "id": "0190bbbb-3", "name": "Other" }),
        ];
        let found = |wanted| chosen(&accounts, wanted).map(|account| text(account, "id").to_owned());
        assert_eq!(found("0190aaaa-2").as_deref(), Ok("0190aaaa-2"));
        assert_eq!(found("0190b").as_deref(), Ok("0190bbbb-3"));
        assert_eq!(found("Other").as_deref(), Ok("0190bbbb-3"));
        assert!(found("Acme").is_err(), "two have this name");
        assert!(found("0190aaaa").is_err(), "two begin so");
        assert!(found("019").is_err(), "too short to be meant");
        assert!(found("nobody").is_err());
    }

    #[test]
    fn a_whole_id_is_known_by_its_shape() {
        assert!(is_whole_id("01a209c1-ba50-7323-ac96-f440c8b78de9"));
        for other in
            ["01a209c1-ba50", "01a209c1-ba50-7323-ac96-f440c8b78dez", "01a209c1xba50-7323-ac96-f440c8b78de9", ""]
        {
            assert!(!is_whole_id(other), "{other}");
        }
    }
}
