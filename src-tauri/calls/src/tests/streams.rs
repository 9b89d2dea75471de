//! Bodies that arrive in pieces.

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::oneshot;

use super::harness::{self, Provider, World};
use crate::BoxError;

#[expect(clippy::unnecessary_wraps, reason = "an item of a body's stream")]
fn piece(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn a_response_is_passed_on_while_it_arrives_with_its_trailers() {
    let (mut pieces, stream) = mpsc::channel(1);
    let stream = std::sync::Arc::new(std::sync::Mutex::new(Some(stream)));
    let provider = Provider::start(move |_, _| {
        let stream = stream.lock().expect("not poisoned").take().expect("one request");
        let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
        response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
        response.headers_mut().insert("trailer", HeaderValue::from_static("x-checksum"));
        response
    })
    .await;
    let world = World::new(&provider, "");
    let call = harness::call("GET", "/events", None, "", &[("te", "trailers")]);
    let response = world.begin(call).await.expect("the headers, before any piece");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    for text in ["data: 1\n\n", "data: 2\n\n"] {
        // The next one is sent only when this one has arrived.
        pieces.send(piece(text)).await.expect("taken");
        let frame = body.frame().await.expect("more").expect("no error");
        assert_eq!(frame.into_data().expect("data"), text);
    }
    let trailers = HeaderMap::from_iter([("x-checksum".parse().expect("a name"), HeaderValue::from_static("9"))]);
    pieces.send(Ok(Frame::trailers(trailers))).await.expect("taken");
    drop(pieces);
    let last = body.frame().await.expect("more").expect("no error").into_trailers().expect("trailers");
    assert_eq!(last["x-checksum"], "9");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_request_is_passed_on_while_it_arrives() {
    let provider = Provider::streaming(|request, _| async move {
        // Answers each piece at once.
        let (mut answers, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                let data = frame.into_data().unwrap_or_default();
                if answers.send(Ok::<_, BoxError>(Frame::data(data))).await.is_err() {
                    break;
                }
            }
        });
        Response::new(StreamBody::new(stream).boxed_unsync())
    })
    .await;
    let world = World::renewable(&provider);
    let (mut pieces, stream) = mpsc::channel(1);
    let mut call = harness::call("POST", "/", None, "", &[("transfer-encoding", "chunked")]);
    call.body = StreamBody::new(stream).boxed_unsync();
    pieces.send(piece("one")).await.expect("taken");
    let mut body = world.begin(call).await.expect("a response").into_body();
    assert_eq!(body.frame().await.expect("more").expect("data").into_data().expect("data"), "one");
    pieces.send(piece("two")).await.expect("taken");
    assert_eq!(body.frame().await.expect("more").expect("data").into_data().expect("data"), "two");
    drop(pieces);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_call_to_the_provider() {
    let (ended, end) = oneshot::channel::<()>();
    let ended = std::sync::Arc::new(std::sync::Mutex::new(Some(ended)));
    let provider = Provider::start(move |_, _| {
        let (pieces, stream) = mpsc::channel(1);
        let ended = ended.lock().expect("not poisoned").take().expect("one request");
        tokio::spawn(async move {
            let mut pieces: mpsc::Sender<Result<Frame<Bytes>, BoxError>> = pieces;
            while pieces.send(piece("more ")).await.is_ok() {}
            drop(ended);
        });
        Response::new(StreamBody::new(stream).boxed_unsync())
    })
    .await;
    let world = World::new(&provider, "");
    let mut body = world.begin(harness::get("/endless")).await.expect("a response").into_body();
    assert!(body.frame().await.is_some());
    drop(body);
    end.await.expect_err("the provider sees that nobody reads any more");
}

#[tokio::test]
async fn a_refusal_that_is_longer_than_what_is_read_of_it_arrives_whole() {
    let long = "no ".repeat(100_000);
    let sent = long.clone();
    let provider = Provider::start(move |_, _| {
        let pieces: Vec<_> = sent
            .as_bytes()
            .chunks(1000)
            .map(|piece| Ok::<_, BoxError>(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        let mut response = Response::new(StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync());
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    })
    .await;
    let world = World::new(&provider, "");
    let response = world.call(harness::get("/")).await.expect("a response");
    assert_eq!(response.text(), long);
    let reported = world.reported().concat();
    assert!(reported.len() < 80_000 && reported.starts_with("forbidden, no no "), "{} bytes", reported.len());
}

#[tokio::test]
async fn a_provider_that_breaks_off_breaks_off_the_response() {
    let provider = Provider::start(|_, _| {
        let pieces = futures_util::stream::iter([piece("half"), Err("broken".into())]);
        Response::new(StreamBody::new(pieces.boxed()).boxed_unsync())
    })
    .await;
    let world = World::new(&provider, "");
    world.call(harness::get("/")).await.expect_err("not taken for the whole");
}
