//! One account's whole life, at the engine's own door: connect, keep alive, get told, reauthorize.

mod callback_attacks;
mod connect;
mod keep_alive;
mod methods;
mod notify;
mod reauthorize;
mod recover;
mod unattended;
mod world;
