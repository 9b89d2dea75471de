//! How long a response is waited for.

use std::time::Duration;

use relink_domain::failure::Cause;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up_on_a_new_connection_and_on_a_kept_one() {
    let server = Server::start().await;
    let mut kept = server.kept_connection().await;
    for is_kept in [true, false] {
        let call = server.begin("/never");
        let mut peer = if is_kept { None } else { Some(server.accept().await) };
        let peer = peer.as_mut().unwrap_or(&mut kept);
        peer.head().await;
        tokio::time::pause();
        let began = Instant::now();
        assert_eq!(call.await.expect("no panic").expect_err("too late"), UpstreamError(Cause::Timeout));
        let waited = began.elapsed();
        assert!((Duration::from_secs(299)..Duration::from_secs(301)).contains(&waited), "{waited:?}");
        tokio::time::resume();
        assert!(peer.is_closed().await);
    }
}
