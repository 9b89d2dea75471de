//! The Sandbox's controls.

use serde_json::{Map, Value, json};

use crate::{
    args::Sandbox,
    client::Engine,
    exit::Failed,
    show::{self, plain, text},
};

const CONTROL: &str = "/relink/sandbox/control";

/// Carries a command out.
pub(crate) fn run(engine: &Engine, command: Sandbox, as_json: bool) -> Result<(), Failed> {
    let (answer, said) = match command {
        Sandbox::Start => {
            let installed = engine.post("/relink/integrations/sandbox/install", &Value::Null)?;
            (installed, "The Sandbox runs. Connect an account: relink connect sandbox --open".to_owned())
        }
        Sandbox::Remove => {
            (engine.post("/relink/integrations/sandbox/uninstall", &Value::Null)?, "The Sandbox is gone.".to_owned())
        }
        Sandbox::Status => {
            let status = engine.get(CONTROL)?;
            let said = settings(&status);
            (status, said)
        }
        Sandbox::Set(wanted) => {
            let mut change = Map::new();
            for (name, value) in [
                ("token_lifetime_secs", wanted.token_lifetime.map(Value::from)),
                ("rotation", wanted.rotation.map(Value::from)),
                ("grace_secs", wanted.grace.map(Value::from)),
                ("clock_skew_secs", wanted.clock_skew.map(Value::from)),
                ("delay_millis", wanted.delay.map(Value::from)),
            ] {
                change.extend(value.map(|value| (name.to_owned(), value)));
            }
            let status = engine.ask("PATCH", CONTROL, Some(&Value::Object(change)))?;
            let said = settings(&status);
            (status, said)
        }
        Sandbox::Expire(whom) => {
            let answer = control(engine, "expire", &json!({ "subject": whom.subject }))?;
            let said = format!("{} access tokens have run out.", answer["expired"]);
            (answer, said)
        }
        Sandbox::Revoke(whom) => {
            let answer = control(engine, "revoke", &json!({ "subject": whom.subject }))?;
            let said = format!("{} sign-ins, keys and clients were revoked.", answer["revoked"]);
            (answer, said)
        }
        Sandbox::Fault(fault) => {
            let body = json!({
                "kind": fault.kind,
                "count": fault.count,
                "on": fault.on,
                "after": fault.after,
                "retry_after": fault.retry_after,
            });
            let answer = control(engine, "faults", &body)?;
            let said = format!("{} answers will go wrong.", answer["faults_left"]);
            (answer, said)
        }
        Sandbox::Clear => (engine.delete(&format!("{CONTROL}/faults"))?, "No more faults.".to_owned()),
        Sandbox::ApiKey(whom) => {
            let answer = control(engine, "api-keys", &json!({ "subject": whom.subject }))?;
            let said = text(&answer, "api_key").to_owned();
            (answer, said)
        }
        Sandbox::Client => {
            let answer = control(engine, "clients", &json!({}))?;
            let said = format!(
                "client id      {}\nclient secret  {}",
                text(&answer, "client_id"),
                text(&answer, "client_secret")
            );
            (answer, said)
        }
        Sandbox::Reset => (control(engine, "reset", &json!({}))?, "The Sandbox has forgotten everything.".to_owned()),
        Sandbox::Log { follow } => return log(engine, follow, as_json),
    };
    show::either(&answer, &said, as_json)
}

fn control(engine: &Engine, path: &str, body: &Value) -> Result<Value, Failed> {
    engine.post(&format!("{CONTROL}/{path}"), body)
}

fn settings(status: &Value) -> String {
    let settings = &status["settings"];
    format!(
        "Access tokens live {} s. Refresh tokens: rotation {}, grace {} s. Clock ahead by {} s; answers take {} ms.\n\
         {} sign-ins; {} answers will go wrong.",
        settings["token_lifetime_secs"],
        text(settings, "rotation"),
        settings["grace_secs"],
        settings["clock_skew_secs"],
        settings["delay_millis"],
        status["sign_ins"],
        status["faults_left"],
    )
}

fn log(engine: &Engine, follow: bool, as_json: bool) -> Result<(), Failed> {
    let (mut after, mut wait) = (0, 0);
    loop {
        let answer = engine.get(&format!("{CONTROL}/log?after={after}&wait={wait}"))?;
        let entries = answer["entries"].as_array().cloned().unwrap_or_default();
        if as_json {
            for entry in &entries {
                show::line(&entry.to_string())?;
            }
        } else {
            let rows: Vec<_> = entries
                .iter()
                .map(|entry| {
                    ["at", "endpoint", "grant_type", "outcome", "subject"].map(|name| plain(text(entry, name))).to_vec()
                })
                .collect();
            show::table(&rows)?;
        }
        after = entries.last().and_then(|entry| entry["seq"].as_u64()).unwrap_or(after);
        if !follow {
            return Ok(());
        }
        wait = 25;
    }
}
