//! Mappings that aren't stored yet, tried by the person who writes them.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use relink_calls::ExpressionError;
use relink_domain::{
    AccountId,
    call::CallRoute,
    caller::Caller,
    unified::{Mapping, UnifiedMethod},
};
use relink_engine::PreparedAccount;
use relink_unified::{Failure, MappingFailed, Sample, SampleTrial, Trial, Unified, UnifiedAnswer};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    call::{Target, body_of_failure, status_in, verb_of},
    through_proxy::ThroughProxy,
};
use crate::{
    CallProblem, LocalCalls,
    error::ApiError,
    recording::{Begun, attempted},
};

/// For so long a call with an account may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// What became of a call with a mapping that is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingTrial {
    /// What went to the provider, as [`Trial::sent`].
    pub sent: Option<Value>,
    /// The provider's data, before it was mapped.
    pub received: Option<Value>,
    /// The answer as it is on the wire.
    pub outcome: Result<Value, TrialFailure>,
    /// The further calls for which a sample had no answer.
    pub unanswered: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialFailure {
    /// In Truto's form.
    pub body: Value,
    /// If it is the mapping's fault.
    pub mapping: Option<MappingFailed>,
}

impl LocalCalls {
    /// Checks an expression of a mapping: its syntax, and the names in it.
    pub async fn check_expression(&self, _caller: &Caller, expression: &str) -> Result<(), ExpressionError> {
        self.0.expressions_of_editors.check(expression, &[]).await
    }

    /// Runs a mapping on a sample. Nobody is called.
    pub async fn try_on_sample(
        &self,
        _caller: &Caller,
        of: UnifiedMethod<'_>,
        integration: &str,
        mapping: &Mapping,
        sample: &Sample,
    ) -> MappingTrial {
        let SampleTrial { trial, unanswered } =
            sample.run(&self.0.expressions_of_editors, of, integration, mapping).await;
        let Trial { sent, received, outcome } = trial;
        let never_local = |failure: Failure<Infallible>| match failure {
            Failure::Remote(remote) => Failure::Remote(remote),
            Failure::Mapping(failed) => Failure::Mapping(failed),
            Failure::Missing { query, body, conditional } => Failure::Missing { query, body, conditional },
            Failure::NoRecord => Failure::NoRecord,
            Failure::Local(never) => match never {},
        };
        let outcome = match outcome {
            Ok(UnifiedAnswer::Data(answer)) => Ok(answer.into_json()),
            Ok(UnifiedAnswer::File(never)) => match never {},
            Err(failure) => Err(failed(never_local(failure))),
        };
        MappingTrial { sent, received, outcome, unanswered }
    }

    /// Makes a unified call with an account and a mapping in place of the one in force, as a program would, and records it. Nothing is
    /// written at the provider. The sample says what the caller sends.
    pub async fn try_with_account(
        &self,
        caller: &Caller,
        account: AccountId,
        of: UnifiedMethod<'_>,
        mapping: &Mapping,
        sample: &Sample,
    ) -> Result<MappingTrial, CallProblem> {
        let api = &self.0;
        let prepared = api.engine.refresher().prepared(caller, account).await.map_err(ApiError::from)?;
        let proxy = ThroughProxy::new(api, caller, account, None).only_reading(true);
        let unified = Unified { proxy: &proxy, expressions: &api.expressions };
        let call = sample.call(of, prepared.integration_name(), mapping, prepared.context());
        let path = Target::new(of, sample.id.as_deref()).path();
        let begun = Begun { account, route: CallRoute::Unified, path: &path, query: None, called: None };
        let mut found = None;
        let forward = |_: Request| async {
            let Trial { sent, received, outcome } = Box::pin(unified.observe(call)).await;
            let outcome = outcome.map_err(failed).and_then(|answer| match answer {
                UnifiedAnswer::Data(answer) => Ok(answer.into_json()),
                UnifiedAnswer::File(_) => Err(failed(Failure::Local(is_a_file()))),
            });
            let status = outcome.as_ref().map_or_else(|failure| status_in(&failure.body), |_| StatusCode::OK);
            found = Some(MappingTrial { sent, received, outcome, unanswered: Vec::new() });
            Ok(status.into_response())
        };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = verb_of(of.method);
        let calling = attempted(api, caller, begun, request, forward);
        let _: Response = timeout(DEADLINE, calling).await.map_err(|_| late())??;
        let trial = found.ok_or_else(late)?;
        // What the provider repeats of the account's secrets is hidden; a refresh may have changed them.
        let after = api.engine.refresher().prepared(caller, account).await.unwrap_or_else(|_| prepared.clone());
        let cleaned = tokio::task::spawn_blocking(move || without_secrets(trial, &[&*prepared, &*after]));
        Ok(cleaned.await.map_err(|_| late())?)
    }
}

fn late() -> ApiError {
    ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", "There was no answer within a minute.")
}

fn is_a_file() -> ApiError {
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "answer_is_a_file",
        "The provider answered with a file, which can't be shown.",
    )
}

fn failed(failure: Failure<ApiError>) -> TrialFailure {
    let mapping = match &failure {
        Failure::Mapping(failed) => Some(failed.clone()),
        _ => None,
    };
    TrialFailure { mapping, body: body_of_failure(failure) }
}

fn without_secrets(trial: MappingTrial, accounts: &[&PreparedAccount]) -> MappingTrial {
    let text = |text: &str| accounts.iter().fold(text.to_owned(), |text, account| account.without_secrets(&text));
    // A JSON text stays one.
    let value = |value: Value| serde_json::from_str(&text(&value.to_string())).unwrap_or_else(|_| json!("(hidden)"));
    let MappingTrial { sent, received, outcome, unanswered } = trial;
    let failure = |TrialFailure { body, mapping }| TrialFailure {
        body: value(body),
        mapping: mapping.map(|failed: MappingFailed| MappingFailed { problem: text(&failed.problem), ..failed }),
    };
    MappingTrial {
        sent: sent.map(value),
        received: received.map(value),
        outcome: outcome.map(value).map_err(failure),
        unanswered,
    }
}
