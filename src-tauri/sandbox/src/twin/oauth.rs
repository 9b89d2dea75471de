//! A twin's token endpoint, and the one with which a client ends a sign-in.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use super::{api::person, call::Call, records::with, respond};
use crate::{
    faults::{Endpoint, FaultKind},
    inject_fault,
    provider::{Provider, challenge_of, hash, random},
    scenario::{
        Client, ClientAuthentication, Pkce, Revoke, Scenario,
        template::{find, render, text_of},
    },
    token::change_answer,
};

/// An error by its name, and why.
struct Refused {
    error: &'static str,
    reason: &'static str,
}

const fn refused(error: &'static str, reason: &'static str) -> Refused {
    Refused { error, reason }
}

/// The tokens of a success.
struct Issued {
    subject: String,
    scopes: Vec<String>,
    access: String,
    refresh: Option<String>,
    lifetime: i64,
}

/// The token endpoint.
pub(crate) async fn token(provider: &Provider, scenario: &Scenario, call: &Call) -> Response {
    let grant_type = call.text("grant_type");
    provider.delay().await;
    let fault = provider.fault(Endpoint::Token);
    if let Some(fault) = fault
        && let Some(response) = inject_fault::replacement(provider, Endpoint::Token, Some(grant_type), fault).await
    {
        return response;
    }
    let issued = grant(provider, scenario, call);
    let outcome = issued.as_ref().map_or_else(|refused| refused.error, |_| "ok");
    let subject = issued.as_ref().ok().map(|issued| issued.subject.clone());
    provider.save();
    provider.record("token", Some(grant_type), outcome, subject);
    let scope = call.scope(&provider.base_url, &Map::new());
    let response = match issued {
        Ok(issued) => success(provider, scenario, call, &issued, fault.map(|fault| fault.kind)),
        Err(Refused { error, reason }) => {
            respond::error(&scenario.resources, error, &scope, json!({ "reason": reason }))
        }
    };
    let mut response = as_form_if_wanted(scenario, call, response).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    inject_fault::deliver(fault, response).await
}

fn grant(provider: &Provider, scenario: &Scenario, call: &Call) -> Result<Issued, Refused> {
    let own = &scenario.oauth.token;
    if call.format.is_none_or(|format| !own.bodies.contains(&format)) {
        return Err(refused("bad_request", "the body is written in a way that this endpoint doesn't take"));
    }
    authenticate(&scenario.client, &scenario.client.authentication, call)?;
    let (family, subject, scopes, with_refresh) = match call.text("grant_type") {
        "authorization_code" => {
            let challenge = match scenario.oauth.authorize.pkce {
                Pkce::Required | Pkce::Optional if !call.text("code_verifier").is_empty() => {
                    challenge_of(call.text("code_verifier"))
                }
                Pkce::Required | Pkce::Optional | Pkce::Ignored => String::new(),
            };
            let now = provider.now();
            let used =
                provider.state().grants.use_code(&hash(call.text("code")), call.text("redirect_uri"), &challenge, now);
            let (id, family) = used.map_err(|why| refused("bad_code", why.0))?;
            (id, family.subject, family.scopes, family.with_refresh)
        }
        "refresh_token" => {
            let (token, now) = (hash(call.text("refresh_token")), provider.now());
            let mut state = provider.state();
            let (rotation, grace) = (state.settings.rotation, state.settings.grace_secs * 1000);
            let renewal = state.grants.use_refresh(&token, rotation, grace, now).map_err(|why| {
                let is_revoked = state.grants.is_revoked(&token);
                refused(if is_revoked { "revoked_refresh_token" } else { "bad_refresh_token" }, why.0)
            })?;
            if let Some(secs) = own.old_access_token_secs {
                state.grants.shorten(renewal.family, now.saturating_add(secs.saturating_mul(1000)));
            }
            (renewal.family, renewal.subject, renewal.scopes, renewal.rotates)
        }
        _ => return Err(refused("bad_grant_type", "this grant type is not offered")),
    };
    let no_randomness = || refused("bad_request", "no randomness");
    let (access, lifetime) =
        provider.access_token(&own.access_token_prefix, Some(family), &subject).ok_or_else(no_randomness)?;
    let refresh = if with_refresh {
        let token = format!("{}{}", own.refresh_token_prefix, random().ok_or_else(no_randomness)?);
        provider.state().grants.add_refresh(hash(&token), family);
        Some(token)
    } else {
        None
    };
    Ok(Issued { subject, scopes, access, refresh, lifetime })
}

/// The client's authentication, in one of these ways.
fn authenticate(client: &Client, ways: &[ClientAuthentication], call: &Call) -> Result<(), Refused> {
    let allows = |way| ways.contains(&way);
    let is_secret = |secret: &str| {
        client.secret.as_ref().is_some_and(|expected| bool::from(expected.as_bytes().ct_eq(secret.as_bytes())))
    };
    let is_authenticated = match (call.basic(), call.text("client_secret")) {
        (Some((id, secret)), _) => allows(ClientAuthentication::Basic) && id == client.id && is_secret(&secret),
        (None, "") => allows(ClientAuthentication::None) && call.text("client_id") == client.id,
        (None, secret) => {
            allows(ClientAuthentication::Body) && call.text("client_id") == client.id && is_secret(secret)
        }
    };
    if is_authenticated { Ok(()) } else { Err(refused("bad_client", "the client's ID or secret is wrong")) }
}

fn success(
    provider: &Provider,
    scenario: &Scenario,
    call: &Call,
    issued: &Issued,
    fault: Option<FaultKind>,
) -> Response {
    let own = &scenario.oauth.token;
    let now = provider.now() / 1000;
    let values = json!({
        "access_token": issued.access,
        "refresh_token": issued.refresh,
        "expires_in": issued.lifetime,
        "scopes": issued.scopes.join(&scenario.oauth.authorize.scope_separator),
        "client_id": scenario.client.id,
        "now": now,
        "expires_at": now.saturating_add(issued.lifetime),
        "person": person(scenario, &issued.subject),
    });
    let mut scope = with(&call.scope(&provider.base_url, &Map::new()), values);
    if let Some(claims) = own.id_claims.as_ref().and_then(|claims| render(claims, &scope)) {
        scope = with(&scope, json!({ "id_token": unsigned(&claims) }));
    }
    let is_refresh = call.text("grant_type") == "refresh_token";
    let template = own.refresh_answer.as_ref().filter(|_| is_refresh).unwrap_or(&own.answer);
    let Some(Value::Object(mut body)) = render(template, &scope) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    change_answer(fault, &mut body);
    respond::json(StatusCode::OK, &Value::Object(body))
}

/// An ID token whose signature is none: it comes from the token endpoint itself (OpenID Connect Core §3.1.3.7, point 6).
fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(&json!({ "alg": "RS256", "kid": "twin", "typ": "JWT" })),
        part(claims),
        part(&json!("none"))
    )
}

/// A JSON answer as a form, for a provider whose answers are forms unless the request accepts JSON.
async fn as_form_if_wanted(scenario: &Scenario, call: &Call, response: Response) -> Response {
    let accepts_json = call.header("accept").is_some_and(|accept| accept.contains("application/json"));
    if !scenario.oauth.token.form_unless_json_is_accepted || accepts_json {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // The body is our own and complete.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(Value::Object(members)) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(parts, bytes.into());
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(members.iter().map(|(name, value)| (name, text_of(value))));
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    Response::from_parts(parts, form.finish().into())
}

/// The endpoint with which a client ends a sign-in.
pub(crate) async fn revoke(
    provider: &Provider,
    scenario: &Scenario,
    own: &Revoke,
    call: &Call,
    path: &Map<String, Value>,
) -> Response {
    let fault = provider.fault(Endpoint::Revoke);
    if let Some(fault) = fault
        && let Some(response) = inject_fault::replacement(provider, Endpoint::Revoke, None, fault).await
    {
        return response;
    }
    let scope = call.scope(&provider.base_url, path);
    if !own.authentication.is_empty() && authenticate(&scenario.client, &own.authentication, call).is_err() {
        provider.record("revoke", None, "bad_client", None);
        return respond::error(&scenario.resources, "bad_client", &scope, json!({}));
    }
    let found = own.token.iter().find_map(|at| match at.as_str() {
        "bearer" => call.token(&scenario.api.schemes).map(str::to_owned),
        at => find(&scope, at).map(text_of),
    });
    provider.state().grants.revoke_sign_in_of(&hash(&found.unwrap_or_default()));
    provider.save();
    provider.record("revoke", None, "ok", None);
    inject_fault::deliver(fault, respond::respond(&own.answer, &scope)).await
}
