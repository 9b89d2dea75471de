//! The unified calls of Relink's own steps, forms, batches and runs, which need the data alone.

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use relink_calls::IDEMPOTENCY_KEY;
use relink_domain::{AccountId, call::CallRoute, caller::Caller, unified::UnifiedMethod};
use relink_unified::{Failure, Paging, RemoteFailure, UnifiedAnswer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::form_urlencoded;

use super::{
    call::{Asked, Target, body_of, body_of_failure, explain, run, status_in, verb_of},
    options::options_of,
    through_proxy::ThroughProxy,
};
use crate::{
    ApiState,
    error::ApiError,
    idempotency::{Key, provider_key},
    recording::{Begun, attempted},
};

/// The data of a unified call, and where a list goes on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct UnifiedData {
    pub(crate) data: Value,
    pub(crate) next_cursor: Option<String>,
}

/// Such a call.
pub(crate) struct UnifiedAsked<'a> {
    pub(crate) of: UnifiedMethod<'a>,
    pub(crate) id: Option<&'a str>,
    /// With what is Relink's of it: `limit`, the cursors, and `truto_response_format`.
    pub(crate) query: Map<String, Value>,
    pub(crate) body: Option<Value>,
    pub(crate) only_reads: bool,
    /// Until then the call may wait for the account's person.
    pub(crate) waits_until: Option<Instant>,
    /// As a program's `Idempotency-Key` (contract section 0.5).
    pub(crate) key: Option<HeaderValue>,
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

type Result<T> = std::result::Result<T, UnifiedRefusal>;

/// What is asked, apart from the method and the record.
struct RemainingCall {
    query: Map<String, Value>,
    body: Option<Value>,
    only_reads: bool,
    waits_until: Option<Instant>,
    key: Option<HeaderValue>,
}

/// Makes such a call, which is recorded. One that creates or changes something isn't made again with the same key.
pub(crate) async fn data_of(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    asked: UnifiedAsked<'_>,
) -> Result<UnifiedData> {
    let UnifiedAsked { of, id, query, body, only_reads, waits_until, key } = asked;
    let target = Target::new(of, id);
    let headers = key.iter().map(|key| (IDEMPOTENCY_KEY, key.clone())).collect();
    let kept_key = Key::of(account, &verb_of(of.method), &target.path(), &headers)?;
    let key = kept_key.as_ref().and_then(provider_key).or(key);
    let rest = RemainingCall { query, body, only_reads, waits_until, key };
    let Some(kept_key) = kept_key else { return call_now(api, caller, account, &target, rest).await };
    let (kept, now) = (api.idempotency.clone(), api.engine.now());
    let (api, caller) = (api.clone(), caller.clone());
    let call = async move { response_of(Box::pin(call_now(&api, &caller, account, &target, rest)).await) };
    read(kept.once(kept_key, now, call).await).await
}

async fn call_now(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    target: &Target,
    rest: RemainingCall,
) -> Result<UnifiedData> {
    let RemainingCall { mut query, body, only_reads, waits_until, key } = rest;
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
    let (of, id) = (target.of(), target.id());
    let proxy = ThroughProxy::new(api, caller, account, waits_until).only_reading(only_reads).with_key(key);
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

/// As it is kept.
fn response_of(outcome: Result<UnifiedData>) -> Response {
    match outcome {
        Ok(data) => Json(data).into_response(),
        Err(UnifiedRefusal { body, headers }) => (status_in(&body), headers, Json(body)).into_response(),
    }
}

async fn read(response: Response) -> Result<UnifiedData> {
    let (parts, body) = response.into_parts();
    let unreadable = |problem: &dyn std::fmt::Display| {
        let message = format!("The answer can't be read again: {problem}.");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "answer_unreadable", &message)
    };
    // It is in memory already.
    let bytes = to_bytes(body, usize::MAX).await.map_err(|error| unreadable(&error))?;
    let value = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
    if !parts.status.is_success() {
        return Err(UnifiedRefusal { body: value, headers: parts.headers });
    }
    Ok(serde_json::from_value(value).map_err(|error| unreadable(&error))?)
}
