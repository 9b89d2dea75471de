//! The surface, over real sockets.

mod account_tokens;
mod answering_provider;
mod attacks;
mod calls;
mod connect;
mod contract;
mod database;
mod detection;
mod life;
mod limited_tokens;
mod limits;
mod lists;
mod openapi;
mod streams;
mod tools;
mod truto_fields;
mod uninstall;
mod waiting;
mod world;
