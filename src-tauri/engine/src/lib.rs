//! Relink's engine: one verb per use case.
//!
//! A surface decodes, calls one verb of [`Engine`], and encodes. Behind a verb, data walks one way: the domain decides, the
//! store commits state, timeline and outbox at once, and only then is anything done about it or told.

pub mod clock;
pub mod network;
pub mod oauth;
pub mod outbound;
pub mod store;
pub mod vault;
pub mod wire;
