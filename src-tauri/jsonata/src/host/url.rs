//! URLs as the WHATWG URL Standard defines them, by the `url` crate.

use rquickjs::{Array, Ctx, Object, Result};
use url::{Url, quirks};

use super::{add, list, value};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    add(ctx, host, "urlParse", parse)?;
    add(ctx, host, "urlSet", set)
}

/// Nothing if the URL is invalid.
fn parse<'js>(ctx: Ctx<'js>, text: String, base: Option<String>) -> Result<Option<Array<'js>>> {
    let url = match base {
        Some(base) => Url::parse(&base).and_then(|base| base.join(&text)),
        None => Url::parse(&text),
    };
    url.ok().map(|url| components(&ctx, &url)).transpose()
}

/// The URL after assigning to one of its attributes; a value that the attribute cannot take leaves the URL as it was. Nothing if a new `href` is invalid.
fn set<'js>(ctx: Ctx<'js>, href: String, attribute: String, text: String) -> Result<Option<Array<'js>>> {
    let Ok(mut url) = Url::parse(&href) else { return Ok(None) };
    let before = url.clone();
    let accepted = match attribute.as_str() {
        "href" => match quirks::set_href(&mut url, &text) {
            Ok(()) => true,
            Err(_) => return Ok(None),
        },
        "protocol" => quirks::set_protocol(&mut url, &text).is_ok(),
        "username" => quirks::set_username(&mut url, &text).is_ok(),
        "password" => quirks::set_password(&mut url, &text).is_ok(),
        "host" => quirks::set_host(&mut url, &text).is_ok(),
        "hostname" => quirks::set_hostname(&mut url, &text).is_ok(),
        "port" => quirks::set_port(&mut url, &text).is_ok(),
        "pathname" => {
            quirks::set_pathname(&mut url, &text);
            true
        }
        "search" => {
            quirks::set_search(&mut url, &text);
            true
        }
        "hash" => {
            quirks::set_hash(&mut url, &text);
            true
        }
        _ => false,
    };
    components(&ctx, if accepted { &url } else { &before }).map(Some)
}

/// href, origin, protocol, username, password, host, hostname, port, pathname, search, hash
fn components<'js>(ctx: &Ctx<'js>, url: &Url) -> Result<Array<'js>> {
    let origin = quirks::origin(url);
    let parts = [
        quirks::href(url),
        origin.as_str(),
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    let parts: [rquickjs::Value<'js>; 11] = {
        let mut values = Vec::with_capacity(parts.len());
        for part in parts {
            values.push(value(ctx, part)?);
        }
        match values.try_into() {
            Ok(values) => values,
            Err(_) => unreachable!("as many values as parts"),
        }
    };
    list(ctx, parts)
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;

    fn parts(call: &str) -> String {
        run(&format!("{call}.join(' ')")).unwrap()
    }

    #[test]
    fn a_url_is_taken_apart() {
        assert_eq!(
            parts("__host.urlParse('HTTP://Me:pw@Example.com:8080/a/../b?c#d', undefined)"),
            "http://Me:pw@example.com:8080/b?c#d http://example.com:8080 http: Me pw example.com:8080 example.com 8080 /b ?c #d"
        );
        assert_eq!(parts("__host.urlParse('mailto:a@b', undefined)"), "mailto:a@b null mailto:      a@b  ");
        assert!(parts("__host.urlParse('../x', 'https://example.com/a/b/c')").starts_with("https://example.com/a/x "));
    }

    #[test]
    fn an_invalid_url_is_nothing() {
        for (url, base) in [
            ("", "undefined"),
            ("no url", "undefined"),
            ("http://[::1", "undefined"),
            ("https://e:99999", "undefined"),
            ("x", "'y'"),
        ] {
            assert_eq!(run::<bool>(&format!("__host.urlParse('{url}', {base}) == null")), Ok(true), "{url}");
        }
    }

    #[test]
    fn an_attribute_that_cannot_be_set_stays() {
        let set = |attribute: &str, value: &str| {
            run::<String>(&format!("__host.urlSet('https://example.com:1/p', '{attribute}', '{value}')[0]")).unwrap()
        };
        assert_eq!(set("port", "2"), "https://example.com:2/p");
        assert_eq!(set("port", "x"), "https://example.com:1/p");
        assert_eq!(set("protocol", "mailto"), "https://example.com:1/p");
        assert_eq!(set("host", "a b"), "https://example.com:1/p");
        assert_eq!(set("origin", "https://other.example"), "https://example.com:1/p");
        assert_eq!(run::<bool>("__host.urlSet('https://example.com', 'href', 'no url') == null"), Ok(true));
    }
}
