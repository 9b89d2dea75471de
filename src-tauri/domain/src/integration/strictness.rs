//! Which rules a definition must keep, and when.
//!
//! A definition is checked strictly once, when it is written ([`parse`](super::parse),
//! [`Definition::with_override`](super::Definition::with_override)), and stored with [`CHECKER_VERSION`]. From then on it
//! is loaded tolerantly ([`Definition::load`](super::Definition::load)): what an older or newer checker accepted stays
//! usable, as long as Relink can work with it safely.
//!
//! **Enforced always**, because without it the definition can't work or a credential could go where it must not:
//! - the name, the base URL, at least one way to sign in that this version knows, and the endpoints of each;
//! - every URL and path ([`WebUrl`](super::WebUrl), [`UrlPath`](super::UrlPath)): encryption, no user name, no
//!   link-local or metadata address, no local address without `allow_local`, no path that leads elsewhere;
//! - header names and authorization parameters that Relink sets itself, placeholders, and `S256`;
//! - the words that decide how a credential is sent (`authorization`, `authorizationMethod`, `bodyFormat`,
//!   `scopeSeparator`, `client_secret`), the issuer, the probe, and what tells who signed in (`identity`);
//! - the fields of a form: their names, and that no secret has a default.
//!
//! **Enforced only when written**, and passed over when loaded:
//! - what only advises or explains: an unknown key, a header that looks like a credential, an identity that nothing asks
//!   for, a placeholder that names no field, an entry that contradicts its key, a key beside the client's id and secret;
//! - what only describes: label, category, logo, color, docs, scope descriptions, documentation links, labels and help of
//!   fields, patterns and defaults. What isn't understood is left out;
//! - what a newer version may have added: a way to sign in, a kind of redirect or a type of field (taken for a password,
//!   so that it is kept secret), as long as one that is known is left; and what isn't understood of `refresh`.

/// The version of the strict check's rules, to be stored with a definition that passed them. A change of the rules raises
/// it.
pub const CHECKER_VERSION: u32 = 1;

/// When a definition is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// It is being written: every rule counts.
    Written,
    /// It was stored: only what is enforced always.
    Loaded,
}
