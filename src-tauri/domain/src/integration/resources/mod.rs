//! What a definition says of calls to its provider's resources (contract section 4.6).
//!
//! It is part of `integration`, because both decode the same document with the same reader: as a module beside it, each would
//! import the other.

#[cfg_attr(not(test), expect(dead_code, reason = "methods read it next"))]
mod pagination;
#[cfg_attr(not(test), expect(dead_code, reason = "methods read it next"))]
mod rate_limit;

#[cfg(test)]
mod pagination_tests;

pub use self::{
    pagination::{
        CursorPagination, CursorPath, CursorSource, DynamicPagination, LimitType, OffsetPagination, PagePagination,
        PageSize, Pagination, RangePagination,
    },
    rate_limit::RateLimit,
};
