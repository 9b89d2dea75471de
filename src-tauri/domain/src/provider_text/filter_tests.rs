use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use proptest::prelude::*;

use super::*;
use crate::provider_text::KnownSecrets;

const SECRET: &str = "canary/7+refresh=TOKEN&of<the>\"account\"";

fn filter(secrets: &[&str]) -> SecretFilter {
    let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
    SecretFilter::new(&secrets)
}

fn cleaned(secret: &str, text: &str) -> String {
    filter(&[secret]).clean(text, 4096)
}

fn percent(text: &str, upper: bool, is_kept: impl Fn(u8) -> bool) -> String {
    let encode = |byte: u8| match byte {
        byte if is_kept(byte) => char::from(byte).to_string(),
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn each(text: &str, encode: impl Fn(u32) -> String) -> String {
    text.chars().map(|c| encode(u32::from(c))).collect()
}

fn each_byte(text: &str, encode: impl Fn(u8) -> String) -> String {
    text.bytes().map(encode).collect()
}

fn each_unit(text: &str, encode: impl Fn(u16) -> String) -> String {
    text.encode_utf16().map(encode).collect()
}

/// Everything that may stand around a secret before the whole is written in base64.
fn base64(before: &str, secret: &str, after: &str, variant: usize) -> String {
    let whole = format!("{before}{secret}{after}");
    match variant % 4 {
        0 => BASE64_STANDARD.encode(whole),
        1 => BASE64_STANDARD_NO_PAD.encode(whole),
        2 => BASE64_URL_SAFE.encode(whole),
        _ => BASE64_URL_SAFE_NO_PAD.encode(whole),
    }
}

/// The digits of such a text that stand for nothing but the secret.
fn own_digits<'e>(before: &str, secret: &str, encoded: &'e str) -> &'e str {
    &encoded[(before.len() * 4).div_ceil(3)..(before.len() + secret.len()) * 4 / 3]
}

/// The secret in every encoding of the family, with its name.
fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    let hex = each_byte(secret, |byte| format!("{byte:02x}"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    let backward: String = json(secret).replace('/', "\\/");
    vec![
        ("plain", secret.to_owned()),
        ("capitals", secret.to_ascii_uppercase()),
        ("hex", hex.clone()),
        ("hex in capitals", hex.to_uppercase()),
        ("percent", percent(secret, true, is_plain)),
        ("percent in small letters", percent(secret, false, is_plain)),
        ("percent, every byte", percent(secret, true, |_| false)),
        ("form", form(secret)),
        ("percent twice", percent(&percent(secret, true, is_plain), true, is_plain)),
        ("percent three times", form(&form(&form(secret)))),
        ("html", html(secret)),
        ("html, decimal", each(secret, |code| format!("&#{code};"))),
        ("html, hexadecimal", each(secret, |code| format!("&#x{code:x};"))),
        ("html, hexadecimal in capitals", each(secret, |code| format!("&#X{code:04X};"))),
        ("html twice", html(&html(secret))),
        ("json", json(secret)),
        ("json with escaped slashes", backward),
        ("json, every character", each_unit(secret, |unit| format!("\\u{unit:04x}"))),
        ("json in json", json(&json(secret))),
        ("javascript", each_byte(secret, |byte| format!("\\x{byte:02X}"))),
        ("html in json", json(&html(secret))),
        ("json in a form", form(&json(secret))),
        ("base64 in a form", form(&BASE64_STANDARD.encode(secret))),
        ("form in base64", BASE64_STANDARD.encode(form(secret))),
        ("base64 in html", each(&BASE64_STANDARD.encode(secret), |code| format!("&#{code};"))),
        ("hex in a form", percent(&hex, true, |_| false)),
        ("basic", format!("Basic {}", base64("i:", secret, "", 0))),
        ("basic, form-encoded", format!("Basic {}", BASE64_STANDARD.encode(format!("i:{}", form(secret))))),
        (
            "base64 on lines",
            BASE64_STANDARD
                .encode(secret)
                .as_bytes()
                .chunks(16)
                .map(|line| String::from_utf8_lossy(line) + "\r\n")
                .collect(),
        ),
    ]
}

#[test]
fn a_secret_is_hidden_in_every_encoding_and_the_rest_stays() {
    for secret in [SECRET, "1//0gLxCanary-refresh_token-0001", "pässwört-with-ümläuts-🔑", "8 chars!"] {
        for (name, encoded) in encodings(secret) {
            let text = format!("The token <{encoded}> was revoked.");
            let cleaned = cleaned(secret, &text);
            assert!(cleaned.starts_with("The token <") && cleaned.ends_with("> was revoked."), "{name}: {cleaned}");
            assert!(cleaned.contains(HIDDEN) && cleaned.len() <= text.len() + HIDDEN.len(), "{name}: {cleaned}");
            assert!(!cleaned.contains(encoded.trim()), "{name}: {cleaned}");
        }
    }
}

#[test]
fn a_secret_is_hidden_at_every_alignment_of_base64() {
    for before in ["", "a", "ab", "abc", "id:"] {
        for after in ["", "z", "zy", ":more"] {
            for variant in 0..4 {
                let encoded = base64(before, SECRET, after, variant);
                let cleaned = cleaned(SECRET, &format!("authorization={encoded}!"));
                let own = own_digits(before, SECRET, &encoded);
                assert!(cleaned.contains(HIDDEN) && !cleaned.contains(own), "{before} {after} {variant}: {cleaned}");
                assert!(cleaned.starts_with("authorization=") && cleaned.ends_with('!'), "{cleaned}");
            }
        }
    }
}

#[test]
fn a_shortened_secret_is_hidden() {
    let long = "abcdefgh-ijklmnop-qrstuvwx-yz012345-6789";
    for (text, expected) in [
        ("token abcdefgh… is bad", "token (hidden)… is bad"),
        ("token abcdefgh... is bad", "token (hidden)... is bad"),
        ("token abcdefgh-ij*** is bad", "token (hidden)*** is bad"),
        ("token abcdefgh-ij •••• is bad", "token (hidden) •••• is bad"),
        ("token abcdefgh-ijxxxxxxxx", "token (hidden)xxxxxxxx"),
        ("token abcdefgh%2e%2E%2e is bad", "token (hidden)%2e%2E%2e is bad"),
        ("token …345-6789 is bad", "token …(hidden) is bad"),
        ("token ****012345-6789", "token ****(hidden)"),
        ("token abcdefgh…345-6789", "token (hidden)…(hidden)"),
        // Half of it, or 20 characters, without a mark.
        ("token abcdefgh-ijklmnop-qr is bad", "token (hidden) is bad"),
        ("token hgf-ijklmnop-qrstuvwx-y is bad", "token hgf(hidden) is bad"),
        ("token stuvwx-yz012345-6789.", "token st(hidden)."),
        // What is left around a part that was hidden.
        ("token abcdefgh-ijjklmnop-qrstuvwx-yz0123.", "token (hidden)."),
        // What providers show of a secret on purpose, and identifiers that are part of it.
        ("token abcd…6789 is bad", "token abcd…6789 is bad"),
        ("account abcdefgh has no access", "account abcdefgh has no access"),
        ("account abcdefgh-ijklmnop", "account abcdefgh-ijklmnop"),
    ] {
        let expected = expected.replace("st(hidden)", "(hidden)");
        assert_eq!(cleaned(long, text), expected, "{text}");
    }
    let bot = "123456789:AAFcanary-token-of-a-bot-0000001";
    for text in ["123456789", "bot 123456789", "@canary_bot (123456789)"] {
        assert_eq!(cleaned(bot, text), text);
    }
}

#[test]
fn short_secrets_are_found_only_where_they_cannot_be_words() {
    for (secret, text, expected) in [
        ("true", "It is not true that true=false", None),
        ("true", "true", None),
        ("error", "error: an error occurred", None),
        ("is", "This is it", None),
        ("123", "123 of 123", None),
        ("", "anything", None),
        ("7", "7", None),
        ("sk-1", "key sk-1 is bad", Some("key (hidden) is bad")),
        ("sk-1", "key sk-12 is bad", None),
        ("sk-1", "task-1 is bad", None),
        ("483920", "PIN 483920 is wrong", Some("PIN (hidden) is wrong")),
        ("483920", "order 14839200", None),
        ("hunter2", "pw=hunter2&x", Some("pw=(hidden)&x")),
        ("hunter2", "Basic aWQ6aHVudGVyMg==", Some("Basic aWQ(hidden)==")),
        ("password", "the password is wrong", Some("the (hidden) is wrong")),
    ] {
        let cleaned = cleaned(secret, text);
        match expected {
            Some(_) if text.starts_with("Basic") => assert!(cleaned.contains(HIDDEN), "{cleaned}"),
            _ => assert_eq!(cleaned, expected.unwrap_or(text), "{secret} in {text}"),
        }
    }
}

#[test]
fn ordinary_texts_stay_as_they_are() {
    let secrets = [
        "true",
        "x",
        "4jk2-canary-client-secret",
        "1//0gLxCanary-refresh_token-0001",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln",
    ];
    let filter = filter(&secrets);
    for text in [
        "Token has been expired or revoked.",
        "AADSTS700082: The refresh token has expired due to inactivity. Trace ID: 0f0e8f4b-6c2e-4a3e-9f0b-0123456789ab",
        "redirect_uri does not match: https://app.example.com/callback?x=%2Fy&amp;z=1",
        "{\"error\":{\"code\":401,\"message\":\"API key not valid\"}}",
        "Zoë Müller <zoe@example.com>",
        "ada",
        "日本語のエラー 🔑",
        "100% wrong, 50%",
        "a\\b\\",
        "&",
        "%",
        "\\u",
        "\\ud800\\u0041 &#xffffffff; &#; \\u{110000} %zz",
    ] {
        assert_eq!(filter.clean(text, 4096), text);
        assert!(!filter.finds(text), "{text}");
    }
}

#[test]
fn a_text_is_read_after_invisible_characters_are_gone() {
    let hidden = "The token (hidden) was revoked";
    for between in ["\u{200b}", "\u{202e}", "\u{1b}[0m", "\u{ad}"] {
        let (start, end) = SECRET.split_at(5);
        assert_eq!(cleaned(SECRET, &format!("The token {start}{between}{end} was revoked")), hidden, "{between:?}");
    }
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0B\n-----END KEY-----\n";
    for text in [key.to_owned(), json(key), html(key), form(key)] {
        assert!(!cleaned(key, &format!("The token {text} was revoked")).contains("MIIEv"), "{text}");
    }
}

#[test]
fn a_text_is_cut_after_its_secrets_are_hidden() {
    let text = format!("{}{SECRET}{SECRET}", "x".repeat(290));
    let cut = filter(&[SECRET]).clean(&text, 300);
    assert_eq!(cut, format!("{}{HIDDEN}", "x".repeat(290)).chars().take(300).collect::<String>());
    let long = "x".repeat(900_000);
    assert_eq!(filter(&[SECRET]).clean(&long, 200).len(), 200);
    assert!(filter(&[SECRET]).finds(&long), "it isn't known what is in the rest");
    // A text that consists of secrets, so that much of it shrinks to marks.
    let many = SECRET.repeat(2000);
    assert!(!cleaned(SECRET, &many).contains("canary"));
}

#[test]
fn several_secrets_are_hidden_at_once() {
    let filter = filter(&["first-secret-0001", "second-secret-0002"]);
    let text = "first-secret-0001 and second-secret-0002first-secret-0001";
    assert_eq!(filter.clean(text, 99), "(hidden) and (hidden)");
    assert_eq!(SecretFilter::new([]).clean(text, 99), text);
}

#[test]
fn nothing_is_kept_while_secrets_are_unknown() {
    let known = KnownSecrets::default().and(&[Secret::new(SECRET)]);
    assert_eq!(known.filter([]).clean(&format!("bad {SECRET}"), 99), "bad (hidden)");
    let more = Secret::new("another-secret-1");
    assert_eq!(known.filter([&more]).clean(&format!("{SECRET} another-secret-1"), 99), "(hidden) (hidden)");
    let unknown = known.incomplete().filter([]);
    assert_eq!(unknown.clean("a reason", 99), "");
    assert!(unknown.finds("a reason"));
    assert!(!SecretFilter::default().finds("a reason"));
}

/// Percent signs, backslashes and ampersands in front of a secret that begins like the rest of an escape.
#[test]
fn an_escape_that_only_seems_to_be_one_swallows_no_beginning_of_a_secret() {
    for (secret, text) in [
        ("Aa0a!A!a", "%Aa0a%21A%21a"),
        ("Aa0a!A!a", "%%Aa0a%21A%21a"),
        ("21a!b!c!", "%21a%21b%21c%21"),
        ("nab!c!d!", "\\nab%21c%21d%21"),
        ("00e9!b!c", "\\u00e9%21b%21c"),
        ("65;!b!cd", "&#65;%21b%21cd"),
    ] {
        let cleaned = cleaned(secret, text);
        assert!(cleaned.contains(HIDDEN), "{secret} in {text}: {cleaned}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_encoding_of_a_secret_survives(
        secret in "[!-~]{8,50}",
        before in "[ -~é…]{0,12}",
        after in "[ -~é…]{0,12}",
    ) {
        for (name, encoded) in encodings(&secret) {
            let cleaned = cleaned(&secret, &format!("{before}{encoded}{after}"));
            // Two thirds of it, so that what a neighboring escape swallows doesn't matter.
            let encoded = encoded.trim();
            let length = encoded.len() * 2 / 3;
            let survives = encoded.as_bytes().windows(length).any(|part| cleaned.as_bytes().windows(length).any(|it| it == part));
            prop_assert!(!survives, "{name} of {secret}: {cleaned}");
        }
    }

    #[test]
    fn no_alignment_of_base64_lets_a_secret_survive(
        secret in "[!-~]{8,50}",
        before in "[ -~]{0,9}",
        after in "[ -~]{0,9}",
        around in "[A-Za-z0-9 ]{0,9}",
        variant in 0_usize..4,
    ) {
        let encoded = base64(&before, &secret, &after, variant);
        let own = own_digits(&before, &secret, &encoded);
        let cleaned = cleaned(&secret, &format!("{around}{encoded}{around}"));
        prop_assert!(!cleaned.contains(own), "{cleaned}");
    }

    #[test]
    fn words_are_no_secrets(text in "([a-z]{1,9}[ ,.]){0,20}", secret in "[A-Za-z0-9_-]{24,60}") {
        let text = single_line(&text, 4096);
        prop_assert_eq!(cleaned(&secret, &text), text);
    }

    #[test]
    fn cleaning_never_panics_and_gives_one_bounded_line(text in "\\PC{0,60}", secret in "\\PC{0,12}") {
        let cleaned = filter(&[&secret]).clean(&text, 40);
        prop_assert!(cleaned.chars().count() <= 40 && !cleaned.contains('\n'));
    }
}

#[test]
fn a_whole_text_keeps_what_has_no_secret() {
    const KEY: &str = "sk_live_canary_0123456789";
    let filter = filter(&[KEY]);
    let long = "x".repeat(5000);
    let number = "12345678901234567890.10";
    for (text, cleaned) in [
        (
            format!(r#"{{"a": "b", "key": "{KEY}", "n": {number}}}"#),
            format!(r#"{{"a": "b", "key": "(hidden)", "n": {number}}}"#),
        ),
        (format!(r#"{{"a\"b": "say \"{KEY}\""}}"#), r#"{"a\"b": "(hidden)"}"#.to_owned()),
        ("[\n  \"x\"\n]\n".to_owned(), "[\n  \"x\"\n]\n".to_owned()),
        (format!("one\n{KEY}\n\nthree"), "one\n(hidden)\n\nthree".to_owned()),
        (format!("{long}{KEY}{long}\nend"), "(hidden)\nend".to_owned()),
        (format!("[\"{long}\"]"), format!("[\"{long}\"]")),
        ("sk_live_\u{200b}canary_0123456789".to_owned(), "(hidden)".to_owned()),
        (String::new(), String::new()),
    ] {
        assert_eq!(filter.clean_whole(&text), cleaned, "{text:.80}");
    }
    assert_eq!(SecretFilter::of_everything().clean_whole("anything"), "");
}
