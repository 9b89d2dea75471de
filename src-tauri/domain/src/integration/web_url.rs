//! URLs that a credential may be sent to or that the person's browser may open.

use std::fmt;

use serde::{Serialize, Serializer};
use url::{Host, Url, form_urlencoded};

use super::{
    error::quoted,
    reach::{Reach, is_loopback, reach},
};
use crate::origins::Origin;

const MAX_URL_BYTES: usize = 2048;

/// An absolute URL: https, or http on this machine. It has no user name, no fragment, and nothing that two parsers could
/// read differently.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebUrl(Url);

/// Why a text is not a [`WebUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WebUrlError(String);

impl WebUrl {
    pub fn parse(text: &str) -> Result<Self, WebUrlError> {
        let fail = |what: &str| Err(WebUrlError(format!("{} {what}", quoted(text))));
        if text.len() > MAX_URL_BYTES {
            return fail("is too long; a URL has at most 2048 characters");
        }
        if text.contains("{{") {
            return fail("contains a placeholder; write the URL out");
        }
        // `Url` would fix these silently (WHATWG URL §4.4), and a server or a browser might read something else.
        if text.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
            return fail("contains a backslash or a space, which a URL can't have");
        }
        let rest = strip_scheme(text, "https://").or_else(|| strip_scheme(text, "http://"));
        let Some(url) = rest.filter(|rest| !rest.starts_with('/')).and_then(|_| Url::parse(text).ok()) else {
            return fail(
                "is not a URL; it must start with https:// (or http://127.0.0.1 for a server on this machine)",
            );
        };
        if !url.username().is_empty() || url.password().is_some() {
            return fail("contains a user name or a password; remove everything up to the @");
        }
        if url.fragment().is_some() {
            return fail("has a part after #, which is never sent; remove it");
        }
        let url = Self(url);
        if url.reach() == Reach::Never {
            return fail("is an address that Relink never calls (link-local, reserved, or a metadata service)");
        }
        if url.0.scheme() == "http" && !url.is_loopback() {
            return fail("is not encrypted; use https:// (http:// is only for a server on this machine)");
        }
        Ok(url)
    }

    /// The URL as it is sent.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub const fn as_url(&self) -> &Url {
        &self.0
    }

    /// The host without the port: `github.com`.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub fn origin(&self) -> Origin {
        Origin::of(&self.0)
    }

    /// Whether nothing follows the host.
    pub fn is_bare_origin(&self) -> bool {
        self.0.path() == "/" && self.0.query().is_none()
    }

    pub fn has_query(&self) -> bool {
        self.0.query().is_some()
    }

    /// Appends a path. The origin stays the same, whatever the path.
    #[must_use]
    pub fn append(&self, path: &UrlPath) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{}", self.0.path().trim_end_matches('/'), path.path));
        url.set_query(path.query.as_deref());
        Self(url)
    }

    /// Where the URL leads, judged by its host. What a host name resolves to is checked before it is called.
    pub fn reach(&self) -> Reach {
        match self.0.host() {
            Some(Host::Ipv4(ip)) => reach(ip.into()),
            Some(Host::Ipv6(ip)) => reach(ip.into()),
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                if name == "metadata.google.internal" || name.is_empty() {
                    Reach::Never
                } else if is_localhost(name) || has_last_label(name, "local") {
                    Reach::Local
                } else {
                    Reach::Public
                }
            }
            None => Reach::Never,
        }
    }

    /// Whether the host is this machine, as far as it shows in the URL. That a name leads there is checked before it is
    /// called.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(ip)) => is_loopback(ip.into()),
            Some(Host::Ipv6(ip)) => is_loopback(ip.into()),
            Some(Host::Domain(name)) => is_localhost(name.trim_end_matches('.')),
            None => false,
        }
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for WebUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// RFC 6761 §6.3.
fn is_localhost(name: &str) -> bool {
    name == "localhost" || has_last_label(name, "localhost")
}

fn has_last_label(name: &str, label: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last == label)
}

/// A path with an optional query that stays below the URL it is appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath {
    path: String,
    query: Option<String>,
}

/// Why a text is not a [`UrlPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlPathError(String);

impl UrlPath {
    /// A filled template, whose values are percent-encoded. Unlike in a path that is written out, there may be an encoded
    /// slash in it: it belongs to a value.
    pub(crate) const fn filled(path: String, query: Option<String>) -> Self {
        Self { path, query }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The same path without the parameters of these names in its query.
    #[must_use]
    pub fn without(mut self, is_dropped: impl Fn(&str) -> bool) -> Self {
        let is_kept = |pair: &&str| !form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| is_dropped(&name));
        let kept = self.query.as_deref().map(|query| query.split('&').filter(is_kept).collect::<Vec<_>>().join("&"));
        self.query = kept.filter(|query| !query.is_empty());
        self
    }

    pub fn parse(text: &str) -> Result<Self, UrlPathError> {
        let fail = |what: &str| Err(UrlPathError(format!("{} {what}", quoted(text))));
        if text.len() > MAX_URL_BYTES {
            return fail("is too long; a path has at most 2048 characters");
        }
        if !text.starts_with('/') || text.starts_with("//") {
            return fail("is not a path; it must start with one / and leave out the host");
        }
        if text.contains(|c: char| "\\#{}<>\"".contains(c) || !c.is_ascii_graphic()) {
            return fail("contains a character that a path can't have; percent-encode it, and leave out #");
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (text, None),
        };
        let lower = path.to_ascii_lowercase();
        let hidden = lower.contains("%2f") || lower.contains("%5c");
        if hidden || lower.split('/').any(|segment| matches!(segment.replace("%2e", ".").as_str(), "." | "..")) {
            return fail("leads out of its folder (by .. or an encoded slash); write the path out");
        }
        Ok(Self { path: path.to_owned(), query })
    }
}

#[cfg(test)]
#[path = "web_url_tests.rs"]
mod tests;
