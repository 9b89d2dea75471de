//! Lists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Truto's default and maximum page size.
pub const DEFAULT_LIMIT: usize = 5000;

/// A page of a list, in Truto's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    pub result: Vec<T>,
    /// Pass it as `next_cursor` to get the next page; null on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
    pub limit: usize,
}

impl<T> List<T> {
    /// A list that fits on one page.
    pub const fn whole(result: Vec<T>) -> Self {
        Self { result, next_cursor: None, limit: DEFAULT_LIMIT }
    }
}

/// A list of one of Relink's own routes, which aren't paginated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Results<T> {
    pub result: Vec<T>,
}
