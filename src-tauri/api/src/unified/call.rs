//! Making a unified call.

use axum::{
    Json,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use relink_calls::{BodyValue, Parameters, headers_for_expressions, value_of_body};
use relink_domain::{AccountId, call::CallRoute, caller::Caller, unified::UnifiedMethod};
use relink_unified::{
    Answer, Failure, Options, Paging, RemoteFailure, Unified, UnifiedAnswer, UnifiedCall, missing_body,
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    options::options_of,
    through_proxy::{Mapped, ThroughProxy},
};
use crate::{
    ApiState,
    error::ApiError,
    idempotency::{Key, provider_key},
    method_calls::{Call, account_of, sent_uri},
    recording::{Begun, recorded},
    waiting::wait_of,
};

/// Bytes of a caller's body that is read whole.
const MAX_BODY: usize = 16 << 20;

/// What is called, apart from the request.
#[derive(Clone)]
pub(super) struct Target {
    model: String,
    resource: String,
    method: String,
    id: Option<String>,
}

impl Target {
    pub(super) fn new(of: UnifiedMethod<'_>, id: Option<&str>) -> Self {
        let [model, resource, method] = [of.model, of.resource, of.method].map(str::to_owned);
        Self { model, resource, method, id: id.map(str::to_owned) }
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn of(&self) -> UnifiedMethod<'_> {
        UnifiedMethod { model: &self.model, resource: &self.resource, method: &self.method }
    }

    /// As it is recorded.
    pub(super) fn path(&self) -> String {
        let Self { model, resource, method, id } = self;
        let below = match (method.as_str(), id) {
            ("list" | "create", _) | ("update" | "delete", None) => String::new(),
            (_, Some(id)) => format!("/{id}"),
            (custom, None) => format!("/{custom}"),
        };
        format!("/{model}/{resource}{below}")
    }
}

/// Makes the call of a request, which is recorded.
pub(super) async fn make(call: Call, model: &str, resource: &str, method: &str, id: Option<&str>) -> Response {
    let Call { api, caller, request } = call;
    let target = Target::new(UnifiedMethod { model, resource, method }, id);
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
    let for_provider = key.as_ref().and_then(provider_key);
    let (kept, now, for_key) = (api.idempotency.clone(), api.engine.now(), (api.clone(), caller.clone()));
    let run = async move {
        let path = target.path();
        let begun = Begun { account, route: CallRoute::Unified, path: &path, query: uri.query(), called: None };
        let forward = |request| answer(&api, &caller, account, (&target, parameters, &uri, for_provider), request);
        recorded(&api, &caller, begun, request, forward).await
    };
    let Some(key) = key else { return Box::pin(run).await };
    // A kept answer is for nobody else than a call with the account.
    let (api, caller) = for_key;
    if let Err(error) = api.engine.accounts().get(&caller, account).await {
        return ApiError::from(error).into_response();
    }
    kept.once(key, now, run).await
}

async fn answer(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    (target, parameters, uri, key): (&Target, Parameters, &Uri, Option<HeaderValue>),
    request: Request,
) -> Result<Response, ApiError> {
    let options = options_of(uri.query().unwrap_or_default())?;
    let (parts, body) = request.into_parts();
    let waits_until = wait_of(&parts.headers)?.map(|at_most| Instant::now() + at_most);
    let given = Given::read(&parameters, &parts.headers, body).await?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
    let proxy = ThroughProxy::new(api, caller, account, waits_until);
    let proxy = proxy.with_body(given.as_sent, content_type).with_key(key);
    let asked = Asked {
        of: target.of(),
        id: target.id(),
        query: parameters.forwarded,
        paging: Paging {
            limit: parameters.limit,
            next_cursor: parameters.next_cursor,
            prev_cursor: parameters.prev_cursor,
        },
        body: given.value,
        passes_body: given.passes,
        headers: headers_for_expressions(&relink_calls::headers_for_provider(parts.headers)),
        options,
    };
    match Box::pin(run(&proxy, asked)).await {
        Ok(UnifiedAnswer::Data(answer)) => Ok(response(*answer)),
        Ok(UnifiedAnswer::File(file)) => Ok(file),
        Err(failure) => refused(failure),
    }
}

/// The caller's body.
#[derive(Default)]
struct Given {
    value: Option<Value>,
    /// Whether it goes as it was sent: the caller wants that, it is a form with files, or it has no value.
    passes: bool,
    as_sent: Option<Body>,
}

impl Given {
    async fn read(parameters: &Parameters, headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        if parameters.body_passthrough {
            return Ok(Self { value: None, passes: true, as_sent: Some(body) });
        }
        let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| {
            let message = format!(
                "The body is longer than {} MiB, or the connection ended early. Send it with \
                 truto_body_passthrough=true, which has no limit.",
                MAX_BODY >> 20
            );
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", &message)
        })?;
        let given = value_of_body(headers, bytes.clone());
        let given = given.map_err(|error| ApiError::bad_request(error.code(), &error.to_string()))?;
        let as_sent = |value| Self { value, passes: true, as_sent: Some(Body::from(bytes)) };
        Ok(match given {
            BodyValue::None => Self::default(),
            BodyValue::Value(value) => Self { value: Some(value), ..Self::default() },
            BodyValue::Files(fields) => as_sent(Some(fields.into())),
            BodyValue::Opaque => as_sent(None),
        })
    }
}

/// A unified call of anybody.
pub(super) struct Asked<'a> {
    pub(super) of: UnifiedMethod<'a>,
    pub(super) id: Option<&'a str>,
    pub(super) query: Map<String, Value>,
    pub(super) paging: Paging,
    pub(super) body: Option<Value>,
    pub(super) passes_body: bool,
    pub(super) headers: Map<String, Value>,
    pub(super) options: Options,
}

/// Makes a call with the mapping that is in force for the account.
pub(super) async fn run(
    proxy: &ThroughProxy<'_>,
    asked: Asked<'_>,
) -> Result<UnifiedAnswer<Response>, Failure<ApiError>> {
    let Mapped { integration, context, mapping } = proxy.mapped(asked.of).await.map_err(Failure::Local)?;
    let Asked { of, id, query, paging, body, passes_body, headers, options } = asked;
    let call = UnifiedCall {
        of,
        integration: &integration,
        mapping: &mapping,
        id,
        query,
        paging,
        body,
        passes_body,
        headers,
        context: &context,
        options,
    };
    Box::pin(Unified { proxy, expressions: &proxy.api.expressions }.run(call)).await
}

/// As it is recorded.
pub(super) fn verb_of(method: &str) -> Method {
    match method {
        "list" | "get" => Method::GET,
        "update" => Method::PATCH,
        "delete" => Method::DELETE,
        _ => Method::POST,
    }
}

pub(super) fn body_of(error: ApiError) -> Value {
    serde_json::to_value(error.into_body()).unwrap_or_default()
}

/// The status of an error's body.
pub(super) fn status_in(body: &Value) -> StatusCode {
    let status = body.get("statusCode").and_then(Value::as_u64).and_then(|it| it.try_into().ok());
    status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// A failure's body, in Truto's form.
pub(super) fn body_of_failure(failure: Failure<ApiError>) -> Value {
    match failure {
        Failure::Remote(RemoteFailure { body, .. }) => body,
        Failure::Missing { query, body, conditional } => missing_body(&query, &body, conditional),
        failure => body_of(explain(failure)),
    }
}

fn refused(failure: Failure<ApiError>) -> Result<Response, ApiError> {
    match failure {
        Failure::Remote(RemoteFailure { status, headers, body }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            Ok(with_headers((status, Json(body)).into_response(), headers))
        }
        Failure::Missing { query, body, conditional } => {
            Ok((StatusCode::BAD_REQUEST, Json(missing_body(&query, &body, conditional))).into_response())
        }
        failure => Err(explain(failure)),
    }
}

/// The error for a failure that has no body of its own.
pub(super) fn explain(failure: Failure<ApiError>) -> ApiError {
    match failure {
        Failure::Local(error) => error,
        Failure::Mapping(failed) => {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "mapping_failed", &failed.to_string())
        }
        Failure::NoRecord => ApiError::not_found("The provider's answer has no such record."),
        Failure::Remote(_) | Failure::Missing { .. } => {
            ApiError::new(StatusCode::BAD_GATEWAY, "remote_error", "The provider answered with an error.")
        }
    }
}

fn response(answer: Answer) -> Response {
    let headers = answer.headers.clone();
    with_headers(Json(answer.into_json()).into_response(), headers)
}

/// Adds the provider's headers. What describes the body is Relink's.
fn with_headers(mut response: Response, headers: HeaderMap) -> Response {
    let own: Vec<_> = response.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut all = headers;
    for (name, value) in own {
        all.insert(name, value);
    }
    all.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    *response.headers_mut() = all;
    response
}

/// What is shown of a method without a call.
pub(super) fn shown(value: Option<&Map<String, Value>>) -> Value {
    value.map_or_else(|| json!(null), |it| Value::Object(it.clone()))
}
