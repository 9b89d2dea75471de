//! A twin's authorization endpoint.

use std::collections::BTreeMap;

use axum::response::Response;

use super::call::Call;
use crate::{
    authorize::{self, Decision, RequestError},
    grants::AuthorizationRequest,
    page::Requested,
    provider::Provider,
    scenario::{Pkce, Redirects, RefreshTokenRule, Scenario},
};

/// Shows the consent page.
pub(crate) fn show(provider: &Provider, scenario: &Scenario, call: &Call) -> Response {
    let own = &scenario.oauth.authorize;
    let requested = |request: &AuthorizationRequest| Requested {
        label: scenario.label.clone(),
        action: own.path.clone(),
        scopes: request
            .scopes
            .iter()
            .map(|scope| (scope.clone(), own.scopes.get(scope).cloned().unwrap_or_default()))
            .collect(),
    };
    authorize::ask(provider, validate(scenario, &call.query), requested)
}

/// Takes the person's decision.
pub(crate) fn decide(provider: &Provider, scenario: &Scenario, call: &Call) -> Response {
    let decision = Decision {
        consent: call.text("consent").to_owned(),
        person: call.text("person").to_owned(),
        choice: call.text("decision").to_owned(),
    };
    let rule = &scenario.oauth.authorize.refresh_token;
    authorize::answer(provider, &call.headers, &decision, |request, has_consented| rule.applies(request, has_consented))
}

fn validate(scenario: &Scenario, query: &[(String, String)]) -> Result<AuthorizationRequest, RequestError> {
    let own = &scenario.oauth.authorize;
    let params: BTreeMap<String, String> = query.iter().cloned().collect();
    let text = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
    if text("client_id") != scenario.client.id {
        return Err(RequestError::ShowPage("No client is registered with this client_id."));
    }
    let redirect_uri = text("redirect_uri").to_owned();
    if !own.redirects.iter().any(|kind| kind.allows(&redirect_uri)) {
        return Err(RequestError::ShowPage("This redirect_uri can't be registered for this client."));
    }
    let state = text("state").to_owned();
    let refused = |error, description| RequestError::Redirect {
        redirect_uri: redirect_uri.clone(),
        state: Some(state.clone()).filter(|state| !state.is_empty()),
        error,
        description,
    };
    if params.len() != query.len() {
        return Err(refused("invalid_request", "a parameter was repeated"));
    }
    if own.requires.iter().any(|(name, value)| text(name) != value) {
        return Err(refused("invalid_request", "a required parameter is missing or has another value"));
    }
    let has_challenge = !text("code_challenge").is_empty();
    let challenge = match own.pkce {
        Pkce::Ignored => "",
        Pkce::Required if !has_challenge => return Err(refused("invalid_request", "PKCE is required")),
        Pkce::Required | Pkce::Optional if has_challenge && text("code_challenge_method") != "S256" => {
            return Err(refused("invalid_request", "code_challenge_method must be S256"));
        }
        Pkce::Required | Pkce::Optional => text("code_challenge"),
    };
    let scopes: Vec<String> = text(&own.scope_param)
        .split(own.scope_separator.as_str())
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    if scopes.iter().any(|scope| !own.scopes.contains_key(scope)) {
        return Err(refused("invalid_scope", "a scope is unknown"));
    }
    let challenge = challenge.to_owned();
    Ok(AuthorizationRequest { redirect_uri, state, challenge, scopes, params })
}

impl Redirects {
    fn allows(self, uri: &str) -> bool {
        let Ok(url) = url::Url::parse(uri) else { return false };
        let host = url.host_str().unwrap_or_default();
        match self {
            Self::CustomScheme => !matches!(url.scheme(), "http" | "https" | "javascript" | "data" | "file"),
            Self::LoopbackAddress => url.scheme() == "http" && host == "127.0.0.1",
            Self::Localhost => url.scheme() == "http" && host == "localhost",
            Self::Https => url.scheme() == "https",
        }
    }
}

impl RefreshTokenRule {
    fn applies(&self, request: &AuthorizationRequest, has_consented: bool) -> bool {
        let has = |wanted: &BTreeMap<String, String>| {
            wanted.iter().all(|(name, value)| request.params.get(name) == Some(value))
        };
        let has_scope = self.with_scope.is_empty() || self.with_scope.iter().any(|it| request.scopes.contains(it));
        !self.never && has_scope && has(&self.with_params) && (!has_consented || has(&self.again_with_params))
    }
}
