use proptest::prelude::*;

use super::*;

fn url(text: &str) -> WebUrl {
    WebUrl::parse(text).expect("a web address")
}

#[test]
fn https_and_http_to_this_machine_are_taken() {
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
fn what_a_credential_must_never_be_sent_to_is_refused_in_plain_words() {
    let not_web =
        "is not a web address; it must start with https:// (or http://127.0.0.1 for a server on this machine)";
    for (text, words) in [
        ("htps://x", format!("\"htps://x\" {not_web}")),
        ("", format!("\"\" {not_web}")),
        ("https:example.com", format!("\"https:example.com\" {not_web}")),
        ("https:///example.com", format!("\"https:///example.com\" {not_web}")),
        ("//example.com", format!("\"//example.com\" {not_web}")),
        ("javascript:alert(1)", format!("\"javascript:alert(1)\" {not_web}")),
        ("file:///etc/passwd", format!("\"file:///etc/passwd\" {not_web}")),
        ("data:text/html,x", format!("\"data:text/html,x\" {not_web}")),
        ("ftp://me:hunter2@host", format!("this text {not_web}")),
        (
            "http://example.com",
            "\"http://example.com\" is not encrypted; use https:// (http:// is only for a server on this machine)"
                .into(),
        ),
        (
            "http://10.0.0.7",
            "\"http://10.0.0.7\" is not encrypted; use https:// (http:// is only for a server on this machine)".into(),
        ),
        (
            "https://me:hunter2@example.com",
            "this text carries a user name or a password in the address; remove everything up to the @".into(),
        ),
        (
            "http://127.0.0.1@evil.example",
            "this text carries a user name or a password in the address; remove everything up to the @".into(),
        ),
        (
            "https://example.com/#x",
            "\"https://example.com/#x\" has a part behind #, which is never sent; remove it".into(),
        ),
        (
            "https://example.com\\x",
            "\"https://example.com\\\\x\" contains a backslash or a blank, which a web address can't have".into(),
        ),
        (
            "https://exam\nple.com",
            "\"https://exam\\nple.com\" contains a backslash or a blank, which a web address can't have".into(),
        ),
        (
            "https://{{context.subdomain}}.zendesk.com",
            "\"https://{{context.subdomain}}.zendesk.com\" contains a placeholder; write the web address out".into(),
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
    ] {
        let words = WebUrl::parse(text).expect_err(text).to_string();
        assert!(words.ends_with("never calls (link-local, metadata service or no host at all)"), "{text}: {words}");
    }
}

#[test]
fn addresses_of_this_machine_and_its_network_are_told_from_public_ones() {
    for text in ["http://127.0.0.1", "http://app.localhost", "https://192.168.1.2", "https://printer.local"] {
        assert_eq!(url(text).reach(), Reach::Local, "{text}");
    }
    for text in ["https://[fd12::1]", "https://100.64.0.1", "https://[::ffff:10.0.0.1]"] {
        assert_eq!(url(text).reach(), Reach::Local, "{text}");
    }
    assert_eq!(url("https://localhost.example.com").reach(), Reach::Public);
    assert_eq!(url("https://1.1.1.1").reach(), Reach::Public);
}

#[test]
fn a_path_is_put_behind_the_address_it_belongs_to() {
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
    fn what_is_taken_reads_the_same_again(text in "(https|http|HTTP)://[-a-zA-Z0-9.@:/\\\\%?#\\[\\]]{0,30}") {
        if let Ok(address) = WebUrl::parse(&text) {
            prop_assert_eq!(WebUrl::parse(address.as_str()), Ok(address));
        }
    }

    #[test]
    fn garbage_never_panics(text in "\\PC*") {
        let _ = WebUrl::parse(&text);
        let _ = UrlPath::parse(&text);
    }
}
