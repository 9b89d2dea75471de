//! Webhooks.

use serde_json::{Value, json};

use super::entries;
use crate::{
    args::Webhooks,
    client::{Engine, segment},
    exit::Failed,
    show::{self, Mark, plain, text, when},
};

pub(super) fn run(engine: &Engine, command: Webhooks, as_json: bool) -> Result<(), Failed> {
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
                return show::json(&answer);
            }
            let rows: Vec<_> = entries(&answer)
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
            return show::table(&rows);
        }
        Webhooks::Deliveries { id } => {
            let answer = engine.get(&format!("/relink/webhooks/{}/deliveries", segment(&id)))?;
            if as_json {
                return show::json(&answer);
            }
            let rows: Vec<_> = entries(&answer).iter().map(delivery).collect();
            return show::table(&rows);
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
    show::either(&answer, &said, as_json)
}

fn delivery(delivery: &Value) -> Vec<(String, Mark)> {
    let state = text(delivery, "state");
    let mark = match state {
        "delivered" => Mark::Good,
        "parked" => Mark::Bad,
        _ => Mark::Warning,
    };
    let status = delivery["last_status"].as_u64().map(|status| status.to_string());
    let came_to = match (text(delivery, "last_error"), status) {
        ("", status) => status.unwrap_or_default(),
        (error, _) => error.to_owned(),
    };
    vec![
        plain(when(&delivery["updated_at"])),
        plain(text(delivery, "event")),
        (state.to_owned(), mark),
        plain(format!("tries: {}", delivery["tries"])),
        plain(came_to),
    ]
}
