//! Requests and expressions of an integration's actions, for the engine: they go the way of a program's calls.

mod forms;
mod refresh;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    body::{self, Body},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, response::Parts},
    response::Response,
};
use http_body_util::BodyExt;
use relink_calls::{Called, MethodCall, MethodError, MethodTarget, Overrides, Parameters};
use relink_domain::{
    AccountId,
    call::CallRoute,
    caller::Caller,
    failure::Cause,
    integration::actions::{CallApi, NamedCall},
    unified::UnifiedMethod,
};
use relink_engine::{
    FailedRequest, FormRunner, HttpResponse, PreparedAccount, RunnerFuture, StepCall, StepError, StepRunner, StepScope,
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    ApiState,
    error::ApiError,
    method_calls::{explain, has_pages},
    recording::{Begun, attempted},
    unified::{self, UnifiedAsked, UnifiedData},
    whole_answer,
};

/// For so long a step's request may take.
const DEADLINE: Duration = Duration::from_mins(1);
/// Bytes of a provider's answer that a step can use.
const MAX_ANSWER: usize = 8 << 20;
/// The last result, in expressions.
const PREVIOUS: &str = "previous";

/// What the engine runs steps and forms with, for as long as this lives.
pub(crate) struct Steps(ApiState);

impl Steps {
    pub(crate) fn install(api: ApiState) -> Arc<Self> {
        let steps = Arc::new(Self(api));
        let onboarding = steps.0.engine.onboarding();
        onboarding.set_runner(&Caller::Internal, &(Arc::clone(&steps) as Arc<dyn StepRunner>));
        onboarding.set_form_runner(&Caller::Internal, &(Arc::clone(&steps) as Arc<dyn FormRunner>));
        steps
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}

impl StepRunner for Steps {
    fn call<'a>(
        &'a self,
        caller: &'a Caller,
        account: AccountId,
        call: StepCall<'a>,
    ) -> RunnerFuture<'a, Result<Value, StepError>> {
        Box::pin(async move {
            let answer = Box::pin(answer_of(&self.0, caller, account, call, Limits::OfCaller));
            timeout(DEADLINE, answer).await.map_err(|_| late())?.map(|answer| answer.data)
        })
    }

    fn call_in_refresh<'a>(
        &'a self,
        account: Arc<PreparedAccount>,
        call: StepCall<'a>,
    ) -> RunnerFuture<'a, Result<Value, StepError>> {
        Box::pin(refresh::answer_of(&self.0, account, call))
    }

    fn evaluate<'a>(
        &'a self,
        expression: &'a str,
        scope: &'a StepScope<'a>,
    ) -> RunnerFuture<'a, Result<Option<Value>, StepError>> {
        Box::pin(async move {
            let StepScope { previous, context, steps, query, body } = scope;
            let input = json!({ "context": context, "steps": steps, "query": query, "body": body });
            let evaluated = self.0.expressions.evaluate_with(expression, &input, &[(PREVIOUS, previous)]).await;
            evaluated.map_err(|error| StepError::new(format!("Its expression can't be evaluated: {error}")))
        })
    }

    fn check<'a>(&'a self, expression: &'a str) -> RunnerFuture<'a, Result<(), StepError>> {
        Box::pin(async move {
            let checked = self.0.expressions.check(expression, &[PREVIOUS]).await;
            checked.map_err(|error| {
                let advice = error.advice.map(|advice| format!(" {advice}")).unwrap_or_default();
                StepError::new(format!("{error}{advice}"))
            })
        })
    }
}

fn late() -> StepError {
    let failed = FailedRequest::Unanswered { cause: Cause::Timeout, retry_after_secs: None };
    StepError::new("There was no answer within a minute.").status(504).failed(failed)
}

/// What is called, and the caller's query and body.
fn target_of(call: StepCall<'_>) -> (MethodTarget<'_>, &Map<String, Value>, &Value) {
    match call {
        StepCall::Own { action, step, query, body } => (MethodTarget::Step { action, step }, query, body),
        StepCall::Named { call: NamedCall { resource, method, .. }, query } => {
            let id = query.get("id").and_then(Value::as_str);
            (MethodTarget::Named { resource, method, id }, query, &Value::Null)
        }
    }
}

/// What a request of a step gives.
#[derive(Debug, PartialEq)]
struct Answer {
    data: Value,
    /// Of a list that goes on.
    next_cursor: Option<String>,
}

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limits {
    /// What its caller may do.
    OfCaller,
    OnlyReads,
}

/// Makes a step's request, which is recorded. The data that was answered.
async fn answer_of(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    call: StepCall<'_>,
    limits: Limits,
) -> Result<Answer, StepError> {
    if let StepCall::Named { call, query } = call
        && call.api == CallApi::Unified
    {
        return unified_answer(api, caller, account, (call, query), limits).await;
    }
    let sent = Arc::<OnceLock<Called>>::default();
    let (target, query, body) = target_of(call);
    let (route, path, reached) = match target {
        MethodTarget::Named { resource, id, .. } => {
            let id = id.map(|id| format!("/{id}")).unwrap_or_default();
            (CallRoute::Proxy, format!("/{resource}{id}"), None)
        }
        MethodTarget::Step { .. } | MethodTarget::Custom { .. } => (CallRoute::Custom, String::new(), Some(&sent)),
    };
    let begun = Begun { account, route, path: &path, query: None, called: reached.cloned() };
    let mut request = Request::new(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) });
    *request.method_mut() = verb_of(target);
    if !body.is_null() {
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let definition = api.engine.accounts().definition(caller, account).await.ok().flatten();
    let has_pages = definition.is_some_and(|definition| has_pages(&definition, target));
    let forward = |request: Request| async {
        let (parts, body) = request.into_parts();
        let prefix = || format!("{}/via/{account}", api.port.base_url());
        let call = MethodCall {
            target,
            parameters: parameters_of(query),
            headers: headers_of(&parts.headers),
            body: body.map_err(Into::into).boxed_unsync(),
            prefix: &prefix,
            called: reached.map(|sent| &**sent),
            only_reads: limits == Limits::OnlyReads,
            overrides: Overrides::default(),
        };
        match api.calls.run_method(caller, account, call, &api.expressions).await {
            Ok(response) => Ok(response.map(Body::new)),
            Err(MethodError::Remote(response)) => Ok(response.map(Body::new)),
            Err(error) => Err(explain(error)),
        }
    };
    match attempted(api, caller, begun, request, forward).await {
        Ok(response) => data_of(response, has_pages).await,
        Err(error) => Err(of_own(error)),
    }
}

/// Makes a step's call of the unified API.
async fn unified_answer(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    (call, query): (&NamedCall, &Map<String, Value>),
    limits: Limits,
) -> Result<Answer, StepError> {
    let Some((model, resource)) = call.resource.split_once('/') else {
        let message = format!("{:?} is no unified resource. It must be such as \"crm/contacts\".", call.resource);
        return Err(StepError::new(message));
    };
    let of = UnifiedMethod { model, resource, method: &call.method };
    let mut query = query.clone();
    let id = query.shift_remove("id");
    let id = id.as_ref().and_then(Value::as_str);
    let only_reads = limits == Limits::OnlyReads;
    let asked = UnifiedAsked { of, id, query, body: None, only_reads, waits_until: None, key: None };
    match Box::pin(unified::data_of(api, caller, account, asked)).await {
        Ok(UnifiedData { data, next_cursor }) => Ok(Answer { data, next_cursor }),
        Err(refusal) => {
            let error = refusal.body;
            let status = error.get("statusCode").and_then(Value::as_u64).and_then(|status| status.try_into().ok());
            let message = error.get("message").and_then(Value::as_str).unwrap_or("The unified call failed.");
            Err(StepError::new(message).status(status.unwrap_or(500)))
        }
    }
}

fn headers_of(headers: &HeaderMap) -> HeaderMap {
    headers.get(header::CONTENT_TYPE).map(|it| (header::CONTENT_TYPE, it.clone())).into_iter().collect()
}

/// `limit` and the cursors are Relink's, as in a program's call.
fn parameters_of(query: &Map<String, Value>) -> Parameters {
    let mut forwarded = query.clone();
    let mut own = |name: &str| {
        let value = forwarded.remove(name)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let (limit, next_cursor, prev_cursor) = (own("limit"), own("next_cursor"), own("prev_cursor"));
    Parameters { limit, next_cursor, prev_cursor, forwarded, ..Parameters::default() }
}

/// As it is recorded.
fn verb_of(target: MethodTarget<'_>) -> Method {
    match target {
        MethodTarget::Named { method: "update", .. } => Method::PATCH,
        MethodTarget::Named { method: "delete", .. } => Method::DELETE,
        MethodTarget::Named { method: "list" | "get", .. } => Method::GET,
        MethodTarget::Named { .. } | MethodTarget::Step { .. } | MethodTarget::Custom { .. } => Method::POST,
    }
}

async fn data_of(response: Response, has_pages: bool) -> Result<Answer, StepError> {
    let (parts, body) = response.into_parts();
    let unread = |_| {
        let failed = FailedRequest::Unanswered { cause: Cause::Reset, retry_after_secs: None };
        StepError::new("The provider's answer is too long for a step, or ended early.").failed(failed)
    };
    let bytes = body::to_bytes(body, MAX_ANSWER).await.map_err(unread)?;
    let value = whole_answer::value_of(bytes).await;
    if parts.status.is_client_error() || parts.status.is_server_error() {
        return Err(refused(&parts, &value));
    }
    if parts.status.is_redirection() {
        let message = format!("The provider answered with a redirect ({}), which isn't followed.", parts.status);
        let failed = answered(&parts, Vec::new());
        return Err(StepError::new(message).status(StatusCode::BAD_GATEWAY.as_u16()).failed(failed));
    }
    match value {
        Value::Object(mut envelope) if has_pages => {
            let next_cursor = envelope.get("next_cursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty());
            let next_cursor = next_cursor.map(str::to_owned);
            Ok(Answer { data: envelope.remove("result").unwrap_or_default(), next_cursor })
        }
        data => Ok(Answer { data, next_cursor: None }),
    }
}

/// The provider refused the request. `answer`: its error in Truto's form.
fn refused(parts: &Parts, answer: &Value) -> StepError {
    let status = parts.status;
    let message = answer.get("message").and_then(Value::as_str).filter(|message| !message.is_empty());
    let said = message.map(|message| format!(": {message}")).unwrap_or_default();
    let body = match answer.get("raw_response").unwrap_or(answer) {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    };
    let message = format!("The provider answered {status}{said}");
    StepError::new(message).status(status.as_u16()).failed(answered(parts, body))
}

/// What the provider answered, in place of something that a step can use.
fn answered(parts: &Parts, body: Vec<u8>) -> FailedRequest {
    FailedRequest::Refused(Box::new(HttpResponse { status: parts.status, headers: parts.headers.clone(), body }))
}

/// There was no answer of the provider.
fn of_own(error: ApiError) -> StepError {
    let status = error.status().as_u16();
    StepError::new(error.into_body().message).status(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_data_of_an_answer_is_what_a_step_gives() {
        let answer = |status: u16, body: &str| {
            let mut response = Response::new(Body::from(body.to_owned()));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            response
        };
        let data = |data: Value, next: Option<&str>| Ok(Answer { data, next_cursor: next.map(str::to_owned) });
        assert_eq!(data_of(answer(200, r#"{"id": 1}"#), false).await, data(json!({"id": 1}), None));
        for (page, next) in [("null", None), (r#""""#, None), (r#""c""#, Some("c"))] {
            let page = format!(r#"{{"result": [1], "next_cursor": {page}}}"#);
            assert_eq!(data_of(answer(200, &page), true).await, data(json!([1]), next));
        }
        assert_eq!(data_of(answer(204, ""), false).await, data(Value::Null, None));
        assert_eq!(data_of(answer(200, "pong"), false).await, data(json!("pong"), None));
        let refused = data_of(answer(403, r#"{"statusCode": 403, "message": "Missing scope"}"#), false).await;
        let refused = refused.expect_err("refused");
        assert_eq!((refused.status, refused.message.contains("Missing scope")), (Some(403), true));
        let cut = Body::from_stream(futures_util::stream::iter([
            Ok("{"),
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
        ]));
        let cut = data_of(Response::new(cut), false).await.expect_err("ended early");
        let passing = FailedRequest::Unanswered { cause: Cause::Reset, retry_after_secs: None };
        assert_eq!(cut.failed.as_deref(), Some(&passing));
        let moved = data_of(answer(302, ""), false).await.expect_err("a redirect");
        assert!(moved.message.contains("302"), "{moved}");
    }

    #[test]
    fn what_is_relinks_of_a_steps_query_is_not_forwarded() {
        let query = json!({"limit": 5, "next_cursor": "c", "state": "open"});
        let read = parameters_of(query.as_object().expect("an object"));
        assert_eq!((read.limit.as_deref(), read.next_cursor.as_deref()), (Some("5"), Some("c")));
        assert_eq!(Value::Object(read.forwarded), json!({"state": "open"}));
    }
}
