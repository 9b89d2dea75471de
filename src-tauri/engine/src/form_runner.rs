//! What forms need of calls and JSONata. Like the runner of steps, it is installed by the API, which has both.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, Weak},
};

use relink_domain::{AccountId, integration::actions::NamedCall};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    step_runner::{RunnerFuture, StepError},
    sync::lock,
};

/// Lists the options of forms and evaluates their validation.
pub trait FormRunner: Debug + Send + Sync {
    /// Follows a list to its end, with a method that reads. Its records, of which there may be `most`.
    fn list<'a>(
        &'a self,
        account: AccountId,
        call: &'a NamedCall,
        query: &'a Map<String, Value>,
        most: usize,
    ) -> RunnerFuture<'a, Result<Vec<Value>, StepError>>;

    /// Evaluates JSONata over the values of a form. `None`: it gives nothing.
    fn validate<'a>(
        &'a self,
        expression: &'a str,
        form: &'a Value,
    ) -> RunnerFuture<'a, Result<Option<Value>, StepError>>;
}

/// The runner, if there is one.
#[derive(Debug, Default)]
pub(crate) struct InstalledFormRunner(Mutex<Option<Weak<dyn FormRunner>>>);

impl InstalledFormRunner {
    /// Its owner keeps it alive: it holds the engine, which must not hold it.
    pub(crate) fn install(&self, runner: &Arc<dyn FormRunner>) {
        *lock(&self.0) = Some(Arc::downgrade(runner));
    }

    pub(crate) fn required(&self) -> Result<Arc<dyn FormRunner>> {
        lock(&self.0).as_ref().and_then(Weak::upgrade).ok_or(Error::Stopping)
    }
}
