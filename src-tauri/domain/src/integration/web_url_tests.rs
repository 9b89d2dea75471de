use proptest::prelude::*;

use super::*;

fn url(text: &str) -> WebUrl {
    WebUrl::parse(text).expect("a URL")
}

#[test]
fn https_and_http_on_this_machine_are_accepted() {
    for text in [
        "https://github.com/login/oauth/authorize",
        "HTTPS://Example.com",
        "http://127.0.0.1:7418/x?y=z",
        "http://localhost:3000",
        "http://[::1]:8080/",
        "https://10.0.0.7/",
    ] {
        assert!(WebUrl::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn urls_that_a_credential_must_never_be_sent_to_are_refused() {
    let not_a_url = "is not a URL; it must start with https:// (or http://127.0.0.1 for a server on this machine)";
    for (text, words) in [
        ("htps://x", format!("\"htps://x\" {not_a_url}")),
        ("", format!("\"\" {not_a_url}")),
        (
            "https://:hunter2@example.com",
            "this text contains a user name or a password; remove everything up to the @".into(),
        ),
        (
            "https://example.com/\u{1}",
            "\"https://example.com/\\u{1}\" contains a backslash or a space, which a URL can't have".into(),
        ),
        ("https:example.com", format!("\"https:example.com\" {not_a_url}")),
        ("https:///example.com", format!("\"https:///example.com\" {not_a_url}")),
        ("//example.com", format!("\"//example.com\" {not_a_url}")),
        ("javascript:alert(1)", format!("\"javascript:alert(1)\" {not_a_url}")),
        ("file:///etc/passwd", format!("\"file:///etc/passwd\" {not_a_url}")),
        ("data:text/html,x", format!("\"data:text/html,x\" {not_a_url}")),
        ("ftp://me:hunter2@host", format!("this text {not_a_url}")),
        (
            "http://example.com",
            "\"http://example.com\" is not encrypted; use https:// (http:// is only for a server on this machine)"
                .into(),
        ),
        (
            "http://[64:ff9b::7f00:1]",
            "\"http://[64:ff9b::7f00:1]\" is not encrypted; use https:// (http:// is only for a server on this machine)".into(),
        ),
        (
            "http://10.0.0.7",
            "\"http://10.0.0.7\" is not encrypted; use https:// (http:// is only for a server on this machine)".into(),
        ),
        (
            "https://me:hunter2@example.com",
            "this text contains a user name or a password; remove everything up to the @".into(),
        ),
        (
            "http://127.0.0.1@evil.example",
            "this text contains a user name or a password; remove everything up to the @".into(),
        ),
        (
            "https://example.com/#x",
            "\"https://example.com/#x\" has a part after #, which is never sent; remove it".into(),
        ),
        (
            "https://example.com\\x",
            "\"https://example.com\\\\x\" contains a backslash or a space, which a URL can't have".into(),
        ),
        (
            "https://exam\nple.com",
            "\"https://exam\\nple.com\" contains a backslash or a space, which a URL can't have".into(),
        ),
        (
            "https://{{context.subdomain}}.zendesk.com",
            "\"https://{{context.subdomain}}.zendesk.com\" contains a placeholder; write the URL out".into(),
        ),
    ] {
        assert_eq!(WebUrl::parse(text).expect_err(text).to_string(), words);
    }
}

#[test]
fn link_local_and_metadata_addresses_are_never_called() {
    for text in [
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://0.0.0.0/",
        "http://0/",
        "https://[::]/",
        "https://metadata.google.internal/",
        "https://2852039166/",
        "https://224.0.0.1/",
        "https://239.255.255.250/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://[ff02::1]/",
        "https://metadata.google.internal./",
        "https://100.100.100.200/",
        "https://168.63.129.16/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://0xa9.0xfe.0xa9.0xfe/",
        "https://0251.0376.0251.0376/",
        "https://169.254.43518/",
    ] {
        let words = WebUrl::parse(text).expect_err(text).to_string();
        assert!(words.ends_with("never calls (link-local, reserved, or a metadata service)"), "{text}: {words}");
    }
}

#[test]
fn local_addresses_are_distinguished_from_public_ones() {
    for text in ["http://127.0.0.1", "http://app.localhost", "https://192.168.1.2", "https://printer.local"] {
        assert_eq!(url(text).reach(), Reach::Local, "{text}");
    }
    // Other notations of 127.0.0.1 (WHATWG URL §3.5) are the same address.
    for text in [
        "http://0x7f.1",
        "http://0177.1",
        "http://2130706433",
        "http://127.1",
        "http://[::ffff:7f00:1]",
        "http://[::ffff:127.0.0.1]",
        "http://0x7F000001",
        "http://%31%32%37.1",
    ] {
        assert_eq!(url(text).reach(), Reach::Local, "{text}");
    }
    for text in [
        "https://[fd12::1]",
        "https://[fd00::1]",
        "https://100.64.0.1",
        "https://100.127.255.255",
        "https://[::ffff:10.0.0.1]",
        "https://[::1]",
        "https://localhost.",
        "https://printer.local.",
    ] {
        assert_eq!(url(text).reach(), Reach::Local, "{text}");
    }
    assert_eq!(url("https://localhost.example.com").reach(), Reach::Public);
    for text in [
        "https://1.1.1.1",
        "https://100.63.255.255",
        "https://100.128.0.1",
        "https://101.64.0.1",
        "https://223.255.255.255",
        "https://[2606:4700::1111]",
        "https://local",
        "https://mylocal",
    ] {
        assert_eq!(url(text).reach(), Reach::Public, "{text}");
    }
}

#[test]
fn a_path_is_appended_to_its_url() {
    let path = UrlPath::parse("/users/me?full=1").expect("a path");
    assert_eq!(url("https://api.example.com/v1/").append(&path).as_str(), "https://api.example.com/v1/users/me?full=1");
    assert_eq!(url("https://api.example.com").append(&path).as_str(), "https://api.example.com/users/me?full=1");
}

#[test]
fn a_path_that_leads_elsewhere_is_refused() {
    for text in [
        "",
        "users",
        "//evil.example/x",
        "https://evil.example",
        "/../x",
        "/a/..",
        "/a/%2e%2E/b",
        "/a%2fb",
        "/a%5Cb",
        "/a\\b",
        "/a#b",
        "/a b",
        "/{{context.x}}",
        "/ü",
    ] {
        assert!(UrlPath::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_url_is_written_as_it_is_sent() {
    let url = url("HTTPS://Example.com:443/a?b");
    assert_eq!((url.to_string().as_str(), url.as_str()), ("https://example.com/a?b", "https://example.com/a?b"));
    assert_eq!(serde_json::to_value(&url).expect("JSON"), "https://example.com/a?b");
    assert_eq!((url.host(), url.origin().to_string().as_str()), ("example.com", "https://example.com"));
    assert_eq!(serde_json::to_value(url.origin()).expect("JSON"), url.origin().as_str());
    assert!(url.has_query() && !url.is_bare_origin());
}

proptest! {
    #[test]
    fn no_path_changes_the_origin(text in "/?[-a-zA-Z0-9/.@:%?&=\\\\\\[\\]~;]{0,40}") {
        let base = url("https://api.example.com:8443/v1");
        if let Ok(path) = UrlPath::parse(&text) {
            let joined = base.append(&path);
            prop_assert_eq!(joined.origin(), base.origin());
            prop_assert!(joined.as_str().starts_with("https://api.example.com:8443/v1/"));
        }
    }

    #[test]
    fn an_accepted_url_parses_to_itself(text in "(https|http|HTTP)://[-a-zA-Z0-9.@:/\\\\%?#\\[\\]]{0,30}") {
        if let Ok(address) = WebUrl::parse(&text) {
            prop_assert_eq!(WebUrl::parse(address.as_str()), Ok(address));
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC*") {
        let _ = WebUrl::parse(&text);
        let _ = UrlPath::parse(&text);
    }
}
