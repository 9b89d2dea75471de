//! Running the steps of one action, one after the other.

use relink_domain::{
    account::{Account, AccountChange, ActionRun, Input, StepRun},
    caller::Caller,
    integration::actions::{CallApi, NamedCall, Step, StepKind},
    name,
    template::Scope,
};
use serde_json::{Map, Value};

use super::{Onboarding, worker::is_truthy};
use crate::{
    error::{Error, Result},
    provider::BoundProvider,
    step_runner::{StepCall, StepError, StepRunner, StepScope},
};

/// An action to run.
pub(super) struct Action<'a> {
    pub(super) name: &'a str,
    pub(super) steps: &'a [Step],
    pub(super) query: &'a Map<String, Value>,
    pub(super) body: &'a Value,
    pub(super) target: ContextTarget,
}

/// How a step's values get into the context.
#[derive(Debug, Clone, Copy)]
pub(super) enum ContextTarget {
    /// As part of the connect steps, which end with an event.
    Steps { generation: u64 },
    /// As a change of its own.
    Change,
}

/// What became of an action. Nothing was removed from it yet.
pub(super) struct Ran {
    pub(super) run: ActionRun,
    /// The last result.
    pub(super) last: Value,
    /// Of the step that failed. It is without secrets.
    pub(super) error: Option<StepError>,
}

/// Why a step didn't work.
enum Failed {
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

impl Onboarding {
    /// Runs an action to its end, or to its first step that fails.
    pub(super) async fn run(
        &self,
        caller: &Caller,
        account: &Account,
        provider: &BoundProvider,
        action: &Action<'_>,
    ) -> Result<Ran> {
        let runner = self.0.uses.runners.required()?;
        let context = account.profile.context.clone();
        let mut progress = Progress { previous: Value::Null, results: Vec::new(), context };
        let mut steps = Vec::new();
        for (at, step) in action.steps.iter().enumerate() {
            let kind = step.kind.as_str().to_owned();
            let ran =
                Box::pin(self.step((caller, account, provider), &*runner, action, (at, step), &mut progress)).await;
            match ran {
                Ok(result) => {
                    let is_kept = matches!(&result, Some(value) if !value.is_null());
                    steps.push(StepRun {
                        kind,
                        success: true,
                        result: result.clone().filter(|_| is_kept),
                        error: None,
                    });
                    if let Some(result) = &result {
                        progress.previous.clone_from(result);
                    }
                    progress.results.push(result.unwrap_or_default());
                }
                Err(Failed::Local(error)) => return Err(error),
                Err(Failed::Step(mut error)) => {
                    error.message = self.redaction_of(account, provider).await.text(&error.message);
                    steps.push(StepRun { kind, success: false, result: None, error: Some(error.message.clone()) });
                    let run = ActionRun { action: action.name.to_owned(), success: false, steps };
                    return Ok(Ran { run, last: Value::Null, error: Some(error) });
                }
            }
        }
        let run = ActionRun { action: action.name.to_owned(), success: true, steps };
        Ok(Ran { run, last: progress.previous, error: None })
    }

    /// The result of a step; `None` if it was skipped.
    async fn step(
        &self,
        (caller, account, provider): (&Caller, &Account, &BoundProvider),
        runner: &dyn StepRunner,
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
                let call = StepCall::Own { action: action.name, step: at, query, body };
                runner.call(caller, account.id(), call).await?
            }
            StepKind::Call(call) => {
                let query = query_of(call, account, &progress.context)?;
                let call = StepCall::Named { resource: &call.resource, method: &call.method, query: &query };
                runner.call(caller, account.id(), call).await?
            }
            StepKind::Transform(expression) => runner.evaluate(expression, &scope).await?.unwrap_or_default(),
            StepKind::UpdateContext(expression) => {
                let values = match expression {
                    Some(expression) => runner.evaluate(expression, &scope).await?.unwrap_or_default(),
                    None => progress.previous.clone(),
                };
                let Value::Object(values) = values else {
                    return Err(StepError::new(
                        "The step gives no object, so nothing of it can be put into the context.",
                    )
                    .into());
                };
                self.put((caller, account, provider), action.target, values, &mut progress.context).await?
            }
            StepKind::SetContext(values) => {
                self.put((caller, account, provider), action.target, values.clone(), &mut progress.context).await?
            }
            StepKind::GetContext => Value::Object(progress.context.clone()),
            StepKind::Form(_) => return Ok(None),
        }))
    }

    /// Puts values into the account's context, without credentials. What was put there.
    async fn put(
        &self,
        (caller, account, provider): (&Caller, &Account, &BoundProvider),
        target: ContextTarget,
        values: Map<String, Value>,
        context: &mut Map<String, Value>,
    ) -> Result<Value, Failed> {
        let values = self.redaction_of(account, provider).await.context(values, provider);
        context.extend(values.clone());
        name::check_context(context).map_err(|fault| StepError::new(fault.to_string()))?;
        if values.is_empty() {
            return Ok(Value::Object(values));
        }
        let input = match target {
            ContextTarget::Steps { generation } => Input::StepContext { generation, context: values.clone() },
            ContextTarget::Change => {
                Input::Change(Box::new(AccountChange { context: values.clone(), ..AccountChange::default() }))
            }
        };
        match self.0.uses.accounts.commit(caller, account.id(), input).await {
            Ok(_) => Ok(Value::Object(values)),
            Err(error @ (Error::Rejected(_) | Error::NotFound { .. })) => Err(StepError::new(error.to_string()).into()),
            Err(error) => Err(Failed::Local(error)),
        }
    }
}

fn query_of(
    call: &NamedCall,
    account: &Account,
    context: &Map<String, Value>,
) -> Result<Map<String, Value>, StepError> {
    if call.api == CallApi::Unified {
        let name = format!("{} {}", call.resource, call.method);
        return Err(StepError {
            message: format!("Relink has no unified API yet, so the step can't call {name}. Use \"type\": \"proxy\"."),
            status: Some(501),
        });
    }
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
