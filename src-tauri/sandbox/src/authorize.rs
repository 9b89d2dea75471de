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
    grants::{AuthorizationRequest, Code},
    page,
    provider::{Provider, hash, random},
    registry::{CLIENT_ID, PEOPLE, SCOPES},
};

const CODE_LIFETIME_MILLIS: i64 = 60_000;
/// How many consent pages may be open at a time.
const MAX_CONSENTS: usize = 200;

/// An invalid authorization request.
pub(crate) enum RequestError {
    /// The redirect URI isn't trusted, so the error is shown on a page (RFC 6749 §4.1.2.1).
    ShowPage(&'static str),
    /// The error is returned to the client.
    Redirect { redirect_uri: String, state: Option<String>, error: &'static str, description: &'static str },
}

/// `GET /authorize`: shows the consent page.
pub(crate) async fn show(
    State(provider): State<Arc<Provider>>,
    Query(params): Query<Vec<(String, String)>>,
) -> Response {
    let requested = |request: &AuthorizationRequest| {
        let is_requested = |scope: &str| request.scopes.iter().any(|requested| requested == scope);
        let scopes = SCOPES.iter().filter(|(scope, _)| is_requested(scope));
        page::Requested {
            label: "Sandbox".to_owned(),
            action: "/authorize".to_owned(),
            scopes: scopes.map(|(scope, description)| ((*scope).to_owned(), (*description).to_owned())).collect(),
        }
    };
    ask(&provider, validate(&params), requested)
}

/// Shows the consent page of a request, or refuses it.
pub(crate) fn ask(
    provider: &Provider,
    request: Result<AuthorizationRequest, RequestError>,
    requested: impl FnOnce(&AuthorizationRequest) -> page::Requested,
) -> Response {
    let request = match request {
        Ok(request) => request,
        Err(RequestError::ShowPage(why)) => return page::refused(why).into_response(),
        Err(RequestError::Redirect { redirect_uri, state, error, description }) => {
            provider.record("authorize", None, error, None);
            let mut response = vec![("error", error), ("error_description", description)];
            response.extend(state.as_deref().map(|state| ("state", state)));
            return redirect(provider, &redirect_uri, &response);
        }
    };
    let Some(consent) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let html = page::consent(&consent, &request.redirect_uri, &requested(&request)).into_response();
    let mut state = provider.state();
    while state.consents.len() >= MAX_CONSENTS {
        state.consents.pop_first();
    }
    state.consents.insert(hash(&consent), request);
    html
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    pub(crate) consent: String,
    #[serde(default)]
    pub(crate) person: String,
    #[serde(default, rename = "decision")]
    pub(crate) choice: String,
}

/// `POST /authorize`: the consent page's form. Its one-time id binds it to the page that was shown, against cross-site requests.
pub(crate) async fn decide(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(form): Form<Decision>,
) -> Response {
    answer(&provider, &headers, &form, |_, _| true)
}

/// Takes the decision of a consent page. `with_refresh`: whether the sign-in gets a refresh token, given whether the person has
/// one already.
pub(crate) fn answer(
    provider: &Provider,
    headers: &HeaderMap,
    form: &Decision,
    with_refresh: impl FnOnce(&AuthorizationRequest, bool) -> bool,
) -> Response {
    if !is_own_origin(provider, headers) {
        return page::refused("This response came from another page.").into_response();
    }
    let Some(request) = provider.state().consents.remove(&hash(&form.consent)) else {
        return page::refused("This page was already answered or has expired. Start over.").into_response();
    };
    let state = ("state", request.state.as_str());
    if form.choice != "allow" {
        provider.record("authorize", None, "access_denied", None);
        let response = [("error", "access_denied"), ("error_description", "The user denied access."), state];
        return redirect(provider, &request.redirect_uri, &response);
    }
    let Some(person) = PEOPLE.iter().find(|person| person.key == form.person) else {
        return page::refused("Choose a user to sign in as. Go back and try again.").into_response();
    };
    let Some(code) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let expires_at = provider.now() + CODE_LIFETIME_MILLIS;
    let has_consented = provider.state().grants.has_sign_in(person.subject);
    let with_refresh = with_refresh(&request, has_consented);
    provider.state().grants.add_code(
        hash(&code),
        Code {
            subject: person.subject.to_owned(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            scopes: request.scopes.clone(),
            expires_at,
            with_refresh,
            used_by: None,
        },
    );
    provider.record("authorize", None, "ok", Some(person.subject.to_owned()));
    redirect(provider, &request.redirect_uri, &[("code", &code), state])
}

/// Redirects the browser to the client, with the issuer (RFC 9207 §2) unless the provider that is played leaves it out.
fn redirect(provider: &Provider, redirect_uri: &str, response: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(redirect_uri) else {
        return page::refused("The redirect URI isn't valid.").into_response();
    };
    url.query_pairs_mut().extend_pairs(response);
    if provider.scenario.as_ref().is_none_or(|scenario| scenario.oauth.authorize.sends_iss) {
        url.query_pairs_mut().append_pair("iss", &provider.base_url);
    }
    (StatusCode::SEE_OTHER, [("location", url.as_str()), ("cache-control", "no-store")]).into_response()
}

fn validate(params: &[(String, String)]) -> Result<AuthorizationRequest, RequestError> {
    let mut values: HashMap<&str, &str> = HashMap::new();
    let mut is_repeated = false;
    for (name, value) in params {
        is_repeated |= values.insert(name, value).is_some();
    }
    if values.get("client_id") != Some(&CLIENT_ID) {
        return Err(RequestError::ShowPage("No client is registered with this client_id."));
    }
    let redirect_uri = (*values.get("redirect_uri").unwrap_or(&"")).to_owned();
    if !is_registered(&redirect_uri) {
        return Err(RequestError::ShowPage("This redirect_uri isn't registered for this client."));
    }
    let state = values.get("state").map(|state| (*state).to_owned()).filter(|state| !state.is_empty());
    let refused = |error, description| RequestError::Redirect {
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        error,
        description,
    };
    if is_repeated {
        return Err(refused("invalid_request", "a parameter was repeated"));
    }
    if values.get("response_type") != Some(&"code") {
        return Err(refused("unsupported_response_type", "only code is supported"));
    }
    if values.get("code_challenge_method") != Some(&"S256") {
        return Err(refused("invalid_request", "PKCE with S256 is required"));
    }
    let challenge = (*values.get("code_challenge").unwrap_or(&"")).to_owned();
    // RFC 7636 §4.2: the base64url of a SHA-256.
    if challenge.len() != 43 {
        return Err(refused("invalid_request", "the code_challenge isn't valid for S256"));
    }
    let Some(state) = state.clone() else { return Err(refused("invalid_request", "state is required")) };
    let scopes: Vec<String> = values.get("scope").unwrap_or(&"").split_whitespace().map(str::to_owned).collect();
    if scopes.iter().any(|scope| !SCOPES.iter().any(|(known, _)| known == scope)) {
        return Err(refused("invalid_scope", "unknown scope"));
    }
    let params = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(AuthorizationRequest { redirect_uri, state, challenge, scopes, params })
}

/// Accepts the deep link of any integration, and the loopback address with any port (RFC 8252 §7.3).
fn is_registered(uri: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
    };
    if let Some(name) = uri.strip_prefix("app.relink.desktop:/oauth/callback/") {
        return is_name(name);
    }
    let Some((port, name)) = uri.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once("/oauth/callback/"))
    else {
        return false;
    };
    port.parse::<u16>().is_ok_and(|port| port > 0) && is_name(name)
}

/// Browsers send the origin of the page with a form; other clients send none.
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
    fn a_valid_request_is_accepted() {
        assert!(validate(&params(&[])).is_ok());
    }

    #[test]
    fn an_unregistered_redirect_uri_is_never_redirected_to() {
        for uri in [
            "https://evil.example/oauth/callback/sandbox",
            "http://127.0.0.1.evil.example/oauth/callback/sandbox",
            "http://127.0.0.1:0/oauth/callback/sandbox",
            "http://localhost:1/oauth/callback/sandbox",
            "app.relink.desktop:/oauth/callback/",
            "app.relink.desktop:/oauth/callback/a/../b",
            "",
        ] {
            assert!(
                matches!(validate(&params(&[("redirect_uri", Some(uri))])), Err(RequestError::ShowPage(_))),
                "{uri}"
            );
        }
        assert!(matches!(validate(&params(&[("client_id", Some("other"))])), Err(RequestError::ShowPage(_))));
    }

    #[test]
    fn other_errors_are_returned_to_the_client() {
        for (name, value, error) in [
            ("response_type", Some("token"), "unsupported_response_type"),
            ("code_challenge_method", Some("plain"), "invalid_request"),
            ("code_challenge_method", None, "invalid_request"),
            ("code_challenge", None, "invalid_request"),
            ("state", None, "invalid_request"),
            ("scope", Some("everything"), "invalid_scope"),
        ] {
            let result = validate(&params(&[(name, value)]));
            assert!(
                matches!(result, Err(RequestError::Redirect { error: actual, .. }) if actual == error),
                "{name} {value:?}"
            );
        }
    }
}
