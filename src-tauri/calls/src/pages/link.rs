//! URLs that lead from page to page.

use http::{HeaderMap, header::LINK};
use url::{Url, form_urlencoded};

use super::{PageError, Pages, Query};
use crate::{target::target, withheld::Withheld};

/// A URL in the answer to a request at this path, as path and query below the base URL. Its scheme doesn't matter: a provider behind a
/// proxy may not know its own. A credential that the provider repeats in it is taken out.
pub(crate) fn below_base(base: &Url, path: &str, link: &str, withheld: &Withheld) -> Result<String, PageError> {
    let base_path = base.path().trim_end_matches('/');
    let mut requested = base.clone();
    requested.set_path(&format!("{base_path}{path}"));
    let foreign = |host: &str| PageError::ForeignLink(host.to_owned());
    let to = requested.join(link).map_err(|_| foreign("a URL that can't be read"))?;
    let is_port_right = to.port() == base.port() || to.port().is_none() && to.scheme() != base.scheme();
    let is_same = matches!(to.scheme(), "http" | "https")
        && to.host_str() == base.host_str()
        && is_port_right
        && to.username().is_empty()
        && to.password().is_none();
    let host = to.host_str().unwrap_or("no host");
    let path = to.path().strip_prefix(base_path).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let (true, Some(path)) = (is_same, path) else { return Err(foreign(host)) };
    let query = to.query().map(|query| withheld.take_out(query)).filter(|query| !query.is_empty());
    // What a call's path may not have.
    target(base, path, query.as_deref(), &[]).map_err(|_| foreign(host))?;
    Ok(query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
}

impl Pages<'_> {
    /// Path and query of a link in a cursor.
    pub(super) fn link<'l>(&self, to: &'l str) -> Result<(&'l str, Query), PageError> {
        let (path, query) = to.split_once('?').map_or((to, None), |(path, query)| (path, Some(query)));
        target(self.base, path, query, &[]).map_err(|_| PageError::Cursor)?;
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Ok((path, pairs))
    }
}

/// The URL of the first link with one of these relations (RFC 8288 §3).
pub fn url_of_relation<'h>(headers: &'h HeaderMap, relations: &[&str]) -> Option<&'h str> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(Links).find_map(|(url, parameters)| {
        let relation =
            Parameters(parameters).find(|(name, _)| name.eq_ignore_ascii_case("rel")).map(|(_, value)| value)?;
        let is_wanted = |word: &str| relations.iter().any(|wanted| word.eq_ignore_ascii_case(wanted));
        relation.split_ascii_whitespace().any(is_wanted).then_some(url)
    })
}

/// The links of a header's value: URL and parameters.
struct Links<'h>(&'h str);

impl<'h> Iterator for Links<'h> {
    type Item = (&'h str, &'h str);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, after) = self.0.split_once('<')?;
        let (url, after) = after.split_once('>')?;
        let end = unquoted(after, ',').unwrap_or(after.len());
        self.0 = &after[end..];
        Some((url.trim(), &after[..end]))
    }
}

/// The parameters of a link: name and value.
struct Parameters<'h>(&'h str);

impl<'h> Iterator for Parameters<'h> {
    type Item = (&'h str, &'h str);

    fn next(&mut self) -> Option<Self::Item> {
        let start = unquoted(self.0, ';')? + 1;
        let rest = &self.0[start..];
        let end = unquoted(rest, ';').unwrap_or(rest.len());
        self.0 = &rest[end..];
        let (name, value) = rest[..end].split_once('=').unwrap_or((&rest[..end], ""));
        let value = value.trim();
        let inside = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Some((name.trim(), inside.unwrap_or(value)))
    }
}

/// Where a character stands outside of quotes (RFC 9110 §5.6.4).
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if c == wanted && !is_quoted => return Some(at),
            _ => {}
        }
    }
    None
}
