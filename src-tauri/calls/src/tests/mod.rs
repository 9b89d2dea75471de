//! Calls through to a provider on this machine.

mod addresses;
mod caller;
mod credential;
mod custom;
mod harness;
mod judgment;
mod lists;
#[cfg(target_os = "linux")]
mod memory;
mod methods;
mod overrides;
mod own_methods;
mod provider;
mod rate_limits;
mod refusals;
mod signing;
mod streams;
mod waits;

use harness::{Provider, World};
use http::StatusCode;

#[tokio::test]
async fn a_call_goes_as_it_is_with_the_accounts_credential() {
    let provider = Provider::start(|request, _| {
        let shown = |name: &str| request.headers.get(name).map_or("none", |value| value.to_str().expect("text"));
        let text = format!(
            "{} {} auth={} token={} cookie={} type={} body={}",
            request.method,
            request.uri,
            shown("authorization"),
            shown("x-relink"),
            shown("cookie"),
            shown("content-type"),
            String::from_utf8_lossy(&request.body),
        );
        harness::text(StatusCode::CREATED, &text, &[("x-request-id", "7"), ("set-cookie", "s=1")])
    })
    .await;
    let world = World::new(&provider, "/v1/");
    let call = harness::call(
        "PATCH",
        "/users/a%2Fb",
        Some("x=1&y[]=2"),
        "{\"a\":1}",
        &[("authorization", "Bearer of-relink"), ("cookie", "session=1"), ("content-type", "application/json")],
    );
    let response = world.call(call).await.expect("a response");
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(
        response.text(),
        "PATCH /v1/users/a%2Fb?x=1&y[]=2 auth=Bearer at-1 token=none cookie=none type=application/json body={\"a\":1}"
    );
    assert_eq!(response.headers["x-request-id"], "7");
    assert!(!response.headers.contains_key("set-cookie"));
    assert_eq!(world.reported(), ["accepted with at-1"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_leads_through_relink() {
    let provider = Provider::start(|_, own| {
        harness::text(StatusCode::MOVED_PERMANENTLY, "", &[("location", &format!("{own}/v1/new?x=1"))])
    })
    .await;
    let world = World::new(&provider, "/v1");
    let response = world.call(harness::get("/old")).await.expect("a response");
    assert_eq!(response.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(response.headers["location"], "http://relink/via/acme/new?x=1");
    assert_eq!(provider.requests(), 1);
}

#[tokio::test]
async fn a_path_that_would_leave_the_api_is_never_called() {
    let provider = Provider::start(|_, _| harness::text(StatusCode::OK, "", &[])).await;
    let world = World::new(&provider, "/v1");
    for path in ["/../admin", "/%2e%2e/admin", "/a%0d%0ab"] {
        world.call(harness::get(path)).await.expect_err("refused");
    }
    assert_eq!(provider.requests(), 0);
}

/// The clock is moved on whenever nothing else can happen.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_begins_tls_is_given_up_like_one_that_cannot_be_reached() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("https://{}", silent.local_addr().expect("bound"));
    let accepting = tokio::spawn(async move {
        let (stream, _) = silent.accept().await.expect("a connection");
        std::future::pending::<()>().await;
        drop(stream);
    });
    let world = World::at(&origin);
    let began = tokio::time::Instant::now();
    let failed = tokio::time::timeout(std::time::Duration::from_mins(1), world.call(harness::get("/x"))).await;
    assert_eq!(failed.expect("in time").expect_err("no connection"), "no response: unreachable");
    assert!(began.elapsed() < std::time::Duration::from_secs(11), "{:?}", began.elapsed());
    accepting.abort();
}

#[tokio::test]
async fn without_consent_no_address_of_this_machine_is_called() {
    let provider = Provider::start(|_, _| harness::text(StatusCode::OK, "", &[])).await;
    let world = World::without_consent(&provider);
    let failed = world.call(harness::get("/")).await.expect_err("refused");
    assert_eq!(failed, "no response: private_address");
    assert_eq!(provider.requests(), 0);
}
