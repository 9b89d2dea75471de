//! Calls are woken when they can go on, and seldom otherwise.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::sync::mpsc;

use super::*;

const SLOW: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    3\r\nabc\r\n1\r\nd\r\n0\r\nx-checksum: 9\r\n\r\n";

/// Sends byte after byte, and waits in between until everything else has come to rest.
async fn byte_by_byte() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    for _ in 0..3 {
        let call = server.get("/slow");
        peer.head().await;
        for byte in SLOW.as_bytes() {
            peer.0.write_u8(*byte).await.expect("taken");
            settle().await;
        }
        let whole = tokio::time::timeout(Duration::from_secs(10), call).await.expect("it is woken");
        assert_eq!(whole.expect("no panic").expect("a response"), "abcd");
    }
}

#[tokio::test]
async fn a_response_that_arrives_byte_by_byte_arrives() {
    byte_by_byte().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_arrives_byte_by_byte_arrives_on_another_thread() {
    byte_by_byte().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_piece_arrives_before_the_next_is_sent() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    let call = server.begin("/events");
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let mut body = call.await.expect("no panic").expect("a response").into_body();
    let (arrived, mut arrivals) = mpsc::channel(1);
    let reading = tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            arrived.send(frame.expect("no error").into_data().expect("data")).await.expect("taken");
        }
    });
    for _ in 0..1000 {
        peer.say("2\r\nab\r\n").await;
        assert_eq!(arrivals.recv().await.expect("more"), "ab");
    }
    peer.say("0\r\n\r\n").await;
    reading.await.expect("no panic");
}

/// A call whose task has used up so much of Tokio's budget each time it is polled.
fn with_spent_budget(
    call: impl Future<Output = Result<Bytes, String>> + Send + 'static,
    spent: usize,
) -> JoinHandle<Result<Bytes, String>> {
    tokio::spawn(async move {
        let mut call = pin!(call);
        poll_fn(|context| {
            for _ in 0..spent {
                let spending = pin!(tokio::task::consume_budget());
                assert_eq!(spending.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
            }
            call.as_mut().poll(context)
        })
        .await
    })
}

/// Tokio lets a task do only so much in one go, and then says "pending" to whatever waker it is polled with.
#[tokio::test]
async fn a_call_goes_on_when_its_task_has_used_up_its_budget() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    for spent in 100..128 {
        let sending = server.send(server.request(Method::GET, "/x", full(Bytes::new())));
        let call = async move { whole(sending.await.map_err(|error| error.to_string())?).await };
        let call = with_spent_budget(call, spent);
        peer.head().await;
        peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n").await;
        let whole = tokio::time::timeout(Duration::from_secs(10), call).await.expect("it is woken");
        assert_eq!(whole.expect("no panic").expect("a response"), "abcd", "{spent} spent");
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_usual_call_is_woken_once_when_the_response_is_there() {
    let server = Server::start().await;
    let mut peer = server.kept_connection().await;
    for response in [OK, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", OK] {
        let sending = server.send(server.request(Method::POST, "/x", full(Bytes::from_static(b"body"))));
        let mut call = Box::pin(async move { whole(sending.await.map_err(|error| error.to_string())?).await });
        let counted = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&counted));
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        peer.head().await;
        peer.read(4).await;
        settle().await;
        assert_eq!(counted.0.load(Ordering::SeqCst), 0, "nothing has happened yet");
        peer.say(response).await;
        settle().await;
        let answered = call.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!(answered, Poll::Ready(Ok(Bytes::from_static(b"ok"))), "{response}");
        drop(call);
        settle().await;
        assert_eq!(counted.0.load(Ordering::SeqCst), 1, "{response}");
    }
}
