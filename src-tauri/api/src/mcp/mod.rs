//! Tools for agents: servers of the Model Context Protocol (contract section 10.2).
//!
//! Each message is answered by itself, with one JSON text: there are no sessions and no streams.

mod arguments;
mod message;
mod names;
mod offered;
mod serve;
mod server;
mod tokens;

pub(crate) use serve::token_in;

use crate::openapi::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new().merge(serve::routes()).merge(tokens::routes())
}
