//! `POST /batch-request`: several calls at once, which may depend on each other (contract section 0.6).

mod plan;
mod run;

#[cfg(test)]
mod tests;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, Uri, header},
    response::{IntoResponse, Response},
};
use relink_calls::MethodTarget;
use relink_domain::{AccountId, caller::Caller, permission::Permission, unified::UnifiedMethod};
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::form_urlencoded;
use utoipa_axum::routes;

pub(crate) use self::run::{MethodCall, error};
use self::{
    plan::BatchRequest,
    run::{AccountValues, Answered, Runner},
};
use crate::{
    ApiState, body,
    error::ApiError,
    idempotency::Key,
    method_calls,
    openapi::{BodyErrors, NotFound, Routes},
    path::Id as _,
    unified::{self, UnifiedAsked},
    waiting::{WAIT, wait_of},
    whole_answer,
};

pub(crate) fn routes() -> Routes {
    Routes::new().with(Permission::MakeCalls, routes!(batch))
}

/// Make several calls
///
/// `resources` are entries that may depend on each other: requests (`resource`, `method`, `id`, `query`, `body`, `loop_on`, `recurse`), and
/// `transform` and `spool` (`type`, `name`). A resource with a slash, such as `crm/contacts`, is one of the unified API. Lists are followed to their end. The status is 200 also if calls failed: `errors` has the
/// errors of each entry. `result` has the records of entries with `"persist": true`, the default of unified ones.
#[utoipa::path(
    post,
    path = "/batch-request",
    operation_id = "batch_request",
    tag = "Calls",
    request_body(content = Object, description = "`integrated_account_id`, `args` and `resources`."),
    responses((status = 200, description = "`{\"result\": {}, \"errors\": {}}`", body = Object), BodyErrors, NotFound),
)]
async fn batch(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body::Body(request): body::Body<BatchRequest>,
) -> Response {
    let Begun { account, key, waits_until } = match begin(&request, &headers) {
        Ok(begun) => begun,
        Err(error) => return error.into_response(),
    };
    // A kept answer is for nobody else than a call with the account.
    if let Err(error) = api.engine.accounts().get(&caller, account).await {
        return ApiError::from(error).into_response();
    }
    let (kept, now) = (api.idempotency.clone(), api.engine.now());
    let run = async move {
        let through = ThroughProxy { api: &api, caller: &caller, account, waits_until };
        run(through, request).await.unwrap_or_else(ApiError::into_response)
    };
    match key {
        Some(key) => kept.once(key, now, run).await,
        None => run.await,
    }
}

/// What the request says of the whole batch.
struct Begun {
    account: AccountId,
    /// By which a repeated batch is known.
    key: Option<Key>,
    /// `Relink-Wait`: until then its calls may wait for the account's person, all of them together.
    waits_until: Option<Instant>,
}

fn begin(request: &BatchRequest, headers: &HeaderMap) -> Result<Begun, ApiError> {
    let text = request.integrated_account_id.as_deref().filter(|text| !text.is_empty()).ok_or_else(|| {
        let message = "integrated_account_id is missing. Name the account in the body.";
        ApiError::bad_request("integrated_account_id_missing", message).about("integrated_account_id")
    })?;
    let account = text.parse().map_err(|_| AccountId::not_found(text))?;
    Ok(Begun {
        account,
        key: Key::of(account, &Method::POST, "/batch-request", headers)?,
        waits_until: wait_of(headers)?.map(|at_most| Instant::now() + at_most),
    })
}

async fn run(through: ThroughProxy<'_>, request: BatchRequest) -> Result<Response, ApiError> {
    let graph = request.graph()?;
    let account = through.api.engine.accounts().get(through.caller, through.account).await?.account;
    let account = AccountValues { context: &account.profile.context, tenant_id: account.profile.tenant_id.as_str() };
    let expressions = through.api.expressions.clone();
    let runner = Runner { account, caller: through, expressions };
    Ok(Json(runner.run(&graph, &request.args).await).into_response())
}

/// Makes each call as the route `/proxy` does, or `/unified` if its resource has a slash.
struct ThroughProxy<'a> {
    api: &'a ApiState,
    caller: &'a Caller,
    account: AccountId,
    waits_until: Option<Instant>,
}

impl run::Caller for ThroughProxy<'_> {
    async fn call(&self, call: MethodCall) -> Result<Answered, Value> {
        if let Some((model, resource)) = call.resource.split_once('/') {
            let of = UnifiedMethod { model, resource, method: &call.method };
            let MethodCall { id, query, body, .. } = &call;
            let asked = UnifiedAsked {
                of,
                id: id.as_deref(),
                query: query.clone(),
                body: body.clone(),
                only_reads: false,
                waits_until: self.waits_until,
                key: None,
            };
            let found = Box::pin(unified::data_of(self.api, self.caller, self.account, asked)).await;
            let unified::UnifiedData { data, next_cursor } = found.map_err(|refusal| refusal.body)?;
            let records = match data {
                Value::Array(records) => records,
                Value::Null => Vec::new(),
                one => vec![one],
            };
            return Ok(Answered { records, next_cursor });
        }
        let mut request = request(self.account, &call)?;
        if let Some(until) = self.waits_until {
            let at_most = until.saturating_duration_since(Instant::now());
            request.headers_mut().insert(WAIT, at_most.as_secs().into());
        }
        let target = MethodTarget::Named { resource: &call.resource, method: &call.method, id: call.id.as_deref() };
        let response = Box::pin(method_calls::call(self.api, self.caller, request, target)).await;
        let status = response.status();
        let bytes = whole_answer::read(response.into_body()).await;
        let cut = || run::error(502, "Bad Gateway", "The provider's answer ended early, or is too long.");
        let value = whole_answer::value_of(bytes.ok_or_else(cut)?).await;
        if status.is_success() { Ok(answered(value)) } else { Err(value) }
    }
}

/// The request to `/proxy` for a call.
pub(crate) fn request(account: AccountId, call: &MethodCall) -> Result<Request, Value> {
    let method = match call.method.as_str() {
        "list" | "get" => Method::GET,
        "update" => Method::PATCH,
        "delete" => Method::DELETE,
        _ => Method::POST,
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &call.query {
        append(&mut query, name, value);
    }
    // The last one counts.
    query.append_pair("integrated_account_id", &account.to_string());
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let id = call.id.as_deref().map(|id| format!("/{}", encoded(id))).unwrap_or_default();
    let uri = format!("/proxy/{}{id}?{}", encoded(&call.resource), query.finish());
    let refused = |_| run::error(400, "Bad Request", "The query is too long for a URL.");
    let uri: Uri = uri.parse().map_err(refused)?;
    let mut request = Request::new(match &call.body {
        Some(body) => Body::from(body.to_string()),
        None => Body::empty(),
    });
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    if call.body.is_some() {
        request.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    }
    Ok(request)
}

/// `a[b]=c` and `a[]=d` (contract section 0.2). Null is left out.
fn append(query: &mut form_urlencoded::Serializer<'_, String>, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => {
            query.append_pair(name, text);
        }
        Value::Bool(_) | Value::Number(_) => {
            query.append_pair(name, &value.to_string());
        }
        Value::Array(items) => items.iter().for_each(|item| append(query, &format!("{name}[]"), item)),
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| append(query, &format!("{name}[{key}]"), member));
        }
    }
}

/// A list comes in its envelope, everything else by itself.
fn answered(value: Value) -> Answered {
    let is_list = |object: &Map<String, Value>| {
        object.get("result").is_some_and(Value::is_array)
            && object.contains_key("next_cursor")
            && object.contains_key("result_count")
    };
    match value {
        Value::Object(mut list) if is_list(&list) => Answered {
            records: list["result"].take().as_array_mut().map(std::mem::take).unwrap_or_default(),
            next_cursor: list.get("next_cursor").and_then(Value::as_str).map(str::to_owned),
        },
        Value::Array(records) => Answered { records, next_cursor: None },
        Value::Null => Answered::default(),
        one => Answered { records: vec![one], next_cursor: None },
    }
}
