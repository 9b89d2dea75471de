//! URLs in a response's headers: a client that follows one within the provider's API stays with Relink. Relink itself follows
//! none.

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{CONTENT_LOCATION, LINK, LOCATION},
};
use url::Url;

use crate::withheld::Withheld;

/// Gives Relink's URL of an account, which few calls need.
pub type AccountUrl<'a> = &'a (dyn Fn() -> String + Sync);

/// Rewrites the URLs in `Location`, `Content-Location` and `Link` (RFC 8288) that lead below the base URL to the same place below
/// `prefix`, Relink's URL of the account. Any other one stays: a client that follows it gets there without the credential. None keeps
/// what is withheld, and a header is left out that has a secret elsewhere than in parameters.
pub(crate) fn rewrite(
    headers: &mut HeaderMap,
    called: &Uri,
    base: Option<&Url>,
    withheld: impl FnOnce() -> Withheld,
    prefix: AccountUrl<'_>,
) {
    if ![LOCATION, CONTENT_LOCATION, LINK].iter().any(|name| headers.contains_key(name)) {
        return;
    }
    let Ok(called) = called.to_string().parse::<Url>() else { return };
    let links = Links { called, base, withheld: withheld(), prefix: prefix() };
    links.rewrite_all(headers, &LOCATION, |text| links.rewritten(text));
    links.rewrite_all(headers, &CONTENT_LOCATION, |text| links.rewritten(text));
    links.rewrite_all(headers, &LINK, |text| links.each_in_brackets(text));
}

/// Removes them from a page of a list: they lead past Relink, and its caller has the cursors.
pub(crate) fn remove(headers: &mut HeaderMap) {
    for name in [LOCATION, CONTENT_LOCATION, LINK] {
        headers.remove(name);
    }
}

struct Links<'a> {
    called: Url,
    base: Option<&'a Url>,
    withheld: Withheld,
    prefix: String,
}

impl Links<'_> {
    fn rewrite_all(&self, headers: &mut HeaderMap, name: &HeaderName, rewrite: impl Fn(&str) -> Option<String>) {
        let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
        let rewritten = values.into_iter().map(|value| {
            let new = value.to_str().ok().and_then(&rewrite).and_then(|text| HeaderValue::from_str(&text).ok());
            new.unwrap_or(value)
        });
        let has_secret = |value: &HeaderValue| self.withheld.finds(&String::from_utf8_lossy(value.as_bytes()));
        let rewritten: Vec<_> = rewritten.filter(|value| !has_secret(value)).collect();
        headers.remove(name);
        for value in rewritten {
            headers.append(name, value);
        }
    }

    /// `None`: it stays as it is.
    fn rewritten(&self, text: &str) -> Option<String> {
        let mut to = self.called.join(text).ok()?;
        let clean = |part: Option<&str>| part.map(|it| self.withheld.take_out(it)).filter(|it| !it.is_empty());
        // What a provider gives to a page may be in the fragment, also as parameters.
        let (query, fragment) = (clean(to.query()), clean(to.fragment()));
        let is_clean = (to.query(), to.fragment()) == (query.as_deref(), fragment.as_deref());
        if let Some(rest) = self.below(&to) {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
            return Some(format!("{}{rest}{query}{fragment}", self.prefix));
        }
        if is_clean {
            return None;
        }
        to.set_query(query.as_deref());
        to.set_fragment(fragment.as_deref());
        Some(to.into())
    }

    /// The path below the base URL, for a URL there. Without a base URL, nothing is.
    fn below<'u>(&self, to: &'u Url) -> Option<&'u str> {
        let base = self.base?;
        if to.origin() != base.origin() || !to.username().is_empty() || to.password().is_some() {
            return None;
        }
        let rest = to.path().strip_prefix(base.path().trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    fn each_in_brackets(&self, text: &str) -> Option<String> {
        let mut rewritten = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let (link, behind) = after.split_once('>')?;
            rewritten.push_str(before);
            rewritten.push('<');
            rewritten.push_str(self.rewritten(link).as_deref().unwrap_or(link));
            rewritten.push('>');
            rest = behind;
        }
        Some(rewritten + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELINK: &str = "http://127.0.0.1:7417/via/a";

    fn rewritten(name: &HeaderName, text: &'static str) -> String {
        let called = Uri::from_static("https://api.example.com/v1/repos/old?x=1");
        let base: Url = "https://api.example.com/v1/".parse().expect("a URL");
        let mut headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(text))]);
        rewrite(&mut headers, &called, Some(&base), || Withheld::new("key", "at-12345678"), &|| RELINK.to_owned());
        headers.get(name).map_or("", |value| value.to_str().expect("text")).replace(RELINK, "RELINK")
    }

    #[test]
    fn a_redirect_within_the_api_leads_through_relink() {
        for (location, expected) in [
            ("https://api.example.com/v1/repos/new?y=2#z", "RELINK/repos/new?y=2#z"),
            ("https://api.example.com:443/v1/repos/new", "RELINK/repos/new"),
            ("/v1/repositories/7", "RELINK/repositories/7"),
            ("/v1/x?key=k&page=2", "RELINK/x?page=2"),
            ("/v1/x?key=k", "RELINK/x"),
            ("new", "RELINK/repos/new"),
            ("?page=2", "RELINK/repos/old?page=2"),
            ("//api.example.com/v1", "RELINK"),
            ("/v2/repos", "/v2/repos"),
            ("/v10/repos", "/v10/repos"),
            ("../../x", "../../x"),
            ("https://files.example.com/v1/x", "https://files.example.com/v1/x"),
            ("http://api.example.com/v1/x", "http://api.example.com/v1/x"),
            ("https://me@api.example.com/v1/x", "https://me@api.example.com/v1/x"),
            ("mailto:x", "mailto:x"),
            // A credential that the provider repeats goes nowhere.
            ("https://www.example.com/x?key=k&y=1", "https://www.example.com/x?y=1"),
            ("/v2/x?key=k", "https://api.example.com/v2/x"),
            ("/v1/x?access_token=at-12345678&page=2", "RELINK/x?page=2"),
            ("https://www.example.com/x?auth=Bearer+at%2D12345678", "https://www.example.com/x"),
            ("https://www.example.com/x?to=https%3A%2F%2Fa%3Ft%3Dat%252D12345678&y=1", "https://www.example.com/x?y=1"),
            ("/v1/x?at-12345678", "RELINK/x"),
            ("/v1/x#access_token=at-12345678&state=s", "RELINK/x#state=s"),
            ("https://www.example.com/x#at%2D12345678", "https://www.example.com/x"),
            // Nor where it can't be taken out.
            ("/v1/files/at-12345678/x", ""),
            ("https://www.example.com/at%2D12345678", ""),
            ("https://www.example.com/a/Bearer+at%252D12345678", ""),
            ("https://me:at-12345678@www.example.com/x", ""),
            ("at-12345678:x", ""),
        ] {
            assert_eq!(rewritten(&LOCATION, location), expected, "{location}");
            assert_eq!(rewritten(&CONTENT_LOCATION, location), expected, "{location}");
        }
    }

    #[test]
    fn the_next_page_is_behind_relink() {
        for (link, expected) in [
            (
                "<https://api.example.com/v1/repos?page=2&key=k>; rel=\"next\", <https://api.example.com/v1/repos?page=9>; rel=\"last\"",
                "<RELINK/repos?page=2>; rel=\"next\", <RELINK/repos?page=9>; rel=\"last\"",
            ),
            ("<https://docs.example.com>; rel=\"help\"", "<https://docs.example.com>; rel=\"help\""),
            ("<unclosed", "<unclosed"),
            ("<unclosed?a=at-12345678", ""),
            ("<https://api.example.com/v1/repos?page=2>; rel=\"next\", </at-12345678>; rel=\"self\"", ""),
            ("</x>; title=\"at-12345678\"", ""),
            ("", ""),
        ] {
            assert_eq!(rewritten(&LINK, link), expected, "{link}");
        }
    }
}
