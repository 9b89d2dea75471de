//! Twins: the Sandbox plays a provider that a [`Scenario`](crate::Scenario) describes.
//!
//! Nothing in this code knows a provider. What is special about one is data: parameter names, error codes and statuses,
//! what an answer looks like, what a revocation ends, pages and limits.

mod api;
mod authorize;
mod call;
mod conditions;
mod oauth;
mod own;
mod paging;
mod records;
mod respond;
mod routes;

use serde_json::{Value, json};

pub(crate) use api::serve;
pub(crate) use own::answer as answer_own;

use crate::{provider::Provider, registry::Person};

/// See [`Running::records`](crate::Running::records).
pub(crate) fn records(provider: &Provider, name: &str, person: &Person, request: &Value) -> Option<Vec<Value>> {
    let scenario = provider.scenario.as_deref()?;
    let collection = scenario.resources.collections.get(name)?;
    let known = json!({ "base_url": provider.base_url, "person": api::person(scenario, person.subject) });
    let records = routes::records_of(provider, name, collection, &records::with(request, known));
    Some(records.into_iter().map(|(_, record)| record).collect())
}
