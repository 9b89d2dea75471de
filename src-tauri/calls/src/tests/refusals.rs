//! What a 401 and a 403 do.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::harness::{self, Provider, World};
use crate::BoxError;

/// Accepts the access token with this number alone.
async fn accepting(number: usize) -> Provider {
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
