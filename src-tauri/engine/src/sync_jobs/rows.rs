//! A run as the wire has it: in answers, in events, and in what its nodes see.

use relink_contract::sync::SyncJobRun;
use relink_domain::EnvironmentId;
use serde_json::{Map, Value, json};

use crate::store::sync_jobs::runs::StoredRun;

impl StoredRun {
    pub fn row(&self, environment_id: EnvironmentId) -> SyncJobRun {
        let spec = &self.spec;
        SyncJobRun {
            id: self.id,
            sync_job_id: self.sync_job_id,
            integrated_account_id: self.account_id,
            status: self.status,
            args: spec.args.clone(),
            resources: spec.has_own_resources.then(|| spec.resources.clone()),
            webhook_id: spec.webhook_id.map(|id| id.to_string()),
            datastore_id: spec.datastore_id.clone(),
            error_handling: spec.error_handling,
            on_needs_reauth: spec.on_needs_reauth,
            ignore_previous_run: spec.ignore_previous_run,
            force: spec.force,
            events_to_send: spec.events_to_send.clone(),
            mutex_key: spec.mutex_key.clone(),
            state_key: self.state_key(),
            version: spec.version,
            meta: spec.meta.clone(),
            resource_stats: self.stats.clone(),
            sync_job_cron_trigger_id: self.trigger_id,
            workflow_run_id: spec.workflow.as_ref().map(|made| made.run),
            waits_until: self.wait_until,
            waits_for_integrated_account_id: self.waits_for_account,
            started_at: self.started_at,
            finished_at: self.finished_at,
            environment_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// As nodes see it as `sync_job_run`.
    pub(super) fn seen(&self, environment_id: EnvironmentId) -> Map<String, Value> {
        match serde_json::to_value(self.row(environment_id)) {
            Ok(Value::Object(mut row)) => {
                // Nodes have the arguments by themselves, and don't see the nodes.
                row.shift_remove("resources");
                row
            }
            _ => Map::new(),
        }
    }

    /// `meta` of the events about a run's records (contract section 9.2, **ours**).
    pub(super) fn meta(&self) -> Value {
        json!({
            "sync_job_run_id": self.id,
            "sync_job_id": self.sync_job_id,
            "integrated_account_id": self.account_id,
            "args": self.spec.args,
        })
    }
}
