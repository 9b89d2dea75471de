//! The test harness of the end-to-end tests. It runs real components, in one desktop session per test.

pub mod app;
pub mod authlib;
pub mod browser;
pub mod canary;
pub mod contacts_api;
pub mod crash;
pub mod desktop;
pub mod echoing_provider;
pub mod fake_clock;
pub mod guide;
pub mod link_sdk;
pub mod network;
pub mod oidc;
pub mod page;
pub mod process;
pub mod process_watch;
pub mod provider;
pub mod receiver;
pub mod recording_proxy;
pub mod relink;
pub mod screen;
pub mod selections;
pub mod session;
pub mod sign_in;
pub mod twin;
pub mod window_manager;
