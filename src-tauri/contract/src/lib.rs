//! The wire, typed: every request, response, list, error and event of Relink's API, and of its window.
//!
//! This crate knows the rules' types (`relink-domain`) and nothing of the engine: whatever speaks it could live in another
//! process.
