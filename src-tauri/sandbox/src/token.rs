//! The token endpoint (RFC 6749 §3.2), revocation (RFC 7009) and metadata (RFC 8414).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Form, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    client_auth::basic,
    faults::{Endpoint, FaultKind},
    grants::Refused,
    inject_fault,
    provider::{Provider, challenge_of, hash, random},
    registry::{CLIENT_ID, SCOPES},
};

#[derive(Debug, Default, Deserialize)]
pub(crate) struct TokenRequest {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    code_verifier: String,
    #[serde(default)]
    refresh_token: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    scope: String,
}

/// An error response (RFC 6749 §5.2).
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl Refusal {
    const fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    const fn client(description: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description }
    }

    fn body(&self) -> Value {
        json!({ "error": self.error, "error_description": self.description })
    }
}

impl From<Refused> for Refusal {
    fn from(Refused(why): Refused) -> Self {
        Self::new("invalid_grant", why)
    }
}

struct Granted {
    subject: String,
    body: Map<String, Value>,
}

/// `POST /token`.
pub(crate) async fn token(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> Response {
    provider.delay().await;
    let fault = provider.fault(Endpoint::Token);
    if let Some(fault) = fault
        && let Some(response) =
            inject_fault::replacement(&provider, Endpoint::Token, Some(&request.grant_type), fault).await
    {
        return response;
    }
    if fault.is_some_and(|fault| fault.kind == FaultKind::Echo) {
        provider.record("token", Some(&request.grant_type), "fault", None);
        let TokenRequest { code, code_verifier, refresh_token, client_secret, .. } = &request;
        let description = format!("not good: {code} {code_verifier} {refresh_token} {client_secret}");
        let body = json!({ "error": "invalid_grant", "error_description": description });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let granted = grant(&provider, &headers, &request);
    let outcome = granted.as_ref().map_or_else(|refusal| refusal.error, |_| "ok");
    let subject = granted.as_ref().ok().map(|granted| granted.subject.clone());
    provider.save();
    provider.record("token", Some(&request.grant_type), outcome, subject);
    let (status, mut body) = match granted {
        Ok(granted) => (StatusCode::OK, granted.body),
        Err(refusal) => {
            let Value::Object(body) = refusal.body() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
            (refusal.status, body)
        }
    };
    change_answer(fault.map(|fault| fault.kind), &mut body);
    let headers = [("cache-control", "no-store"), ("pragma", "no-cache")];
    inject_fault::deliver(fault, (status, headers, Json(Value::Object(body))).into_response()).await
}

/// Applies a fault that changes a success.
pub(crate) fn change_answer(fault: Option<FaultKind>, body: &mut Map<String, Value>) {
    match fault {
        Some(FaultKind::NoRefreshToken) => drop(body.remove("refresh_token")),
        Some(FaultKind::NoExpiresIn) => drop(body.remove("expires_in")),
        Some(FaultKind::FewerScopes) => {
            let fewer = body.get("scope").and_then(Value::as_str).and_then(|scopes| scopes.rsplit_once(' '));
            if let Some((fewer, _)) = fewer.map(|(fewer, last)| (fewer.to_owned(), last.to_owned())) {
                body.insert("scope".into(), fewer.into());
            }
        }
        Some(FaultKind::StringExpiresIn) => {
            if let Some(secs) = body.get("expires_in").map(ToString::to_string) {
                body.insert("expires_in".into(), secs.into());
            }
        }
        _ => {}
    }
}

fn grant(provider: &Provider, headers: &HeaderMap, request: &TokenRequest) -> Result<Granted, Refusal> {
    match request.grant_type.as_str() {
        "authorization_code" => {
            public_client(headers, request)?;
            let challenge = challenge_of(&request.code_verifier);
            let now = provider.now();
            let (family, granted) =
                provider.state().grants.use_code(&hash(&request.code), &request.redirect_uri, &challenge, now)?;
            token_response(provider, Some(family), &granted.subject, &granted.scopes, true)
        }
        "refresh_token" => {
            public_client(headers, request)?;
            let now = provider.now();
            let renewal = {
                let mut state = provider.state();
                let (rotation, grace) = (state.settings.rotation, state.settings.grace_secs * 1000);
                state.grants.use_refresh(&hash(&request.refresh_token), rotation, grace, now)?
            };
            token_response(provider, Some(renewal.family), &renewal.subject, &renewal.scopes, renewal.rotates)
        }
        "client_credentials" => {
            let (id, secret) = service_client(headers, request);
            if !provider.state().grants.knows_client(&id, &hash(&secret)) {
                return Err(Refusal::client("the client id or its secret is wrong"));
            }
            let scopes: Vec<String> = request.scope.split_whitespace().map(str::to_owned).collect();
            if scopes.iter().any(|scope| !SCOPES.iter().any(|(known, _)| known == scope)) {
                return Err(Refusal::new("invalid_scope", "unknown scope"));
            }
            token_response(provider, None, &id, &scopes, false)
        }
        _ => Err(Refusal::new("unsupported_grant_type", "this grant type is not offered")),
    }
}

fn token_response(
    provider: &Provider,
    family: Option<u64>,
    subject: &str,
    scopes: &[String],
    with_refresh: bool,
) -> Result<Granted, Refusal> {
    let no_randomness =
        Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, error: "server_error", description: "no randomness" };
    let Some((access, lifetime)) = provider.access_token("", family, subject) else { return Err(no_randomness) };
    let mut body = Map::new();
    body.insert("access_token".into(), access.into());
    body.insert("token_type".into(), "Bearer".into());
    body.insert("expires_in".into(), lifetime.into());
    body.insert("scope".into(), scopes.join(" ").into());
    if let Some(family) = family.filter(|_| with_refresh) {
        let Some(refresh) = random() else { return Err(no_randomness) };
        provider.state().grants.add_refresh(hash(&refresh), family);
        body.insert("refresh_token".into(), refresh.into());
    }
    Ok(Granted { subject: subject.to_owned(), body })
}

fn public_client(headers: &HeaderMap, request: &TokenRequest) -> Result<(), Refusal> {
    let basic = basic(headers).map(|(id, _)| id);
    let id = basic.as_deref().unwrap_or(&request.client_id);
    if id == CLIENT_ID { Ok(()) } else { Err(Refusal::client("no client is registered under this id")) }
}

/// `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1).
fn service_client(headers: &HeaderMap, request: &TokenRequest) -> (String, String) {
    basic(headers).unwrap_or_else(|| (request.client_id.clone(), request.client_secret.clone()))
}

#[derive(Deserialize)]
pub(crate) struct RevokeRequest {
    #[serde(default)]
    token: String,
}

/// `POST /revoke`. An unknown token is no error (RFC 7009 §2.2).
pub(crate) async fn revoke(State(provider): State<Arc<Provider>>, Form(request): Form<RevokeRequest>) -> Response {
    let fault = provider.fault(Endpoint::Revoke);
    if let Some(fault) = fault
        && let Some(response) = inject_fault::replacement(&provider, Endpoint::Revoke, None, fault).await
    {
        return response;
    }
    provider.state().grants.revoke_token(&hash(&request.token));
    provider.save();
    provider.record("revoke", None, "ok", None);
    inject_fault::deliver(fault, StatusCode::OK.into_response()).await
}

/// `GET /.well-known/oauth-authorization-server`.
pub(crate) async fn metadata(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.base_url);
    Json(json!({
        "issuer": provider.base_url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "revocation_endpoint": at("/revoke"),
        "userinfo_endpoint": at("/userinfo"),
        "scopes_supported": SCOPES.map(|(scope, _)| scope),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}
