//! What happened, and what is told.

use super::{entries, id_of};
use crate::{
    client::{Engine, segment},
    exit::Failed,
    show::{self, Mark, plain, text, when},
};

pub(super) fn timeline(engine: &Engine, id: Option<&str>, limit: u32, as_json: bool) -> Result<(), Failed> {
    let mut path = format!("/relink/timeline?limit={limit}");
    if let Some(id) = id {
        path.push_str("&account=");
        path.push_str(&segment(&id_of(engine, id)?));
    }
    let answer = engine.get(&path)?;
    if as_json {
        return show::json(&answer);
    }
    let rows: Vec<_> = entries(&answer)
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
    show::table(&rows)
}

pub(super) fn events(engine: &Engine, after: Option<i64>, once: bool, as_json: bool) -> Result<(), Failed> {
    let mut after = match after {
        Some(after) => after,
        None if once => 0,
        // Following begins with what is new.
        None => engine.get(&format!("/relink/events?after={}&limit=1", i64::MAX))?["latest"].as_i64().unwrap_or(0),
    };
    loop {
        let wait = if once { 0 } else { 25 };
        let answer = engine.get(&format!("/relink/events?after={after}&wait={wait}"))?;
        let found = entries(&answer);
        for event in found {
            if as_json {
                // One to a line, for programs that follow.
                show::line(&event.to_string())?;
            } else {
                let subject = event["payload"]["id"].as_str().unwrap_or_default();
                show::words(&format!("{}  {}  {subject}", text(event, "created_at"), text(event, "event")))?;
            }
        }
        after = found.last().and_then(|event| event["seq"].as_i64()).unwrap_or(after);
        if once && found.is_empty() {
            return Ok(());
        }
    }
}
