//! Webhooks of providers: what they send to Relink (contract section 4.7).
//!
//! Whoever reaches the routes may call them. So what isn't verified does little: it reads a body of limited length, compares its
//! signature with what is stored, and evaluates the definition's `handle_verification` in a place that nothing else needs. It sends
//! nothing to a provider, leaves no trace on an account, and gets the same answer whether the account exists and however it stands.

mod signature;

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use relink_calls::Expressions as _;
use relink_contract::Success;
use relink_domain::{
    AccountId, EnvironmentIntegrationId,
    caller::Caller,
    event::RecordEvent,
    integration::{Definition, InboundWebhook, SignatureCheck},
    provider_text::{HIDDEN, SecretFilter},
    template::{Root, Scope},
};
use relink_engine::{Error, WebhookReceiver};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use utoipa_axum::routes;

use crate::{
    ApiState, body,
    error::ApiError,
    expressions::Jsonata,
    openapi::{BodyErrors, NotFound, OpenRoutes},
    path::PathText,
    query::Query,
};

/// How many requests are processed at a time. Those beyond are refused, and providers send them again.
const MAX_AT_A_TIME: usize = 4;
static PLACES: Semaphore = Semaphore::const_new(MAX_AT_A_TIME);
/// `handle_verification` of what isn't verified is evaluated one at a time, and only for a short body.
static UNVERIFIED: Semaphore = Semaphore::const_new(1);
const MAX_UNVERIFIED: usize = 16 << 10;
/// The maximum number of events of one request.
const MAX_EVENTS: usize = 100;

pub(crate) fn routes() -> OpenRoutes {
    OpenRoutes::new().with(routes!(of_account)).with(routes!(of_integration))
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
async fn of_account(
    State(api): State<ApiState>,
    PathText(id): PathText,
    query: Query,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let id: AccountId = id.parse().map_err(|_| nothing())?;
    let definition = match api.engine.accounts().definition(&Caller::Internal, id).await {
        Ok(definition) => definition.ok_or_else(nothing)?,
        Err(Error::NotFound { .. }) => return Err(nothing()),
        Err(error) => return Err(error.into()),
    };
    receive(&api, &definition, To::Account(id), &query, headers, request).await
}

/// Receive a provider's webhook for an integration
///
/// For providers that send what happens in all accounts to one address. The accounts are those whose context has, at the definition's
/// `webhook.context_lookup_field_name`, what its `context_lookup_field_value` gives.
#[utoipa::path(
    post,
    path = "/environment-integration-webhook/{id}",
    operation_id = "receive_integration_webhook",
    tag = "Webhooks",
    params(("id" = EnvironmentIntegrationId, Path)),
    responses(
        (status = 200, description = "The events were received, or the definition's answer", body = Success),
        (status = 401, description = "The signature isn't valid.", body = relink_contract::ErrorBody),
        (status = 422, description = "The definition's expressions can't process the request.", body = relink_contract::ErrorBody),
        (status = 429, description = "Too many concurrent requests.", body = relink_contract::ErrorBody),
        BodyErrors,
        NotFound,
    ),
)]
async fn of_integration(
    State(api): State<ApiState>,
    PathText(id): PathText,
    query: Query,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let id: EnvironmentIntegrationId = id.parse().map_err(|_| nothing())?;
    let definition = api.engine.accounts().definition_of_integration(&Caller::Internal, id).ok_or_else(nothing)?;
    receive(&api, &definition, To::Integration(id), &query, headers, request).await
}

/// Whom a request was sent to.
#[derive(Debug, Clone, Copy)]
enum To {
    Account(AccountId),
    Integration(EnvironmentIntegrationId),
}

/// What a provider sent, and what expressions see of it.
struct Delivery {
    headers: HeaderMap,
    bytes: Bytes,
    input: Map<String, Value>,
}

fn nothing() -> ApiError {
    ApiError::not_found("No webhook is received here.")
}

fn refused() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "signature_invalid", "The signature isn't valid.")
}

fn too_many(message: &str) -> ApiError {
    ApiError::too_many_requests("too_many_requests", message, 1)
}

async fn receive(
    api: &ApiState,
    definition: &Arc<Definition>,
    to: To,
    query: &Query,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let webhook = definition.inbound_webhook().ok_or_else(nothing)?;
    let bytes = body::read(request, api).await?;
    let input = json!({ "body": parsed(&bytes), "headers": texts(&headers), "query": query_of(query) });
    let Value::Object(input) = input else { return Err(nothing()) };
    let mut delivery = Delivery { headers, bytes, input };
    let signature = webhook.signature.as_ref().filter(|check| signature::is_present(check, &delivery.headers));
    // Without a signature nothing else is read.
    let Some(signature) = signature else { return unverified(api, webhook, &delivery).await };
    let place = PLACES
        .try_acquire()
        .map_err(|_| too_many(&format!("Relink processes {MAX_AT_A_TIME} webhooks of providers at a time.")))?;
    let receivers = verified(api, webhook, signature, to, &delivery).await?;
    if receivers.is_empty() {
        drop(place);
        return unverified(api, webhook, &delivery).await;
    }
    if let Some(expression) = &webhook.handle_verification
        && let Some(answer) = answer_of(evaluated(&api.expressions, expression, &delivery.input).await?)
    {
        return Ok(answer);
    }
    // It may be what a signature was compared with.
    if let Some(Value::Object(headers)) = delivery.input.get_mut("headers") {
        headers.remove(header::AUTHORIZATION.as_str());
    }
    let given = match &webhook.payload_transform {
        Some(expression) => evaluated(&api.expressions, expression, &delivery.input).await?,
        None => Value::Null,
    };
    for receiver in &receivers {
        let Some(account) = receiver.account() else {
            tracing::info!("a provider's webhook is for no account: none has the value that the definition looks up");
            continue;
        };
        let records = records_of(given.clone(), account, receiver.filter())?;
        if !records.is_empty() {
            api.engine.outbox().receive_records(&Caller::Internal, account, records).await?;
        }
    }
    Ok(Json(Success::YES).into_response())
}

/// Whom the request is for, as far as its signature is valid with what is stored of them. None: nothing is.
async fn verified(
    api: &ApiState,
    webhook: &InboundWebhook,
    check: &SignatureCheck,
    to: To,
    delivery: &Delivery,
) -> Result<Vec<WebhookReceiver>, ApiError> {
    let now = api.engine.now();
    let is_valid =
        |receiver: &WebhookReceiver| signature::is_valid(check, receiver, &delivery.headers, &delivery.bytes, now);
    let mut receivers = receivers(api, webhook, to, &delivery.input).await.map_err(|error| {
        tracing::info!(code = error.code(), "a provider's webhook can't be verified now: {error}");
        let message = "This can't be verified now. Send it again later.";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "signature_unverified", message)
    })?;
    receivers.retain(is_valid);
    Ok(receivers)
}

/// Whom a request may be for. It is verified with what is stored of each.
async fn receivers(
    api: &ApiState,
    webhook: &InboundWebhook,
    to: To,
    input: &Map<String, Value>,
) -> Result<Vec<WebhookReceiver>, Error> {
    let accounts = api.engine.accounts();
    let (integration, ids) = match to {
        To::Account(id) => return Ok(vec![accounts.webhook_receiver(&Caller::Internal, id).await?]),
        To::Integration(id) => (id, accounts_of(api, webhook, id, input).await?),
    };
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        match accounts.webhook_receiver(&Caller::Internal, id).await {
            // It was deleted meanwhile.
            Err(Error::NotFound { .. }) => {}
            receiver => found.push(receiver?),
        }
    }
    if found.is_empty() {
        found.push(accounts.webhook_receiver_of_integration(&Caller::Internal, integration).await?);
    }
    Ok(found)
}

/// The accounts of an integration whose context has what the definition looks up.
async fn accounts_of(
    api: &ApiState,
    webhook: &InboundWebhook,
    id: EnvironmentIntegrationId,
    input: &Map<String, Value>,
) -> Result<Vec<AccountId>, Error> {
    let Some(lookup) = &webhook.lookup else { return Ok(Vec::new()) };
    let (none, no_secrets) = (Map::new(), std::collections::BTreeMap::new());
    let roots: Vec<_> = input.iter().map(|(name, value)| (name.as_str(), Root::Value(value))).collect();
    let scope = Scope { roots: &roots, ..Scope::new(&none, &no_secrets, None) };
    let Some(value) = lookup.value.fill_secret(&scope).ok().flatten() else { return Ok(Vec::new()) };
    api.engine.accounts().with_context_value(&Caller::Internal, id, &lookup.field, value.expose()).await
}

/// Answers a request that isn't verified, as the definition says, or refuses it.
async fn unverified(api: &ApiState, webhook: &InboundWebhook, delivery: &Delivery) -> Result<Response, ApiError> {
    let Some(expression) = &webhook.handle_verification else { return Err(refused()) };
    if delivery.bytes.len() > MAX_UNVERIFIED {
        return Err(refused());
    }
    let _place = UNVERIFIED
        .try_acquire()
        .map_err(|_| too_many("Relink answers one request without a valid signature at a time."))?;
    let given = evaluated(&api.expressions_of_unverified, expression, &delivery.input).await?;
    answer_of(given).ok_or_else(refused)
}

/// The result of one of the definition's expressions. Its error may quote the request, so only its code is logged.
async fn evaluated(expressions: &Jsonata, expression: &str, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let result = expressions.evaluate(expression, input.clone().into()).await;
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
