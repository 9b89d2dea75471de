//! The life of an account through the engine's public API: connect, refresh, notify, reauthorize.

mod callback_attacks;
mod callers;
mod connect;
mod definitions;
mod keep_alive;
mod methods;
mod notify;
mod origins;
mod permissions;
mod reauthorize;
mod recover;
mod unattended;
mod uninstall;
mod world;
