//! Relink's rules.
//!
//! Everything here is pure: no clock, no file, no network, no keychain. Time is passed in, randomness is passed in,
//! and a rule returns what should happen instead of doing it. The engine carries that out.

pub mod account;
pub mod call;
pub mod callback;
pub mod caller;
pub mod destination;
pub mod event;
pub mod failure;
pub mod health;
pub mod hex;
pub mod http_date;
pub mod id;
pub mod integration;
pub mod link;
pub mod mcp;
pub mod merge;
pub mod name;
pub mod notice;
pub mod origins;
pub mod permission;
pub mod provider_text;
pub mod schedule;
#[cfg(feature = "schema")]
mod schema;
pub mod secret;
pub mod sync;
pub mod template;
pub mod time;
pub mod token_limits;
pub mod truth;
pub mod unified;
pub mod verdict;
pub mod webhook;
pub mod yaml;

pub use id::{
    AccountId, ApiTokenId, DatastoreId, DeliveryId, DocumentationId, EnvironmentId, EnvironmentIntegrationId,
    EnvironmentUnifiedModelId, EventId, FlowId, IntegrationId, LinkTokenId, McpTokenId, SyncJobCronTriggerId,
    SyncJobId, SyncJobRunId, SyncJobTemplateId, TeamId, UnifiedMappingId, UnifiedModelId, UserId, WebhookId,
    WorkflowId, WorkflowRunId,
};
pub use secret::Secret;
pub use time::Timestamp;
