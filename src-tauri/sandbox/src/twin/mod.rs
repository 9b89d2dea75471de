//! Twins: the Sandbox plays a provider that a [`Scenario`](crate::Scenario) describes.
//!
//! Nothing in this code knows a provider. What is special about one is data: parameter names, error codes and statuses,
//! what an answer looks like, what a revocation ends, pages and limits.

mod api;
mod authorize;
mod call;
mod oauth;
mod paging;
mod records;
mod respond;
mod routes;

pub(crate) use api::serve;
