//! What steps of actions need of calls and JSONata. The engine knows neither: the API, which has both, installs itself.

use std::{
    fmt::Debug,
    pin::Pin,
    sync::{Arc, Weak},
};

use relink_domain::{
    AccountId,
    caller::Caller,
    failure::Cause,
    integration::{Definition, actions::NamedCall},
};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::{
    error::{Error, Result},
    outbound::HttpResponse,
    provider::PreparedAccount,
};

/// A future behind a trait object.
pub type RunnerFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes the requests of steps and evaluates their expressions.
pub trait StepRunner: Debug + Send + Sync {
    /// Makes a request with an account, in the way of a program's call of a method. The data that the provider answered.
    fn call<'a>(
        &'a self,
        caller: &'a Caller,
        account: AccountId,
        call: StepCall<'a>,
    ) -> RunnerFuture<'a, Result<Value, StepError>>;

    /// Makes a request of a refresh, with an account that only the refresh has. It is recorded nowhere: what is sent and answered
    /// are tokens.
    fn call_in_refresh<'a>(
        &'a self,
        account: Arc<PreparedAccount>,
        call: StepCall<'a>,
    ) -> RunnerFuture<'a, Result<Value, StepError>>;

    /// Evaluates JSONata. `None`: it gives nothing.
    fn evaluate<'a>(
        &'a self,
        expression: &'a str,
        scope: &'a StepScope<'a>,
    ) -> RunnerFuture<'a, Result<Option<Value>, StepError>>;

    /// Checks an expression's syntax and names. Says what is wrong.
    fn check<'a>(&'a self, expression: &'a str) -> RunnerFuture<'a, Result<(), StepError>>;
}

/// A request of a step.
#[derive(Debug, Clone, Copy)]
pub enum StepCall<'a> {
    /// The request that the definition has at this place.
    Own {
        action: &'a str,
        step: usize,
        /// What the program asks with that runs the action.
        query: &'a Map<String, Value>,
        body: &'a Value,
    },
    /// A method of a resource, by its name.
    Named { call: &'a NamedCall, query: &'a Map<String, Value> },
}

/// What an expression sees.
#[derive(Debug, Clone, Copy)]
pub struct StepScope<'a> {
    /// The last result, as `$previous`.
    pub previous: &'a Value,
    /// The account's context, without secrets.
    pub context: &'a Map<String, Value>,
    /// The results of the steps before.
    pub steps: &'a [Value],
    pub query: &'a Map<String, Value>,
    pub body: &'a Value,
}

/// Why a step has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// What happened, and what the provider said.
    pub message: String,
    /// The status of the provider's answer, if there was one.
    pub status: Option<u16>,
    /// What is known of a request that failed.
    pub failed: Option<Box<FailedRequest>>,
}

/// Why a request has no answer that a step can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailedRequest {
    /// The provider's answer has nothing that a step can use. Its body is without its content coding.
    Refused(Box<HttpResponse>),
    /// There was no answer, or none that can be read.
    Unanswered { cause: Cause, retry_after_secs: Option<u32> },
}

impl StepError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: None, failed: None }
    }

    /// Adds the status of the answer.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Adds what is known of the request.
    #[must_use]
    pub fn failed(self, failed: FailedRequest) -> Self {
        Self { failed: Some(Box::new(failed)), ..self }
    }
}

/// The runner, if there is one. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StepRunners(Arc<watch::Sender<Option<Weak<dyn StepRunner>>>>);

impl Default for StepRunners {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl StepRunners {
    /// Its owner keeps it alive: it holds the engine, which must not hold it.
    pub(crate) fn install(&self, runner: &Arc<dyn StepRunner>) {
        self.0.send_replace(Some(Arc::downgrade(runner)));
    }

    pub(crate) fn get(&self) -> Option<Arc<dyn StepRunner>> {
        self.0.borrow().as_ref().and_then(Weak::upgrade)
    }

    /// Waits until there is a runner.
    pub(crate) async fn installed(&self) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Checks the expressions of a definition's actions: their syntax, and the names in them. Nothing can while there is no runner.
    /// Errors call the definition's config `root`.
    pub(crate) async fn check_actions(&self, definition: &Definition, root: &str) -> Result<()> {
        let Some(runner) = self.get() else { return Ok(()) };
        for (place, expression) in definition.actions().expressions() {
            if let Err(error) = runner.check(expression).await {
                let place = format!("{root}.{place}");
                let message = format!("{place}: the expression can't be used: {error}");
                return Err(Error::invalid_field("expression_invalid", place, message));
            }
        }
        Ok(())
    }

    /// The runner, for a caller that can't wait for it.
    pub(crate) fn required(&self) -> Result<Arc<dyn StepRunner>> {
        self.get().ok_or(Error::Stopping)
    }
}
