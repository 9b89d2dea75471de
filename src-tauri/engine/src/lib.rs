//! Relink's engine: the components behind every surface.
//!
//! A surface decodes, calls one verb of a component, and encodes. Behind a verb, data goes one way: the domain decides, the
//! store commits state, timeline and outbox at once, and only then is anything done about it or announced.

mod access;
mod access_tokens;
mod accounts;
mod address;
mod call_log;
mod catalog;
pub mod clock;
mod connections;
mod crash;
mod documents;
mod engine;
mod error;
mod form_runner;
pub mod hardening;
mod hosts;
pub mod keychain;
#[cfg(feature = "test-support")]
pub mod many_accounts;
mod network;
mod oauth;
mod onboarding;
mod organization;
mod orphans;
mod outbound;
mod outbox;
pub mod private_files;
mod provider;
mod random;
mod recovery;
mod refresher;
mod retention;
mod run_calls;
mod schedule;
mod scheduler;
mod step_runner;
mod steps;
mod store;
mod sync;
mod sync_jobs;
mod tasks;
#[cfg(test)]
mod testing;
mod unfinished;
mod unified_models;
mod until_changed;
mod wire;

pub use access::Access;
pub use access_tokens::AccessToken;
pub use accounts::{AccountName, AccountPage, AccountView, Accounts, PageQuery, TimelineQuery};
pub use call_log::{CALL_DAYS, CallLog};
pub use catalog::{Added, Catalog, CatalogEntry, InstallationChange, NewDocumentation, SANDBOX};
pub use connections::{BeginFlow, BegunFlow, Connections, FormGrant, Import, NewLink, OpenedIn, TakenCallback};
pub use documents::Documents;
pub use engine::{Engine, Options, StartError};
pub use error::{Category, Error};
pub use form_runner::FormRunner;
pub use onboarding::Onboarding;
pub use organization::{Organization, OrganizationIds, Team, TeamChange};
#[cfg(feature = "test-support")]
pub use outbound::DEADLINE as OUTBOUND_DEADLINE;
pub use outbound::HttpResponse;
pub use outbox::{DeliveryDetails, NewWebhook, Outbox, WebhookChange};
pub use provider::{PreparedAccount, Refusal, WebhookReceiver};
pub use random::random_token;
pub use refresher::{CheckReport, Refresher};
pub use run_calls::RunCalls;
pub use step_runner::{FailedRequest, RunnerFuture, StepCall, StepError, StepRunner, StepScope};
pub use store::{
    ChangeSet, ChangedAccounts, Changes, StoreError,
    api_tokens::ApiToken,
    calls::{CallQuery, RecordedCall},
    documentation::{Documentation, EntityType},
    documents::{CronTrigger, Datastore, Document, Kind, SyncJob, SyncJobTemplate, Workflow},
    filter::{AccountOrder, AccountPlace, AccountText, AccountTime, Comparison, Condition, Filter},
    integrations::{Installed, Integration},
    mcp_tokens::McpToken,
    outbox::Event,
    sync_jobs::{
        log::{LogFilter, RunLogLine},
        runs::{RunFilter, RunSpec, StoredRun},
        states::StateCell,
        triggers::TriggerError,
        workflows::StoredWorkflowRun,
    },
    timeline::{Entry as TimelineEntry, Page as TimelinePage},
    unified::{InstalledModel, MappedMethod, MappingLayer, MappingOwner, MappingRow, StoredModel},
    webhooks::{Delivery, DeliveryFilter, DeliveryState, Webhook},
};
pub use sync_jobs::{Checked, CurrentRuns, LiveRun, LiveRuns, NewRun, RunProblems, Stop, SyncJobs};
pub use unified_models::{MappedResource, MappingChange, MergedMapping, NewMapping, UnifiedModels};
