//! Calls of methods, for the routes `/proxy` and `/custom`, and for the entries of a batch.

use std::sync::{Arc, OnceLock};

use axum::{
    Json,
    body::Body,
    extract::{FromRequest, Request},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use relink_calls::{
    BaseError, BuildError, Called, IDEMPOTENCY_KEY, MethodCall, MethodError, MethodTarget, Overrides, Parameters,
};
use relink_domain::{
    AccountId,
    call::CallRoute,
    caller::Caller,
    integration::{Definition, resources::Verb},
};
use relink_engine::Error;
use serde_json::{Value, json};

use crate::{
    ApiState, call_error,
    error::ApiError,
    idempotency::{Key, OwnedTarget, provider_key},
    path::Id as _,
    permit::{TokenPlace, unauthorized},
    recording::{Begun, recorded},
    server::Arrival,
    upgrade::Upgrade,
    via::{self, Below},
    waiting::{wait_of, waited},
    withdrawn::until_withdrawn,
};

/// Bytes of a body that an action is run with.
const MAX_ACTION_BODY: usize = 1 << 20;

/// A request to one of the routes.
pub(crate) struct Call {
    pub(crate) api: ApiState,
    pub(crate) caller: Caller,
    pub(crate) request: Request,
}

impl FromRequest<ApiState> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self, Response> {
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            return Err(unauthorized(TokenPlace::Header));
        };
        Ok(Self { api: api.clone(), caller, request })
    }
}

impl Call {
    /// Runs an action of the definition (contract section 4.8), and answers with the result of its last step.
    pub(crate) async fn action(self, name: &str) -> Response {
        let Self { api, caller, request } = self;
        let uri = sent_uri(&request);
        let parameters = Parameters::read(uri.query().unwrap_or_default());
        let account = match account_of(&caller, &parameters) {
            Ok(account) => account,
            Err(error) => return error.into_response(),
        };
        let key = match Key::of(account, request.method(), uri.path(), request.headers()) {
            Ok(key) => key,
            Err(error) => return error.into_response(),
        };
        let (kept, now, name) = (api.idempotency.clone(), api.engine.now(), name.to_owned());
        let run = run_action(api.clone(), caller.clone(), (account, parameters), name, request);
        let Some(key) = key else { return run.await };
        if let Err(error) = api.engine.accounts().get(&caller, account).await {
            return ApiError::from(error).into_response();
        }
        kept.once(key, now, run).await
    }

    /// Calls what follows `/custom` in the request's path.
    pub(crate) async fn custom(self) -> Response {
        let Self { api, caller, request } = self;
        let (uri, verb) = (sent_uri(&request), verb_of(request.method()));
        call(&api, &caller, request, MethodTarget::Custom { verb, path: below(uri.path(), "/custom") }).await
    }
}

async fn run_action(
    api: ApiState,
    caller: Caller,
    (account, parameters): (AccountId, Parameters),
    name: String,
    request: Request,
) -> Response {
    let body = match axum::body::to_bytes(request.into_body(), MAX_ACTION_BODY).await {
        Ok(bytes) if bytes.trim_ascii().is_empty() => Value::Null,
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(error) => {
                let message = format!("The body isn't JSON: {error}.");
                return ApiError::bad_request("body_not_json", &message).into_response();
            }
        },
        Err(_) => {
            let message = "The body is longer than 1 MiB, or the connection ended early.";
            return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", message).into_response();
        }
    };
    let onboarding = api.engine.onboarding();
    let asked = (parameters.forwarded, body);
    match Box::pin(onboarding.run_action(&caller, account, &name, asked)).await {
        Ok(result) => Json(json!({ "result": result })).into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Makes a call, which is recorded.
pub(crate) async fn call(api: &ApiState, caller: &Caller, request: Request, target: MethodTarget<'_>) -> Response {
    let uri = sent_uri(&request);
    let parameters = Parameters::read(uri.query().unwrap_or_default());
    let account = match account_of(caller, &parameters) {
        Ok(account) => account,
        Err(error) => return error.into_response(),
    };
    let key = match Key::of(account, request.method(), uri.path(), request.headers()) {
        Ok(key) => key,
        Err(error) => return error.into_response(),
    };
    let mut request = request;
    // A custom call has the headers of its caller.
    if let MethodTarget::Named { .. } = target {
        request.headers_mut().remove(IDEMPOTENCY_KEY);
        if let Some(for_provider) = key.as_ref().and_then(provider_key) {
            request.headers_mut().insert(IDEMPOTENCY_KEY, for_provider);
        }
    }
    let Some(key) = key else { return make(api, caller, (account, parameters), (&uri, request), target).await };
    // A kept answer is for nobody else than a call with the account.
    if let Err(error) = api.engine.accounts().get(caller, account).await {
        return ApiError::from(error).into_response();
    }
    let (kept, now) = (api.idempotency.clone(), api.engine.now());
    let (api, caller, target) = (api.clone(), caller.clone(), OwnedTarget::from(target));
    let make = async move { make(&api, &caller, (account, parameters), (&uri, request), target.as_target()).await };
    Box::pin(kept.once(key, now, make)).await
}

async fn make(
    api: &ApiState,
    caller: &Caller,
    (account, parameters): (AccountId, Parameters),
    (uri, request): (&Uri, Request),
    target: MethodTarget<'_>,
) -> Response {
    let (route, prefix) = match target {
        MethodTarget::Named { .. } => (CallRoute::Proxy, "/proxy"),
        MethodTarget::Custom { .. } | MethodTarget::Step { .. } => (CallRoute::Custom, "/custom"),
    };
    // The method of a definition is what the path says.
    let sent = (route == CallRoute::Custom).then(Arc::<OnceLock<Called>>::default);
    let path = below(uri.path(), prefix);
    let begun = Begun { account, route, path, query: uri.query(), called: sent.clone() };
    let forward = |request| forward(api, caller, account, request, parameters, (target, sent.as_deref()));
    recorded(api, caller, begun, request, forward).await
}

fn verb_of(method: &Method) -> Verb {
    match *method {
        Method::HEAD => Verb::Head,
        Method::POST => Verb::Post,
        Method::PUT => Verb::Put,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        Method::OPTIONS => Verb::Options,
        // The route has no other.
        _ => Verb::Get,
    }
}

/// The URI as the client sent it.
pub(crate) fn sent_uri(request: &Request) -> Uri {
    Arrival::uri_of(request).clone()
}

/// What follows a route's prefix in a path, before which any run of slashes is one (contract section 0.2).
fn below<'p>(path: &'p str, prefix: &str) -> &'p str {
    path.trim_start_matches('/').strip_prefix(&prefix[1..]).unwrap_or_default()
}

async fn forward(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    request: Request,
    parameters: Parameters,
    (target, sent): (MethodTarget<'_>, Option<&OnceLock<Called>>),
) -> Result<Response, ApiError> {
    let prefix = || format!("{}/via/{account}", api.port.base_url());
    if let MethodTarget::Custom { path, .. } = target
        && Upgrade::is_asked_for_by(&request)
    {
        // Nothing of a WebSocket is read here.
        let query = Some(parameters.as_sent.as_str()).filter(|query| !query.is_empty());
        return Box::pin(via::pass(api, caller, account, request, Below { path, query, prefix: &prefix })).await;
    }
    let (parts, body) = request.into_parts();
    let wait = wait_of(&parts.headers)?;
    let call = MethodCall {
        target,
        parameters,
        headers: parts.headers,
        body: body.map_err(Into::into).boxed_unsync(),
        prefix: &prefix,
        called: sent,
        only_reads: false,
        overrides: Overrides::default(),
    };
    let run = match wait {
        None => api.calls.run_method(caller, account, call, &api.expressions).await,
        Some(at_most) => {
            let run = Box::pin(api.calls.run_method_or_wait(caller, account, call, &api.expressions, at_most));
            Box::pin(waited(api, caller, account, run)).await?
        }
    };
    match run {
        Ok(response) => {
            let response = response.map(|body| Body::new(until_withdrawn(api, caller, account, body)));
            Upgrade::join(None, api, caller, account, response)
        }
        Err(MethodError::Remote(response)) => Ok(response.map(Body::new)),
        Err(error) => Err(explain(error)),
    }
}

/// The account that the caller names, or the one that its token is for.
pub(crate) fn account_of(caller: &Caller, parameters: &Parameters) -> Result<AccountId, ApiError> {
    match (caller, &parameters.integrated_account_id) {
        (_, Some(text)) => text.parse().map_err(|_| AccountId::not_found(text)),
        (Caller::AccountToken { account_id, .. }, None) => Ok(*account_id),
        (_, None) => {
            let message = "integrated_account_id is missing. Name the account in the query: ?integrated_account_id=ID.";
            Err(ApiError::bad_request("integrated_account_id_missing", message))
        }
    }
}

/// Whether the data is in the envelope of a list.
pub(crate) fn has_pages(definition: &Definition, target: MethodTarget<'_>) -> bool {
    match target {
        MethodTarget::Named { method: "list", .. } => true,
        MethodTarget::Named { resource, method, .. } => {
            let method = definition.resources().get(resource).and_then(|resource| resource.get(method));
            method.is_some_and(|method| method.pagination.is_some())
        }
        MethodTarget::Step { action, step } => {
            definition.actions().request(action, step).is_some_and(|method| method.pagination.is_some())
        }
        MethodTarget::Custom { .. } => false,
    }
}

/// Why there is no answer of the provider.
pub(crate) fn explain(error: MethodError<Error>) -> ApiError {
    let bad_gateway = |code: &str, message: &str| ApiError::new(StatusCode::BAD_GATEWAY, code, message);
    let message = error.to_string();
    let conflict = |code: &str| ApiError::new(StatusCode::CONFLICT, code, &message);
    match error {
        MethodError::Call(error) => call_error::explain(error),
        MethodError::NoResource { resource, known } => {
            let message = format!("The integration has no resource {resource:?}. {}", listed("resources", &known));
            ApiError::new(StatusCode::NOT_FOUND, "resource_not_found", &message)
        }
        MethodError::NoMethod { resource, method, known } => {
            let message = format!("The resource {resource:?} has no method {method:?}. {}", listed("methods", &known));
            ApiError::new(StatusCode::NOT_FOUND, "method_not_found", &message)
        }
        MethodError::NoStep { .. } => ApiError::new(StatusCode::NOT_FOUND, "step_not_found", &message),
        MethodError::MethodConfig(error) => {
            ApiError::bad_request("method_config_invalid", &format!("methodConfig can't be used: {error}."))
        }
        MethodError::SecretInConfig(_) => ApiError::bad_request("secret_outside_authorization", &message),
        MethodError::Build(BuildError::Body(error)) => ApiError::bad_request(error.code(), &message),
        MethodError::Build(BuildError::Target(error)) => call_error::explain(error.into()),
        MethodError::Build(BuildError::Base(BaseError::Missing)) => conflict("no_base_url"),
        MethodError::Build(BuildError::Base(BaseError::Foreign(_))) => conflict("foreign_origin"),
        MethodError::Build(BuildError::Base(BaseError::Moved)) => conflict("address_changed"),
        MethodError::Build(BuildError::Base(BaseError::Address(_))) => conflict("address_unresolved"),
        MethodError::Build(BuildError::Fill(_) | BuildError::Header(_)) => {
            ApiError::bad_request("request_incomplete", &message)
        }
        MethodError::Build(BuildError::Expression(_) | BuildError::Signing(_)) => conflict("request_unsigned"),
        MethodError::Page(error) if error.is_the_callers() => ApiError::bad_request(error.code(), &message),
        MethodError::Page(error) => bad_gateway(error.code(), &message),
        MethodError::Read(_) => bad_gateway("answer_unreadable", &message),
        MethodError::AnswerTooLong => bad_gateway("answer_too_long", &message),
        MethodError::AnswerEnded => bad_gateway("answer_ended_early", &message),
        // It is answered as it is, see `forward`.
        MethodError::Remote(response) => ApiError::new(response.status(), "remote_error", &message),
    }
}

fn listed(what: &str, known: &[String]) -> String {
    if known.is_empty() { format!("It has no {what}.") } else { format!("Its {what}: {}.", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_route_is_not_changed() {
        for (path, prefix, rest) in [
            ("/custom", "/custom", ""),
            ("/custom/a%2Fb//c/", "/custom", "/a%2Fb//c/"),
            ("///custom/x", "/custom", "/x"),
            ("/proxy/contacts/7", "/proxy", "/contacts/7"),
        ] {
            assert_eq!(below(path, prefix), rest, "{path}");
        }
    }

    #[test]
    fn an_account_is_named_or_is_the_tokens_own() {
        let read = |query: &str| account_of(&Caller::Person, &Parameters::read(query));
        let id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        assert_eq!(read(&format!("integrated_account_id={id}")).expect("an id").to_string(), id);
        assert_eq!(read("").expect_err("missing").code(), "integrated_account_id_missing");
        assert_eq!(read("integrated_account_id=acme").expect_err("unknown").code(), "not_found");
        let own = Caller::AccountToken { account_id: id.parse().expect("an id"), grant: std::sync::Arc::default() };
        assert_eq!(account_of(&own, &Parameters::default()).expect("its own").to_string(), id);
    }
}
