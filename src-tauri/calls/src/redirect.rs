//! Redirects: Relink follows none, and a client that follows one within the provider's API stays with Relink.

use http::{HeaderMap, HeaderValue, Uri, header::LOCATION};
use relink_domain::Secret;
use url::Url;

use crate::target::without_parameters;

/// Rewrites the target of a redirect below the base URL to the same place below `prefix`, a path of Relink's, without the
/// parameters that the account adds to each call. Any other target stays as it is: a client that follows it gets there without
/// the credential.
pub(crate) fn rewrite(headers: &mut HeaderMap, called: &Uri, base: &Url, added: &[(String, Secret)], prefix: &str) {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else { return };
    let Some(rewritten) = below(location, called, base, added, prefix) else { return };
    if let Ok(value) = HeaderValue::from_str(&rewritten) {
        headers.insert(LOCATION, value);
    }
}

fn below(location: &str, called: &Uri, base: &Url, added: &[(String, Secret)], prefix: &str) -> Option<String> {
    let called: Url = called.to_string().parse().ok()?;
    let to = called.join(location).ok()?;
    if to.origin() != base.origin() || !to.username().is_empty() || to.password().is_some() {
        return None;
    }
    let rest = to.path().strip_prefix(base.path().trim_end_matches('/'))?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let query = to.query().map(|query| without_parameters(query, added)).filter(|query| !query.is_empty());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let fragment = to.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
    Some(format!("{prefix}{rest}{query}{fragment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_within_the_api_leads_through_relink() {
        let called = Uri::from_static("https://api.example.com/v1/repos/old?x=1");
        let base: Url = "https://api.example.com/v1/".parse().expect("a URL");
        for (location, expected) in [
            ("https://api.example.com/v1/repos/new?y=2#z", "/via/a/repos/new?y=2#z"),
            ("https://api.example.com:443/v1/repos/new", "/via/a/repos/new"),
            ("/v1/repositories/7", "/via/a/repositories/7"),
            ("/v1/x?key=k&page=2", "/via/a/x?page=2"),
            ("/v1/x?key=k", "/via/a/x"),
            ("new", "/via/a/repos/new"),
            ("?page=2", "/via/a/repos/old?page=2"),
            ("//api.example.com/v1", "/via/a"),
            ("/v2/repos", "/v2/repos"),
            ("/v10/repos", "/v10/repos"),
            ("../../x", "../../x"),
            ("https://files.example.com/v1/x", "https://files.example.com/v1/x"),
            ("http://api.example.com/v1/x", "http://api.example.com/v1/x"),
            ("https://me@api.example.com/v1/x", "https://me@api.example.com/v1/x"),
            ("mailto:x", "mailto:x"),
        ] {
            let mut headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            rewrite(&mut headers, &called, &base, &[("key".to_owned(), Secret::new("k"))], "/via/a");
            assert_eq!(headers[LOCATION], expected, "{location}");
        }
    }
}
