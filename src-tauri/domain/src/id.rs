//! Identifiers. Each has a type of its own, so that none can be taken for another.
//!
//! All are UUIDs; the ones Relink makes are version 7 (RFC 9562 §5.7), which sort by creation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(ts_rs::TS), ts(type = "string"))]
        pub struct $name(Uuid);

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::schema::text("uuid")
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}

        impl $name {
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// For a database or a wire format.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// An integrated account.
    AccountId,
    /// An integration of the catalog.
    IntegrationId,
    /// An integration that is installed in this environment.
    EnvironmentIntegrationId,
    /// A row of documentation.
    DocumentationId,
    /// This installation's one environment.
    EnvironmentId,
    /// This installation's one team.
    TeamId,
    /// This installation's one user.
    UserId,
    /// A webhook.
    WebhookId,
    /// An event. It is the `id` in the body of every delivery of the event.
    EventId,
    /// The delivery of an event to a webhook.
    DeliveryId,
    /// A link token's record, not the token itself.
    LinkTokenId,
    /// An API token's record, not the token itself.
    ApiTokenId,
    /// The record of an MCP server's token, not the token itself.
    McpTokenId,
    /// A unified model.
    UnifiedModelId,
    /// A unified model that is installed in this environment.
    EnvironmentUnifiedModelId,
    /// A mapping of a unified model, of the base or of the environment.
    UnifiedMappingId,
    /// A connect flow.
    FlowId,
    /// A sync job.
    SyncJobId,
    /// A run of a sync job.
    SyncJobRunId,
    /// What starts runs of a sync job by the clock.
    SyncJobCronTriggerId,
    /// A template of sync jobs.
    SyncJobTemplateId,
    /// What starts runs of sync jobs when an event is sent.
    WorkflowId,
    /// A run of a workflow.
    WorkflowRunId,
    /// A store of somebody else's, to which sync jobs write.
    DatastoreId,
}

/// A UUID that follows from these parts alone (RFC 9562 version 8). The parts count as one text.
pub fn derived(parts: &[&[u8]]) -> Uuid {
    let digest = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_and_parsed_as_a_uuid() {
        let text = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        let id: AccountId = text.parse().expect("an id");
        assert_eq!((id.to_string().as_str(), AccountId::from_uuid(id.as_uuid())), (text, id));
        assert!("account-1".parse::<AccountId>().is_err());
    }
}
