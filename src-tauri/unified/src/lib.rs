//! The unified API (contract section 8): a call in a model's words becomes one in the provider's, and its answer one in the model's.
//!
//! [`run`](Unified::run) does what a [`Mapping`](relink_domain::unified::Mapping) says, in the order of section 8.2. It makes calls
//! through [`Proxy`] and evaluates through [`Expressions`](relink_calls::Expressions), so it knows neither HTTP servers nor the engine.
//!
//! Invariants:
//! - No expression sees a secret: of the account it sees the context, which has none.
//! - An error of the provider stays one: a mapping can change what it says, never that it is the provider's.
//! - What fails in a mapping names the mapping, its key and the record ([`MappingFailed`]).

mod answer;
mod evaluation;
mod failure;
mod headers;
mod observed;
mod proxy;
mod requests;
mod respond;
mod run;
mod sample;
mod scope;
mod side_load;
mod steps;

#[cfg(test)]
mod tests;

pub use self::{
    answer::{Answer, ResponseFormat, UnifiedAnswer},
    evaluation::MappingFailed,
    failure::{Failure, RemoteFailure, missing_body},
    observed::Trial,
    proxy::{Page, Paging, Proxied, Proxy, ProxyBody, ProxyCall, ProxyData, ProxyError, ProxyTarget},
    run::{Options, Unified, UnifiedCall},
    sample::{Sample, SampleError, SampleTrial},
};
