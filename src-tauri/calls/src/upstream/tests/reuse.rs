//! Which connections are used again, and for how long they are kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::Method;
use tokio::{sync::Barrier, time::Instant};

use super::*;

#[tokio::test]
async fn calls_one_after_the_other_use_one_connection_however_their_responses_end() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    for (method, response, expected) in [
        (Method::GET, OK, "ok"),
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\n\r\n", ""),
        (Method::POST, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
        (Method::GET, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc"),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n1\r\na\r\n0\r\nx: 1\r\n\r\n",
            "a",
        ),
        (Method::GET, OK, "ok"),
    ] {
        let call = server.call(method, "/x");
        peer.head().await;
        peer.say(response).await;
        assert_eq!(call.await.expect("no panic").expect("a response"), expected, "{response}");
    }
    assert!(server.has_no_connection().await);
    assert_eq!(tasks(), 1, "one looks for connections that are kept no longer");
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_body_that_nobody_asks_the_end_of_leaves_its_connection_if_the_end_is_known() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    for (response, frames) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 0),
        (OK, 1),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: 1\r\n\r\n", 2),
    ] {
        let call = server.begin("/x");
        peer.head().await;
        peer.say(response).await;
        let mut body = call.await.expect("no panic").expect("a response").into_body();
        for _ in 0..frames {
            body.frame().await.expect("more").expect("no error");
        }
        drop(body);
    }
    let call = server.get("/last");
    assert!(peer.head().await.starts_with("GET /last "));
    peer.say(OK).await;
    call.await.expect("no panic").expect("a response");
}

#[tokio::test]
async fn a_request_names_the_server_and_the_length_of_its_body() {
    let server = Server::start().await;
    let request = server.request(Method::POST, "/v1/x?y=1", full(Bytes::from_static(b"body")));
    let call = tokio::spawn(server.send(request));
    let mut peer = server.accept().await;
    let head = peer.head().await;
    let port = server.base.port().expect("not the usual one");
    assert_eq!(head, format!("POST /v1/x?y=1 HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 4\r\n\r\n"));
    assert_eq!(peer.read(4).await, "body");
    peer.say(OK).await;
    call.await.expect("no panic").expect("a response");
}

#[test]
fn the_usual_port_of_a_scheme_is_not_named() {
    for (uri, expected) in [
        ("https://api.example.com/x", "api.example.com"),
        ("https://api.example.com:443/x", "api.example.com"),
        ("https://api.example.com:80/x", "api.example.com:80"),
        ("http://[::1]:80/x", "[::1]"),
        ("http://[::1]:443/x", "[::1]:443"),
    ] {
        let host = super::super::origin::host(&uri.parse().expect("a URI")).expect("a host");
        assert_eq!(host, expected, "{uri}");
    }
}

#[tokio::test]
async fn a_connection_that_either_side_wants_closed_is_closed() {
    for response in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        let server = Server::start().await;
        let call = server.get("/x");
        let mut peer = server.accept().await;
        peer.head().await;
        peer.say(response).await;
        assert_eq!(call.await.expect("no panic").expect("a response"), "ok");
        assert!(peer.is_closed().await);
    }
}

/// So many calls at the same time, each of which is answered when all of them have arrived.
async fn round(server: &Server, calls: usize, connections: &AtomicUsize, all: &Arc<Barrier>) {
    let calls: Vec<_> = (0..calls).map(|_| server.get("/x")).collect();
    let calls = join_all(calls);
    let accepting = async {
        loop {
            let mut peer = server.accept().await;
            connections.fetch_add(1, Ordering::SeqCst);
            let all = Arc::clone(all);
            tokio::spawn(async move {
                while peer.0.readable().await.is_ok() && peer.0.peek(&mut [0]).await.is_ok_and(|length| length > 0) {
                    peer.head().await;
                    all.wait().await;
                    peer.say(OK).await;
                }
            });
        }
    };
    tokio::select! {
        answered = calls => {
            for answer in answered {
                assert_eq!(answer.expect("no panic").expect("a response"), "ok");
            }
        }
        () = accepting => {}
    }
}

#[tokio::test]
async fn calls_at_the_same_time_have_a_connection_each_of_which_so_many_are_kept() {
    let server = Server::start().await;
    let (connections, all) = (AtomicUsize::new(0), Arc::new(Barrier::new(70)));
    round(&server, 70, &connections, &all).await;
    assert_eq!(connections.load(Ordering::SeqCst), 70);
    round(&server, 70, &connections, &all).await;
    assert_eq!(connections.load(Ordering::SeqCst), 70 + 6);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_a_while() {
    let server = Server::start().await;
    for _ in 0..2 {
        let mut peer = server.kept_connection().await;
        tokio::time::pause();
        let began = Instant::now();
        assert!(peer.is_closed().await);
        let waited = began.elapsed();
        assert!((Duration::from_secs(90)..=Duration::from_secs(121)).contains(&waited), "{waited:?}");
        tokio::time::resume();
        settle().await;
        assert_eq!(tasks(), 0, "nothing is left that would wake up");
    }
}

/// Lets so many seconds go by.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    settle().await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_connection_that_is_too_old_is_not_used_though_it_was_not_swept_yet() {
    let server = Server::start().await;
    let mut old = server.kept_connection().await;
    pass(15).await;
    // From now on it is idle. Connections are looked through about 16, 47, 78 and 108 seconds later.
    let call = server.get("/x");
    old.head().await;
    old.say(OK).await;
    assert_eq!(call.await.expect("no panic").expect("a response"), "ok");
    for seconds in [16, 31, 31, 20] {
        pass(seconds).await;
    }
    assert_eq!(tasks(), 1, "it was not swept");
    let call = server.get("/second");
    let mut peer = server.accept().await;
    peer.head().await;
    peer.say(OK).await;
    assert_eq!(call.await.expect("no panic").expect("a response"), "ok");
    assert!(old.is_closed().await);
}

#[tokio::test]
async fn an_idle_connection_that_the_provider_closes_is_closed_soon() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    peer.0.shutdown().await.expect("closed");
    tokio::time::pause();
    let began = Instant::now();
    assert!(peer.is_closed().await);
    assert!(began.elapsed() <= Duration::from_secs(31), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_still_connects_takes_a_connection_that_becomes_free() {
    let server = Server::start().await;
    let (origin, in_use) = in_use(&server.base, Handle::current()).await;
    let connecting = tokio::time::timeout(Duration::from_mins(1), origin.new_connection(std::future::pending()));
    let (found, ()) = tokio::join!(connecting, async { origin.keep(in_use) });
    assert!(found.expect("at once").expect("a connection").is_reused);
}

#[tokio::test]
async fn of_too_many_free_connections_the_one_unused_for_longest_is_closed() {
    let server = Server::start().await;
    let (origin, first) = in_use(&server.base, Handle::current()).await;
    let (mut oldest, mut others) = (server.accept().await, Vec::new());
    for _ in 0..64 {
        others.push((connection_of(&origin, &server.base).await, server.accept().await));
    }
    origin.keep(first);
    let (others, _peers): (Vec<_>, Vec<_>) = others.into_iter().unzip();
    for connection in others {
        origin.keep(connection);
    }
    assert!(oldest.is_closed().await);
    for _ in 0..64 {
        assert!(origin.take().is_some(), "the others are kept");
    }
    assert!(origin.take().is_none());
}
