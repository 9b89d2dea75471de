//! The calls and expressions of sync jobs' runs, for the engine: they go the way of a program's calls.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use relink_calls::{IDEMPOTENCY_KEY, MethodTarget};
use relink_domain::{AccountId, SyncJobRunId, caller::Caller, failure::Cause, unified::UnifiedMethod};
use relink_engine::{RunCalls, RunnerFuture};
use relink_sync::{Call, ExpressionError, Page, RequestError};
use serde::Deserialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    ApiState,
    batch::{self, MethodCall},
    idempotency::KEY_IN_USE,
    method_calls,
    unified::{self, UnifiedAsked, UnifiedData},
    whole_answer,
};

/// After so many seconds a run goes on whose provider limits calls and doesn't say for how long, as Truto's clients do (contract section 0.4).
const RATE_LIMIT_SECS: u64 = 10;
/// After so many seconds a run goes on whose write is still under way.
const KEY_IN_USE_SECS: u64 = 5;

/// What the engine runs sync jobs with, for as long as this lives.
pub(crate) struct CallsOfRuns(ApiState);

impl CallsOfRuns {
    pub(crate) fn install(api: ApiState) -> Arc<dyn RunCalls> {
        let jobs = api.engine.sync_jobs().clone();
        let calls: Arc<dyn RunCalls> = Arc::new(Self(api));
        jobs.set_calls(&Caller::Internal, &calls);
        calls
    }
}

impl std::fmt::Debug for CallsOfRuns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallsOfRuns").finish_non_exhaustive()
    }
}

impl RunCalls for CallsOfRuns {
    fn page<'a>(
        &'a self,
        run: SyncJobRunId,
        account: AccountId,
        call: Call<'a>,
    ) -> RunnerFuture<'a, Result<Page, RequestError>> {
        Box::pin(async move {
            let caller = Caller::SyncJob { run };
            page_of(&self.0, &caller, account, call).await
        })
    }

    fn is_within_reach(&self, account: AccountId) -> RunnerFuture<'_, bool> {
        Box::pin(async move {
            // An account that can't be read has an error of its own.
            self.0.engine.refresher().is_within_reach(&Caller::Internal, account).await.unwrap_or(true)
        })
    }

    fn evaluate<'a>(
        &'a self,
        expression: &'a str,
        input: Box<RawValue>,
    ) -> RunnerFuture<'a, Result<Option<Box<RawValue>>, ExpressionError>> {
        Box::pin(async move {
            let found = self.0.expressions.evaluate_text(expression, input).await;
            found.map_err(|error| {
                let advice = error.advice.map(|advice| format!(" {advice}")).unwrap_or_default();
                ExpressionError(format!("{}{advice}", error.message))
            })
        })
    }
}

/// One page of a list, or the record of another method, by the proxy or the unified API.
async fn page_of(api: &ApiState, caller: &Caller, account: AccountId, call: Call<'_>) -> Result<Page, RequestError> {
    let Call { resource, method, id, mut query, body, cursor, response_format, idempotency, .. } = call;
    if let Some(cursor) = cursor {
        query.insert("next_cursor".to_owned(), cursor.into());
    }
    if let Some(format) = response_format {
        query.insert("truto_response_format".to_owned(), format.into());
    }
    let key = HeaderValue::from_str(&idempotency.to_string()).ok();
    if let Some((model, unified_resource)) = resource.split_once('/') {
        let of = UnifiedMethod { model, resource: unified_resource, method };
        let asked = UnifiedAsked { of, id: id.as_deref(), query, body, only_reads: false, waits_until: None, key };
        let found = Box::pin(unified::data_of(api, caller, account, asked)).await;
        let UnifiedData { data, next_cursor } = found.map_err(|refusal| explain(refusal.body, &refusal.headers))?;
        return Ok(Page { records: records(data)?, next_cursor });
    }
    let call = MethodCall { resource: resource.to_owned(), method: method.to_owned(), id, query, body };
    let mut request = batch::request(account, &call).map_err(RequestError::Other)?;
    if let Some(key) = key.filter(|_| !request.method().is_safe()) {
        request.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    let target = MethodTarget::Named { resource, method, id: call.id.as_deref() };
    let response = Box::pin(method_calls::call(api, caller, request, target)).await;
    let (parts, body) = response.into_parts();
    let cut = || {
        let message = "The provider's answer ended early, or is longer than 64 MiB.";
        RequestError::Other(batch::error(502, "Bad Gateway", message))
    };
    let bytes = whole_answer::read(body).await.ok_or_else(cut)?;
    let text = String::from_utf8_lossy(&bytes);
    if parts.status.is_success() {
        return Ok(read(&text));
    }
    let error = serde_json::from_str(&text).unwrap_or_else(|_| {
        let reason = parts.status.canonical_reason().unwrap_or("Error");
        batch::error(parts.status.as_u16(), reason, text.trim())
    });
    Err(explain(error, &parts.headers))
}

/// Whether an error is that nothing came from the provider.
fn has_no_response(error: &Value) -> bool {
    const CAUSES: [Cause; 4] = [Cause::Dns, Cause::Unreachable, Cause::Timeout, Cause::Reset];
    let code = error.get("code").and_then(Value::as_str);
    CAUSES.iter().any(|cause| code == Some(cause.code()))
}

/// What an error in Truto's form means for a run.
fn explain(error: Value, headers: &HeaderMap) -> RequestError {
    let status = error.get("statusCode").and_then(Value::as_u64);
    let is = |wanted: StatusCode| status == Some(wanted.as_u16().into());
    if is(StatusCode::UNAUTHORIZED) {
        RequestError::Unauthorized(error)
    } else if is(StatusCode::TOO_MANY_REQUESTS) {
        let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let known = error.get("details").and_then(|details| details.get("retry_after")).and_then(Value::as_u64);
        RequestError::RateLimited { seconds: seconds.or(known).unwrap_or(RATE_LIMIT_SECS), error }
    } else if has_no_response(&error) {
        RequestError::NoResponse(error)
    } else if error.get("code").and_then(Value::as_str) == Some(KEY_IN_USE) {
        // The same write is still under way: it was begun before the run was stopped, and is resumed now.
        RequestError::RateLimited { seconds: KEY_IN_USE_SECS, error }
    } else {
        RequestError::Other(error)
    }
}

/// A list in its envelope. Its records stay text.
#[derive(Deserialize)]
struct Envelope {
    result: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
    /// No record of a provider has all three.
    #[serde(rename = "result_count")]
    _count: u64,
}

/// What a call answered: a page, a list, a record, or nothing.
fn read(text: &str) -> Page {
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() || trimmed == "null" {
        return Page::default();
    }
    if let Ok(Envelope { result, next_cursor, .. }) = serde_json::from_str(trimmed) {
        return Page { records: result, next_cursor };
    }
    if let Ok(records) = serde_json::from_str(trimmed) {
        return Page { records, next_cursor: None };
    }
    let one = RawValue::from_string(trimmed.to_owned()).or_else(|_| to_raw_value(text));
    Page { records: one.into_iter().collect(), next_cursor: None }
}

fn records(data: Value) -> Result<Vec<Box<RawValue>>, RequestError> {
    let all = match data {
        Value::Array(records) => records,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let raw = all.iter().map(to_raw_value).collect::<Result<_, _>>();
    raw.map_err(|error| RequestError::Other(batch::error(500, "Internal Server Error", &error.to_string())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(page: &Page) -> Vec<&str> {
        page.records.iter().map(|record| record.get()).collect()
    }

    #[test]
    fn records_stay_as_the_provider_wrote_them() {
        let page = read(
            r#" {"result": [{"id": 1.0, "a":  "é"}, 2], "next_cursor": "c", "prev_cursor": null, "result_count": 2} "#,
        );
        assert_eq!((texts(&page), page.next_cursor.as_deref()), (vec![r#"{"id": 1.0, "a":  "é"}"#, "2"], Some("c")));
        let last = read(r#"{"result": [], "next_cursor": null, "result_count": 0}"#);
        assert_eq!((last.records.len(), last.next_cursor), (0, None));
        assert_eq!(texts(&read("[1, {\"a\": 2}]")), ["1", "{\"a\": 2}"]);
        assert_eq!(texts(&read("{\"result\": [1]}")), ["{\"result\": [1]}"], "a record of its own");
        assert_eq!(texts(&read("pong \"x\"")), [r#""pong \"x\"""#]);
        assert!(read("").records.is_empty() && read(" null").records.is_empty());
    }

    #[test]
    fn an_error_says_what_a_run_does() {
        let error = |status: u64| json!({ "statusCode": status, "message": "m" });
        assert_eq!(explain(error(401), &HeaderMap::new()), RequestError::Unauthorized(error(401)));
        assert_eq!(explain(error(403), &HeaderMap::new()), RequestError::Other(error(403)));
        let limited = |seconds| RequestError::RateLimited { seconds, error: error(429) };
        assert_eq!(explain(error(429), &HeaderMap::new()), limited(10));
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]);
        assert_eq!(explain(error(429), &headers), limited(7));
        let in_use = json!({ "statusCode": 409, "code": "idempotency_key_in_use" });
        let again = RequestError::RateLimited { seconds: 5, error: in_use.clone() };
        assert_eq!(explain(in_use, &HeaderMap::new()), again);
        assert_eq!(explain(error(409), &HeaderMap::new()), RequestError::Other(error(409)));
    }
}
