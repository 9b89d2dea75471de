//! Running the steps of one action, one after the other (contract section 4.8).

use relink_domain::{
    account::{Account, ActionRun, StepRun},
    integration::actions::{NamedCall, Step, StepKind},
    template::Scope,
};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    step_runner::{StepCall, StepError, StepRunner, StepScope},
};

/// An action to run.
pub(crate) struct Action<'a> {
    pub(crate) name: &'a str,
    pub(crate) steps: &'a [Step],
    /// What the program asks with that runs the action.
    pub(crate) query: &'a Map<String, Value>,
    pub(crate) body: &'a Value,
}

/// What differs between actions.
pub(crate) trait StepHost: Sync {
    /// Makes a step's request.
    fn call(
        &self,
        context: &Map<String, Value>,
        call: StepCall<'_>,
    ) -> impl Future<Output = Result<Value, Failed>> + Send;

    /// Puts values into the running context. Gives what was put there.
    fn put(
        &self,
        values: Map<String, Value>,
        context: &mut Map<String, Value>,
    ) -> impl Future<Output = Result<Value, Failed>> + Send;

    /// An error's text without secrets.
    fn without_secrets(&self, text: &str) -> impl Future<Output = String> + Send;
}

/// What became of an action. Nothing was removed from it yet.
pub(crate) struct Ran {
    pub(crate) run: ActionRun,
    /// The last result.
    pub(crate) last: Value,
    /// Of the step that failed. Its message is without secrets.
    pub(crate) error: Option<StepError>,
}

/// Why a step didn't work.
pub(crate) enum Failed {
    /// The action ends.
    Step(StepError),
    /// Something on this machine, which says nothing about the step.
    Local(Error),
}

impl From<StepError> for Failed {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

/// The results so far.
struct Progress {
    previous: Value,
    results: Vec<Value>,
    context: Map<String, Value>,
}

/// Runs an action to its end, or to its first step that fails.
pub(crate) async fn run(
    runner: &dyn StepRunner,
    host: &impl StepHost,
    account: &Account,
    context: Map<String, Value>,
    action: &Action<'_>,
) -> Result<Ran> {
    let mut progress = Progress { previous: Value::Null, results: Vec::new(), context };
    let (mut steps, mut failed) = (Vec::new(), None);
    for (at, step) in action.steps.iter().enumerate() {
        let kind = step.kind.as_str().to_owned();
        match Box::pin(run_step(runner, host, account, action, (at, step), &mut progress)).await {
            Ok(result) => {
                let is_kept = matches!(&result, Some(value) if !value.is_null());
                steps.push(StepRun { kind, success: true, result: result.clone().filter(|_| is_kept), error: None });
                if let Some(result) = &result {
                    progress.previous.clone_from(result);
                }
                progress.results.push(result.unwrap_or_default());
            }
            Err(Failed::Local(error)) => return Err(error),
            Err(Failed::Step(mut error)) => {
                error.message = host.without_secrets(&error.message).await;
                steps.push(StepRun { kind, success: false, result: None, error: Some(error.message.clone()) });
                failed = Some(error);
                break;
            }
        }
    }
    let run = ActionRun { action: action.name.to_owned(), success: failed.is_none(), steps };
    let last = if failed.is_none() { progress.previous } else { Value::Null };
    Ok(Ran { run, last, error: failed })
}

/// The result of a step; `None` if it was skipped.
async fn run_step(
    runner: &dyn StepRunner,
    host: &impl StepHost,
    account: &Account,
    action: &Action<'_>,
    (at, step): (usize, &Step),
    progress: &mut Progress,
) -> Result<Option<Value>, Failed> {
    let scope = StepScope {
        previous: &progress.previous,
        context: &progress.context,
        steps: &progress.results,
        query: action.query,
        body: action.body,
    };
    if let Some(condition) = &step.run_if
        && !is_truthy(&runner.evaluate(condition, &scope).await?.unwrap_or_default())
    {
        return Ok(None);
    }
    Ok(Some(match &step.kind {
        StepKind::Request(_) => {
            let (query, body) = (action.query, action.body);
            host.call(&progress.context, StepCall::Own { action: action.name, step: at, query, body }).await?
        }
        StepKind::Call(call) => {
            let query = query_of(call, account, &progress.context)?;
            host.call(&progress.context, StepCall::Named { call, query: &query }).await?
        }
        StepKind::Transform(expression) => runner.evaluate(expression, &scope).await?.unwrap_or_default(),
        StepKind::UpdateContext(expression) => {
            let values = match expression {
                Some(expression) => runner.evaluate(expression, &scope).await?.unwrap_or_default(),
                None => progress.previous.clone(),
            };
            let Value::Object(values) = values else {
                let message = "The step gives no object, so nothing of it can be put into the context.";
                return Err(StepError::new(message).into());
            };
            host.put(values, &mut progress.context).await?
        }
        StepKind::SetContext(values) => host.put(values.clone(), &mut progress.context).await?,
        StepKind::GetContext => Value::Object(progress.context.clone()),
        StepKind::Form(_) => return Ok(None),
    }))
}

/// The query of a call. `context`: the values that its placeholders see.
pub(crate) fn query_of(
    call: &NamedCall,
    account: &Account,
    context: &Map<String, Value>,
) -> Result<Map<String, Value>, StepError> {
    let Some(template) = &call.query else { return Ok(Map::new()) };
    let none = std::collections::BTreeMap::new();
    let scope = Scope { tenant_id: Some(&account.profile.tenant_id), ..Scope::new(context, &none, None) };
    let filled =
        template.fill(&scope).map_err(|error| StepError::new(format!("The step's query can't be made: {error}.")))?;
    match filled.into_plain() {
        Ok(Some(Value::Object(query))) => Ok(query),
        Ok(_) | Err(_) => Ok(Map::new()),
    }
}

/// As JavaScript has it: Truto's own steps are written for that.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}
