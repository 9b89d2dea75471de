//! Refreshes at a provider that sends exactly these bytes.

use std::io::Write;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use relink_domain::account::{Status, Trouble, Verdict};

use super::{tests::Refreshing, *};
use crate::testing::{LocalServer, PERSON, access_token};

pub(super) fn response(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

pub(super) const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
pub(super) const HTML: &str = "Content-Type: text/html; charset=utf-8";
const REVOKED: &str = r#"{"error":"invalid_grant","error_description":"revoked"}"#;

pub(super) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("compressed")
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("compressed")
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect()
}

struct Given {
    it: Refreshing,
    server: LocalServer,
}

impl Given {
    async fn account() -> Self {
        let server = LocalServer::listen().await;
        let it = Refreshing::at(&server.origin()).await;
        it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
        it.services.clock.advance_secs(3600);
        Self { it, server }
    }

    /// A refresh that is answered with these bytes.
    async fn refresh(&self, bytes: &[u8]) -> Result<AccountView> {
        let answer = async { self.server.request().await.respond_with(bytes).await };
        tokio::join!(self.it.refresher.refresh(&PERSON, self.it.id), answer).0
    }

    async fn load(&self) -> Account {
        self.it.accounts.load(self.it.id).await.expect("there")
    }
}

#[tokio::test]
async fn a_revoked_account_asks_for_its_person_at_once() {
    let bom = [b"\xef\xbb\xbf", REVOKED.as_bytes()].concat();
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(REVOKED.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let in_latin1 = latin1("{\"error\":\"invalid_grant\",\"error_description\":\"r\u{e9}voqu\u{e9}\"}");
    let challenge = r#"WWW-Authenticate: Bearer error="invalid_token", error_description="revoked""#;
    for (what, bytes) in [
        ("a form", response("400 Bad Request", &[FORM], b"error=invalid_grant&error_description=revoked")),
        ("a form without a type", response("400 Bad Request", &[], b"error=invalid_grant")),
        ("a form said to be a page", response("400 Bad Request", &[HTML], b"error=invalid_grant")),
        ("a byte order mark", response("400 Bad Request", &[JSON], &bom)),
        ("UTF-16", response("400 Bad Request", &[JSON], &utf16)),
        ("Latin-1", response("400 Bad Request", &["Content-Type: application/json; charset=iso-8859-1"], &in_latin1)),
        ("undeclared Latin-1", response("400 Bad Request", &[JSON], &in_latin1)),
        ("gzip", response("400 Bad Request", &[JSON, "Content-Encoding: gzip"], &gzip(REVOKED.as_bytes()))),
        ("deflate", response("400 Bad Request", &[JSON, "Content-Encoding: deflate"], &deflate(REVOKED.as_bytes()))),
        (
            "a compressed form",
            response("400 Bad Request", &[FORM, "Content-Encoding: gzip"], &gzip(b"error=invalid_grant")),
        ),
        ("JSON said to be a page", response("400 Bad Request", &[HTML], REVOKED.as_bytes())),
        ("an empty 401 with a challenge", response("401 Unauthorized", &[challenge], b"")),
        ("a page with a challenge", response("401 Unauthorized", &[HTML, challenge], b"<html>Unauthorized</html>")),
        ("upper case", response("400 Bad Request", &[JSON], br#"{"error":"INVALID_GRANT"}"#)),
        ("status 200", response("200 OK", &[JSON], REVOKED.as_bytes())),
        ("status 401", response("401 Unauthorized", &[JSON], REVOKED.as_bytes())),
        ("a question", response("400 Bad Request", &[JSON], br#"{"error":"interaction_required"}"#)),
    ] {
        let given = Given::account().await;
        given.refresh(&bytes).await.expect_err(what);
        let account = given.load().await;
        let trouble = account.state.trouble().unwrap_or_else(|| panic!("{what}: nothing happened"));
        assert_eq!((account.status(), trouble.verdict()), (Status::NeedsReauth, Verdict::NeedsPerson), "{what}");
        assert_eq!(trouble.next_try, None, "{what}: it is not retried");
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_a_secret_of_the_account_is_kept_without_it() {
    for (secret, what) in [("held-access-token", "in memory"), ("first-refresh-token", "sent")] {
        let given = Given::account().await;
        given.it.services.tokens.insert(given.it.id, access_token("held-access-token"));
        given.it.services.write_refresh_token(given.it.id, Account::FIRST_GENERATION, "first-refresh-token").await;
        let body = format!(r#"{{"error":"invalid_grant","error_description":"{secret} is dead"}}"#);
        given.refresh(&response("400 Bad Request", &[JSON], body.as_bytes())).await.expect_err("refused");
        let account = given.load().await;
        let failure = &account.state.trouble().expect("failing").failure;
        assert_eq!(failure.provider_message.as_deref(), Some("(hidden) is dead"), "{what}");
    }
}

#[tokio::test]
async fn a_refusal_that_lasts_asks_for_the_person() {
    for (what, bytes, cause) in [
        ("a 301", response("301 Moved Permanently", &["Location: /token/"], b""), Cause::Redirected),
        ("a 308", response("308 Permanent Redirect", &[HTML, "Location: /v2/token"], b"<html>"), Cause::Redirected),
        ("an HTML 404", response("404 Not Found", &[HTML], b"<html>Not found</html>"), Cause::UnknownRefusal),
        ("an empty 404", response("404 Not Found", &[], b""), Cause::UnknownRefusal),
        ("an HTML 403", response("403 Forbidden", &[HTML], b"<html>Forbidden</html>"), Cause::UnknownRefusal),
        ("an HTML 410", response("410 Gone", &[HTML], b"<html>Gone</html>"), Cause::UnknownRefusal),
        ("plain text", response("400 Bad Request", &["Content-Type: text/plain"], b"no"), Cause::UnknownRefusal),
        (
            "a 401 without a code",
            response("401 Unauthorized", &[JSON], br#"{"message":"Unauthorized"}"#),
            Cause::UnknownRefusal,
        ),
        ("an empty 401", response("401 Unauthorized", &[], b""), Cause::UnknownRefusal),
        ("an empty 400", response("400 Bad Request", &[JSON], b"{}"), Cause::UnknownRefusal),
        ("a list", response("400 Bad Request", &[JSON], b"[]"), Cause::UnknownRefusal),
    ] {
        let given = Given::account().await;
        for _ in 0..3 {
            given.refresh(&bytes).await.expect_err(what);
            let account = given.load().await;
            let trouble = account.state.trouble().unwrap_or_else(|| panic!("{what}: nothing happened"));
            assert_eq!(trouble.failure.cause, cause, "{what}");
            given.it.services.clock.advance_secs(31 * 60);
        }
        let account = given.load().await;
        assert_eq!(account.state.trouble().map(Trouble::verdict), Some(Verdict::NeedsPerson), "{what}");
    }
}

#[tokio::test]
async fn a_network_that_requires_a_sign_in_changes_no_verdict() {
    for (what, bytes) in [
        ("a page", response("200 OK", &[HTML], b"<html>Welcome to the hotel</html>")),
        ("a page without a type", response("200 OK", &[], b"<!DOCTYPE html><title>Train</title>")),
        ("a compressed page", response("200 OK", &[HTML, "Content-Encoding: gzip"], &gzip(b"<html>Hotel</html>"))),
        ("a foreign redirect", response("302 Found", &["Location: http://login.hotel.example/?next=token"], b"")),
        ("a redirect to an address", response("307 Temporary Redirect", &["Location: http://192.168.0.1/"], b"")),
    ] {
        let given = Given::account().await;
        for _ in 0..3 {
            given.refresh(&bytes).await.expect_err(what);
            given.it.services.clock.advance_secs(31 * 60);
        }
        let account = given.load().await;
        let trouble = account.state.trouble().unwrap_or_else(|| panic!("{what}: nothing happened"));
        assert_eq!((trouble.failure.cause, trouble.verdict()), (Cause::NotJson, Verdict::Retrying), "{what}");
    }
}

#[tokio::test]
async fn new_tokens_are_read_in_every_encoding() {
    let json = br#"{"access_token":"new","expires_in":3600,"token_type":"bearer"}"#;
    let form = b"access_token=new&expires_in=3600&token_type=bearer";
    let bom = [b"\xef\xbb\xbf", &json[..]].concat();
    for (what, bytes) in [
        ("JSON", response("200 OK", &[JSON], json)),
        ("a form", response("200 OK", &[FORM], form)),
        ("a form said to be text", response("200 OK", &["Content-Type: text/plain"], form)),
        ("a byte order mark", response("200 OK", &[JSON], &bom)),
        ("gzip", response("200 OK", &[JSON, "Content-Encoding: gzip"], &gzip(json))),
        ("a compressed form", response("200 OK", &[FORM, "Content-Encoding: gzip"], &gzip(form))),
        ("deflate", response("200 OK", &[JSON, "Content-Encoding: deflate"], &deflate(json))),
        ("JSON said to be a page", response("200 OK", &[HTML], json)),
        ("status 201", response("201 Created", &[JSON], json)),
    ] {
        let given = Given::account().await;
        given.refresh(&bytes).await.expect(what);
        let token = given.it.refresher.access_token(&PERSON, given.it.id).await.expect(what);
        assert_eq!(token.token.expose(), "new", "{what}");
        assert_eq!(given.load().await.status(), Status::Active, "{what}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_or_is_too_large_is_retried() {
    let bomb = gzip(&vec![b' '; 2 * 1024 * 1024]);
    assert!(bomb.len() < 10_000, "small on the wire");
    for (what, bytes) in [
        ("no gzip", response("400 Bad Request", &[JSON, "Content-Encoding: gzip"], REVOKED.as_bytes())),
        ("cut off", response("200 OK", &[JSON, "Content-Encoding: gzip"], &gzip(REVOKED.as_bytes())[..20])),
        ("too large", response("200 OK", &[JSON, "Content-Encoding: gzip"], &bomb)),
    ] {
        let given = Given::account().await;
        given.refresh(&bytes).await.expect_err(what);
        let account = given.load().await;
        let trouble = account.state.trouble().unwrap_or_else(|| panic!("{what}: nothing happened"));
        assert_eq!((trouble.failure.cause, trouble.verdict()), (Cause::Garbled, Verdict::Retrying), "{what}");
    }
}
