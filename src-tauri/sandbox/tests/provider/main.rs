//! The Sandbox over real connections.

mod control;
mod faults;
mod flow;
mod twin;
mod twins;
mod world;
