//! Relink's engine: one verb per use case.
//!
//! A surface decodes, calls one verb of [`Engine`], and encodes. Behind a verb, data walks one way: the domain decides, the
//! store commits state, timeline and outbox at once, and only then is anything done about it or told.

mod accounts;
mod api_tokens;
pub mod clock;
pub mod connect;
mod crash;
mod delivery;
mod documents;
mod engine;
mod error;
mod in_flight;
mod integrations;
pub mod keychain;
mod links;
pub mod network;
pub mod oauth;
pub mod outbound;
mod provider;
mod recovery;
mod refresh;
mod retention;
mod schedule;
pub mod store;
#[cfg(test)]
mod testing;
mod views;
mod webhooks;
pub mod wire;

pub use accounts::{CheckOutcome, CheckReport};
pub use engine::{AccessToken, Engine, Options, StartError};
pub use error::{Category, Error};
pub use integrations::{Added, CatalogueEntry, SANDBOX};
pub use links::{LinkSession, NewLink};
pub use store::{
    ChangeSet, ChangedAccounts, Changes,
    accounts::Filter,
    api_tokens::ApiToken,
    integrations::Installed,
    webhooks::{Delivery, DeliveryState, Webhook},
};
pub use views::{AccountView, Named, Pages};
pub use webhooks::NewWebhook;
