//! Calls that wait for the account's person.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{
    harness::{self, Call, World},
    refusals::accepting,
};
use crate::{BoxError, MAX_WAITING_CALLS};

fn post(body: String) -> Call {
    let mut call = harness::call("POST", "/x", None, "", &[("relink-wait", "1m")]);
    call.body = crate::body::full(Bytes::from(body));
    call
}

#[tokio::test]
async fn a_refused_call_is_made_again_with_its_body_after_the_reauthorization() {
    for (renewable, fails) in [(false, false), (true, true), (true, false)] {
        let provider = accepting(9).await;
        let world = if renewable { World::renewable(&provider) } else { World::new(&provider, "") };
        world.accounts.0.fails_to_renew.store(fails, Ordering::SeqCst);
        let body = "x".repeat(500_000);
        let (response, ()) = tokio::join!(world.wait(post(body.clone())), async {
            world.accounts.until_waiting(1).await;
            world.accounts.reauthorize(9);
        });
        let response = response.expect("a response");
        assert_eq!((response.status, response.text() == body), (StatusCode::OK, true), "{renewable} {fails}");
    }
}

#[tokio::test]
async fn a_call_that_is_answered_waits_for_nobody() {
    let provider = accepting(1).await;
    let world = World::new(&provider, "");
    assert_eq!(world.wait(post("x".to_owned())).await.expect("a response").status, StatusCode::OK);
    let other = harness::Provider::start(|_, _| harness::text(StatusCode::FORBIDDEN, "no", &[])).await;
    let world = World::new(&other, "");
    assert_eq!(world.wait(post("x".to_owned())).await.expect("a response").status, StatusCode::FORBIDDEN);
}

/// The clock is moved on whenever nothing else can happen.
#[tokio::test(start_paused = true)]
async fn when_the_time_is_over_the_caller_gets_the_refusal() {
    let provider = accepting(9).await;
    let world = World::new(&provider, "");
    let began = tokio::time::Instant::now();
    let response = world.wait(post(String::new())).await.expect("a response");
    assert_eq!((response.status, response.text().as_str()), (StatusCode::UNAUTHORIZED, "{\"error\":\"expired\"}"));
    assert!(began.elapsed() >= Duration::from_mins(1), "{:?}", began.elapsed());
    let world = World::renewable(&provider);
    world.accounts.0.fails_to_renew.store(true, Ordering::SeqCst);
    assert_eq!(world.wait(post(String::new())).await.expect_err("none"), "the account can't be used");
}

#[tokio::test]
async fn at_most_a_hundred_calls_wait_and_one_that_leaves_frees_its_place() {
    let provider = accepting(9).await;
    let world = World::new(&provider, "");
    let mut all: Vec<_> = (0..MAX_WAITING_CALLS).map(|_| Box::pin(world.wait(post(String::new())))).collect();
    let waiting = world.accounts.until_waiting(MAX_WAITING_CALLS);
    tokio::select! {
        _ = join_all(&mut all) => panic!("none has ended"),
        () = waiting => {}
    }
    assert_eq!(world.wait(post(String::new())).await.expect_err("full"), "too many calls are waiting");
    all.pop();
    world.accounts.until_waiting(MAX_WAITING_CALLS - 1).await;
    let (one_more, others, ()) = tokio::join!(world.wait(post(String::new())), join_all(all), async {
        world.accounts.until_waiting(MAX_WAITING_CALLS).await;
        world.accounts.reauthorize(9);
    });
    assert_eq!(one_more.expect("a response").status, StatusCode::OK);
    assert!(others.into_iter().all(|response| response.expect("a response").status == StatusCode::OK));
}

#[tokio::test]
async fn a_body_of_more_than_a_megabyte_cannot_wait() {
    let provider = accepting(1).await;
    let world = World::new(&provider, "");
    let refused = world.wait(post("x".repeat((1 << 20) + 1))).await.expect_err("too large");
    assert_eq!(refused, "the request's body is too large to wait with");
    let mut endless = harness::call("POST", "/x", None, "", &[]);
    let pieces =
        futures_util::stream::repeat_with(|| Ok::<_, BoxError>(Frame::data(Bytes::from_static(&[b'x'; 1000]))));
    endless.body = StreamBody::new(pieces).boxed_unsync();
    assert_eq!(world.wait(endless).await.expect_err("too large"), refused);
    assert_eq!(provider.requests(), 0);
}
