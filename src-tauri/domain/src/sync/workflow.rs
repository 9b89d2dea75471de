//! Workflows: what starts runs of sync jobs when an event is sent (contract section 10.4).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CronExpression, JobError, check_types, cron_of, job::text_of, run::words};
use crate::{
    AccountId, SyncJobId,
    event::{EventKind, EventName},
    template::Template,
};

/// The most steps of a workflow.
const MAX_STEPS: usize = 100;
/// The one type of steps.
pub const STEP_TYPE: &str = "run";
/// The one action of steps.
pub const ACTION: &str = "run_sync_job";

/// Events for one webhook alone. No workflow can follow them.
const UNFOLLOWED: [EventKind; 2] = [EventKind::Test, EventKind::SyncJobRunRecord];

/// The document of a workflow, decoded.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// The event that starts it.
    pub trigger: EventName,
    /// JSONata.
    pub run_if: Option<String>,
    pub steps: Vec<Step>,
}

/// A step: `run_sync_job`.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its place in the document, for errors.
    pub place: String,
    /// JSONata.
    pub run_if: Option<String>,
    pub config: StepConfig,
    /// Makes a trigger of the sync job instead of a run.
    pub cron: Option<CronExpression>,
    written: Value,
}

/// With what a run or a trigger is made.
#[derive(Debug, Clone)]
pub enum StepConfig {
    /// JSONata that gives the object.
    Expression(String),
    Object(Template),
}

impl Workflow {
    /// Decodes a document that is being written. Gives its expressions with their places, for a check of their syntax.
    pub fn check(document: &Map<String, Value>) -> Result<Vec<(String, String)>, JobError> {
        check_types(document, &["label", "trigger_name"], &["config"])?;
        let workflow = Self::load(document)?;
        if workflow.steps.is_empty() || workflow.steps.len() > MAX_STEPS {
            return Err(JobError::new("config.steps", &format!("must be a list of 1 to {MAX_STEPS} steps.")));
        }
        let own = workflow.run_if.map(|expression| ("config.run_if".to_owned(), expression));
        let mut expressions: Vec<_> = own.into_iter().collect();
        for step in workflow.steps {
            let Step { place, run_if, config, written, .. } = step;
            expressions.extend(run_if.map(|expression| (format!("{place}.run_if"), expression)));
            match config {
                StepConfig::Expression(expression) => expressions.push((format!("{place}.config"), expression)),
                StepConfig::Object(_) if written.get(JOB).is_none_or(|id| id.as_str().is_none_or(str::is_empty)) => {
                    let path = format!("{place}.config.{JOB}");
                    return Err(JobError::new(&path, "is missing. Give the id of a sync job."));
                }
                StepConfig::Object(_) => {}
            }
        }
        Ok(expressions)
    }

    /// Decodes a stored document.
    pub fn load(document: &Map<String, Value>) -> Result<Self, JobError> {
        let trigger = trigger_of(document)?;
        let config = match document.get("config") {
            Some(Value::Object(config)) => config,
            None | Some(Value::Null) => {
                return Err(JobError::new("config", "is missing. Add one with steps."));
            }
            Some(_) => return Err(JobError::new("config", "must be an object.")),
        };
        let at_config = |error: JobError| JobError { path: format!("config.{}", error.path), ..error };
        let steps = match config.get("steps") {
            Some(Value::Array(steps)) => steps.as_slice(),
            None | Some(Value::Null) => &[],
            Some(_) => return Err(JobError::new("config.steps", "must be a list of steps.")),
        };
        let steps = steps.iter().enumerate().map(|(at, step)| Step::load(format!("config.steps[{at}]"), step));
        Ok(Self {
            trigger,
            run_if: text_of(config, "run_if").map_err(at_config)?.map(str::to_owned),
            steps: steps.collect::<Result<_, _>>()?,
        })
    }
}

fn trigger_of(document: &Map<String, Value>) -> Result<EventName, JobError> {
    let fail = |problem: &str| JobError::new("trigger_name", problem);
    let Some(name) = text_of(document, "trigger_name")? else {
        return Err(fail("is missing. Give the name of an event, such as \"integrated_account:active\"."));
    };
    let followed = name.parse().ok().filter(|event| !UNFOLLOWED.map(EventName::Kind).contains(event));
    followed.ok_or_else(|| {
        let names = EventKind::ALL.iter().filter(|kind| !UNFOLLOWED.contains(kind)).map(|kind| kind.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        fail(&format!("{name:?} is no event that can start a workflow. Use record: and a type, or one of {names}."))
    })
}

const JOB: &str = "sync_job_id";

impl Step {
    fn load(place: String, step: &Value) -> Result<Self, JobError> {
        let Value::Object(step) = step else { return Err(JobError::new(&place, "must be an object.")) };
        let at = |error: JobError| JobError { path: format!("{place}.{}", error.path), ..error };
        for (name, known) in [("type", STEP_TYPE), ("action", ACTION)] {
            match text_of(step, name).map_err(at)? {
                Some(word) if word == known => {}
                Some(word) => return Err(at(JobError::new(name, &format!("{word:?} isn't known. Use {known}.")))),
                None => return Err(at(JobError::new(name, &format!("is missing. Use {known}.")))),
            }
        }
        let written = step.get("config").cloned().unwrap_or_default();
        let config = match &written {
            Value::String(expression) if !expression.trim().is_empty() => StepConfig::Expression(expression.clone()),
            Value::Object(_) => StepConfig::Object(Template::compile(&written)),
            _ => {
                return Err(at(JobError::new(
                    "config",
                    "must be an object with sync_job_id, or JSONata that gives one.",
                )));
            }
        };
        let cron = match text_of(step, "cron_expression").map_err(at)? {
            Some(_) => Some(cron_of(step).map_err(at)?),
            None => None,
        };
        let run_if = text_of(step, "run_if").map_err(at)?.map(str::to_owned);
        Ok(Self { place, run_if, config, cron, written })
    }

    /// What its config names as it is, without a template.
    pub fn named(&self, key: &str) -> Option<&str> {
        let named = self.written.get(key)?.as_str().filter(|text| !text.is_empty())?;
        Template::compile(&named.into()).placeholders().is_empty().then_some(named)
    }
}

words! {
    /// The status of a workflow's run.
    WorkflowRunStatus of "status" {
        Created = "created",
        Running = "running",
        Completed = "completed",
        /// A step couldn't be taken. Those after it weren't.
        Failed = "failed",
    }
}

impl WorkflowRunStatus {
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// What a workflow's run has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkflowResult {
    pub success: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Those that were taken, in their order.
    pub steps: Vec<StepResult>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StepResult {
    /// `run`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `run_sync_job`.
    pub action: String,
    pub success: bool,
    /// Whether its `run_if` wasn't true, so that it did nothing (Relink's own).
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required))]
    pub skipped: bool,
    /// `{"sync_job_run_id"}`, or `{"sync_job_cron_trigger_id"}` of a step with a `cron_expression`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl StepResult {
    fn new(success: bool, skipped: bool, result: Option<Value>, error: Option<String>) -> Self {
        Self { kind: STEP_TYPE.to_owned(), action: ACTION.to_owned(), success, skipped, result, error }
    }

    pub fn made(result: Value) -> Self {
        Self::new(true, false, Some(result), None)
    }

    pub fn skipped() -> Self {
        Self::new(true, true, None, None)
    }

    pub fn failed(error: String) -> Self {
        Self::new(false, false, None, Some(error))
    }
}

/// The runs that led to another one, because the event of each started a workflow that started the next.
///
/// **Invariant:** a sync job is in it once for each account. So workflows that start each other come to an end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chain(Vec<(SyncJobId, Option<AccountId>)>);

impl Chain {
    /// The chain of what follows from a run.
    #[must_use]
    pub fn and(mut self, job: SyncJobId, account: Option<AccountId>) -> Self {
        self.0.push((job, account));
        self
    }

    /// Whether a run of the job for the account may follow.
    pub fn admits(&self, job: SyncJobId, account: Option<AccountId>) -> bool {
        !self.0.contains(&(job, account))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn checked(document: Value) -> Result<Vec<String>, String> {
        let Value::Object(document) = document else { panic!("an object") };
        let checked = Workflow::check(&document).map_err(|error| error.to_string());
        checked.map(|found| found.into_iter().map(|(place, _)| place).collect())
    }

    fn with(step: &Value) -> Value {
        let mut full = json!({"type": "run", "action": "run_sync_job", "config": {"sync_job_id": "7"}});
        for (key, value) in step.as_object().expect("an object") {
            full[key] = value.clone();
        }
        json!({"trigger_name": "integrated_account:active", "config": {"run_if": "true", "steps": [full]}})
    }

    #[test]
    fn a_workflow_names_an_event_and_has_steps() {
        assert_eq!(checked(with(&json!({}))), Ok(vec!["config.run_if".to_owned()]));
        let expressions = with(&json!({"run_if": "a", "config": "{}", "cron_expression": "0 * * * *"}));
        let places = ["config.run_if", "config.steps[0].run_if", "config.steps[0].config"].map(str::to_owned);
        assert_eq!(checked(expressions), Ok(places.to_vec()));
        for name in ["sync_job_run:completed", "record:tickets:created", "integrated_account:authentication_error"] {
            let mut workflow = with(&json!({}));
            workflow["trigger_name"] = json!(name);
            assert!(checked(workflow).is_ok(), "{name}");
        }
        for name in ["integrated_account:connected", "integrated_account:*", "test", "sync_job_run:record", "record:"] {
            let mut workflow = with(&json!({}));
            workflow["trigger_name"] = json!(name);
            let error = checked(workflow).expect_err(name);
            let begin = format!("trigger_name {name:?} is no event that can start a workflow. Use record: and a type");
            assert!(error.starts_with(&begin) && error.contains("integrated_account:active, "), "{error}");
            assert!(!error.contains("test") || name == "test", "{error}");
        }
    }

    #[test]
    fn what_a_step_must_not_contain_is_named_with_its_place() {
        let step = |key: &str, value: Value| with(&json!({ key: value }));
        let at = |rest: &str| format!("config.steps[0].{rest}");
        for (document, problem) in [
            (json!({}), "trigger_name is missing.".to_owned()),
            (json!({"trigger_name": "test:x"}), "trigger_name \"test:x\" is no event".to_owned()),
            (json!({"trigger_name": "integrated_account:active"}), "config is missing. Add one with steps.".to_owned()),
            (
                json!({"trigger_name": "integrated_account:active", "config": {"steps": []}}),
                "config.steps must be a list of 1 to 100 steps.".to_owned(),
            ),
            (
                json!({"trigger_name": "integrated_account:active", "config": {"run_if": 1}}),
                "config.run_if must be a string.".to_owned(),
            ),
            (step("type", json!("wait")), at("type \"wait\" isn't known. Use run.")),
            (step("type", Value::Null), at("type is missing. Use run.")),
            (step("action", json!("send_email")), at("action \"send_email\" isn't known. Use run_sync_job.")),
            (step("config", json!([])), at("config must be an object")),
            (step("config", json!({"sync_job_id": ""})), at("config.sync_job_id is missing.")),
            (step("config", json!({})), at("config.sync_job_id is missing.")),
            (step("run_if", json!(true)), at("run_if must be a string.")),
            (step("cron_expression", json!("* *")), at("cron_expression needs 5 fields")),
        ] {
            let error = checked(document).expect_err(&problem);
            assert!(error.starts_with(&problem), "{error}");
        }
    }

    #[test]
    fn what_is_named_without_a_template_is_known_before_it_runs() {
        let config = json!({"sync_job_id": "7", "webhook_id": "{{event.payload.id}}", "integrated_account_id": ""});
        let Value::Object(document) = with(&json!({ "config": config })) else { panic!("an object") };
        let workflow = Workflow::load(&document).expect("loads");
        let named = ["sync_job_id", "webhook_id", "integrated_account_id"].map(|key| workflow.steps[0].named(key));
        assert_eq!(named, [Some("7"), None, None]);
    }

    #[test]
    fn a_chain_has_a_job_once_for_each_account() {
        let job = |n| SyncJobId::from_uuid(Uuid::from_u128(n));
        let account = |n| Some(AccountId::from_uuid(Uuid::from_u128(n)));
        let chain = Chain::default().and(job(1), account(1)).and(job(2), None);
        for (job, account, may_follow) in [
            (job(1), account(1), false),
            (job(2), None, false),
            (job(1), account(2), true),
            (job(1), None, true),
            (job(3), account(1), true),
        ] {
            assert_eq!(chain.admits(job, account), may_follow, "{job} {account:?}");
        }
        let text = serde_json::to_string(&chain).expect("JSON");
        assert_eq!(serde_json::from_str::<Chain>(&text).expect("reads"), chain);
    }
}
