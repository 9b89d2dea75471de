//! A thousand calls at the same time, all of which the provider refuses (contract section 6).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::{Barrier, watch};

use crate::{
    answering_provider::{
        Provider,
        SignIn::{self, ApiKey, OAuth},
        name,
    },
    observed::{Person, all_events, until_is},
    route::Route,
    world::World,
};

const CALLS: usize = 1000;
/// Those that runs of sync jobs make: as many as are worked on at once.
const RUNS: usize = 8;
/// So many of them learn of the refusal when the others have their answers: what follows of it is over then.
const LATE: usize = CALLS / 2;

struct Storm {
    auth: SignIn,
    /// Whether the provider accepts the token that the refused one is replaced by.
    accepts_next: bool,
    /// How the token endpoint answers.
    token: u16,
    /// What every caller gets.
    status: u16,
    cause: Option<&'static str>,
    refreshes: usize,
}

#[tokio::test]
async fn a_thousand_calls_that_are_refused_at_once_cause_one_refresh_and_all_succeed() {
    let storm = Storm { auth: OAuth, accepts_next: true, token: 200, status: 200, cause: None, refreshes: 1 };
    check(storm).await;
}

#[tokio::test]
async fn a_thousand_calls_whose_refresh_is_refused_cause_one_event_and_one_notification() {
    let cause = Some("invalid_grant");
    check(Storm { auth: OAuth, accepts_next: true, token: 400, status: 401, cause, refreshes: 1 }).await;
}

#[tokio::test]
async fn a_thousand_calls_that_are_refused_after_the_refresh_as_well_cause_one_event_and_one_notification() {
    let cause = Some("rejected_after_refresh");
    check(Storm { auth: OAuth, accepts_next: false, token: 200, status: 401, cause, refreshes: 1 }).await;
}

#[tokio::test]
async fn a_thousand_calls_with_a_key_that_is_refused_cause_one_event_and_one_notification() {
    let cause = Some("rejected");
    check(Storm { auth: ApiKey, accepts_next: false, token: 200, status: 401, cause, refreshes: 0 }).await;
}

async fn check(storm: Storm) {
    allow_many_files();
    let Storm { auth, accepts_next, token, status, cause, refreshes } = storm;
    let world = World::new().await;
    let (answered, earlier) = watch::channel(0);
    let provider = Provider::with_api(true, |_| refusing(accepts_next, earlier)).await;
    let account = provider.connect(&world, auth, 0).await;
    Route::UnifiedList.prepare(&world, &name(auth, 0)).await;
    let tokens = provider.tokens();
    provider.with(|answers| answers.token = token);
    let mut person = Person::default();
    person.look(&world, &account).await;

    let call = async |route: Route| {
        let answer = route.call(&world, &account).await;
        answered.send_modify(|count| *count += 1);
        (route, answer)
    };
    let routes = Route::ALL.into_iter().cycle().take(CALLS - RUNS).chain([Route::SyncRun; RUNS]);
    let answers = join_all(routes.map(call)).await;
    for (route, (found, body)) in answers {
        assert_eq!(found, status, "{route:?}: {body}");
    }
    until_is(&world, &account, if cause.is_some() { "needs_reauth" } else { "active" }, cause, "after the calls").await;
    for _ in 0..2 {
        person.look(&world, &account).await;
    }
    let expected: &[_] = if cause.is_some() { &["authentication_error"] } else { &[] };
    assert_eq!(all_events(&world, &account).await, [&["created", "active"], expected].concat());
    assert_eq!((person.notified, provider.tokens() - tokens), (expected.len(), refreshes));
}

/// An API that refuses the first credential, when all the calls are there: some at once, the others when so many are `answered`.
fn refusing(accepts_next: bool, answered: watch::Receiver<usize>) -> Router {
    let (all, refused) = (Arc::new(Barrier::new(CALLS)), Arc::new(AtomicUsize::new(0)));
    Router::new().fallback(move |headers: HeaderMap| async move {
        let is_first = headers.contains_key("x-api-key") || headers["authorization"] == "Bearer at-1";
        if is_first {
            let is_late = refused.fetch_add(1, Ordering::SeqCst) >= CALLS - LATE;
            all.wait().await;
            if is_late {
                let mut answered = answered.clone();
                answered.wait_for(|count| *count >= CALLS - LATE).await.expect("the test goes on");
            }
        }
        let status = if is_first || !accepts_next { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        let answer: Response = (status, Json(json!({ "message": "as the table says" }))).into_response();
        answer
    })
}

/// Each call has four ends of connections in this process.
fn allow_many_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        setrlimit(Resource::Nofile, raised).expect("raised as far as permitted");
    }
}
