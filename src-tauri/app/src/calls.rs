//! Calls through Relink: what is recorded of them, and those that the person tries.

use std::time::Duration;

use relink_api::{CallProblem, LocalCall};
use relink_contract::window::{
    AccountUsage, Call, CallBodies, ErrorView, KnownCall, ResponseHeader, TriedCall, TryCall,
};
use relink_domain::{AccountId, caller::Caller};

use crate::{App, Result, count, error_view};

/// The days of an account's usage.
const USAGE_DAYS: i64 = 14;

impl App {
    pub async fn calls(&self, id: AccountId) -> Result<Vec<Call>> {
        self.0.engine.call_log().calls_of(&Caller::Person, id).await.map_err(error_view)
    }

    pub async fn usage(&self, id: AccountId) -> Result<AccountUsage> {
        self.0.engine.call_log().usage_of(&Caller::Person, id, USAGE_DAYS).await.map_err(error_view)
    }

    pub async fn call_bodies(&self, id: AccountId) -> Result<CallBodies> {
        self.0.engine.call_log().bodies(&Caller::Person, id).await.map_err(error_view)
    }

    pub async fn record_call_bodies(&self, id: AccountId, on: bool) -> Result<CallBodies> {
        self.0.engine.call_log().record_bodies(&Caller::Person, id, on).await.map_err(error_view)
    }

    /// The calls that the integration's definition names below its base URL.
    pub async fn known_calls(&self, id: AccountId) -> Result<Vec<KnownCall>> {
        let accounts = self.0.engine.accounts();
        let Some(definition) = accounts.definition(&Caller::Person, id).await.map_err(error_view)? else {
            return Ok(Vec::new());
        };
        let written = definition.section("resources").cloned().unwrap_or_default();
        let mut calls = Vec::new();
        for (resource, methods) in definition.resources().iter() {
            for (name, method) in methods.iter().filter(|(_, method)| method.base_url.is_none()) {
                let Some(path) = written[resource][name]["path"].as_str() else { continue };
                calls.push(KnownCall {
                    method: method.verb.as_str().to_owned(),
                    path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
                    name: format!("{resource}.{name}"),
                    description: method.docs.description.clone(),
                });
            }
        }
        Ok(calls)
    }

    /// Makes a call as a program would at `/via`, and records it.
    pub async fn try_call(&self, id: AccountId, call: TryCall) -> Result<TriedCall> {
        let TryCall { method, path, query, body, content_type } = call;
        let call = LocalCall { method, path, query, body, content_type };
        let response = self.0.local_calls.call(&Caller::Person, id, call).await.map_err(problem_view)?;
        let headers = response.headers.into_iter().map(|(name, value)| ResponseHeader { name, value });
        Ok(TriedCall {
            status: response.status,
            reason: response.reason,
            headers_ms: millis(response.until_headers),
            total_ms: millis(response.until_end),
            headers: headers.collect(),
            body: response.text,
            bytes: count(response.bytes),
            is_cut: response.is_cut,
        })
    }
}

/// Rounded to a tenth.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

pub(crate) fn problem_view(problem: CallProblem) -> ErrorView {
    ErrorView {
        code: problem.code,
        title: problem.title.unwrap_or_else(|| "The call wasn’t made".to_owned()),
        message: problem.message,
        hint: problem.hint,
        field: None,
    }
}
