//! What the desktop app says and does, without its toolkit.
//!
//! The shell decodes a command of the window, calls one function of [`Desk`], and encodes; it draws what [`attention`]
//! says. So all of it can be tried without a display.

pub mod types;
mod typescript;

pub use typescript::typescript;
