//! The operations of sync jobs.

use relink_contract::{
    Deleted, List, Success,
    datastore::{Datastore, DatastoreDocument, DatastoreTest},
    log::LogEntry,
    sync::{
        NewSyncJobRun, SyncFolder, SyncJob, SyncJobCronTrigger, SyncJobCronTriggerDocument, SyncJobDocument,
        SyncJobRun, SyncJobRunChange,
    },
    workflow::{Workflow, WorkflowDocument, WorkflowRun},
};

use relink_domain::sync::RunStatus;

use super::{
    ApiClient,
    operations::{Call, Operation},
};
use crate::exit::CliError;

impl ApiClient {
    pub(crate) fn sync_folder(&self) -> Result<SyncFolder, CliError> {
        self.call(Operation::GetSyncFolder)
    }

    pub(crate) fn set_sync_folder(&self, folder: &SyncFolder) -> Result<SyncFolder, CliError> {
        self.call_with(Operation::SetSyncFolder, folder)
    }

    pub(crate) fn sync_jobs(&self) -> Result<List<SyncJob>, CliError> {
        self.call(Operation::ListSyncJobs)
    }

    pub(crate) fn sync_job(&self, id: &str) -> Result<SyncJob, CliError> {
        self.call(Operation::GetSyncJob.of(id))
    }

    pub(crate) fn create_sync_job(&self, job: &SyncJobDocument) -> Result<SyncJob, CliError> {
        self.call_with(Operation::CreateSyncJob, job)
    }

    pub(crate) fn delete_sync_job(&self, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::DeleteSyncJob.of(id))
    }

    /// The latest runs, newest first.
    pub(crate) fn sync_job_runs(&self, job: Option<&str>, limit: u32) -> Result<List<SyncJobRun>, CliError> {
        let call = Call::from(Operation::ListSyncJobRuns).query("limit", limit);
        self.call(match job {
            Some(job) => call.query("sync_job_id", job),
            None => call,
        })
    }

    pub(crate) fn sync_job_run(&self, id: &str) -> Result<SyncJobRun, CliError> {
        self.call(Operation::GetSyncJobRun.of(id))
    }

    pub(crate) fn start_sync_job_run(&self, run: &NewSyncJobRun) -> Result<SyncJobRun, CliError> {
        self.call_with(Operation::CreateSyncJobRun, run)
    }

    /// Stops a run (`stopped`), or resumes a stopped one (`created`).
    pub(crate) fn change_sync_job_run(&self, id: &str, status: RunStatus) -> Result<SyncJobRun, CliError> {
        let change = SyncJobRunChange { status: status.to_string() };
        self.call_with(Operation::UpdateSyncJobRun.of(id), &change)
    }

    pub(crate) fn sync_job_triggers(&self) -> Result<List<SyncJobCronTrigger>, CliError> {
        self.call(Operation::ListSyncJobCronTriggers)
    }

    pub(crate) fn sync_job_trigger(&self, id: &str) -> Result<SyncJobCronTrigger, CliError> {
        self.call(Operation::GetSyncJobCronTrigger.of(id))
    }

    pub(crate) fn create_sync_job_trigger(
        &self,
        trigger: &SyncJobCronTriggerDocument,
    ) -> Result<SyncJobCronTrigger, CliError> {
        self.call_with(Operation::CreateSyncJobCronTrigger, trigger)
    }

    pub(crate) fn delete_sync_job_trigger(&self, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::DeleteSyncJobCronTrigger.of(id))
    }

    pub(crate) fn schedule_sync_job_trigger(&self, id: &str) -> Result<Success, CliError> {
        self.call(Operation::ScheduleSyncJobCronTrigger.of(id))
    }

    pub(crate) fn datastores(&self) -> Result<List<Datastore>, CliError> {
        self.call(Operation::ListDatastores)
    }

    pub(crate) fn datastore(&self, id: &str) -> Result<Datastore, CliError> {
        self.call(Operation::GetDatastore.of(id))
    }

    pub(crate) fn create_datastore(&self, datastore: &DatastoreDocument) -> Result<Datastore, CliError> {
        self.call_with(Operation::CreateDatastore, datastore)
    }

    pub(crate) fn delete_datastore(&self, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::DeleteDatastore.of(id))
    }

    pub(crate) fn test_datastore(&self, id: &str, method: &str) -> Result<DatastoreTest, CliError> {
        self.call(Operation::TestDatastore.of(id).and(method))
    }

    pub(crate) fn workflows(&self) -> Result<List<Workflow>, CliError> {
        self.call(Operation::ListWorkflows)
    }

    pub(crate) fn workflow(&self, id: &str) -> Result<Workflow, CliError> {
        self.call(Operation::GetWorkflow.of(id))
    }

    pub(crate) fn create_workflow(&self, workflow: &WorkflowDocument) -> Result<Workflow, CliError> {
        self.call_with(Operation::CreateWorkflow, workflow)
    }

    pub(crate) fn delete_workflow(&self, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::DeleteWorkflow.of(id))
    }

    /// The latest runs of workflows, newest first.
    pub(crate) fn workflow_runs(&self, workflow: Option<&str>, limit: u32) -> Result<List<WorkflowRun>, CliError> {
        let call = Call::from(Operation::ListWorkflowRuns).query("limit", limit);
        self.call(match workflow {
            Some(workflow) => call.query("workflow_id", workflow),
            None => call,
        })
    }

    /// A page of a run's log, newest first.
    pub(crate) fn sync_job_run_log(&self, run: &str, cursor: Option<&str>) -> Result<List<LogEntry>, CliError> {
        let call = Call::from(Operation::ReadLog).query("log_type", "rapid_bridge");
        let call = call.query("log_type_filter[sync_job_run_id]", run);
        self.call(match cursor {
            Some(cursor) => call.query("next_cursor", cursor),
            None => call,
        })
    }
}
