//! The world in which the journeys happen: real parts, in a session of each test's own.

pub mod app;
pub mod between;
pub mod browser;
pub mod canary;
pub mod crash;
pub mod desktop;
pub mod faketime;
pub mod network;
pub mod oidc;
pub mod page;
pub mod process;
pub mod provider;
pub mod receiver;
pub mod relink;
pub mod screen;
pub mod selections;
pub mod session;
