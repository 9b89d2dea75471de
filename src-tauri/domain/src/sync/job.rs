//! The documents of jobs, templates and triggers, checked (contract section 9.1).
//!
//! A document is what a program wrote. What is checked when it is written is decoded again, without the checks, when it is used: what an
//! earlier version accepted stays usable.

use serde_json::{Map, Value};

use super::{ArgsSchema, CronExpression, Form, Graph};
use crate::template::Template;

/// The runtime of a job that names none, as at Truto.
pub const DEFAULT_RUNTIME: u32 = 3;
/// The newest runtime.
const NEWEST_RUNTIME: u32 = 4;

/// What a job, a template or a trigger must not contain. It names one place, and what to do there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct JobError {
    pub path: String,
    pub problem: String,
    /// A part of Truto's that Relink lacks: 501 instead of 400 (contract section 0.4).
    pub is_unsupported: bool,
}

impl JobError {
    pub fn new(path: &str, problem: &str) -> Self {
        Self { path: path.to_owned(), problem: problem.to_owned(), is_unsupported: false }
    }
}

/// What a run needs of its job.
#[derive(Debug, Clone)]
pub struct Job {
    pub version: u32,
    pub resources: Value,
    pub args: ArgsSchema,
    /// JSONata over `{args}`: a message refuses them.
    pub args_validation: Option<String>,
    pub mutex_key: Option<Template>,
    pub state_key: Option<Template>,
}

impl Job {
    /// Decodes a document that is being written. Every rule applies. Gives its expressions too, with their places, for a check of their
    /// syntax.
    pub fn check(document: &Map<String, Value>) -> Result<Vec<(String, String)>, JobError> {
        text_of(document, "label")?;
        text_of(document, "integration_name")?;
        let job = Self::load(document)?;
        let graph = Graph::parse(&job.resources, Form::of_runtime(job.version))?;
        let mut expressions: Vec<_> = graph.expressions().map(|(place, text)| (place, text.to_owned())).collect();
        expressions.extend(job.args_validation.map(|text| ("args_validation".to_owned(), text)));
        Ok(expressions)
    }

    /// Decodes a stored document. Its resources become a graph when a run begins.
    pub fn load(document: &Map<String, Value>) -> Result<Self, JobError> {
        let key = |name: &str| -> Result<Option<Template>, JobError> {
            let key = text_of(document, name)?;
            Ok(key.map(|text| Template::compile(&text.into())))
        };
        Ok(Self {
            version: runtime(document.get("default_runtime_version"), "default_runtime_version")?
                .unwrap_or(DEFAULT_RUNTIME),
            resources: document.get("resources").cloned().unwrap_or_else(|| Value::Array(Vec::new())),
            args: ArgsSchema::decode(document.get("args_schema").unwrap_or(&Value::Null))?,
            args_validation: text_of(document, "args_validation")?.map(str::to_owned),
            mutex_key: key("mutex_key")?,
            state_key: key("state_key")?,
        })
    }
}

/// Checks the types of members that a document may have: strings, and objects.
pub fn check_types(document: &Map<String, Value>, texts: &[&str], objects: &[&str]) -> Result<(), JobError> {
    for name in texts {
        text_of(document, name)?;
    }
    let other = objects.iter().find(|name| document.get(**name).is_some_and(|it| !it.is_object() && !it.is_null()));
    other.map_or(Ok(()), |name| Err(JobError::new(name, "must be an object.")))
}

/// The number of a runtime: a number, or one as text. Empty: none.
pub fn runtime(value: Option<&Value>, path: &str) -> Result<Option<u32>, JobError> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    let is_known = |number: &u32| (1..=NEWEST_RUNTIME).contains(number);
    let problem = format!("must be a runtime from 1 to {NEWEST_RUNTIME}.");
    number.filter(is_known).map(Some).ok_or_else(|| JobError::new(path, &problem))
}

pub(super) fn text_of<'d>(document: &'d Map<String, Value>, name: &str) -> Result<Option<&'d str>, JobError> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty()).map(String::as_str)),
        Some(_) => Err(JobError::new(name, "must be a string.")),
    }
}

impl From<super::GraphError> for JobError {
    fn from(error: super::GraphError) -> Self {
        Self { path: error.path, problem: error.problem, is_unsupported: error.is_unsupported }
    }
}

impl From<super::ArgsError> for JobError {
    fn from(error: super::ArgsError) -> Self {
        Self { path: error.path, problem: error.problem, is_unsupported: false }
    }
}

/// Reads the cron expression of a trigger's document.
pub fn cron_of(document: &Map<String, Value>) -> Result<CronExpression, JobError> {
    let Some(text) = text_of(document, "cron_expression")? else {
        return Err(JobError::new("cron_expression", "is missing. Add one, such as \"0 * * * *\" for every hour."));
    };
    text.parse().map_err(|error: super::CronError| {
        // Its message begins with the field.
        let message = error.to_string();
        JobError::new("cron_expression", message.trim_start_matches("cron_expression "))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(document: Value) -> Result<Vec<String>, String> {
        let Value::Object(document) = document else { panic!("an object") };
        let checked = Job::check(&document).map_err(|error| error.to_string());
        checked.map(|found| found.into_iter().map(|(place, _)| place).collect())
    }

    #[test]
    fn a_job_is_checked_as_its_runtime_asks() {
        let typed = json!([{"name": "all", "type": "request", "resource": "a", "method": "list", "run_if": "true",
            "integrated_account_id": "x"}]);
        let with = |version: Value| json!({"resources": typed, "default_runtime_version": version, "args_validation": "args.x"});
        assert_eq!(checked(with(json!("4"))), Ok(vec!["resources[0].run_if".to_owned(), "args_validation".to_owned()]));
        assert_eq!(Job::load(&Map::new()).expect("loads").version, 3);
        for (document, problem) in [
            (with(json!(5)), "default_runtime_version must be a runtime from 1 to 4."),
            (with(json!("x")), "default_runtime_version must be a runtime from 1 to 4."),
            (json!({"resources": typed, "label": 1}), "label must be a string."),
            (json!({"resources": typed, "mutex_key": {}}), "mutex_key must be a string."),
            (json!({"resources": {}}), "resources must be"),
        ] {
            let error = checked(document).expect_err(problem);
            assert!(error.starts_with(problem), "{error}");
        }
    }

    #[test]
    fn a_trigger_needs_an_expression() {
        let cron = |value: Value| {
            let document = json!({"cron_expression": value});
            cron_of(document.as_object().expect("an object")).map_err(|error| error.to_string())
        };
        assert_eq!(cron(json!("0  *  * * *")).map(|cron| cron.to_string()), Ok("0 * * * *".to_owned()));
        let missing = "cron_expression is missing. Add one, such as \"0 * * * *\" for every hour.";
        assert_eq!(cron(json!("")), Err(missing.to_owned()));
        let error = cron(json!("* *")).expect_err("two fields");
        assert!(error.starts_with("cron_expression needs 5 fields"), "{error}");
    }
}
