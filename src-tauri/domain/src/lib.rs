//! Relink.
