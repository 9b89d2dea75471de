//! The commands that ask the running engine.

use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    path::Path,
    process::{Command as Process, Stdio},
};

use serde_json::{Value, json};

use crate::{
    args::{ApiTokens, Command, Integrations, Webhooks},
    client::{Engine, segment},
    exit::Failed,
    sandbox,
    show::{self, Mark, plain, text, when},
};

/// Carries a command out.
pub(crate) fn run(engine: &Engine, command: Command, as_json: bool) -> Result<(), Failed> {
    match command {
        // `main` runs it without an engine to ask.
        Command::Serve { .. } => Ok(()),
        Command::Status => status(engine, as_json),
        Command::Accounts => accounts(engine, as_json),
        Command::Account { id } => show_account(&find(engine, &id)?, as_json),
        Command::Connect { integration, tenant, open } => connect(engine, &integration, &tenant, open),
        Command::Reauthorize { id, open } => {
            let account = find(engine, &id)?;
            let link = engine.post("/link-token", &json!({ "integrated_account_id": account["id"] }))?;
            magic_link(engine, &link, None, open)
        }
        Command::Token { id } => {
            let access = engine.post(&of(&find(engine, &id)?, "/access-token"), &Value::Null)?;
            if as_json {
                show::json(&access)
            } else {
                show::line(text(&access, "access_token"))
            }
            Ok(())
        }
        Command::Check { id } => check(engine, &id, as_json),
        Command::Refresh { id } => {
            show_account(&engine.post(&of(&find(engine, &id)?, "/refresh"), &Value::Null)?, as_json)
        }
        Command::Rename { id, name } => {
            let account = find(engine, &id)?;
            show_account(&engine.post(&of(&account, "/rename"), &json!({ "name": name }))?, as_json)
        }
        Command::Delete { id, yes } => delete(engine, &id, yes, as_json),
        Command::Timeline { id, limit } => timeline(engine, id.as_deref(), limit, as_json),
        Command::Events { after, once } => events(engine, after, once, as_json),
        Command::Integrations { command } => integrations(engine, command, as_json),
        Command::Sandbox { command } => sandbox::run(engine, command, as_json),
        Command::ApiToken { command } => api_tokens(engine, command, as_json),
        Command::Webhook { command } => webhooks(engine, command, as_json),
        Command::Callback { url } => {
            let url = if url == "-" { stdin()? } else { url };
            let taken = engine.post("/relink/callback", &json!({ "url": url.trim() }))?;
            if as_json {
                show::json(&taken)
            } else {
                show::line("Taken. The connect page goes on.")
            }
            Ok(())
        }
    }
}

/// An account's own route.
fn of(account: &Value, path: &str) -> String {
    format!("/relink/accounts/{}{path}", text(account, "id"))
}

/// The account that is meant: by its id, the beginning of it, or its name.
pub(crate) fn find(engine: &Engine, wanted: &str) -> Result<Value, Failed> {
    let all = engine.get("/relink/accounts")?;
    chosen(all["result"].as_array().map(Vec::as_slice).unwrap_or_default(), wanted).cloned()
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

/// What a person reads of an account's state.
fn state_of(account: &Value) -> (String, Mark) {
    match (text(account, "status"), text(account, "verdict")) {
        ("active", _) => ("working".into(), Mark::Good),
        ("needs_reauth", "trying_again") => (format!("trying again {}", when(&account["next_try"])), Mark::Warning),
        ("needs_reauth", "needs_client") => ("its client needs you".into(), Mark::Bad),
        ("needs_reauth", _) => ("needs you".into(), Mark::Bad),
        (other, _) => (other.replace('_', " "), Mark::Warning),
    }
}

fn status(engine: &Engine, as_json: bool) -> Result<(), Failed> {
    let status = engine.get("/relink/status")?;
    if as_json {
        show::json(&status);
        return Ok(());
    }
    let keychain = match status["keychain"]["message"].as_str() {
        Some(words) => (words.to_owned(), Mark::Bad),
        None => ("available".into(), Mark::Good),
    };
    let in_need = status["accounts"]["needs_reauth"].as_u64().unwrap_or(0);
    let accounts = (
        format!("{}, {in_need} in need", status["accounts"]["total"]),
        if in_need > 0 { Mark::Bad } else { Mark::Good },
    );
    let sandbox = status["sandbox"]["base_url"].as_str().unwrap_or("not installed");
    show::table(&[
        vec![plain("Relink"), plain(format!("{} at {}", text(&status, "version"), text(&status, "base_url")))],
        vec![plain("Keychain"), keychain],
        vec![plain("Accounts"), accounts],
        vec![plain("Sandbox"), plain(sandbox)],
    ]);
    Ok(())
}

fn accounts(engine: &Engine, as_json: bool) -> Result<(), Failed> {
    let answer = engine.get("/relink/accounts")?;
    if as_json {
        show::json(&answer);
        return Ok(());
    }
    let mut accounts = answer["result"].as_array().cloned().unwrap_or_default();
    if accounts.is_empty() {
        show::line("No accounts yet. Try it with the Sandbox: relink connect sandbox --open");
        return Ok(());
    }
    accounts.sort_by_key(|account| match (text(account, "status"), text(account, "verdict")) {
        ("active", _) => 2,
        (_, "trying_again") => 1,
        _ => 0,
    });
    let rows: Vec<_> = accounts
        .iter()
        .map(|account| {
            vec![
                plain(text(account, "id").chars().take(13).collect::<String>()),
                plain(text(account, "name")),
                plain(text(account, "integration_label")),
                state_of(account),
                plain(account["last_error"]["message"].as_str().unwrap_or_default()),
            ]
        })
        .collect();
    show::table(&rows);
    Ok(())
}

fn show_account(account: &Value, as_json: bool) -> Result<(), Failed> {
    if as_json {
        show::json(account);
        return Ok(());
    }
    let scopes: Vec<_> =
        account["scopes"].as_array().map(|all| all.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    let mut rows = vec![
        vec![plain("Name"), plain(text(account, "name"))],
        vec![plain("Id"), plain(text(account, "id"))],
        vec![plain("Integration"), plain(text(account, "integration_label"))],
        vec![plain("Signed in as"), plain(account["identity"].as_str().unwrap_or("–"))],
        vec![plain("Tenant"), plain(text(account, "tenant_id"))],
        vec![plain("Method"), plain(text(account, "authentication_method"))],
        vec![plain("State"), state_of(account)],
        vec![plain("Token ends"), plain(when(&account["expires_at"]))],
        vec![plain("Next refresh"), plain(when(&account["next_action_at"]))],
        vec![plain("Last used"), plain(when(&account["last_used_at"]))],
        vec![plain("Scopes"), plain(if scopes.is_empty() { "–".to_owned() } else { scopes.join(" ") })],
    ];
    if let Some(words) = account["last_error"]["message"].as_str() {
        rows.push(vec![plain("What is wrong"), (words.to_owned(), Mark::Bad)]);
        rows.push(vec![plain("What to do"), plain(account["last_error"]["hint"].as_str().unwrap_or_default())]);
    }
    show::table(&rows);
    Ok(())
}

fn connect(engine: &Engine, integration: &str, tenant: &str, open: bool) -> Result<(), Failed> {
    engine.post(&format!("/relink/integrations/{}/install", segment(integration)), &Value::Null)?;
    let link = engine.post("/link-token", &json!({ "tenant_id": tenant }))?;
    magic_link(engine, &link, Some(integration), open)
}

/// Prints the magic link, alone, and opens it if that is wanted.
fn magic_link(engine: &Engine, link: &Value, integration: Option<&str>, open: bool) -> Result<(), Failed> {
    let mut url = format!("{}/connect-account?link_token={}", engine.base_url(), segment(text(link, "link_token")));
    if let Some(integration) = integration {
        url.push_str("&integration=");
        url.push_str(&segment(integration));
    }
    show::line(&url);
    if open { open_in_browser(&url) } else { Ok(()) }
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

fn check(engine: &Engine, id: &str, as_json: bool) -> Result<(), Failed> {
    let report = engine.post(&of(&find(engine, id)?, "/check"), &Value::Null)?;
    let account = &report["account"];
    if as_json {
        show::json(&report);
    } else {
        let label = text(account, "integration_label");
        show::line(&match text(&report, "outcome") {
            "accepted" => format!("{label} accepted a call."),
            "forbidden" => format!("{label} knows this account, but forbade the call (403)."),
            "no_probe" => format!("{label}'s definition names no call to check with."),
            "inconclusive" => format!("It could not be found out: {label} can't be reached or has trouble of its own."),
            _ => format!("{label} refused the call (401)."),
        });
    }
    if text(&report, "outcome") == "unauthorized" {
        return Err(Failed::of_answer(&json!({
            "code": account["last_error"]["code"],
            "message": account["last_error"]["message"],
            "hint": account["last_error"]["hint"],
        })));
    }
    Ok(())
}

fn delete(engine: &Engine, id: &str, yes: bool, as_json: bool) -> Result<(), Failed> {
    let account = find(engine, id)?;
    let name = text(&account, "name");
    if !yes {
        if !io::stdin().is_terminal() {
            return Err(Failed::new(format!("{name} was not deleted: say --yes, or run this in a terminal.")));
        }
        let question = format!(
            "Delete {name} ({})? Its credentials are removed from the keychain and revoked at the provider where it offers that; \
             everything that uses it stops working. Type yes: ",
            text(&account, "integration_label")
        );
        // A terminal that can't be written to can't be read from either, which the next line finds out.
        let _ = write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush());
        let mut answer = String::new();
        let read = io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Failed::new(format!("The answer could not be read: {error}")))?;
        if read == 0 || answer.trim() != "yes" {
            return Err(Failed::new("Nothing was deleted."));
        }
    }
    let deleted = engine.delete(&format!("/integrated-account/{}", text(&account, "id")))?;
    if as_json {
        show::json(&deleted)
    } else {
        show::line(&format!("{name} was deleted."))
    }
    Ok(())
}

fn timeline(engine: &Engine, id: Option<&str>, limit: u32, as_json: bool) -> Result<(), Failed> {
    let mut path = format!("/relink/timeline?limit={limit}");
    if let Some(id) = id {
        path.push_str("&account=");
        path.push_str(text(&find(engine, id)?, "id"));
    }
    let answer = engine.get(&path)?;
    if as_json {
        show::json(&answer);
        return Ok(());
    }
    let rows: Vec<_> = answer["result"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|entry| {
            let (sign, mark) = match text(entry, "tone") {
                "good" => ("✓", Mark::Good),
                "warning" => ("○", Mark::Warning),
                _ => ("!", Mark::Bad),
            };
            vec![
                plain(when(&entry["at"])),
                (sign.to_owned(), mark),
                plain(text(entry, "title")),
                plain(text(entry, "detail")),
            ]
        })
        .collect();
    show::table(&rows);
    Ok(())
}

fn events(engine: &Engine, after: Option<i64>, once: bool, as_json: bool) -> Result<(), Failed> {
    let mut after = match after {
        Some(after) => after,
        None if once => 0,
        // Following begins with what is new.
        None => engine.get(&format!("/relink/events?after={}&limit=1", i64::MAX))?["latest"].as_i64().unwrap_or(0),
    };
    loop {
        let wait = if once { 0 } else { 25 };
        let answer = engine.get(&format!("/relink/events?after={after}&wait={wait}"))?;
        let found = answer["result"].as_array().cloned().unwrap_or_default();
        for event in &found {
            if as_json {
                // One to a line, for programs that follow.
                show::line(&event.to_string());
            } else {
                let subject = event["payload"]["id"].as_str().unwrap_or_default();
                show::line(&format!("{}  {}  {subject}", text(event, "created_at"), text(event, "event")));
            }
        }
        after = found.last().and_then(|event| event["seq"].as_i64()).unwrap_or(after);
        if once && found.is_empty() {
            return Ok(());
        }
    }
}

fn integrations(engine: &Engine, command: Option<Integrations>, as_json: bool) -> Result<(), Failed> {
    let (answer, said) = match command {
        None => return list_integrations(engine, as_json),
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
    if as_json {
        show::json(&answer)
    } else {
        show::line(&said)
    }
    Ok(())
}

fn list_integrations(engine: &Engine, as_json: bool) -> Result<(), Failed> {
    let answer = engine.get("/relink/integrations")?;
    if as_json {
        show::json(&answer);
        return Ok(());
    }
    let rows: Vec<_> = answer["result"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
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
    show::table(&rows);
    Ok(())
}

fn api_tokens(engine: &Engine, command: ApiTokens, as_json: bool) -> Result<(), Failed> {
    match command {
        ApiTokens::Create { name, expires_days } => {
            let expires_at = expires_days.map(|days| {
                let at = show::now() + jiff::SignedDuration::from_hours(i64::from(days) * 24);
                format!("{at:.3}")
            });
            let made = engine.post("/relink/api-tokens", &json!({ "name": name, "expires_at": expires_at }))?;
            if as_json { show::json(&made) } else { show::line(text(&made, "token")) }
        }
        ApiTokens::List => {
            let answer = engine.get("/api-token")?;
            if as_json {
                show::json(&answer);
                return Ok(());
            }
            let rows: Vec<_> = answer["result"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default()
                .iter()
                .map(|token| {
                    let ends =
                        if token["expires_at"].is_null() { "never".to_owned() } else { when(&token["expires_at"]) };
                    vec![plain(text(token, "id")), plain(text(token, "name")), plain(format!("ends {ends}"))]
                })
                .collect();
            show::table(&rows);
        }
        ApiTokens::Revoke { id } => {
            let gone = engine.delete(&format!("/relink/api-tokens/{}", segment(&id)))?;
            if as_json { show::json(&gone) } else { show::line("The token was revoked.") }
        }
    }
    Ok(())
}

fn webhooks(engine: &Engine, command: Webhooks, as_json: bool) -> Result<(), Failed> {
    let (answer, said) = match command {
        Webhooks::Add { url, events, allow_private } => {
            let events = if events.is_empty() { Value::Null } else { json!(events) };
            let body = json!({ "target_url": url, "event_types": events, "allow_private": allow_private });
            let made = engine.post("/relink/webhooks", &body)?;
            let said = format!("{}\nSigning secret, shown this once: {}", text(&made, "id"), text(&made, "secret"));
            (made, said)
        }
        Webhooks::List => {
            let answer = engine.get("/webhook")?;
            if as_json {
                show::json(&answer);
                return Ok(());
            }
            let rows: Vec<_> = answer["result"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default()
                .iter()
                .map(|webhook| {
                    let state = match (webhook["is_active"].as_bool(), webhook["failing_since"].is_null()) {
                        (Some(true), true) => ("active".to_owned(), Mark::Good),
                        (Some(true), false) => {
                            (format!("failing since {}", when(&webhook["failing_since"])), Mark::Bad)
                        }
                        _ => ("inactive".to_owned(), Mark::Warning),
                    };
                    vec![plain(text(webhook, "id")), plain(text(webhook, "target_url")), state]
                })
                .collect();
            show::table(&rows);
            return Ok(());
        }
        Webhooks::Remove { id } => {
            (engine.delete(&format!("/webhook/{}", segment(&id)))?, "The webhook was removed.".to_owned())
        }
        Webhooks::Test { id } => {
            (engine.post("/webhook/test", &json!({ "id": id }))?, "The event test is on its way.".to_owned())
        }
        Webhooks::Replay { id } => {
            let replayed = engine.post(&format!("/relink/webhooks/{}/replay", segment(&id)), &Value::Null)?;
            let said = format!("{} deliveries are on their way again.", replayed["replayed"]);
            (replayed, said)
        }
    };
    if as_json {
        show::json(&answer)
    } else {
        show::line(&said)
    }
    Ok(())
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
}
