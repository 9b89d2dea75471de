//! JSONata exactly as Truto evaluates it: Truto's own packages, run by QuickJS on threads of their own and within limits.
//!
//! [`Engines`] is the entry: it evaluates ([`Engines::eval`], [`Engines::map`]) and checks ([`Engines::check`]) expressions. It
//! costs nothing before its first use. An expression reaches no file, no network and no timer.
//!
//! Language: <https://docs.jsonata.org>, version 2.2; Truto's functions: the package `@truto/truto-jsonata`.

mod bindings;
mod engine;
mod engines;
mod error;
mod host;
mod job;
mod limits;
mod position;
mod queue;
mod worker;

pub use bindings::Bindings;
pub use engines::Engines;
pub use error::{ErrorKind, EvalError};
pub use limits::{Limits, Settings, UnknownNames};
pub use position::Position;

/// The licenses of the npm packages that are part of the program.
pub const LICENSES: &str = include_str!("../generated/LICENSES.txt");
