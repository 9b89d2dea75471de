//! The Sandbox over real connections.

mod control;
mod faults;
mod flow;
mod own_api;
mod twin;
mod twins;
mod world;
