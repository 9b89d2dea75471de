//! The Sandbox as its clients meet it: over real connections.

mod control;
mod faults;
mod flow;
mod world;
