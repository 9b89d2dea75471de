//! URLs of a provider that may depend on an account's values: `https://{{subdomain}}.example.com` (contract sections 4.2, 4.3
//! and 4.9).
//!
//! **Invariant:** an account's values decide only the labels below a domain that the definition writes out, or between hosts
//! that its `relink.origins` name. So who fills in a form, or what a token answer says, can't lead a credential elsewhere.
//!
//! **Invariant:** no secret is part of a URL that is resolved here: origins are stored and shown.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    error::{DefinitionError, quoted},
    node::Node,
    reach::Reach,
    url_template::{PathTemplate, UrlTemplate},
    web_url::{UrlPath, WebUrl},
};
use crate::{
    Secret,
    origins::Origin,
    template::{FillError, Placeholder, Scope},
};

/// A URL that is resolved for each account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    template: UrlTemplate,
    /// As written.
    text: String,
    /// Where it may lead, if its template alone doesn't say so.
    allowed: Vec<OriginPattern>,
    allow_local: bool,
}

/// Why an address can't be resolved for an account. It never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(transparent)]
    Fill(#[from] FillError),
    /// None of the definition's `origins` allows the host.
    #[error("the value for {placeholder} leads to a host that the integration doesn't allow (relink.origins)")]
    NotAllowed { placeholder: String },
    #[error(
        "with this account's values the URL is on this machine or its network, which the integration doesn't allow"
    )]
    Local,
}

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

#[cfg(test)]
impl From<WebUrl> for Address {
    fn from(url: WebUrl) -> Self {
        Self::fixed(url, false)
    }
}

impl Address {
    fn fixed(url: WebUrl, allow_local: bool) -> Self {
        let text = url.as_str().to_owned();
        Self::new(url.into(), text, &[], allow_local)
    }

    fn new(template: UrlTemplate, text: String, allowed: &[OriginPattern], allow_local: bool) -> Self {
        let needs_pattern = template.is_any_host() || is_under_no_domain(&text);
        let allowed = if needs_pattern { allowed.to_vec() } else { Vec::new() };
        Self { template, text, allowed, allow_local }
    }

    /// A URL that ends where its path does.
    pub(super) fn decode(node: &Node<'_>, allowed: &[OriginPattern]) -> Result<Self> {
        if !node.text()?.contains("{{") {
            return node.web_url().map(|url| Self::fixed(url, node.allows_local()));
        }
        let template = node.parse(UrlTemplate::parse)?;
        let address = Self::new(template, node.text()?.to_owned(), allowed, node.allows_local());
        if address.is_unlimited() {
            return Err(node.fail(
                "lets a value decide the whole host; name the hosts that it may lead to in \"relink\": {\"origins\": \
                 [\"https://*.example.com\"]}",
            ));
        }
        Ok(address)
    }

    /// A URL that ends after its host: simple-oauth2 resolves a path against it and would drop a path of its own.
    pub(super) fn decode_host(node: &Node<'_>, allowed: &[OriginPattern]) -> Result<Self> {
        let address = Self::decode(node, allowed)?;
        let is_bare = match address.template.as_fixed() {
            Some(url) => url.is_bare_origin(),
            None => host_end(&address.text) + 1 >= address.text.len() && !address.text.ends_with('?'),
        };
        if is_bare {
            return Ok(address);
        }
        let host = &address.text[..host_end(&address.text)];
        Err(node.fail(format_args!("must end after the host ({host}); put the rest into the path")))
    }

    /// Whether a value decides the whole host, and nothing says where it may lead.
    fn is_unlimited(&self) -> bool {
        self.allowed.is_empty() && (self.template.is_any_host() || is_under_no_domain(&self.text))
    }

    /// The address with this path below it. `node`: where the path is written.
    pub(super) fn append(&self, path: &str, node: &Node<'_>) -> Result<Self> {
        if let (Some(url), false) = (self.template.as_fixed(), path.contains("{{")) {
            let path = UrlPath::parse(path).map_err(|error| node.fail(error))?;
            return Ok(Self::fixed(url.append(&path), self.allow_local));
        }
        if !path.starts_with('/') || path.starts_with("//") {
            return Err(node.fail(format_args!(
                "{} is not a path; it must start with one / and leave out the host",
                quoted(path)
            )));
        }
        PathTemplate::parse(path).map_err(|error| node.fail(error))?;
        let text = format!("{}{path}", self.text.trim_end_matches('/'));
        let template = UrlTemplate::parse(&text).map_err(|error| node.fail(error))?;
        Ok(Self { template, text, allowed: self.allowed.clone(), allow_local: self.allow_local })
    }

    /// The URL, if it is the same for every account.
    pub const fn as_fixed(&self) -> Option<&WebUrl> {
        self.template.as_fixed()
    }

    /// The host for people, with an ellipsis for what depends on the account.
    pub fn shown_host(&self) -> String {
        if let Some(url) = self.as_fixed() {
            return url.host().to_owned();
        }
        let (mut shown, mut rest) = (String::new(), host_of(&self.text));
        while let Some((before, after)) = rest.split_once("{{") {
            shown.push_str(before);
            shown.push('…');
            rest = after.split_once("}}").map_or("", |(_, behind)| behind);
        }
        shown + rest
    }

    pub(super) fn has_query(&self) -> bool {
        find_outside(&self.text, 0, &['?']).is_some()
    }

    pub fn placeholders(&self) -> Vec<&Placeholder> {
        self.template.placeholders()
    }

    /// The URL for an account with this context.
    pub fn resolve(&self, context: &Map<String, Value>) -> Result<WebUrl, AddressError> {
        if let Some(url) = self.as_fixed() {
            return Ok(url.clone());
        }
        let no_secrets: BTreeMap<String, Secret> = BTreeMap::new();
        let url = self.template.fill(&Scope::new(context, &no_secrets, None))?;
        let is_allowed = || self.allowed.iter().any(|pattern| pattern.matches(&url));
        if self.is_limited_by_patterns() && !is_allowed() {
            let placeholder = self.placeholders().first().map(|it| it.source().to_owned()).unwrap_or_default();
            return Err(AddressError::NotAllowed { placeholder });
        }
        match url.reach() {
            Reach::Local if !self.allow_local => Err(AddressError::Local),
            _ => Ok(url),
        }
    }

    fn is_limited_by_patterns(&self) -> bool {
        self.template.is_any_host() || is_under_no_domain(&self.text)
    }

    /// The origin for an account. Where it can't be resolved, what stands for all that it could be: it equals no origin that a
    /// credential is bound to.
    pub fn origin(&self, context: &Map<String, Value>) -> Origin {
        self.resolve(context).map_or_else(|_| self.unresolved_origin(), |url| url.origin())
    }

    /// What a client's secret is bound to, which all accounts share: the origin as written, or the patterns for it.
    pub fn unresolved_origin(&self) -> Origin {
        if let Some(url) = self.as_fixed() {
            return url.origin();
        }
        if self.is_limited_by_patterns() {
            let patterns: Vec<_> = self.allowed.iter().map(OriginPattern::to_string).collect();
            return Origin::unresolved(patterns.join(" "));
        }
        Origin::unresolved(self.text[..host_end(&self.text)].to_owned())
    }
}

/// Where the host, with its port, ends in the text of a URL template. A placeholder may contain the characters of a path.
fn host_end(text: &str) -> usize {
    let begin = text.find("://").filter(|at| !text[..*at].contains("{{")).map_or(0, |at| at + 3);
    find_outside(text, begin, &['/', '?']).unwrap_or(text.len())
}

/// The place of the first of these characters that is in no placeholder.
fn find_outside(text: &str, begin: usize, wanted: &[char]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < begin) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && wanted.contains(&c) => return Some(at),
            _ => {}
        }
    }
    None
}

fn host_of(text: &str) -> &str {
    let host = &text[..host_end(text)];
    host.rsplit_once("://").filter(|(scheme, _)| !scheme.contains("{{")).map_or(host, |(_, host)| host)
}

/// Whether a value in the host can choose the domain: after the last placeholder there are fewer than two labels.
fn is_under_no_domain(text: &str) -> bool {
    const MIN_LABELS: usize = 2;
    let Some((_, rest)) = host_of(text).rsplit_once("}}") else { return false };
    let domain = rest.split(':').next().unwrap_or_default();
    domain.split('.').skip(1).filter(|label| !label.is_empty()).count() < MIN_LABELS
}

/// An origin, or those of all hosts below a domain: `https://*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    /// With the domain in place of the host.
    origin: WebUrl,
    is_below: bool,
}

impl OriginPattern {
    pub(super) fn decode(node: &Node<'_>) -> Result<Self> {
        const EXAMPLE: &str = "https://*.example.com";
        let text = node.text()?;
        let (scheme, host) = text.split_once("://").unwrap_or_default();
        let domain = host.strip_prefix("*.");
        let written = domain.map_or_else(|| text.to_owned(), |domain| format!("{scheme}://{domain}"));
        let has_wildcard = written.contains('*');
        let url = WebUrl::parse(&written).ok().filter(|url| url.is_bare_origin() && !has_wildcard);
        let Some(origin) = url else {
            return Err(node.fail(format_args!("{} is not an origin, such as {EXAMPLE:?}", quoted(text))));
        };
        if origin.reach() == Reach::Local && !node.allows_local() {
            return node.web_url().and(Err(node.fail("is on this machine or its network")));
        }
        if domain.is_some() && !origin.host().contains('.') {
            return Err(
                node.fail(format_args!("allows every host of a top-level domain; write one such as {EXAMPLE:?}"))
            );
        }
        Ok(Self { origin, is_below: domain.is_some() })
    }

    fn matches(&self, url: &WebUrl) -> bool {
        if !self.is_below {
            return self.origin.origin() == url.origin();
        }
        let [own, other] = [&self.origin, url].map(WebUrl::as_url);
        own.scheme() == other.scheme()
            && own.port_or_known_default() == other.port_or_known_default()
            && url.host().strip_suffix(self.origin.host()).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
    }
}

impl std::fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = self.origin.origin();
        match origin.as_str().split_once("://") {
            Some((scheme, host)) if self.is_below => write!(f, "{scheme}://*.{host}"),
            _ => origin.fmt(f),
        }
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
