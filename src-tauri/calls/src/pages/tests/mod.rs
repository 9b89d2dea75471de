//! Walks over lists of a provider in memory.

mod cursors;
mod empty;
mod formats;
mod links;
mod provider;
mod walks;
