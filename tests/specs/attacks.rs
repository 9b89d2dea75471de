//! Attacks by other users of the machine, hostile providers and hostile pages, on the programs as they are built.

mod browsers;
mod clipboard;
mod definitions;
mod files;
mod origins;
mod permissions;
mod ports;
mod terminal;
mod texts;
