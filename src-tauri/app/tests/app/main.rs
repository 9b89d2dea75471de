//! The app without its toolkit, on a real engine and Sandbox.

mod calls;
mod changes;
mod commands;
mod definitions;
mod notifications;
mod port;
mod sandbox;
mod sign_ins;
mod sync_jobs;
mod unified_models;
mod world;
