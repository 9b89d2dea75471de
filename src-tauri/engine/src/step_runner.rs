//! What steps of actions need of calls and JSONata. The engine knows neither: the API, which has both, installs itself.

use std::{
    fmt::Debug,
    pin::Pin,
    sync::{Arc, Weak},
};

use relink_domain::{AccountId, caller::Caller};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::error::{Error, Result};

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
    /// A method of a resource.
    Named { resource: &'a str, method: &'a str, query: &'a Map<String, Value> },
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
}

impl StepError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: None }
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

    /// The runner, for a caller that can't wait for it.
    pub(crate) fn required(&self) -> Result<Arc<dyn StepRunner>> {
        self.get().ok_or(Error::Stopping)
    }
}
