//! The engine's components.

use super::Engine;
use crate::{
    access::Access, accounts::Accounts, call_log::CallLog, catalog::Catalog, connections::Connections,
    documents::Documents, onboarding::Onboarding, organization::Organization, outbox::Outbox, refresher::Refresher,
    sync_jobs::SyncJobs, unified_models::UnifiedModels,
};

impl Engine {
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    pub fn refresher(&self) -> &Refresher {
        &self.0.refresher
    }

    pub fn connections(&self) -> &Connections {
        &self.0.connections
    }

    pub fn onboarding(&self) -> &Onboarding {
        &self.0.onboarding
    }

    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    pub fn access(&self) -> &Access {
        &self.0.access
    }

    pub fn call_log(&self) -> &CallLog {
        &self.0.call_log
    }

    pub fn documents(&self) -> &Documents {
        &self.0.documents
    }

    pub fn organization(&self) -> &Organization {
        &self.0.organization
    }

    pub fn unified_models(&self) -> &UnifiedModels {
        &self.0.unified_models
    }

    pub fn sync_jobs(&self) -> &SyncJobs {
        &self.0.sync_jobs
    }
}
