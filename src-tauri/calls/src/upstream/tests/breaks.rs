//! Connections that end when they should not, and calls that do.

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{FutureExt, SinkExt, StreamExt};
use http_body_util::StreamBody;
use hyper::body::Frame;
use relink_domain::failure::Cause;

use super::*;
use crate::BoxError;

#[tokio::test]
async fn a_request_goes_over_a_new_connection_if_the_provider_has_closed_the_kept_one() {
    let server = Server::start().await;
    drop(server.kept_connection().await);
    settle().await;
    let request = server.request(Method::POST, "/second", full(Bytes::from_static(b"body")));
    let call = tokio::spawn(server.send(request));
    let mut peer = server.accept().await;
    assert!(peer.head().await.starts_with("POST /second HTTP/1.1\r\n"));
    assert_eq!(peer.read(4).await, "body");
    peer.say(OK).await;
    assert_eq!(whole(call.await.expect("no panic").expect("a response")).await.expect("a body"), "ok");
    assert!(server.has_no_connection().await);
}

#[tokio::test]
async fn what_follows_a_response_is_never_taken_for_the_next() {
    let wrong = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong";
    for is_at_once in [true, false] {
        let server = Server::start().await;
        let call = server.get("/first");
        let mut first = server.accept().await;
        first.head().await;
        first.say(&if is_at_once { format!("{OK}{wrong}") } else { OK.to_owned() }).await;
        assert_eq!(call.await.expect("no panic").expect("a response"), "ok");
        if !is_at_once {
            first.say(wrong).await;
            settle().await;
        }
        let call = server.get("/second");
        let mut second = server.accept().await;
        assert!(second.head().await.starts_with("GET /second "));
        second.say(OK).await;
        assert_eq!(call.await.expect("no panic").expect("a response"), "ok");
        assert!(first.is_closed().await, "the request was not sent there");
    }
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_repeated() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    let call = server.begin("/second");
    peer.head().await;
    drop(peer);
    assert_eq!(call.await.expect("no panic").expect_err("no response"), UpstreamError(Cause::Reset));
    assert!(server.has_no_connection().await);
}

#[tokio::test]
async fn a_new_connection_that_is_closed_at_once_is_not_followed_by_another() {
    let server = Server::start().await;
    drop(server.kept_connection().await);
    settle().await;
    let mut call = Box::pin(server.send(server.request(Method::GET, "/x", full(Bytes::new()))));
    // It finds the kept connection closed and begins to connect. The new connection is closed before the call learns that it is there.
    assert!((&mut call).now_or_never().is_none());
    let listener = server.listener.into_std().expect("a listener");
    listener.set_nonblocking(false).expect("set");
    drop(listener.accept().expect("a connection"));
    listener.set_nonblocking(true).expect("set");
    assert_eq!(call.await.expect_err("no response"), UpstreamError(Cause::Reset));
    listener.accept().expect_err("no other connection");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_garbled() {
    let server = Server::start().await;
    let call = server.begin("/first");
    let mut peer = server.accept().await;
    peer.head().await;
    peer.say("SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    assert_eq!(call.await.expect("no panic").expect_err("no response"), UpstreamError(Cause::Garbled));
}

#[tokio::test]
async fn a_response_that_breaks_off_is_an_error_and_its_connection_is_not_used_again() {
    for beginning in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nha",
    ] {
        let server = Server::start().await;
        let mut peer = server.kept_connection().await;
        let call = server.get("/second");
        peer.head().await;
        peer.say(beginning).await;
        drop(peer);
        call.await.expect("no panic").expect_err("not taken for the whole");
        let call = server.get("/third");
        let mut peer = server.accept().await;
        peer.head().await;
        peer.say(OK).await;
        assert_eq!(call.await.expect("no panic").expect("a response"), "ok");
    }
}

#[tokio::test]
async fn a_chunk_that_is_malformed_is_an_error() {
    let server = Server::start().await;
    let call = server.get("/first");
    let mut peer = server.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nnothing\r\n").await;
    call.await.expect("no panic").expect_err("not taken for the end");
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_call_that_is_given_up_closes_its_connection() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    let call = server.begin("/second");
    peer.head().await;
    call.abort();
    assert!(peer.is_closed().await);
    // The same in the middle of the body.
    let call = server.begin("/third");
    let mut peer = server.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let mut body = call.await.expect("no panic").expect("a response").into_body();
    body.frame().await.expect("more").expect("no error");
    drop(body);
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn after_an_answer_the_rest_of_the_request_is_sent_though_nobody_reads_yet() {
    let server = Server::start().await;
    let (mut pieces, stream) = mpsc::channel::<Result<Frame<Bytes>, BoxError>>(1);
    let request = server.request(Method::POST, "/upload", StreamBody::new(stream).boxed_unsync());
    let call = tokio::spawn(server.send(request));
    pieces.send(Ok(Frame::data(Bytes::from_static(b"one")))).await.expect("taken");
    let mut peer = server.accept().await;
    peer.head().await;
    assert_eq!(peer.read(8).await, "3\r\none\r\n");
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsome").await;
    let response = call.await.expect("no panic").expect("a response");
    pieces.send(Ok(Frame::data(Bytes::from_static(b"two")))).await.expect("taken");
    assert_eq!(peer.read(8).await, "3\r\ntwo\r\n");
    assert_eq!(whole(response).await.expect("a body"), "some");
    pieces.send(Ok(Frame::data(Bytes::from_static(b"end")))).await.expect("taken");
    drop(pieces);
    assert_eq!(peer.read(13).await, "3\r\nend\r\n0\r\n\r\n");
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_request_that_breaks_off_is_no_complete_one() {
    let server = Server::start().await;
    let half = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"half"))), Err("gone".into())]);
    let body = StreamBody::new(half.boxed()).boxed_unsync();
    let call = tokio::spawn(server.send(server.request(Method::POST, "/upload", body)));
    let mut peer = server.accept().await;
    assert_eq!(call.await.expect("no panic").expect_err("no response"), UpstreamError(Cause::Reset));
    let mut received = String::new();
    let _ = peer.0.read_to_string(&mut received).await;
    assert!(!received.contains("0\r\n\r\n"), "{received}");
}
