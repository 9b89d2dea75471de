//! The wire, typed: every request, response, list, error and event of Relink's API, and of its window.
//!
//! This crate depends on the domain (`relink-domain`) and not on the engine, so its users could run in another process. Only
//! this crate maps an account, its error and its integration to the wire.
//!
//! The order of fields is the order on the wire. An absent or null field is `None`. Fields that are omitted from responses
//! have `skip_serializing_if`.

pub mod account;
pub mod bulk_delete;
pub mod call;
pub mod capabilities;
pub mod connect;
pub mod data_folder;
pub mod datastore;
pub mod documentation;
pub mod error;
pub mod event;
pub mod form;
pub mod integration;
pub mod link;
pub mod list;
pub mod log;
pub mod mcp;
pub mod organization;
pub mod secret;
pub mod status;
pub mod sync;
pub mod timeline;
pub mod token;
pub mod tool;
#[cfg(test)]
mod typescript;
pub mod unified;
pub mod webhook;
pub mod window;
pub mod workflow;

pub use error::{ErrorBody, RemoteErrorBody};
pub use list::{DEFAULT_LIMIT, List, Results};
pub use secret::WireSecret;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to a deletion or revocation: the id from the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    pub id: String,
}

/// A request about the object with this id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ById {
    pub id: String,
}

/// The action was performed or started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Success {
    pub success: bool,
}

impl Success {
    pub const YES: Self = Self { success: true };
}
