//! API tokens.

use serde_json::json;

use super::entries;
use crate::{
    args::ApiTokens,
    client::{Engine, segment},
    exit::Failed,
    show::{self, plain, text, when},
};

pub(super) fn run(engine: &Engine, command: ApiTokens, as_json: bool) -> Result<(), Failed> {
    match command {
        ApiTokens::Create { name, expires } => {
            let expires_at = expires.map(|days| {
                let at = show::now() + jiff::SignedDuration::from_hours(i64::from(days) * 24);
                format!("{at:.3}")
            });
            let made = engine.post("/relink/api-tokens", &json!({ "name": name, "expires_at": expires_at }))?;
            if as_json { show::json(&made) } else { show::line(text(&made, "token")) }
        }
        ApiTokens::List => {
            let answer = engine.get("/api-token")?;
            if as_json {
                return show::json(&answer);
            }
            let rows: Vec<_> = entries(&answer)
                .iter()
                .map(|token| {
                    let ends =
                        if token["expires_at"].is_null() { "never".to_owned() } else { when(&token["expires_at"]) };
                    vec![plain(text(token, "id")), plain(text(token, "name")), plain(format!("ends {ends}"))]
                })
                .collect();
            show::table(&rows)
        }
        ApiTokens::Revoke { id } => {
            let gone = engine.delete(&format!("/relink/api-tokens/{}", segment(&id)))?;
            show::either(&gone, "The token was revoked.", as_json)
        }
    }
}
