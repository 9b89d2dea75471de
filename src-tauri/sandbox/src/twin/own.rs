//! The Sandbox's own API: a file of the same language, behind the Sandbox's own tokens.

use std::sync::LazyLock;

use axum::{
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, json};

use super::{
    call::Call,
    records::with,
    respond,
    routes::{self, Matched},
};
use crate::{provider::Provider, scenario::Resources};

static RESOURCES: LazyLock<Resources> = LazyLock::new(|| {
    // A malformed file would be a defect of this build; a test below reads it.
    Resources::parse(include_str!("../../own-api.json")).expect("the Sandbox's API is well-formed")
});

/// The answer to a call whose token is known.
pub(crate) async fn answer(provider: &Provider, request: Request) -> Response {
    let Some(call) = Call::read(request).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let known = json!({ "current_time": routes::current_time(provider) });
    let scope = |path| with(&call.scope(&provider.base_url, &path), known.clone());
    match routes::find(&RESOURCES, &call, scope) {
        Some(Matched { route, scope }) => routes::answer(provider, &RESOURCES, route, &scope).1,
        None => respond::error(&RESOURCES, "no_route", &scope(Map::new()), json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_well_formed() {
        let names: Vec<_> = RESOURCES.collections.keys().map(String::as_str).collect();
        assert_eq!(names, ["attachments", "comments", "companies", "contacts", "deals", "tickets", "users"]);
    }
}
