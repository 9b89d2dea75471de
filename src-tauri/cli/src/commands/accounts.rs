//! Accounts, and how Relink is.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use super::{entries, find, id_of, of};
use crate::{
    client::Engine,
    exit::Failed,
    show::{self, Mark, plain, text, when},
};

/// What a person reads of an account's state.
fn state_of(account: &Value) -> (String, Mark) {
    match (text(account, "status"), text(account, "verdict")) {
        ("active", _) => ("working".into(), Mark::Good),
        ("needs_reauth", "retrying") => (format!("trying again {}", when(&account["next_try"])), Mark::Warning),
        ("needs_reauth", "needs_client") => ("its client needs you".into(), Mark::Bad),
        ("needs_reauth", _) => ("needs you".into(), Mark::Bad),
        (other, _) => (other.replace('_', " "), Mark::Warning),
    }
}

pub(super) fn status(engine: &Engine, as_json: bool) -> Result<(), Failed> {
    let status = engine.get("/relink/status")?;
    if as_json {
        return show::json(&status);
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
    ])
}

/// Those that need somebody first, then those that try again by themselves, then those that work; each as they came.
fn in_need_first(accounts: &mut [Value]) {
    accounts.sort_by_key(|account| match (text(account, "status"), text(account, "verdict")) {
        ("active", _) => 2,
        (_, "retrying") => 1,
        _ => 0,
    });
}

pub(super) fn list(engine: &Engine, as_json: bool) -> Result<(), Failed> {
    let mut accounts = entries(&engine.get("/relink/accounts")?).to_vec();
    in_need_first(&mut accounts);
    if as_json {
        return show::json(&json!({ "result": accounts }));
    }
    if accounts.is_empty() {
        return show::words("No accounts yet. Try it with the Sandbox: relink connect sandbox --open");
    }
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
    show::table(&rows)
}

pub(super) fn show(account: &Value, as_json: bool) -> Result<(), Failed> {
    if as_json {
        return show::json(account);
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
    show::table(&rows)
}

pub(super) fn token(engine: &Engine, id: &str, as_json: bool) -> Result<(), Failed> {
    let access = engine.post(&of(&id_of(engine, id)?, "/access-token"), &Value::Null)?;
    if as_json { show::json(&access) } else { show::line(text(&access, "access_token")) }
}

pub(super) fn check(engine: &Engine, id: &str, as_json: bool) -> Result<(), Failed> {
    let report = engine.post(&of(&id_of(engine, id)?, "/check"), &Value::Null)?;
    let account = &report["account"];
    if as_json {
        show::json(&report)?;
    } else {
        let label = text(account, "integration_label");
        show::words(&match text(&report, "outcome") {
            "accepted" => format!("{label} accepted a call."),
            "forbidden" => format!("{label} knows this account, but forbade the call (403)."),
            "no_probe" => format!("{label}'s definition names no call to check with."),
            "inconclusive" => format!("It could not be found out: {label} can't be reached or has trouble of its own."),
            _ => format!("{label} refused the call (401)."),
        })?;
    }
    if text(&report, "outcome") == "unauthorized" {
        return Err(Failed::of_answer(&json!({
            "verdict": account["verdict"],
            "code": account["last_error"]["code"],
            "message": account["last_error"]["message"],
            "hint": account["last_error"]["hint"],
        })));
    }
    Ok(())
}

pub(super) fn delete(engine: &Engine, id: &str, yes: bool, as_json: bool) -> Result<(), Failed> {
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
        let _ = write!(io::stderr(), "{}", show::harmless(&question)).and_then(|()| io::stderr().flush());
        let mut answer = String::new();
        let read = io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Failed::new(format!("The answer could not be read: {error}")))?;
        if read == 0 || answer.trim() != "yes" {
            return Err(Failed::new("Nothing was deleted."));
        }
    }
    let deleted = engine.delete(&format!("/integrated-account/{}", text(&account, "id")))?;
    show::either(&deleted, &format!("{name} was deleted."), as_json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_somebody_is_listed_first() {
        let account =
            |id: &str, status: &str, verdict: Option<&str>| json!({ "id": id, "status": status, "verdict": verdict });
        let mut accounts = [
            account("works", "active", None),
            account("tries", "needs_reauth", Some("retrying")),
            account("person", "needs_reauth", Some("needs_person")),
            account("works too", "active", None),
            account("client", "needs_reauth", Some("needs_client")),
        ];
        in_need_first(&mut accounts);
        let order: Vec<_> = accounts.iter().map(|account| text(account, "id")).collect();
        assert_eq!(order, ["person", "client", "tries", "works", "works too"]);
    }
}
