//! Calls that are open while something happens to their account.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use futures_util::{Stream, future::join_all, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    answering_provider::{self, Provider, SignIn},
    streaming_provider::{DOWNLOADED, Streaming},
};

const EVENT_STREAMS: usize = 300;
const DOWNLOADS: usize = 100;
const UPLOADS: usize = 100;
/// A piece of an upload, and how often there is one.
const UPLOADED: &[u8] = &[b'u'; 4096];
const UPLOAD_INTERVAL: Duration = Duration::from_millis(200);

/// The rest of a download so far.
async fn downloaded(response: &mut reqwest::Response, length: usize) {
    let mut received = 0;
    while received < length {
        received += response.chunk().await.expect("it goes on").expect("it isn't over").len();
    }
    assert_eq!(received, length);
}

/// A body that is sent piece by piece until the uploads are to end, and its length so far.
fn slow_body(end: watch::Receiver<bool>) -> (impl Stream<Item = Result<Bytes, Infallible>> + Send, Arc<AtomicUsize>) {
    let length = Arc::new(AtomicUsize::new(0));
    let state = (end, Arc::clone(&length), tokio::time::interval(UPLOAD_INTERVAL));
    let pieces = stream::unfold(state, |(end, length, mut interval)| async {
        interval.tick().await;
        if *end.borrow() {
            return None;
        }
        length.fetch_add(UPLOADED.len(), Ordering::SeqCst);
        Some((Ok(Bytes::from_static(UPLOADED)), (end, length, interval)))
    });
    (pieces, length)
}

/// Further calls are made, and what runs goes on, while the access token is refreshed and while the person signs in again.
#[tokio::test]
async fn five_hundred_open_calls_outlast_a_refresh_and_a_reauthorization() {
    let it = Streaming::new(SignIn::OAuth).await;
    let get = |path: &str| it.world.client.get(it.url(path)).bearer_auth(&it.world.token);
    let (end, ends) = watch::channel(false);
    let uploads = (0..UPLOADS).map(|_| {
        let (body, length) = slow_body(ends.clone());
        let request = it.world.client.post(it.url("/upload")).bearer_auth(&it.world.token);
        tokio::spawn(async move {
            let answer = request.body(reqwest::Body::wrap_stream(body)).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.text().await.expect("a length"), length.load(Ordering::SeqCst).to_string());
        })
    });
    let uploads: Vec<_> = uploads.collect();
    let mut events = join_all((0..EVENT_STREAMS).map(|_| it.events(&it.world.token))).await;
    let mut downloads: Vec<_> = join_all((0..DOWNLOADS).map(|_| get("/download").send())).await;
    it.until_open(EVENT_STREAMS + DOWNLOADS + UPLOADS).await;

    let refresh = format!("/relink/accounts/{}/refresh", it.account);
    let name = answering_provider::name(it.auth, 0);
    for (number, renews) in ["a refresh", "a reauthorization"].into_iter().enumerate() {
        let calls = join_all((0..50).map(|_| get("/echo").send()));
        let renewal = async {
            if number == 0 {
                let (status, body) = it.world.as_person(Method::POST, &refresh, json!({})).await;
                assert!(status.is_success(), "{body}");
            } else {
                let link = json!({ "integrated_account_id": it.account });
                assert_eq!(Provider::sign_in(&it.world, it.auth, &name, link).await, it.account);
            }
        };
        let (answers, ()) = tokio::join!(calls, renewal);
        for answer in answers {
            assert_eq!(answer.expect("an answer").status(), StatusCode::OK, "during {renews}");
        }
        it.api.pieces.send(Bytes::from_static(b"data: more\n\n")).expect("streams");
        for response in &mut events {
            let piece = response.chunk().await.expect("it goes on");
            assert_eq!(piece.as_deref(), Some(b"data: more\n\n".as_slice()), "after {renews}");
        }
        for response in &mut downloads {
            downloaded(response.as_mut().expect("an answer"), DOWNLOADED).await;
        }
    }
    assert_eq!(it.api.open.load(Ordering::SeqCst), EVENT_STREAMS + DOWNLOADS + UPLOADS);
    assert_eq!(it.provider.tokens(), 3, "the connection, the refresh and the reauthorization");

    end.send_replace(true);
    for upload in uploads {
        upload.await.expect("all of it arrived");
    }
    it.api.pieces.send(Bytes::new()).expect("streams");
    for response in events.iter_mut().chain(downloads.iter_mut().map(|response| response.as_mut().expect("an answer")))
    {
        assert_eq!(response.chunk().await.expect("it isn't cut off"), None);
    }
    it.until_open(0).await;
}
