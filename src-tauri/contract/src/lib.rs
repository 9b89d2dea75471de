//! The wire, typed: every request, response, list, error and event of Relink's API, and of its window.
//!
//! This crate knows the rules' types (`relink-domain`) and nothing of the engine: whatever speaks it could live in another
//! process. An account, its error and its integration are mapped to the wire here and nowhere else.
//!
//! The fields' order is the order on the wire. A field that is absent or null is `None`; one that is left out of a response
//! says so with `skip_serializing_if`.

pub mod account;
pub mod connect;
pub mod data_folder;
pub mod error;
pub mod event;
pub mod integration;
pub mod link;
pub mod list;
pub mod secret;
pub mod status;
pub mod timeline;
pub mod token;
#[cfg(test)]
mod typescript;
pub mod webhook;
pub mod window;

pub use error::ErrorBody;
pub use list::{DEFAULT_LIMIT, List, Results};
pub use secret::WireSecret;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a request to delete or revoke something gives back: the id, as the request named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    pub id: String,
}

/// A request about one thing, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ById {
    pub id: String,
}

/// An action was done, or begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Success {
    pub success: bool,
}

impl Success {
    pub const YES: Self = Self { success: true };
}
