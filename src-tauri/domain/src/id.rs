//! Identifiers, one type each, so that none can stand in another's place.
//!
//! All are UUIDs; the ones Relink makes are version 7 (RFC 9562 §5.7), which sort by creation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
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
            /// The identifier with this value.
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// The value, for a database or a wire format.
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
    /// An integration of the catalogue.
    IntegrationId,
    /// An integration as installed in this environment.
    EnvironmentIntegrationId,
    /// This installation's one environment.
    EnvironmentId,
    /// A webhook.
    WebhookId,
    /// An event: the `id` of a delivery's body, the same on every try.
    EventId,
    /// One webhook's delivery of one event.
    DeliveryId,
    /// A link token's record (not the token itself).
    LinkTokenId,
    /// An API token's record (not the token itself).
    ApiTokenId,
    /// One walk through the connect flow.
    FlowId,
}
