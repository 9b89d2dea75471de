//! Removing the client's secret from a document, so that no copy of the document contains it.

use serde_json::Value;

use super::format::{self, PerFormat};
use crate::Secret;

/// Empties every `client.secret` of a config's `credentials` and returns what was there.
///
/// An override must pass through here as well before it is stored. Its secrets should come from
/// [`super::Definition::with_override`], because an override alone need not name the format.
pub fn take_client_secrets(config: &mut Value) -> PerFormat<Secret> {
    let mut taken = PerFormat::default();
    let Some(Value::Object(credentials)) = config.get_mut("credentials") else { return taken };
    let format = credentials.get("format").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(config) = credentials.get_mut("config") {
        take(&format, config, &mut taken);
    }
    for (format, entry) in credentials.iter_mut() {
        if let Some(config) = entry.get_mut("config") {
            take(format, config, &mut taken);
        }
    }
    taken
}

fn take(format: &str, config: &mut Value, taken: &mut PerFormat<Secret>) {
    let Some(Value::String(secret)) = config.pointer_mut("/client/secret") else { return };
    let secret = Secret::new(std::mem::take(secret));
    let method = format::WORDS.iter().find(|(name, _)| *name == format).map(|(_, method)| *method);
    if let (Some(method), false) = (method, secret.expose().trim().is_empty()) {
        taken.put(method, Secret::new(secret.expose().trim()));
    }
}
