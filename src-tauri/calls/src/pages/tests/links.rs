//! Links to other pages: how they are read, and where they may lead.

use http::{HeaderMap, HeaderValue, header::LINK};
use proptest::prelude::*;

use super::{
    super::{
        PageError,
        link::{self, url_of_relation},
    },
    provider::*,
};

fn headers(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (LINK, HeaderValue::from_str(value).expect("a value"))).collect()
}

#[test]
fn relations_are_found_in_every_notation() {
    for values in [
        &["<u>; rel=\"next\""][..],
        &["<u>;rel=next"],
        &["<u> ; REL = \"Next\""],
        &["<p>; rel=\"prev\", <u>; rel=\"next\", <l>; rel=\"last\""],
        &["<p>; rel=\"prev\"", "<u>; rel=\"next\""],
        &["<u>; rel=\"last next\""],
        &["<u>; title=\"a, b; rel=last \\\" <x>\"; rel=\"next\""],
        &["<p,q;r>; rel=prev,<u>; rel=next"],
        &["<u>; results=\"true\"; rel=\"next\"; cursor=\"1:2\""],
    ] {
        assert_eq!(url_of_relation(&headers(values), &["next"]), Some("u"), "{values:?}");
    }
    for values in [&[][..], &["<u>"], &["<u>; rel=nextpage"], &["u; rel=next"], &["<u; rel=next"], &["<u>; x=next"]] {
        assert_eq!(url_of_relation(&headers(values), &["next"]), None, "{values:?}");
    }
    // Only the first one counts (RFC 8288 §3.3).
    assert_eq!(url_of_relation(&headers(&["<u>; rel=last; rel=next"]), &["next"]), None);
}

fn below_base(link: &str) -> Result<String, PageError> {
    let base = "https://api.example.com/v1".parse().expect("a URL");
    link::below_base(&base, &request().path, link, &WITHHELD)
}

#[test]
fn a_link_stays_below_the_base_url() {
    for (link, expected) in [
        ("https://api.example.com/v1/items?page=2", "/items?page=2"),
        ("http://api.example.com/v1/items?page=2", "/items?page=2"),
        ("https://API.example.com:443/v1/items", "/items"),
        ("//api.example.com/v1/other", "/other"),
        ("/v1/items?cursor=a%2Bb%26c", "/items?cursor=a%2Bb%26c"),
        ("?page=3#top", "/items?page=3"),
        ("items/more", "/items/more"),
        ("/v1?api_key=secret&page=2", "?page=2"),
        ("/v1/items?api_key=secret", "/items"),
        ("/v1/items?page=2&access_token=secret", "/items?page=2"),
    ] {
        assert_eq!(below_base(link).as_deref(), Ok(expected), "{link}");
    }
    for (link, host) in [
        ("https://evil.example/v1/items", "evil.example"),
        ("https://api.example.com.evil.example/v1/items", "api.example.com.evil.example"),
        ("https://api.example.com@evil.example/v1/items", "evil.example"),
        ("https://user@api.example.com/v1/items", "api.example.com"),
        ("https://api.example.com:8443/v1/items", "api.example.com"),
        ("//evil.example/v1/items", "evil.example"),
        ("\\\\evil.example/v1", "evil.example"),
        ("/v2/items", "api.example.com"),
        ("/v10/items", "api.example.com"),
        ("/v1/../admin", "api.example.com"),
        ("/v1/a%2f..%2fb", "api.example.com"),
        ("file:///etc/passwd", "no host"),
        ("javascript:alert(1)", "no host"),
        ("https://[", "a URL that can't be read"),
    ] {
        assert_eq!(below_base(link), Err(PageError::ForeignLink(host.to_owned())), "{link}");
    }
}

proptest! {
    #[test]
    fn no_link_leads_out_of_the_api(
        link in prop_oneof![
            "\\PC{0,40}",
            "(https?:)?//(a@|a:b@)?(api\\.example\\.com|evil\\.example)(:443|:8443)?(/v1|/v10|/v2)?(/a|/\\.\\.|/%2e%2e|\\?a|#a){0,2}",
            "(https?:)?(//|\\\\\\\\|/)?(api\\.example\\.com|evil\\.example|@|:80|:x){0,3}(/|/v1|\\.\\.|%2e|%2f|;|\\?|#|a){0,8}",
        ],
    ) {
        let Ok(found) = below_base(&link) else { return Ok(()) };
        let requested: url::Url = format!("https://api.example.com/v1{}", request().path).parse().expect("a URL");
        let to = requested.join(&link).expect("a URL");
        prop_assert_eq!((to.host_str(), to.username(), to.port()), (Some("api.example.com"), "", None), "{}", to);
        prop_assert!(to.path() == "/v1" || to.path().starts_with("/v1/"), "{}", to);
        prop_assert!(found.is_empty() || found.starts_with(['/', '?']), "{}", found);
        let pagination = Kind::LinkHeader.pagination(None);
        // What Relink puts into a cursor, it takes out of one.
        prop_assert!(with_pages(&pagination, |pages| pages.link(&found).is_ok()), "{}", found);
    }

    #[test]
    fn reading_links_never_panics(value in "[ -~]{0,60}") {
        let _ = url_of_relation(&headers(&[&value]), &["next"]);
    }
}
