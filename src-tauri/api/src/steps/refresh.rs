//! Requests of a refresh by steps (contract section 4.8). They are recorded nowhere, because what is sent and answered are tokens.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, header},
    response::Response,
};
use http_body_util::BodyExt;
use relink_calls::{CallError, MethodCall, MethodError, Overrides, ReadError};
use relink_domain::{caller::Caller, failure::Cause, integration::actions::CallApi};
use relink_engine::{Error, FailedRequest, PreparedAccount, StepCall, StepError};
use serde_json::Value;

use super::{answered, data_of, of_own, parameters_of, target_of};
use crate::{
    ApiState,
    calls::InRefresh,
    method_calls::{explain, has_pages},
};

pub(super) async fn answer_of(
    api: &ApiState,
    account: Arc<PreparedAccount>,
    call: StepCall<'_>,
) -> Result<Value, StepError> {
    if let StepCall::Named { call, .. } = call
        && call.api == CallApi::Unified
    {
        let message = "The steps of a refresh can't call the unified API: its mappings may not see tokens.";
        return Err(StepError::new(message));
    }
    let (target, query, _) = target_of(call);
    let (id, has_pages) = (account.id(), has_pages(account.definition(), target));
    // A redirect stays as the provider sent it.
    let url = account.base_url().map(|url| url.as_str().trim_end_matches('/').to_owned()).unwrap_or_default();
    let call = MethodCall {
        target,
        parameters: parameters_of(query),
        headers: HeaderMap::new(),
        body: Body::empty().map_err(Into::into).boxed_unsync(),
        prefix: &|| url.clone(),
        called: None,
        only_reads: false,
        overrides: Overrides::default(),
    };
    let calls = api.calls.with_accounts(InRefresh { account, engine: api.engine.clone() });
    let response = match calls.run_method(&Caller::Internal, id, call, &api.expressions).await {
        Ok(response) => response.map(Body::new),
        Err(MethodError::Remote(response)) => response.map(Body::new),
        Err(error) => {
            let failed = failed(&error);
            let error = of_own(explain(error));
            return Err(failed.into_iter().fold(error, StepError::failed));
        }
    };
    let (parts, body) = response.into_parts();
    let page_of = (parts.status.is_success() && is_html(&parts.headers)).then(|| parts.clone());
    match (data_of(Response::from_parts(parts, body), has_pages).await?.data, page_of) {
        // The network's own sign-in page, say.
        (Value::String(page), Some(parts)) => {
            let error = StepError::new("A web page came instead of the provider's answer.");
            Err(error.failed(answered(&parts, page.into_bytes())))
        }
        (data, _) => Ok(data),
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media.trim_start().to_ascii_lowercase().starts_with("text/html")
}

/// What is known of a request without an answer. `None`: it was never made, or its answer isn't what the definition says.
fn failed(error: &MethodError<Error>) -> Option<FailedRequest> {
    let unanswered = |cause| FailedRequest::Unanswered { cause, retry_after_secs: None };
    match error {
        MethodError::Call(CallError::Upstream(error)) => Some(unanswered(error.0)),
        MethodError::Call(CallError::Quiet(wait)) => {
            Some(FailedRequest::Unanswered { cause: Cause::RateLimited, retry_after_secs: Some(wait.secs) })
        }
        MethodError::AnswerEnded => Some(unanswered(Cause::Reset)),
        MethodError::Read(ReadError::Unparsable | ReadError::Coding(_)) => Some(unanswered(Cause::Garbled)),
        _ => None,
    }
}
