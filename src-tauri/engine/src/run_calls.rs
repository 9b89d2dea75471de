//! What runs of sync jobs need of calls and JSONata. The engine knows neither: the API, which has both, installs itself.

use std::{
    fmt::Debug,
    sync::{Arc, Weak},
};

use relink_domain::{AccountId, SyncJobRunId};
use relink_sync::{Call, ExpressionError, Page, RequestError};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::step_runner::RunnerFuture;

/// Makes the calls of runs, and evaluates their expressions.
pub trait RunCalls: Debug + Send + Sync {
    /// One page of a list, or the record of another method, in the way of a program's call.
    fn page<'a>(
        &'a self,
        run: SyncJobRunId,
        account: AccountId,
        call: Call<'a>,
    ) -> RunnerFuture<'a, Result<Page, RequestError>>;

    /// Whether this machine's network reaches an account's provider, as far as that is known without sending anything.
    fn is_within_reach(&self, account: AccountId) -> RunnerFuture<'_, bool>;

    /// Evaluates JSONata. The texts at [`relink_sync::TIMES`] count as times.
    fn evaluate<'a>(
        &'a self,
        expression: &'a str,
        input: Box<RawValue>,
    ) -> RunnerFuture<'a, Result<Option<Box<RawValue>>, ExpressionError>>;
}

/// Who makes the calls, if there is one.
#[derive(Debug)]
pub(crate) struct InstalledRunCalls(watch::Sender<Option<Weak<dyn RunCalls>>>);

impl Default for InstalledRunCalls {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl InstalledRunCalls {
    /// Its owner keeps it alive: it holds the engine, which must not hold it.
    pub(crate) fn install(&self, calls: &Arc<dyn RunCalls>) {
        self.0.send_replace(Some(Arc::downgrade(calls)));
    }

    pub(crate) fn get(&self) -> Option<Arc<dyn RunCalls>> {
        self.0.borrow().as_ref().and_then(Weak::upgrade)
    }

    /// Waits until there is one.
    pub(crate) async fn installed(&self) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}
