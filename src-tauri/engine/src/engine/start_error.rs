//! Why the engine can't start.

use std::io;

use crate::{error::Error, store::StoreError};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder or its database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client could not be created, for example because the system has no certificate authorities.
    #[error(
        "Relink's network client could not be made: {}. Relink trusts the certificate authorities of this system; \
         on Linux they are in the package ca-certificates.",
        innermost(.0)
    )]
    Client(#[from] reqwest::Error),
    /// The first use of the database failed.
    #[error(transparent)]
    Engine(#[from] Error),
    /// The system's random number generator failed.
    #[error("The system's random number generator failed: {0}")]
    Random(#[from] io::Error),
}

/// The innermost cause, which says what happened and not only where.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
