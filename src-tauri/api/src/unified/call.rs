//! Making a unified call.

use axum::{
    Json,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use relink_calls::{Parameters, headers_for_expressions, value_of_body};
use relink_domain::{AccountId, call::CallRoute, caller::Caller, unified::UnifiedMethod};
use relink_unified::{
    Answer, Failure, Options, Paging, RemoteFailure, Unified, UnifiedAnswer, UnifiedCall, missing_body,
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use url::form_urlencoded;

use super::{
    options::options_of,
    through_proxy::{Mapped, ThroughProxy},
};
use crate::{
    ApiState,
    error::ApiError,
    idempotency::Key,
    method_calls::{Call, account_of, sent_uri},
    recording::{Begun, attempted, recorded},
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

    fn of(&self) -> UnifiedMethod<'_> {
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
    let (kept, now, for_key) = (api.idempotency.clone(), api.engine.now(), (api.clone(), caller.clone()));
    let run = async move {
        let path = target.path();
        let begun = Begun { account, route: CallRoute::Unified, path: &path, query: uri.query(), called: None };
        let forward = |request| answer(&api, &caller, account, (&target, parameters, &uri), request);
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
    (target, parameters, uri): (&Target, Parameters, &Uri),
    request: Request,
) -> Result<Response, ApiError> {
    let options = options_of(uri.query().unwrap_or_default())?;
    let (parts, body) = request.into_parts();
    let waits_until = wait_of(&parts.headers)?.map(|at_most| Instant::now() + at_most);
    let given = Given::read(&parameters, &parts.headers, body).await?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
    let proxy = ThroughProxy::new(api, caller, account, waits_until).with_body(given.as_sent, content_type);
    let asked = Asked {
        of: target.of(),
        id: target.id.as_deref(),
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
    /// Whether it goes as it was sent: the caller wants that, or it has no value.
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
        let value = value_of_body(headers, bytes.clone());
        let value = value.map_err(|error| ApiError::bad_request(error.code(), &error.to_string()))?;
        let passes = value.is_none() && !bytes.trim_ascii().is_empty();
        Ok(Self { value, passes, as_sent: Some(Body::from(bytes)).filter(|_| passes) })
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

/// The data of a unified call, and where a list goes on.
#[derive(Debug, Default)]
pub(crate) struct UnifiedData {
    pub(crate) data: Value,
    pub(crate) next_cursor: Option<String>,
}

/// A call of Relink's own steps, forms and batches.
pub(crate) struct UnifiedAsked<'a> {
    pub(crate) of: UnifiedMethod<'a>,
    pub(crate) id: Option<&'a str>,
    /// With what is Relink's of it: `limit`, the cursors, and `truto_response_format`.
    pub(crate) query: Map<String, Value>,
    pub(crate) body: Option<Value>,
    pub(crate) only_reads: bool,
    /// Until then the call may wait for the account's person.
    pub(crate) waits_until: Option<Instant>,
}

/// An error in Truto's form, with the headers of the answer: the provider's, or Relink's own `Retry-After`.
pub(crate) struct UnifiedRefusal {
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

impl From<ApiError> for UnifiedRefusal {
    fn from(error: ApiError) -> Self {
        let wait = error.retry_after_secs().map(|secs| (header::RETRY_AFTER, HeaderValue::from(secs)));
        Self { headers: wait.into_iter().collect(), body: body_of(error) }
    }
}

impl From<Failure<ApiError>> for UnifiedRefusal {
    fn from(failure: Failure<ApiError>) -> Self {
        match failure {
            Failure::Remote(RemoteFailure { headers, body, .. }) => Self { body, headers },
            Failure::Missing { .. } => Self { body: body_of_failure(failure), headers: HeaderMap::new() },
            failure => explain(failure).into(),
        }
    }
}

/// Makes such a call, which is recorded.
pub(crate) async fn data_of(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    asked: UnifiedAsked<'_>,
) -> Result<UnifiedData, UnifiedRefusal> {
    let UnifiedAsked { of, id, mut query, body, only_reads, waits_until } = asked;
    let mut own = |name: &str| match query.shift_remove(name)? {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    };
    let paging = Paging { limit: own("limit"), next_cursor: own("next_cursor"), prev_cursor: own("prev_cursor") };
    let names = ["truto_ignore_remote_data", "truto_exclude_fields", "truto_response_format", "truto_super_query"];
    let given = names.into_iter().filter_map(|name| Some((name, own(name)?)));
    let given = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    let options = options_of(&given)?;
    let target = Target::new(of, id);
    let proxy = ThroughProxy::new(api, caller, account, waits_until).only_reading(only_reads);
    let asked = Asked { of, id, query, paging, body, passes_body: false, headers: Map::new(), options };
    let mut found = None;
    let path = target.path();
    let begun = Begun { account, route: CallRoute::Unified, path: &path, query: None, called: None };
    let forward = |_: Request| async {
        let (status, outcome) = match Box::pin(run(&proxy, asked)).await {
            Ok(UnifiedAnswer::Data(answer)) => {
                let next_cursor = answer.next_cursor().map(str::to_owned);
                (StatusCode::OK, Ok(UnifiedData { data: answer.into_data(), next_cursor }))
            }
            Ok(UnifiedAnswer::File(_)) => {
                let message = "The provider answered with a file, which can't be used here.";
                let error = ApiError::new(StatusCode::BAD_GATEWAY, "answer_is_a_file", message);
                (StatusCode::BAD_GATEWAY, Err(error.into()))
            }
            Err(failure) => {
                let refusal = UnifiedRefusal::from(failure);
                (status_in(&refusal.body), Err(refusal))
            }
        };
        found = Some(outcome);
        Ok(status.into_response())
    };
    let mut request = Request::new(Body::empty());
    *request.method_mut() = verb_of(of.method);
    attempted(api, caller, begun, request, forward).await?;
    found.unwrap_or_else(|| Ok(UnifiedData::default()))
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

fn body_of(error: ApiError) -> Value {
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
fn explain(failure: Failure<ApiError>) -> ApiError {
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
