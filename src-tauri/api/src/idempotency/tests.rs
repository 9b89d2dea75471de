//! Calls with the same key.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    body,
    http::{HeaderValue, header},
};
use tokio::sync::oneshot;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn account() -> AccountId {
    "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b".parse().expect("an id")
}

fn key(text: &str) -> Key {
    Key { account: account(), method: Method::POST, path: "/proxy/x".to_owned(), text: text.to_owned() }
}

fn answer(status: u16, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response.headers_mut().insert(header::ETAG, HeaderValue::from_static("\"1\""));
    response
}

async fn shown(response: Response) -> String {
    let status = response.status().as_u16();
    let etag = response.headers().get(header::ETAG).is_some();
    let bytes = body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    let text = String::from_utf8_lossy(&bytes);
    format!("{status} {etag} {}", text.get(..20).unwrap_or(&text))
}

/// Counts its calls, which all have the same answer.
#[derive(Clone, Default)]
struct Provider(Arc<AtomicUsize>);

impl Provider {
    async fn call(&self, kept: &Idempotency, text: &str, now: Timestamp, status: u16, body: &'static str) -> String {
        let calls = Arc::clone(&self.0);
        let call = async move {
            calls.fetch_add(1, Ordering::Relaxed);
            answer(status, body)
        };
        shown(kept.once(key(text), now, call).await).await
    }

    fn calls(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_success_comes_again_for_a_day() {
    let (kept, provider) = (Idempotency::default(), Provider::default());
    assert_eq!(provider.call(&kept, "a", NOW, 201, "made").await, "201 true made");
    assert_eq!(provider.call(&kept, "a", NOW.plus_secs(KEEP_SECS - 1), 201, "new").await, "201 true made");
    assert_eq!(provider.calls(), 1);
    assert_eq!(provider.call(&kept, "b", NOW, 201, "other").await, "201 true other");
    assert_eq!(provider.call(&kept, "a", NOW.plus_secs(KEEP_SECS), 201, "new").await, "201 true new");
    assert_eq!(provider.calls(), 3);
}

#[tokio::test]
async fn an_error_or_a_redirect_is_not_kept() {
    let (kept, provider) = (Idempotency::default(), Provider::default());
    for status in [302, 400, 429, 503] {
        assert_eq!(provider.call(&kept, "a", NOW, status, "no").await, format!("{status} true no"));
    }
    assert_eq!(provider.call(&kept, "a", NOW, 200, "yes").await, "200 true yes");
    assert_eq!(provider.calls(), 5);
}

#[tokio::test]
async fn while_a_call_is_under_way_another_one_is_a_conflict_and_a_caller_that_leaves_ends_nothing() {
    let kept = Idempotency::default();
    let (go_on, waits) = oneshot::channel();
    let call = async move {
        waits.await.expect("it goes on");
        answer(200, "late")
    };
    let mut first = Box::pin(kept.once(key("a"), NOW, call));
    assert!(futures_util::poll!(&mut first).is_pending());
    let provider = Provider::default();
    assert!(provider.call(&kept, "a", NOW, 200, "second").await.starts_with("409 false"));
    drop(first);
    go_on.send(()).expect("the call still runs");
    while matches!(kept.lock().entries.get(&key("a")), Some(Entry::UnderWay)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(provider.call(&kept, "a", NOW, 200, "third").await, "200 true late");
    assert_eq!(provider.calls(), 0);
}

#[tokio::test]
async fn a_call_that_panics_gives_its_key_back() {
    let kept = Idempotency::default();
    let broken = kept.clone();
    let panicked = tokio::spawn(async move { broken.once(key("a"), NOW, async { panic!("broken") }).await }).await;
    assert!(panicked.is_err());
    assert_eq!(Provider::default().call(&kept, "a", NOW, 200, "yes").await, "200 true yes");
}

#[tokio::test]
async fn a_long_answer_arrives_whole_and_is_not_kept() {
    let kept = Idempotency::default();
    let chunk = || Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; MAX_ANSWER / 2 + 1]));
    let call = async move { answer(200, Body::from_stream(stream::iter([chunk(), chunk()]))) };
    let response = kept.once(key("a"), NOW, call).await;
    let bytes = body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    assert_eq!(bytes.len(), MAX_ANSWER + 2);
    assert!(kept.lock().entries.is_empty());
}

#[test]
fn what_is_kept_is_bounded_in_number_and_size() {
    let mut kept = Kept::default();
    let answer = |length: usize| Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: vec![0; length].into(),
        until: NOW,
    };
    for number in 0..=MAX_ANSWERS {
        kept.keep(key(&number.to_string()), answer(1));
    }
    assert_eq!((kept.entries.len(), kept.order.len(), kept.bytes), (MAX_ANSWERS, MAX_ANSWERS, MAX_ANSWERS));
    assert!(!kept.entries.contains_key(&key("0")), "the oldest is given up");
    kept.keep(key("long"), answer(MAX_BYTES - 10));
    assert_eq!((kept.entries.len(), kept.bytes), (11, MAX_BYTES));
}

#[test]
fn only_what_creates_or_changes_has_a_key() {
    let of = |method: Method, value: &str| {
        let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, HeaderValue::from_str(value).expect("a value"))]);
        Key::of(account(), &method, "//proxy/x", &headers)
    };
    assert_eq!(of(Method::POST, " a ").expect("a key"), Some(key("a")));
    assert_ne!(of(Method::PATCH, "a").expect("a key"), Some(key("a")));
    assert_eq!(of(Method::GET, "a").expect("none"), None);
    assert_eq!(of(Method::DELETE, "").expect("none"), None);
    assert_eq!(Key::of(account(), &Method::POST, "/x", &HeaderMap::new()).expect("none"), None);
    for bad in ["", "  ", &"x".repeat(256)] {
        assert!(of(Method::POST, bad).is_err(), "{bad:.3}");
    }
}
