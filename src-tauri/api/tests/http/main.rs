//! The surface, over real sockets.

mod attacks;
mod calls;
mod connect;
mod contract;
mod database;
mod life;
mod limited_tokens;
mod limits;
mod lists;
mod openapi;
mod truto_fields;
mod uninstall;
mod world;
