//! Memory stays flat, however much goes through. Linux says how much it is. Each test is a process of its own that measures itself, because others would run in
//! the same one.

use bytes::Bytes;
use futures_util::StreamExt;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::harness::{self, Provider, World};
use crate::BoxError;

const PIECE: usize = 64 << 10;
const MAX_GROWTH: u64 = 16 << 20;
/// Set in the process that measures itself.
const MEASURES: &str = "RELINK_TEST_MEASURES";

/// So many bytes, in pieces.
fn pieces(size: usize) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    futures_util::stream::iter(0..size / PIECE).map(move |_| Ok(Frame::data(piece.clone())))
}

/// The most memory that this process has had so far.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("there");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

async fn down(world: &World, size: usize) {
    let mut body = world
        .begin(harness::call("GET", "/down", Some(&size.to_string()), "", &[]))
        .await
        .expect("a response")
        .into_body();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame.expect("no error").into_data().map_or(0, |data| data.len());
    }
    assert_eq!(received, size);
}

async fn up(world: &World, size: usize) {
    let mut call = harness::call("POST", "/up", None, "", &[("transfer-encoding", "chunked")]);
    call.body = StreamBody::new(pieces(size)).boxed_unsync();
    assert_eq!(world.call(call).await.expect("a response").text(), size.to_string());
}

/// Sends so much down and up, and measures how much memory that takes beyond what a hundredth of it takes.
async fn growth(size: usize) -> u64 {
    let provider = Provider::streaming(|request, _| async move {
        if let Some(size) = request.uri().query() {
            return Response::new(StreamBody::new(pieces(size.parse().expect("a number"))).boxed_unsync());
        }
        let mut received = 0;
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            received += frame.expect("no error").into_data().map_or(0, |data| data.len());
        }
        harness::text(http::StatusCode::OK, &received.to_string(), &[])
    })
    .await;
    let world = World::renewable(&provider);
    let small = size / 100 / PIECE * PIECE;
    down(&world, small).await;
    up(&world, small).await;
    let before = peak();
    down(&world, size).await;
    up(&world, size).await;
    peak() - before
}

/// Runs one of these tests again, alone in a process.
async fn measure(test: &str, size: usize) {
    if std::env::var_os(MEASURES).is_some() {
        let growth = growth(size).await;
        println!("{} MB down and up: {} kB more memory", size >> 20, growth >> 10);
        assert!(growth < MAX_GROWTH, "{growth} bytes more");
        return;
    }
    let own = std::env::current_exe().expect("a program");
    let arguments = ["--exact", test, "--include-ignored", "--nocapture"];
    let measured = std::process::Command::new(own).args(arguments).env(MEASURES, "1").output().expect("it runs");
    let output = String::from_utf8_lossy(&measured.stdout);
    println!("{output}");
    assert!(measured.status.success() && output.contains("more memory"), "{output}");
}

#[tokio::test]
async fn a_hundred_megabytes_take_no_more_memory_than_one() {
    measure("tests::memory::a_hundred_megabytes_take_no_more_memory_than_one", 100 << 20).await;
}

#[tokio::test]
#[ignore = "1 GB: once, outside CI"]
async fn a_gigabyte_takes_no_more_memory_than_ten_megabytes() {
    measure("tests::memory::a_gigabyte_takes_no_more_memory_than_ten_megabytes", 1 << 30).await;
}
