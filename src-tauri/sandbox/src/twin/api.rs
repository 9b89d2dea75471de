//! The requests to a twin.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    authorize,
    call::{Call, match_path},
    oauth, records, respond,
    routes::{self, Matched},
};
use crate::{
    faults::{Endpoint, FaultKind},
    grants::Access,
    inject_fault,
    memory::Counted,
    provider::{Provider, hash},
    scenario::{AccessTokens, Route, Scenario},
};

/// Every request that isn't to the controls.
pub(crate) async fn serve(State(provider): State<Arc<Provider>>, request: Request) -> Response {
    let Some(scenario) = provider.scenario.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let Some(call) = Call::read(request).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let is = |method: &str, path: &str| call.method == *method && call.path == path;
    if is("GET", &scenario.oauth.authorize.path) {
        return authorize::show(&provider, &scenario, &call);
    }
    if is("POST", &scenario.oauth.authorize.path) {
        return authorize::decide(&provider, &scenario, &call);
    }
    if is("POST", &scenario.oauth.token.path) {
        return oauth::token(&provider, &scenario, &call).await;
    }
    if let Some(revoke) = scenario.oauth.revoke.as_ref().filter(|revoke| call.method == *revoke.method)
        && let Some(path) = match_path(&revoke.path, &call.path)
    {
        return oauth::revoke(&provider, &scenario, revoke, &call, &path).await;
    }
    let call = if scenario.api.form_counts_as_query { call.form_as_query() } else { call };
    resource(&provider, &scenario, &call).await
}

/// A call of the API.
async fn resource(provider: &Provider, scenario: &Scenario, call: &Call) -> Response {
    let fault = provider.fault(Endpoint::Api);
    let asks_to_wait = fault.filter(|fault| fault.kind == FaultKind::TooManyRequests);
    let own_answer = scenario.resources.errors.get("rate_limited").filter(|_| asks_to_wait.is_some());
    if let Some(fault) = fault
        && own_answer.is_none()
        && let Some(response) = inject_fault::replacement(provider, Endpoint::Api, None, fault).await
    {
        return response;
    }
    let caller = match caller(provider, scenario, call) {
        Ok(caller) => caller,
        Err((error, outcome)) => {
            provider.record("api", None, outcome, None);
            let response =
                respond::error(&scenario.resources, error, &call.scope(&provider.base_url, &Map::new()), json!({}));
            return inject_fault::deliver(fault, with_headers(scenario, response, &json!({}))).await;
        }
    };
    let counted = count(provider, scenario, &caller);
    let limits = scenario.api.limit.as_ref().zip(counted);
    let limits = limits.map_or_else(
        || json!({}),
        |(limit, counted)| counted.values(limit, asks_to_wait.map(|fault| fault.retry_after_secs)),
    );
    let is_over = asks_to_wait.is_some() || counted.is_some_and(|counted| counted.is_over);
    let granted = caller.scopes.join(&scenario.oauth.authorize.scope_separator);
    let known = json!({
        "person": person(scenario, &caller.subject),
        "granted": granted,
        "current_time": routes::current_time(provider),
    });
    let known = records::with(&known, limits.clone());
    let scope = |path| records::with(&call.scope(&provider.base_url, &path), known.clone());
    let (outcome, response) = if is_over {
        ("rate_limited", respond::error(&scenario.resources, "rate_limited", &scope(Map::new()), json!({})))
    } else {
        match missing_header(scenario, call) {
            Some(error) => ("bad_request", respond::error(&scenario.resources, error, &scope(Map::new()), json!({}))),
            None => match routes::find(&scenario.resources, call, scope) {
                Some(Matched { route, scope }) if lacks_scope(route, &caller) => {
                    let separator = &scenario.oauth.authorize.scope_separator;
                    let more = json!({ "needed": route.scopes.join(separator) });
                    ("forbidden", respond::error(&scenario.resources, "missing_scope", &scope, more))
                }
                Some(Matched { route, scope }) => routes::answer(provider, &scenario.resources, route, &scope),
                None => ("not_found", respond::error(&scenario.resources, "no_route", &scope(Map::new()), json!({}))),
            },
        }
    };
    provider.record("api", None, outcome, Some(caller.subject));
    inject_fault::deliver(fault, with_headers(scenario, response, &limits)).await
}

struct Caller {
    subject: String,
    scopes: Vec<String>,
    /// Whose limit the call counts towards.
    key: String,
}

/// Who calls, or the error and its name in the log.
fn caller(provider: &Provider, scenario: &Scenario, call: &Call) -> Result<Caller, (&'static str, &'static str)> {
    let Some(token) = call.token(&scenario.api.schemes) else { return Err(("no_token", "unauthorized")) };
    let now = provider.now();
    let survives = scenario.oauth.revocation.access_tokens == AccessTokens::WorkUntilTheyExpire;
    let token = hash(token);
    match provider.state().grants.access(&token, now, survives) {
        Access::Valid { subject, scopes, family } => {
            Ok(Caller { subject, scopes, key: family.map_or(token, |family| family.to_string()) })
        }
        Access::Expired => Err(("expired_token", "unauthorized")),
        Access::Revoked => Err(("revoked_token", "unauthorized")),
        Access::Unknown => Err(("bad_token", "unauthorized")),
    }
}

fn lacks_scope(route: &Route, caller: &Caller) -> bool {
    !route.scopes.is_empty() && !route.scopes.iter().any(|scope| caller.scopes.contains(scope))
}

fn count(provider: &Provider, scenario: &Scenario, caller: &Caller) -> Option<Counted> {
    let limit = scenario.api.limit.as_ref()?;
    let now = provider.now();
    Some(provider.state().memory.usage.entry(caller.key.clone()).or_default().count(limit, now))
}

fn missing_header<'s>(scenario: &'s Scenario, call: &Call) -> Option<&'s str> {
    let missing = |(name, _): &(&String, &String)| call.header(name).is_none_or(str::is_empty);
    scenario.api.requires_headers.iter().find(missing).map(|(_, error)| error.as_str())
}

fn with_headers(scenario: &Scenario, mut response: Response, limits: &Value) -> Response {
    let mut more = HeaderMap::new();
    respond::add_headers(&mut more, &scenario.api.headers, limits);
    if let Some(limit) = scenario.api.limit.as_ref().filter(|_| limits.get("limit").is_some()) {
        respond::add_headers(&mut more, &limit.headers, limits);
    }
    for (name, value) in &more {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

/// The person with this subject: what every provider knows, and what this one does.
pub(crate) fn person(scenario: &Scenario, subject: &str) -> Value {
    let known = crate::registry::PEOPLE.iter().find(|person| person.subject == subject);
    let Some(known) = known else { return json!({ "name": subject }) };
    let common = json!({ "key": known.key, "name": known.name, "email": known.email });
    let own = scenario.people.get(known.key).cloned().unwrap_or_default();
    records::with(&common, Value::Object(own))
}
