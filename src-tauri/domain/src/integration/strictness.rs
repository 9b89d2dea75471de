//! The rules for definitions, and when they apply.
//!
//! A definition is checked strictly once, when it is written ([`parse`](super::parse), [`check`](super::check),
//! [`Definition::with_override`](super::Definition::with_override)), and stored with [`CHECKER_VERSION`]. From then on it
//! is loaded tolerantly ([`Definition::load`](super::Definition::load)): a definition that an older or newer checker accepted stays
//! usable, as long as Relink can work with it safely.
//!
//! **Always enforced**, because otherwise the definition can't work, or a credential could be sent to the wrong place:
//! - the name, at least one authentication method that this version knows, and the endpoints of each;
//! - every URL and path ([`WebUrl`](super::WebUrl), [`UrlPath`](super::UrlPath)): encryption, no user name, no
//!   link-local or metadata address, no local address without `allow_local`, no path that changes the origin; and that no
//!   value decides a host outside of `origins` ([`Address`](super::Address));
//! - header names that Relink sets itself, placeholders that name a secret that is never sent, and the values of `pkce`;
//! - the values that determine how a credential is sent (`authorization`, `client`, `options`, `tokenExpiryDuration`,
//!   `client_secret`), the issuer, the probe, and the source of the identity (`identity`);
//! - the fields of a form: their names, what becomes of their values, and that no secret has a default;
//! - where tokens and values are read in answers (`token_path`, `scope_path`, `keep`).
//!
//! A method that breaks such a rule is left out of a stored definition, and so are `pagination` and the others that methods share: the
//! account's sign-in doesn't depend on them. A `webhook` that breaks one is as good as none.
//!
//! **Enforced only when written**, and ignored when loaded:
//! - keys of `relink` that have no effect, and a secret in a URL, which is never filled in;
//! - misplaced secrets: an unknown key in `credentials` or `authorization`, and a credential in plain text anywhere
//!   (`misplaced/`). A stored one is hidden where the definition is shown ([`redacted`](super::redacted));
//! - authorization parameters that Relink sets itself (`params.rs`). Stored ones are left out of the request;
//! - likely mistakes: an identity that is never requested, a placeholder without a field, a cast that isn't known, `{{` that
//!   begins no placeholder (stored, it is text), an entry that contradicts its key;
//! - descriptions: label, category, `is_beta`, `sharing`, logo, color, docs, scope descriptions, documentation links, labels and help of
//!   fields, patterns and defaults, and rows of `documentation`. Values that aren't understood are omitted;
//! - actions (`actions/`). A stored one that isn't understood is left out;
//! - additions of a newer version: an authentication method, a redirect type or a type of field (treated as a password,
//!   so that it is kept secret), as long as a known one remains; and unknown parts of `refresh`.

/// The version of the strict check's rules, to be stored with a definition that passed them. A change of the rules raises
/// it.
pub const CHECKER_VERSION: u32 = 8;

/// The occasion on which a definition is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// It is being written: every rule applies.
    Written,
    /// It was stored: only the rules that are always enforced apply.
    Loaded,
}
