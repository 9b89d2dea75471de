//! What a batch asks for, checked before anything is called.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// The body of `POST /batch-request` (contract section 0.6).
#[derive(Debug, Deserialize)]
pub(crate) struct BatchRequest {
    #[serde(default)]
    pub(crate) integrated_account_id: Option<String>,
    #[serde(default)]
    pub(crate) args: Map<String, Value>,
    #[serde(default)]
    resources: Vec<Entry>,
}

/// An entry as it is written: a request, unless it has another `type`.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    query: Option<Value>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    loop_on: Option<String>,
    #[serde(default)]
    depends_on: Option<DependsOn>,
    #[serde(default)]
    run_if: Option<String>,
    #[serde(default)]
    response_format: Option<String>,
    #[serde(default)]
    persist: Option<bool>,
    #[serde(default)]
    config: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DependsOn {
    One(String),
    Several(Vec<String>),
}

/// A step of the plan. What it depends on comes before it.
#[derive(Debug)]
pub(super) struct Step {
    /// Where its records are in the answer.
    pub(super) key: String,
    /// Where its records are for those that depend on it, below `resources`.
    pub(super) path: Vec<String>,
    pub(super) action: Action,
    /// The places of these steps in the plan. Each batch of records of the first one makes it run once.
    pub(super) depends_on: Vec<usize>,
    /// JSONata.
    pub(super) run_if: Option<String>,
    /// Whether its records are in the answer.
    pub(super) persist: bool,
}

#[derive(Debug)]
pub(super) enum Action {
    Request(Box<Request>),
    /// JSONata, whose value replaces the records.
    Transform(String),
    /// All records at once.
    Spool,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) resource: String,
    pub(super) method: String,
    pub(super) id: Option<Value>,
    pub(super) query: Option<Value>,
    /// Of a unified request: `raw`, `unified` or `normalized`.
    pub(super) response_format: Option<String>,
    /// An object with templates, or a text with JSONata.
    pub(super) body: Option<Value>,
    /// The path of a list, for each of whose records there is one request.
    pub(super) loop_on: Option<Vec<String>>,
}

/// The most entries of a batch.
const MAX_STEPS: usize = 100;

impl BatchRequest {
    /// The steps in an order in which they can run.
    pub(super) fn plan(self) -> Result<Vec<Step>, ApiError> {
        if self.resources.is_empty() || self.resources.len() > MAX_STEPS {
            return Err(invalid(&format!("resources must be a list of 1 to {MAX_STEPS} entries.")));
        }
        let names: Vec<[Option<String>; 2]> =
            self.resources.iter().map(|entry| [entry.name.clone(), entry.resource.clone()]).collect();
        let mut waiting = Vec::new();
        for (at, entry) in self.resources.into_iter().enumerate() {
            waiting.push((at, entry.step(at, &names)?));
        }
        let mut places = vec![None; names.len()];
        let mut plan: Vec<Step> = Vec::new();
        while !waiting.is_empty() {
            let is_ready = |(_, step): &(usize, Step)| step.depends_on.iter().all(|other| places[*other].is_some());
            let Some(next) = waiting.iter().position(is_ready) else {
                let keys: Vec<_> = waiting.iter().map(|(_, step)| step.key.as_str()).collect();
                return Err(invalid(&format!("depends_on leads in a circle: {}.", keys.join(", "))));
            };
            let (at, mut step) = waiting.remove(next);
            places[at] = Some(plan.len());
            step.depends_on = step.depends_on.iter().filter_map(|other| places[*other]).collect();
            plan.push(step);
        }
        Ok(plan)
    }
}

impl Entry {
    fn step(self, at: usize, names: &[[Option<String>; 2]]) -> Result<Step, ApiError> {
        let place = format!("resources[{at}]");
        let missing = |what: &str| invalid(&format!("{place}.{what} is missing."));
        let is_request = matches!(self.kind.as_deref(), None | Some("request"));
        let key = if is_request { self.resource.clone() } else { self.name.clone() };
        let key = key.filter(|key| !key.trim().is_empty());
        let key = key.ok_or_else(|| missing(if is_request { "resource" } else { "name" }))?;
        let is_unified = is_request && key.contains('/');
        let action = match self.kind.as_deref() {
            None | Some("request") => Action::Request(Box::new(Request {
                resource: key.clone(),
                method: self.method.unwrap_or_else(|| "list".to_owned()),
                id: self.id,
                query: self.query,
                response_format: self.response_format.filter(|_| is_unified),
                body: self.body,
                loop_on: self.loop_on.map(|path| path.split('.').map(|name| name.trim().to_owned()).collect()),
            })),
            Some("transform") => {
                let config = self.config.ok_or_else(|| missing("config.expression"))?;
                let expression = config.as_str().or_else(|| config.get("expression")?.as_str());
                Action::Transform(expression.ok_or_else(|| missing("config.expression"))?.to_owned())
            }
            Some("spool") => Action::Spool,
            Some(other) => {
                let known = "request, transform or spool";
                return Err(invalid(&format!("{place}.type {other:?} isn't known in a batch. Use {known}.")));
            }
        };
        let wanted = match self.depends_on {
            None => Vec::new(),
            Some(DependsOn::One(name)) => vec![name],
            Some(DependsOn::Several(names)) => names,
        };
        let find = |wanted: &String| {
            let is_it = |known: &[Option<String>; 2]| known.iter().flatten().any(|name| name == wanted);
            let found = names.iter().position(is_it);
            found.ok_or_else(|| invalid(&format!("{place}.depends_on names {wanted:?}, which no entry is named.")))
        };
        let depends_on = wanted.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        if depends_on.is_empty() && !is_request {
            return Err(missing("depends_on"));
        }
        Ok(Step {
            path: key.split('/').map(str::to_owned).collect(),
            persist: self.persist.unwrap_or(is_unified),
            key,
            action,
            depends_on,
            run_if: self.run_if,
        })
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::bad_request("batch_invalid", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(resources: &Value) -> Result<Vec<String>, String> {
        let body = json!({"integrated_account_id": "a", "resources": resources});
        let request: BatchRequest = serde_json::from_value(body).expect("a batch");
        let steps = request.plan().map_err(|error| error.message().to_owned())?;
        Ok(steps.iter().map(|step| format!("{} {:?}", step.key, step.depends_on)).collect())
    }

    #[test]
    fn what_an_entry_depends_on_comes_before_it() {
        let resources = json!([
            {"name": "out", "type": "transform", "depends_on": "all", "config": {"expression": "resources.all"}},
            {"resource": "issues", "method": "list", "depends_on": ["repos"], "loop_on": "resources.repos"},
            {"name": "all", "type": "spool", "depends_on": "issues"},
            {"name": "mine", "resource": "repos"},
        ]);
        let expected = ["repos []", "issues [0]", "all [1]", "out [2]"];
        assert_eq!(plan(&resources), Ok(expected.map(str::to_owned).to_vec()));
        // By its name as well as by its resource.
        assert_eq!(
            plan(&json!([{"name": "a", "resource": "x"}, {"resource": "y", "depends_on": "a"}])).expect("a plan")[1],
            "y [0]"
        );
    }

    #[test]
    fn a_batch_that_cannot_run_is_refused() {
        for (resources, message) in [
            (json!([]), "resources must be a list of 1 to 100 entries."),
            (json!([{"method": "list"}]), "resources[0].resource is missing."),
            (json!([{"resource": "x"}, {"type": "spool", "depends_on": "x"}]), "resources[1].name is missing."),
            (json!([{"name": "s", "type": "spool"}]), "resources[0].depends_on is missing."),
            (
                json!([{"name": "t", "type": "transform", "depends_on": "t"}]),
                "resources[0].config.expression is missing.",
            ),
            (
                json!([{"name": "d", "type": "destination"}]),
                "resources[0].type \"destination\" isn't known in a batch. Use request, transform or spool.",
            ),
            (
                json!([{"resource": "x", "depends_on": "y"}]),
                "resources[0].depends_on names \"y\", which no entry is named.",
            ),
            (
                json!([{"resource": "x", "depends_on": "y"}, {"resource": "y", "depends_on": "x"}]),
                "depends_on leads in a circle: x, y.",
            ),
            (json!([{"resource": "x", "depends_on": "x"}]), "depends_on leads in a circle: x."),
        ] {
            assert_eq!(plan(&resources), Err(message.to_owned()), "{resources}");
        }
    }
}
