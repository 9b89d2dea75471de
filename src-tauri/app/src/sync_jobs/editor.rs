//! The editor of jobs: what is wrong with a text, and its nodes.

use relink_contract::{
    sync::SyncJobDocument,
    window::{DefinitionProblem, SyncDraft, SyncExample},
};
use relink_domain::{
    SyncJobId, Timestamp,
    caller::Caller,
    integration::{DefinitionError, parse_object, position_of},
    sync::{DEFAULT_RUNTIME, Form, Graph, runtime, warnings},
};
use relink_engine::{Error, SyncJob};
use serde_json::{Map, Value};

use super::graph::graph_view;
use crate::{App, Result, error::internal_error, error_view};

/// Title, description, text, and whether it writes a file.
const EXAMPLES: &[(&str, &str, &str, bool)] = &[
    (
        "Contacts into a file",
        "Reads all contacts of an account and keeps them in a SQLite database.",
        include_str!("examples/contacts-to-file.json"),
        true,
    ),
    (
        "Names of contacts as JSON Lines",
        "Reads contacts, leaves out those without a name, and writes what is left line by line.",
        include_str!("examples/named-contacts.json"),
        true,
    ),
    (
        "Changed contacts to a webhook",
        "Sends the contacts that have changed since the last run to a webhook of yours.",
        include_str!("examples/changed-to-webhook.json"),
        false,
    ),
];

impl App {
    #[expect(clippy::unused_async, reason = "commands are asynchronous")]
    pub async fn sync_examples(&self) -> Result<Vec<SyncExample>> {
        let example = |(title, description, text, writes_files): &(&str, &str, &str, bool)| SyncExample {
            title: (*title).to_owned(),
            description: (*description).to_owned(),
            text: (*text).to_owned(),
            writes_files: *writes_files,
        };
        Ok(EXAMPLES.iter().map(example).collect())
    }

    /// What is wrong with the text of a job, with the server's rules, and its nodes.
    pub async fn check_sync_job(&self, text: String) -> Result<SyncDraft> {
        let document = match read(&text) {
            Ok(document) => document,
            Err(problem) => {
                return Ok(SyncDraft { problem: Some(problem), node: None, graph: None, warnings: Vec::new() });
            }
        };
        let resources = document.get("resources").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let warnings = warnings(&resources, form_of(&document));
        let graph = Graph::load(&resources, form_of(&document)).ok();
        let graph = graph.map(|graph| graph_view(&graph, &resources, Some(&text), None));
        match self.0.engine.sync_jobs().check_document::<SyncJob>(&Caller::Person, &document).await {
            Ok(()) => Ok(SyncDraft { problem: None, node: None, graph, warnings }),
            Err(Error::Invalid { field, message, .. }) => {
                let field = field.unwrap_or_default();
                let problem = problem_at(&text, &field, &message);
                Ok(SyncDraft { problem: Some(problem), node: node_of(&field), graph, warnings })
            }
            Err(error) => Err(error_view(error)),
        }
    }

    pub async fn save_sync_job(
        &self,
        id: Option<SyncJobId>,
        version: Option<Timestamp>,
        text: String,
    ) -> Result<SyncJobId> {
        let document = read(&text).map_err(|problem| {
            error_view(Error::Invalid {
                code: "document_invalid",
                field: Some(problem.field),
                message: problem.problem,
            })
        })?;
        let jobs = self.0.engine.sync_jobs();
        let saved = match (id, version) {
            (None, _) => jobs.add::<SyncJob>(&Caller::Person, document).await,
            (Some(id), Some(version)) => jobs.replace::<SyncJob>(&Caller::Person, id, version, document).await,
            (Some(_), None) => return Err(internal_error("A change of a sync job names the version that it changes.")),
        };
        saved.map(|row| row.id).map_err(error_view)
    }
}

/// The document of a text. A key that a job doesn't have would be lost, so it is a problem.
fn read(text: &str) -> std::result::Result<Map<String, Value>, DefinitionProblem> {
    let given = parse_object(text).map_err(|DefinitionError { position, path, problem, .. }| DefinitionProblem {
        line: position.map(|place| place.line),
        column: position.map(|place| place.column),
        field: path,
        problem,
    })?;
    let kept = serde_json::from_value::<SyncJobDocument>(Value::Object(given.clone()));
    let Ok(Value::Object(kept)) = kept.and_then(serde_json::to_value) else {
        return Err(problem_at(text, "", "This is no sync job."));
    };
    match given.keys().find(|name| !kept.contains_key(*name)) {
        Some(name) => Err(problem_at(text, name, "isn’t a key of a sync job, and would not be kept. Take it away.")),
        None => Ok(kept),
    }
}

pub(super) fn form_of(document: &Map<String, Value>) -> Form {
    let name = "default_runtime_version";
    // What can't be read is a problem of its own.
    Form::of_runtime(runtime(document.get(name), name).ok().flatten().unwrap_or(DEFAULT_RUNTIME))
}

pub(super) fn problem_at(text: &str, field: &str, message: &str) -> DefinitionProblem {
    let place = position_of(text, field);
    // The place is shown beside it.
    let problem = message.strip_prefix(field).map_or(message, |rest| rest.trim_start_matches([':', ' ']));
    DefinitionProblem {
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}

/// The node of `resources[2].config.key`.
fn node_of(field: &str) -> Option<usize> {
    let (number, _) = field.strip_prefix("resources[")?.split_once(']')?;
    number.parse().ok()
}
