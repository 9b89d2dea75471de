//! The authorization endpoint (RFC 6749 §3.1, RFC 7636 §4.3, RFC 9207).

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Form, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use url::Url;

use crate::{
    grants::Code,
    page,
    provider::{CLIENT_ID, PEOPLE, Provider, SCOPES, hash, random},
};

/// How long a code is good.
const CODE_MILLIS: i64 = 60_000;
/// Consent pages that may be open at a time; the oldest go first.
const MOST_CONSENTS: usize = 200;

/// A checked authorization request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    redirect_uri: String,
    state: String,
    challenge: String,
    scopes: Vec<String>,
}

/// What is wrong with a request.
enum Wrong {
    /// The redirect URI can't be trusted: the person is told here (RFC 6749 §4.1.2.1).
    Here(&'static str),
    /// The client is told.
    There { redirect_uri: String, state: Option<String>, error: &'static str, description: &'static str },
}

/// The consent page.
pub(crate) async fn show(
    State(provider): State<Arc<Provider>>,
    Query(params): Query<Vec<(String, String)>>,
) -> Response {
    let request = match check(&params) {
        Ok(request) => request,
        Err(Wrong::Here(why)) => return page::refused(why).into_response(),
        Err(Wrong::There { redirect_uri, state, error, description }) => {
            provider.note("authorize", None, error, None);
            let mut answer = vec![("error", error), ("error_description", description)];
            answer.extend(state.as_deref().map(|state| ("state", state)));
            return back(&provider, &redirect_uri, &answer);
        }
    };
    let Some(consent) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let html = page::consent(&consent, &request.redirect_uri, &request.scopes).into_response();
    let mut memory = provider.memory();
    while memory.consents.len() >= MOST_CONSENTS {
        memory.consents.pop_first();
    }
    memory.consents.insert(hash(&consent), request);
    html
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    consent: String,
    #[serde(default)]
    person: String,
    #[serde(default, rename = "decision")]
    answer: String,
}

/// The consent page's answer. Its one-time id binds it to the page that was shown (against cross-site requests).
pub(crate) async fn decide(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(form): Form<Decision>,
) -> Response {
    if !is_own_origin(&provider, &headers) {
        return page::refused("This response came from another page.").into_response();
    }
    let Some(request) = provider.memory().consents.remove(&hash(&form.consent)) else {
        return page::refused("This page was already answered or has expired. Start over.").into_response();
    };
    let state = ("state", request.state.as_str());
    if form.answer != "allow" {
        provider.note("authorize", None, "access_denied", None);
        let answer = [("error", "access_denied"), ("error_description", "The user denied access."), state];
        return back(&provider, &request.redirect_uri, &answer);
    }
    let Some(person) = PEOPLE.iter().find(|person| person.key == form.person) else {
        return page::refused("Choose a user to sign in as. Go back and try again.").into_response();
    };
    let Some(code) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let expires_at = provider.now() + CODE_MILLIS;
    provider.memory().grants.add_code(
        hash(&code),
        Code {
            subject: person.subject.to_owned(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            scopes: request.scopes.clone(),
            expires_at,
            used_by: None,
        },
    );
    provider.note("authorize", None, "ok", Some(person.subject.to_owned()));
    back(&provider, &request.redirect_uri, &[("code", &code), state])
}

/// Sends the browser back, naming the issuer (RFC 9207 §2).
fn back(provider: &Provider, redirect_uri: &str, answer: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(redirect_uri) else {
        return page::refused("The redirect URI isn't valid.").into_response();
    };
    url.query_pairs_mut().extend_pairs(answer).append_pair("iss", &provider.base_url);
    (StatusCode::SEE_OTHER, [("location", url.as_str()), ("cache-control", "no-store")]).into_response()
}

fn check(params: &[(String, String)]) -> Result<Request, Wrong> {
    let mut one: HashMap<&str, &str> = HashMap::new();
    let mut twice = false;
    for (name, value) in params {
        twice |= one.insert(name, value).is_some();
    }
    if one.get("client_id") != Some(&CLIENT_ID) {
        return Err(Wrong::Here("No client is registered with this client_id."));
    }
    let redirect_uri = (*one.get("redirect_uri").unwrap_or(&"")).to_owned();
    if !is_registered(&redirect_uri) {
        return Err(Wrong::Here("This redirect_uri isn't registered for this client."));
    }
    let state = one.get("state").map(|state| (*state).to_owned()).filter(|state| !state.is_empty());
    let wrong = |error, description| Wrong::There {
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        error,
        description,
    };
    if twice {
        return Err(wrong("invalid_request", "a parameter was repeated"));
    }
    if one.get("response_type") != Some(&"code") {
        return Err(wrong("unsupported_response_type", "only code is supported"));
    }
    if one.get("code_challenge_method") != Some(&"S256") {
        return Err(wrong("invalid_request", "PKCE with S256 is required"));
    }
    let challenge = (*one.get("code_challenge").unwrap_or(&"")).to_owned();
    // RFC 7636 §4.2: the base64url of a SHA-256.
    if challenge.len() != 43 {
        return Err(wrong("invalid_request", "the code_challenge isn't valid for S256"));
    }
    let Some(state) = state.clone() else { return Err(wrong("invalid_request", "state is required")) };
    let scopes: Vec<String> = one.get("scope").unwrap_or(&"").split_whitespace().map(str::to_owned).collect();
    if scopes.iter().any(|scope| !SCOPES.iter().any(|(known, _)| known == scope)) {
        return Err(wrong("invalid_scope", "unknown scope"));
    }
    Ok(Request { redirect_uri, state, challenge, scopes })
}

/// The deep link for any integration name, and the loopback address with any port (RFC 8252 §7.3).
fn is_registered(uri: &str) -> bool {
    let named = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
    };
    if let Some(name) = uri.strip_prefix("app.relink.desktop:/oauth/callback/") {
        return named(name);
    }
    let Some((port, name)) = uri.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once("/oauth/callback/"))
    else {
        return false;
    };
    port.parse::<u16>().is_ok_and(|port| port > 0) && named(name)
}

/// A browser names the page that a form was sent from; a client that is no browser doesn't.
fn is_own_origin(provider: &Provider, headers: &HeaderMap) -> bool {
    headers.get("origin").is_none_or(|origin| origin == provider.base_url.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(changes: &[(&str, Option<&str>)]) -> Vec<(String, String)> {
        let challenge = "c".repeat(43);
        let mut params: Vec<(String, String)> = [
            ("client_id", CLIENT_ID),
            ("redirect_uri", "http://127.0.0.1:1/oauth/callback/sandbox"),
            ("response_type", "code"),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
            ("state", "s"),
            ("scope", "items:read profile"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in changes {
            params.retain(|(known, _)| known != name);
            params.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
        }
        params
    }

    #[test]
    fn a_good_request_passes() {
        assert!(check(&params(&[])).is_ok());
    }

    #[test]
    fn an_unregistered_redirect_is_never_redirected_to() {
        for uri in [
            "https://evil.example/oauth/callback/sandbox",
            "http://127.0.0.1.evil.example/oauth/callback/sandbox",
            "http://127.0.0.1:0/oauth/callback/sandbox",
            "http://localhost:1/oauth/callback/sandbox",
            "app.relink.desktop:/oauth/callback/",
            "app.relink.desktop:/oauth/callback/a/../b",
            "",
        ] {
            assert!(matches!(check(&params(&[("redirect_uri", Some(uri))])), Err(Wrong::Here(_))), "{uri}");
        }
        assert!(matches!(check(&params(&[("client_id", Some("other"))])), Err(Wrong::Here(_))));
    }

    #[test]
    fn what_else_is_wrong_is_told_to_the_client() {
        for (name, value, error) in [
            ("response_type", Some("token"), "unsupported_response_type"),
            ("code_challenge_method", Some("plain"), "invalid_request"),
            ("code_challenge_method", None, "invalid_request"),
            ("code_challenge", None, "invalid_request"),
            ("state", None, "invalid_request"),
            ("scope", Some("everything"), "invalid_scope"),
        ] {
            let told = check(&params(&[(name, value)]));
            assert!(matches!(told, Err(Wrong::There { error: actual, .. }) if actual == error), "{name} {value:?}");
        }
    }
}
