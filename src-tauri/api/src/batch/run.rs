//! Running a batch.

use std::collections::BTreeMap;

use relink_calls::{Expressions, is_truthy};
use relink_domain::template::{Root, Scope, Template};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::plan::{Action, Request, Step};

/// The most requests of a batch: what follows lists without an end has one.
const MAX_REQUESTS: usize = 1000;

/// Makes the calls of a batch.
pub(super) trait Caller {
    /// One page of a method's records, or the error in Truto's form.
    fn call(&self, call: MethodCall) -> impl Future<Output = Result<Answered, Value>> + Send;
}

/// A call of a method through `/proxy`, with all templates filled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MethodCall {
    pub(crate) resource: String,
    pub(crate) method: String,
    pub(crate) id: Option<String>,
    pub(crate) query: Map<String, Value>,
    pub(crate) body: Option<Value>,
}

/// A page of a list, or one record.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) records: Vec<Value>,
    pub(super) next_cursor: Option<String>,
}

/// Truto's answer.
#[derive(Debug, Default, Serialize)]
pub(super) struct BatchAnswer {
    pub(super) result: BTreeMap<String, Vec<Value>>,
    pub(super) errors: BTreeMap<String, Vec<Value>>,
}

/// What the templates and expressions of a batch see beside the records.
pub(super) struct Given<'a> {
    pub(super) args: &'a Map<String, Value>,
    /// The account's, without secrets: whatever a caller writes a placeholder for may come back to it.
    pub(super) context: &'a Map<String, Value>,
    pub(super) tenant_id: &'a str,
}

pub(super) struct Runner<'a, C, X> {
    pub(super) given: Given<'a>,
    pub(super) caller: C,
    pub(super) expressions: X,
}

/// The records of a step that ran, in batches: a list's pages one by one.
#[derive(Debug, Default)]
struct Outcome {
    batches: Vec<Vec<Value>>,
    /// Whether it ended with an error, so that nothing that depends on it runs.
    failed: bool,
}

/// The run of a step.
struct StepRun<'r, 'a, C, X> {
    runner: &'r Runner<'a, C, X>,
    /// The records so far.
    batches: Vec<Vec<Value>>,
    /// How many requests the batch may still make.
    left: &'r mut usize,
}

impl<C: Caller, X: Expressions> StepRun<'_, '_, C, X> {
    async fn step(&mut self, step: &Step, steps: &[Step], outcomes: &[Outcome]) -> Result<(), Value> {
        let mut resources = Map::new();
        for (other, outcome) in steps.iter().zip(outcomes) {
            put(&mut resources, &other.path, outcome.batches.concat().into());
        }
        let Some(first) = step.depends_on.first() else { return self.once(step, &[], &resources).await };
        let whole = [outcomes[*first].batches.concat()];
        let upstream = match step.action {
            Action::Spool if whole[0].is_empty() => &[][..],
            Action::Spool => &whole[..],
            _ => outcomes[*first].batches.as_slice(),
        };
        for batch in upstream {
            put(&mut resources, &steps[*first].path, batch.clone().into());
            self.once(step, batch, &resources).await?;
        }
        Ok(())
    }

    /// Runs a step for one batch of what it depends on.
    async fn once(&mut self, step: &Step, batch: &[Value], resources: &Map<String, Value>) -> Result<(), Value> {
        if let Some(condition) = &step.run_if {
            let found = self.runner.evaluate(condition, resources).await?;
            if !found.as_ref().is_some_and(is_truthy) {
                return Ok(());
            }
        }
        match &step.action {
            Action::Request(request) => self.request(request, resources).await,
            Action::Spool => {
                self.keep(batch.to_vec().into());
                Ok(())
            }
            Action::Transform(expression) => {
                let found = self.runner.evaluate(expression, resources).await?;
                self.keep(found.unwrap_or_default());
                Ok(())
            }
        }
    }

    async fn request(&mut self, request: &Request, resources: &Map<String, Value>) -> Result<(), Value> {
        let Some(path) = &request.loop_on else { return self.follow(request, resources).await };
        let path = path.strip_prefix(&["resources".to_owned()]).unwrap_or(path);
        let records = match at(resources, path) {
            Some(Value::Array(records)) => records.clone(),
            None | Some(Value::Null) => Vec::new(),
            Some(one) => vec![one.clone()],
        };
        for record in records {
            let mut resources = resources.clone();
            put(&mut resources, path, record);
            self.follow(request, &resources).await?;
        }
        Ok(())
    }

    /// Follows a list to its end.
    async fn follow(&mut self, request: &Request, resources: &Map<String, Value>) -> Result<(), Value> {
        let mut call = self.runner.filled(request, resources).await?;
        loop {
            *self.left = self.left.checked_sub(1).ok_or_else(|| {
                let message =
                    format!("This batch needs more than {MAX_REQUESTS} requests. Divide it, or narrow its lists.");
                error(400, "Bad Request", &message)
            })?;
            let Answered { records, next_cursor } = self.runner.caller.call(call.clone()).await?;
            self.keep(records.into());
            match next_cursor {
                Some(cursor) => call.query.insert("next_cursor".to_owned(), cursor.into()),
                None => return Ok(()),
            };
        }
    }

    /// Adds a value's records as a batch. Null or an empty list drops it.
    fn keep(&mut self, value: Value) {
        let records = match value {
            Value::Null => return,
            Value::Array(records) => records,
            one => vec![one],
        };
        if !records.is_empty() {
            self.batches.push(records);
        }
    }
}

impl<C: Caller, X: Expressions> Runner<'_, C, X> {
    pub(super) async fn run(&self, steps: &[Step]) -> BatchAnswer {
        let mut answer = BatchAnswer::default();
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(steps.len());
        let mut left = MAX_REQUESTS;
        for step in steps {
            let errors = answer.errors.entry(step.key.clone()).or_default();
            let mut run = StepRun { runner: self, batches: Vec::new(), left: &mut left };
            let mut failed = step.depends_on.iter().any(|other| outcomes[*other].failed);
            if !failed && let Err(error) = run.step(step, steps, &outcomes).await {
                errors.push(error);
                failed = true;
            }
            let outcome = Outcome { batches: run.batches, failed };
            if step.persist {
                let records = outcome.batches.iter().flatten().cloned();
                answer.result.entry(step.key.clone()).or_default().extend(records);
            }
            outcomes.push(outcome);
        }
        answer
    }

    async fn filled(&self, request: &Request, resources: &Map<String, Value>) -> Result<MethodCall, Value> {
        let fill = |value: &Option<Value>| value.as_ref().map_or(Ok(None), |value| self.fill(value, resources));
        let mut query = match fill(&request.query)? {
            Some(Value::Object(query)) => query,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(error(400, "Bad Request", "query must be an object.")),
        };
        if let Some(format) = &request.response_format {
            query.insert("truto_response_format".to_owned(), format.as_str().into());
        }
        let id = fill(&request.id)?.filter(|id| !id.is_null());
        let body = match &request.body {
            Some(Value::String(expression)) => self.evaluate(expression, resources).await?,
            body => fill(body)?,
        };
        Ok(MethodCall {
            resource: request.resource.clone(),
            method: request.method.clone(),
            id: id.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)),
            query,
            body,
        })
    }

    fn fill(&self, value: &Value, resources: &Map<String, Value>) -> Result<Option<Value>, Value> {
        let none = BTreeMap::new();
        let roots = [("args", Root::Object(self.given.args)), ("resources", Root::Object(resources))];
        let scope = Scope {
            tenant_id: Some(self.given.tenant_id),
            roots: &roots,
            ..Scope::new(self.given.context, &none, None)
        };
        let filled =
            Template::compile(value).fill(&scope).map_err(|failed| error(400, "Bad Request", &failed.to_string()))?;
        Ok(filled.expose().cloned())
    }

    async fn evaluate(&self, expression: &str, resources: &Map<String, Value>) -> Result<Option<Value>, Value> {
        let mut input = self.given.context.clone();
        input.insert("args".to_owned(), self.given.args.clone().into());
        input.insert("tenant_id".to_owned(), self.given.tenant_id.into());
        input.insert("resources".to_owned(), resources.clone().into());
        let found = self.expressions.evaluate(expression, input.into()).await;
        found.map_err(|failed| error(400, "Bad Request", &failed.to_string()))
    }
}

fn at<'v>(object: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, below) = path.split_first()?;
    below.iter().try_fold(object.get(first)?, |value, name| value.get(name))
}

/// Puts a value at a path, in place of what is there.
fn put(object: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((name, below)) = path.split_first() else { return };
    if below.is_empty() {
        object.insert(name.clone(), value);
        return;
    }
    let inner = object.entry(name.clone()).or_insert_with(|| Map::new().into());
    if !inner.is_object() {
        *inner = Map::new().into();
    }
    if let Value::Object(inner) = inner {
        put(inner, below, value);
    }
}

/// An error in Truto's form (contract section 0.4).
pub(crate) fn error(status: u16, reason: &str, message: &str) -> Value {
    json!({"statusCode": status, "error": reason, "message": message})
}
