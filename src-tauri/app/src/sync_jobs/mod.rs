//! Sync jobs, as the window shows them.

mod editor;
mod graph;
mod names;
mod runs;
mod triggers;

use std::{collections::HashMap, path::PathBuf};

use relink_contract::window::{SyncArg, SyncArgKind, SyncJobEntry, SyncJobView};
use relink_domain::{
    SyncJobId, Timestamp,
    caller::Caller,
    sync::{ArgField, ArgKind, DestinationKind, Graph, Job, NodeKind},
};
use relink_engine::{CronTrigger, Document, SyncJob};
use serde_json::Value;

use self::{
    editor::{form_of, problem_at},
    graph::graph_view,
    names::{label_of, text_of},
};
use crate::{App, Result, error::internal_error, error_view};

impl App {
    pub async fn sync_jobs(&self) -> Result<Vec<SyncJobEntry>> {
        let jobs = self.0.engine.sync_jobs();
        let all = jobs.all::<SyncJob>(&Caller::Person).await.map_err(error_view)?;
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let integrations = self.integrations_of_jobs().await?;
        let last = jobs.current_runs(&Caller::Person).await.map_err(error_view)?.last;
        let names = self.names(last.iter().flat_map(runs::accounts_of)).await?;
        let mut next: HashMap<String, Timestamp> = HashMap::new();
        let planned = jobs.planned(&Caller::Person).await.map_err(error_view)?;
        for trigger in jobs.all::<CronTrigger>(&Caller::Person).await.map_err(error_view)? {
            let at = planned.iter().find(|(id, _)| *id == trigger.id).map(|(_, at)| *at);
            if let (Some(job), Some(at)) = (text_of(&trigger, "sync_job_id"), at) {
                next.entry(job).and_modify(|first| *first = at.min(*first)).or_insert(at);
            }
        }
        let entry = |row: Document<SyncJob>| SyncJobEntry {
            id: row.id,
            label: label_of(&row),
            integration: integrations.of(&row),
            last_run: last.iter().find(|run| run.sync_job_id == row.id).map(|run| runs::entry(run, &names)),
            next_run_at: next.get(&row.id.to_string()).copied(),
        };
        Ok(all.into_iter().map(entry).collect())
    }

    pub async fn sync_job(&self, id: SyncJobId) -> Result<SyncJobView> {
        let jobs = self.0.engine.sync_jobs();
        let row = jobs.get::<SyncJob>(&Caller::Person, id).await.map_err(error_view)?;
        let text = serde_json::to_string_pretty(&row.document);
        let text = text.map_err(|_| internal_error("The sync job can’t be shown."))?;
        let resources = row.document.get("resources").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let (graph, problem) = match Graph::load(&resources, form_of(&row.document)) {
            Ok(graph) => (Some(graph), None),
            Err(error) => (None, Some(problem_at(&text, &error.path, &error.to_string()))),
        };
        let has = |is_wanted: &dyn Fn(&NodeKind) -> bool| {
            graph.as_ref().is_some_and(|graph| graph.nodes().iter().any(|node| is_wanted(&node.kind)))
        };
        let destination = |kind: &NodeKind| match kind {
            NodeKind::Destination(it) => Some(it.kind.clone()),
            _ => None,
        };
        let job = Job::load(&row.document).ok();
        Ok(SyncJobView {
            id,
            label: label_of(&row),
            integration: self.integrations_of_jobs().await?.of(&row),
            version: row.updated_at,
            runtime: job.as_ref().map_or(relink_domain::sync::DEFAULT_RUNTIME, |job| job.version),
            needs_account: has(&|kind| matches!(kind, NodeKind::Request(request) if request.account.is_none())),
            needs_target: has(&|kind| matches!(destination(kind), Some(DestinationKind::Run))),
            writes_files: has(&|kind| matches!(destination(kind), Some(DestinationKind::File { .. }))),
            graph: graph.as_ref().map(|graph| graph_view(graph, &resources, Some(&text), None)),
            problem,
            args: job.as_ref().map(|job| job.args.fields().map(|field| arg(&field)).collect()).unwrap_or_default(),
            mutex_key: text_of(&row, "mutex_key"),
            state_key: text_of(&row, "state_key"),
            triggers: self.triggers_of(id).await?,
            text,
        })
    }

    pub async fn delete_sync_job(&self, id: SyncJobId) -> Result<()> {
        self.0.engine.sync_jobs().delete::<SyncJob>(&Caller::Person, id).await.map_err(error_view)
    }

    /// The folder that sync jobs may write files to.
    pub async fn sync_folder(&self) -> Result<Option<String>> {
        let folder = self.0.engine.sync_jobs().folder(&Caller::Person).await.map_err(error_view)?;
        Ok(folder.map(|folder| folder.display().to_string()))
    }

    pub async fn set_sync_folder(&self, folder: Option<String>) -> Result<Option<String>> {
        let folder = folder.map(|folder| PathBuf::from(folder.trim()));
        let allowed = self.0.engine.sync_jobs().allow_folder(&Caller::Person, folder).await.map_err(error_view)?;
        Ok(allowed.map(|folder| folder.display().to_string()))
    }
}

fn arg(field: &ArgField<'_>) -> SyncArg {
    SyncArg {
        name: field.name.to_owned(),
        kind: match field.kind {
            ArgKind::Account => SyncArgKind::Account,
            ArgKind::Webhook => SyncArgKind::Webhook,
            ArgKind::Date => SyncArgKind::Date,
            ArgKind::Time => SyncArgKind::Time,
            ArgKind::Datastore => SyncArgKind::Datastore,
            ArgKind::Text => SyncArgKind::Text,
            ArgKind::Number => SyncArgKind::Number,
            ArgKind::Boolean => SyncArgKind::Boolean,
            ArgKind::Json => SyncArgKind::Json,
        },
        is_required: field.is_required,
        description: field.description.map(str::to_owned),
        values: field.values.iter().map(Value::to_string).collect(),
    }
}
