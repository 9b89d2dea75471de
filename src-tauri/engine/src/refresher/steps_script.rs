//! A runner of steps whose answers a test gives.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use relink_domain::{AccountId, caller::Caller, template::Template};
use serde_json::{Value, json};

use crate::{
    provider::PreparedAccount,
    step_runner::{RunnerFuture, StepCall, StepError, StepRunner, StepScope},
    sync::lock,
};

#[derive(Debug, Default)]
pub(super) struct Script {
    answers: Mutex<VecDeque<Result<Value, StepError>>>,
    sent: Mutex<Vec<Value>>,
    hosts: Mutex<Vec<String>>,
    hangs: AtomicBool,
}

impl Script {
    pub(super) fn answer(&self, answer: Result<Value, StepError>) {
        lock(&self.answers).push_back(answer);
    }

    /// From now on no request is answered.
    pub(super) fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// Where the requests went.
    pub(super) fn hosts(&self) -> Vec<String> {
        lock(&self.hosts).clone()
    }

    /// The tokens that the templates of each request saw.
    pub(super) fn sent(&self) -> Vec<Value> {
        lock(&self.sent).clone()
    }
}

impl StepRunner for Script {
    fn call<'a>(&'a self, _: &'a Caller, _: AccountId, _: StepCall<'a>) -> RunnerFuture<'a, Result<Value, StepError>> {
        unreachable!("a refresh has an account of its own")
    }

    fn call_in_refresh<'a>(
        &'a self,
        account: Arc<PreparedAccount>,
        _: StepCall<'a>,
    ) -> RunnerFuture<'a, Result<Value, StepError>> {
        let named = |name: &str| {
            let template = Template::compile(&json!(format!("{{{{oauth.token.{name}:str:null}}}}")));
            account.fill(&template, &[]).expect("filled").expose().cloned()
        };
        lock(&self.sent)
            .push(json!({ "refresh_token": named("refresh_token"), "access_token": named("access_token") }));
        let host = account.base_url().and_then(|url| url.host_str()).unwrap_or_default().to_owned();
        lock(&self.hosts).push(host);
        if self.hangs.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        let answer = lock(&self.answers).pop_front().expect("an answer");
        Box::pin(async move { answer })
    }

    /// Every expression gives the last answer as the account's tokens.
    fn evaluate<'a>(
        &'a self,
        _: &'a str,
        scope: &'a StepScope<'a>,
    ) -> RunnerFuture<'a, Result<Option<Value>, StepError>> {
        if let Some(token) = scope.previous.get("cannot_be_used") {
            let error = StepError::new(format!("The value {token} can't be used"));
            return Box::pin(async move { Err(error) });
        }
        let tokens = scope.steps.iter().rev().find(|it| it.get("session").is_none()).cloned();
        Box::pin(async move { Ok(Some(json!({ "oauth": { "token": tokens } }))) })
    }

    fn check<'a>(&'a self, _: &'a str) -> RunnerFuture<'a, Result<(), StepError>> {
        Box::pin(async { Ok(()) })
    }
}
