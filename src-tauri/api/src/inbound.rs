//! Webhooks of providers: what they send to Relink (contract section 4.7).
//!
//! Whoever reaches the route may call it, so it does little before the signature is verified: it reads a body of limited
//! length, and evaluates the definition's `handle_verification` within the limits of all evaluations, a few at a time. An
//! account that doesn't exist and one whose integration has no such webhook get the same answer.

mod signature;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use relink_calls::Expressions as _;
use relink_contract::Success;
use relink_domain::{
    AccountId,
    caller::Caller,
    event::RecordEvent,
    integration::InboundWebhook,
    provider_text::{HIDDEN, SecretFilter},
};
use relink_engine::{Error, PreparedAccount};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use utoipa_axum::routes;

use crate::{
    ApiState, body,
    error::ApiError,
    openapi::{BodyErrors, NotFound, OpenRoutes},
    path::PathText,
    query::Query,
};

/// How many requests are processed at a time. Those beyond are refused, and providers send them again.
const MAX_AT_A_TIME: usize = 4;
static PLACES: Semaphore = Semaphore::const_new(MAX_AT_A_TIME);
/// The maximum number of events of one request.
const MAX_EVENTS: usize = 100;

pub(crate) fn routes() -> OpenRoutes {
    OpenRoutes::new().with(routes!(receive))
}

/// Receive a provider's webhook for an account
///
/// It needs no token: the integration's definition says in `webhook` how requests of the provider are verified.
#[utoipa::path(
    post,
    path = "/integrated-account-webhook/{id}",
    operation_id = "receive_account_webhook",
    tag = "Webhooks",
    params(("id" = AccountId, Path)),
    responses(
        (status = 200, description = "The events were received, or the definition's answer", body = Success),
        (status = 401, description = "The signature isn't valid.", body = relink_contract::ErrorBody),
        (status = 422, description = "The definition's expressions can't process the request.", body = relink_contract::ErrorBody),
        (status = 429, description = "Too many concurrent requests.", body = relink_contract::ErrorBody),
        BodyErrors,
        NotFound,
    ),
)]
async fn receive(
    State(api): State<ApiState>,
    PathText(id): PathText,
    query: Query,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let nothing = || ApiError::not_found("No webhook is received here.");
    let id: AccountId = id.parse().map_err(|_| nothing())?;
    let definition = match api.engine.accounts().definition(&Caller::Internal, id).await {
        Ok(definition) => definition.ok_or_else(nothing)?,
        Err(Error::NotFound { .. }) => return Err(nothing()),
        Err(error) => return Err(error.into()),
    };
    let webhook = definition.inbound_webhook().ok_or_else(nothing)?;
    let bytes = body::read(request, &api).await?;
    let _place = PLACES.try_acquire().map_err(|_| {
        let message = format!("Relink processes {MAX_AT_A_TIME} webhooks of providers at a time.");
        ApiError::too_many_requests("too_many_requests", &message, 1)
    })?;
    let mut input = json!({ "body": parsed(&bytes), "headers": texts(&headers), "query": query_of(&query) });
    if let Some(expression) = &webhook.handle_verification
        && let Some(answer) = answer_of(evaluated(&api, expression, &input).await?)
    {
        return Ok(answer);
    }
    let account = verified(&api, id, webhook, &headers, &bytes).await?;
    // It may be what a signature was compared with.
    if let Some(headers) = input["headers"].as_object_mut() {
        headers.remove(header::AUTHORIZATION.as_str());
    }
    let given = match &webhook.payload_transform {
        Some(expression) => evaluated(&api, expression, &input).await?,
        None => Value::Null,
    };
    let records = records_of(given, id, &SecretFilter::new(account.secrets()))?;
    if !records.is_empty() {
        api.engine.outbox().receive_records(&Caller::Internal, id, records).await?;
    }
    Ok(Json(Success::YES).into_response())
}

/// The account, if the request is the provider's.
async fn verified(
    api: &ApiState,
    id: AccountId,
    webhook: &InboundWebhook,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<std::sync::Arc<PreparedAccount>, ApiError> {
    let refused = || ApiError::new(StatusCode::UNAUTHORIZED, "signature_invalid", "The signature isn't valid.");
    let check = webhook.signature.as_ref().ok_or_else(refused)?;
    // Without a signature nothing else is read.
    if !signature::is_present(check, headers) {
        return Err(refused());
    }
    let account = api.engine.refresher().prepared(&Caller::Internal, id).await.map_err(|error| {
        tracing::info!(account = %id, code = error.code(), "a provider's webhook can't be verified now: {error}");
        let message = "This can't be verified now. Send it again later.";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "signature_unverified", message)
    })?;
    if signature::is_valid(check, &account, headers, body) { Ok(account) } else { Err(refused()) }
}

/// The result of one of the definition's expressions. Its error may quote the request, so only its code is logged.
async fn evaluated(api: &ApiState, expression: &str, input: &Value) -> Result<Value, ApiError> {
    let result = api.expressions.evaluate(expression, input.clone()).await;
    result.map(Option::unwrap_or_default).map_err(|error| {
        tracing::warn!(code = error.code, "an expression in \"webhook\" of a definition fails");
        unprocessable("The integration's definition can't process this request.")
    })
}

fn unprocessable(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "webhook_unprocessable", message)
}

/// The answer that `handle_verification` gives. None: the request isn't answered there.
fn answer_of(given: Value) -> Option<Response> {
    let Value::Object(mut given) = given else { return None };
    let status = given.get("statusCode").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = status.map_or(Ok(StatusCode::OK), StatusCode::from_u16).ok()?;
    Some(match given.remove("body") {
        None | Some(Value::Null) => status.into_response(),
        // The text may be the request's own, so no browser may take it for a page.
        Some(Value::String(text)) => (status, text).into_response(),
        Some(value) => (status, Json(value)).into_response(),
    })
}

fn records_of(given: Value, account: AccountId, filter: &SecretFilter) -> Result<Vec<(RecordEvent, Value)>, ApiError> {
    let given = match given {
        Value::Null => Vec::new(),
        Value::Array(given) => given,
        one => vec![one],
    };
    if given.len() > MAX_EVENTS {
        return Err(unprocessable(&format!("One request can have at most {MAX_EVENTS} events.")));
    }
    let record = |given| {
        let Value::Object(mut record) = given else { return None };
        let event = RecordEvent::of(record.get("event_type")?.as_str()?).ok()?;
        record.entry("integrated_account_id").or_insert_with(|| account.to_string().into());
        Some((event, without_secrets(Value::Object(record), filter)?))
    };
    let records: Option<Vec<_>> = given.into_iter().map(record).collect();
    records.ok_or_else(|| unprocessable("The integration's definition gives no events with an \"event_type\"."))
}

/// The value, in which every text that has a secret is hidden. None: nothing of it may be kept.
fn without_secrets(value: Value, filter: &SecretFilter) -> Option<Value> {
    let text = value.to_string();
    let cleaned = filter.clean_whole(&text);
    let hides = |text: &str| text.matches(HIDDEN).count();
    if hides(&cleaned) == hides(&text) && !cleaned.is_empty() {
        Some(value)
    } else {
        serde_json::from_str(&cleaned).ok()
    }
}

/// JSON, or else the text.
fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

fn texts(headers: &HeaderMap) -> Map<String, Value> {
    let texts = headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into())));
    texts.collect()
}

fn query_of(query: &Query) -> Map<String, Value> {
    query.pairs().map(|(name, value)| (name.to_owned(), value.into())).collect()
}
