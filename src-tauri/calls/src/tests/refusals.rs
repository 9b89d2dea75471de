//! What a 401 and a 403 do.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use relink_domain::integration::ExpiredWhen;

use super::harness::{self, Provider, World};
use crate::BoxError;

/// Accepts the access token with this number alone.
pub(super) async fn accepting(number: usize) -> Provider {
    let token = format!("Bearer at-{number}");
    Provider::start(move |request, _| {
        if request.headers["authorization"] == token.as_str() {
            harness::text(StatusCode::OK, &String::from_utf8_lossy(&request.body), &[])
        } else {
            harness::text(StatusCode::UNAUTHORIZED, "{\"error\":\"expired\"}", &[("www-authenticate", "Bearer")])
        }
    })
    .await
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_the_call_repeated_once() {
    let provider = accepting(2).await;
    let world = World::renewable(&provider);
    let response = world.call(harness::call("POST", "/x", None, "the body", &[])).await.expect("a response");
    assert_eq!((response.status, response.text().as_str()), (StatusCode::OK, "the body"));
    assert_eq!(provider.requests(), 2);
    assert_eq!(world.reported(), ["accepted with at-2"]);
}

#[tokio::test]
async fn a_new_token_that_is_refused_as_well_is_reported() {
    let provider = accepting(9).await;
    let world = World::renewable(&provider);
    let response = world.call(harness::get("/x")).await.expect("a response");
    assert_eq!((response.status, response.text().as_str()), (StatusCode::UNAUTHORIZED, "{\"error\":\"expired\"}"));
    assert_eq!(response.headers["www-authenticate"], "Bearer");
    assert_eq!(provider.requests(), 2);
    assert_eq!(world.reported(), ["unauthorized, {\"error\":\"expired\"} with at-2"]);
}

#[tokio::test]
async fn a_credential_that_cannot_be_renewed_is_reported_at_once() {
    let provider = accepting(9).await;
    let world = World::new(&provider, "");
    let response = world.call(harness::get("/x")).await.expect("a response");
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.requests(), 1);
    assert_eq!(world.reported(), ["unauthorized, {\"error\":\"expired\"} with at-1"]);
}

#[tokio::test]
async fn a_failed_renewal_is_the_callers_error() {
    let provider = accepting(9).await;
    let world = World::renewable(&provider);
    world.accounts.0.fails_to_renew.store(true, Ordering::SeqCst);
    assert_eq!(world.call(harness::get("/x")).await.expect_err("none"), "the account can't be used");
    assert!(world.reported().is_empty(), "the refresh itself has reported");
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_again_is_not_but_the_next_call_works() {
    let provider = accepting(2).await;
    let world = World::renewable(&provider);
    let pieces =
        futures_util::stream::iter((0..3).map(|_| Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"piece ")))));
    let mut call = harness::call("POST", "/x", None, "", &[("transfer-encoding", "chunked")]);
    call.body = StreamBody::new(pieces).boxed_unsync();
    let response = world.call(call).await.expect("a response");
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.requests(), 1, "it may have had an effect");
    assert!(world.reported().is_empty(), "the new token may work");
    assert_eq!(world.call(harness::get("/x")).await.expect("a response").status, StatusCode::OK);
    assert_eq!(provider.requests(), 2);
}

#[tokio::test]
async fn many_calls_with_a_refused_token_all_work_after_one_renewal() {
    let provider = accepting(2).await;
    let world = World::renewable(&provider);
    let calls = (0..200).map(|_| world.call(harness::get("/x")));
    for response in futures_util::future::join_all(calls).await {
        assert_eq!(response.expect("a response").status, StatusCode::OK);
    }
    assert_eq!(world.accounts.0.tokens.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn other_answers_report_what_they_show() {
    for (status, reported) in [
        (200, Some("accepted")),
        (204, Some("accepted")),
        (304, Some("accepted")),
        (404, Some("accepted")),
        (409, Some("accepted")),
        (422, Some("accepted")),
        (403, Some("forbidden, no")),
        (400, None),
        (429, None),
        (500, None),
        (503, None),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        let provider = Provider::start(move |_, _| harness::text(status, "no", &[("retry-after", "3")])).await;
        let world = World::new(&provider, "");
        let response = world.call(harness::get("/")).await.expect("a response");
        assert_eq!(response.status, status);
        assert_eq!(response.headers["retry-after"], "3");
        let expected: Vec<_> = reported.map(|what| format!("{what} with at-1")).into_iter().collect();
        assert_eq!(world.reported(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_body_whose_length_only_the_headers_say_is_sent_again() {
    let provider = accepting(2).await;
    let world = World::renewable(&provider);
    let mut call = harness::call("POST", "/x", None, "", &[("content-length", "6")]);
    let pieces = futures_util::stream::iter([Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"pieces")))]);
    call.body = StreamBody::new(pieces).boxed_unsync();
    let response = world.call(call).await.expect("a response");
    assert_eq!((response.status, response.text().as_str()), (StatusCode::OK, "pieces"));
}

/// A body whose size nobody knows.
fn upload() -> harness::Call {
    let pieces =
        futures_util::stream::iter((0..3).map(|_| Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"piece ")))));
    let mut call = harness::call("POST", "/x", None, "", &[("transfer-encoding", "chunked")]);
    call.body = StreamBody::new(pieces).boxed_unsync();
    call
}

#[tokio::test]
async fn uploads_that_are_refused_in_a_row_are_reported_instead_of_renewing_each_time() {
    let provider = accepting(9).await;
    let world = World::renewable(&provider);
    for (tokens, reported) in [(2, 0), (2, 1), (2, 2)] {
        assert_eq!(world.call(upload()).await.expect("a response").status, StatusCode::UNAUTHORIZED);
        assert_eq!(world.accounts.0.tokens.load(Ordering::SeqCst), tokens);
        assert_eq!(world.reported().len(), reported);
    }
    assert_eq!(world.reported()[0], "unauthorized, {\"error\":\"expired\"} with at-2");
    // A call that can be repeated shows for certain whether another token helps.
    assert_eq!(world.call(harness::get("/x")).await.expect("a response").status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.accounts.0.tokens.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_upload_that_is_refused_long_after_others_were_accepted_renews_the_token_again() {
    let provider = accepting(2).await;
    let world = World::renewable(&provider);
    assert_eq!(world.call(harness::get("/x")).await.expect("a response").status, StatusCode::OK);
    world.accounts.0.base_at(&accepting(3).await);
    assert_eq!(world.call(upload()).await.expect("a response").status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.reported(), ["accepted with at-2"]);
    assert_eq!(world.call(upload()).await.expect("a response").status, StatusCode::OK);
}

fn signs(expired_when: &str) -> Vec<ExpiredWhen> {
    let document = format!(
        r#"{{"name":"acme","config":{{"label":"Acme","base_url":"https://api.acme.example",
            "credentials":{{"oauth2":{{"config":{{"auth":{{"tokenHost":"https://auth.acme.example"}}}}}}}},
            "relink":{{"refresh":{{"expired_when":{expired_when}}}}}}}}}"#
    );
    relink_domain::integration::parse(&document).expect("a definition").definition.refresh().expired_when.clone()
}

/// Answers as the provider does whose access token has expired, until there is another one.
async fn expired_as(status: u16, headers: &'static [(&'static str, &str)], body: Vec<u8>) -> Provider {
    Provider::start(move |request, _| {
        if request.headers["authorization"] == "Bearer at-1" {
            let mut response = harness::text(StatusCode::from_u16(status).expect("a status"), "", headers);
            *response.body_mut() = crate::body::full(Bytes::from(body.clone()));
            response
        } else {
            harness::text(StatusCode::OK, "{\"success\":true}", &[("content-type", "application/json")])
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_means_expired_counts_as_a_401() {
    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
    const GZIP: &[(&str, &str)] = &[("content-type", "application/json"), ("content-encoding", "gzip")];
    const MARKETO: &str = r#"[{"status": 200, "path": "errors.0.code", "equals": "602"}]"#;
    const FABRIC: &str = r#"[{"status": 403, "empty": true}]"#;
    let expired = br#"{"success":false,"errors":[{"code":"602"}]}"#.as_slice();
    let other = br#"{"success":false,"errors":[{"code":"610"}]}"#.as_slice();
    let long = format!("{{\"errors\":[{{\"code\":\"602\"}}],\"x\":\"{}\"}}", "x".repeat(100_000));
    for (name, when, status, headers, body, renewed) in [
        ("Marketo's code", MARKETO, 200, JSON, expired.to_vec(), true),
        ("the same, compressed", MARKETO, 200, GZIP, gzip(expired), true),
        ("another code", MARKETO, 200, JSON, other.to_vec(), false),
        ("another status", MARKETO, 201, JSON, expired.to_vec(), false),
        ("no JSON by its type", MARKETO, 200, &[("content-type", "text/event-stream")], expired.to_vec(), false),
        ("longer than what is read", MARKETO, 200, JSON, long.clone().into_bytes(), false),
        ("Fabric's empty 403", FABRIC, 403, &[], Vec::new(), true),
        ("a 403 with a reason", FABRIC, 403, &[], b"no".to_vec(), false),
        ("any 419", r#"[{"status": 419}]"#, 419, &[], b"page expired".to_vec(), true),
    ] {
        let provider = expired_as(status, headers, body.clone()).await;
        let world = World::expiring(&provider, &signs(when));
        let response = world.call(harness::get("/x")).await.expect("a response");
        assert_eq!(provider.requests(), if renewed { 2 } else { 1 }, "{name}");
        if renewed {
            assert_eq!(response.text(), "{\"success\":true}", "{name}");
            assert_eq!(world.reported(), ["accepted with at-2"], "{name}");
        } else {
            assert_eq!(
                (response.status.as_u16(), response.body),
                (status, Bytes::from(body)),
                "{name}: as it was sent"
            );
        }
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("written");
    encoder.finish().expect("written")
}

#[tokio::test]
async fn an_answer_that_still_means_expired_after_a_renewal_is_reported_with_its_status() {
    let provider = Provider::start(|_, _| harness::text(StatusCode::FORBIDDEN, "", &[])).await;
    let world = World::expiring(&provider, &signs(r#"[{"status": 403, "empty": true}]"#));
    assert_eq!(world.call(harness::get("/x")).await.expect("a response").status, StatusCode::FORBIDDEN);
    assert_eq!(provider.requests(), 2);
    assert_eq!(world.reported(), ["unauthorized (403),  with at-2"]);
}
