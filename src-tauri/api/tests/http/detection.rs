//! Section 6 of the contract as a table: what a provider's answer to a call does to the account, for every way to authenticate,
//! every cause and every route that calls take.

use reqwest::Method;
use serde_json::json;

use crate::{
    answering_provider::{
        Provider,
        SignIn::{self, ApiKey, Basic, ClientCredentials, OAuth, OAuthFixed},
    },
    observed::{Person, all_events, events, until_is},
    route::Route,
    world::World,
};

const RENEWING: &[SignIn] = &[OAuth, ClientCredentials];
const FIXED: &[SignIn] = &[OAuthFixed, ApiKey, Basic];

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The provider's API answers the next calls like this, and from then on with the last one.
    Api(&'static [u16]),
    /// The probe answers like this.
    Probe(u16),
    /// The token endpoint answers like this: 200 is a new token.
    Token(u16),
    /// A program makes a call, and gets this status.
    Call(u16),
    /// The person requests a refresh, which works or not.
    Refresh(bool),
    /// The account has this status and cause.
    Is(&'static str, Option<&'static str>),
}
use Step::{Api, Call, Is, Probe, Refresh, Token};

struct Row {
    cause: &'static str,
    auths: &'static [SignIn],
    steps: &'static [Step],
    /// After those of the connection.
    events: &'static [&'static str],
    notifications: usize,
    /// How often the token endpoint was asked after the connection.
    refreshes: usize,
}

const ERROR: &str = "authentication_error";

const TABLE: &[Row] = &[
    Row {
        cause: "401 once, with a token that can be refreshed",
        auths: RENEWING,
        steps: &[Api(&[401, 200]), Call(200), Is("active", None)],
        events: &[],
        notifications: 0,
        refreshes: 1,
    },
    Row {
        cause: "401 once",
        auths: FIXED,
        steps: &[Api(&[401]), Call(401), Is("needs_reauth", Some("rejected"))],
        events: &[ERROR],
        notifications: 1,
        refreshes: 0,
    },
    Row {
        cause: "401 again after the refresh, and again",
        auths: RENEWING,
        steps: &[Api(&[401]), Call(401), Is("needs_reauth", Some("rejected_after_refresh")), Call(401), Call(401)],
        events: &[ERROR],
        notifications: 1,
        // A token that is known to be refused isn't replaced for each call.
        refreshes: 1,
    },
    Row {
        cause: "401 again and again",
        auths: FIXED,
        steps: &[Api(&[401]), Call(401), Is("needs_reauth", Some("rejected")), Call(401), Call(401)],
        events: &[ERROR],
        notifications: 1,
        refreshes: 0,
    },
    Row {
        cause: "401, and the refresh is refused",
        auths: &[OAuth],
        steps: &[Api(&[401]), Token(400), Call(401), Is("needs_reauth", Some("invalid_grant")), Call(401)],
        events: &[ERROR],
        notifications: 1,
        refreshes: 1,
    },
    Row {
        cause: "401, and the token request is refused",
        auths: &[ClientCredentials],
        steps: &[Api(&[401]), Token(401), Call(401), Is("needs_reauth", Some("client_refused")), Call(401)],
        events: &[ERROR],
        notifications: 1,
        refreshes: 1,
    },
    Row {
        cause: "401, and the refresh fails for a while",
        auths: RENEWING,
        steps: &[Api(&[401]), Token(500), Call(502), Is("needs_reauth", Some("server_error"))],
        events: &[ERROR],
        // It may go away by itself.
        notifications: 0,
        refreshes: 1,
    },
    Row {
        cause: "403",
        auths: &[OAuth, OAuthFixed, ClientCredentials, ApiKey, Basic],
        steps: &[Api(&[403]), Call(403), Call(403), Is("active", Some("forbidden"))],
        events: &[],
        notifications: 0,
        refreshes: 0,
    },
    Row {
        cause: "2xx after a 401",
        auths: FIXED,
        steps: &[Api(&[401, 200]), Call(401), Is("needs_reauth", Some("rejected")), Call(200), Is("active", None)],
        events: &[ERROR, "reactivated"],
        notifications: 1,
        refreshes: 0,
    },
    Row {
        cause: "2xx with a new token after one was refused",
        auths: RENEWING,
        steps: &[
            Api(&[401, 401, 200]),
            Call(401),
            Is("needs_reauth", Some("rejected_after_refresh")),
            // The refresh alone shows nothing, and neither does the check.
            Probe(500),
            Refresh(true),
            Is("needs_reauth", Some("rejected_after_refresh")),
            Call(200),
            Is("active", None),
        ],
        events: &[ERROR, "reactivated"],
        notifications: 1,
        refreshes: 2,
    },
    Row {
        cause: "a check with a new token after one was refused",
        auths: RENEWING,
        steps: &[
            Api(&[401]),
            Call(401),
            Is("needs_reauth", Some("rejected_after_refresh")),
            Refresh(true),
            Is("active", None),
        ],
        events: &[ERROR, "reactivated"],
        notifications: 1,
        refreshes: 2,
    },
    Row {
        cause: "2xx with the remaining token after a failed refresh",
        auths: &[OAuth],
        steps: &[
            Api(&[200]),
            Token(400),
            Refresh(false),
            Is("needs_reauth", Some("invalid_grant")),
            Call(200),
            Is("needs_reauth", Some("invalid_grant")),
            Token(200),
            Refresh(true),
            Is("active", None),
        ],
        events: &[ERROR, "reactivated"],
        notifications: 1,
        refreshes: 2,
    },
    Row {
        cause: "every tried refresh that fails",
        auths: &[OAuth],
        steps: &[Token(400), Refresh(false), Refresh(false), Is("needs_reauth", Some("invalid_grant"))],
        events: &[ERROR, ERROR],
        notifications: 1,
        refreshes: 2,
    },
    Row {
        cause: "401 and 200 in turn",
        auths: FIXED,
        steps: &[
            Api(&[401, 200, 401, 200, 401, 200]),
            Call(401),
            Is("needs_reauth", Some("rejected")),
            Call(200),
            Is("active", None),
            Call(401),
            Is("needs_reauth", Some("rejected")),
            Call(200),
            Is("active", None),
            Call(401),
            Is("needs_reauth", Some("rejected")),
            Call(200),
            Is("active", None),
        ],
        events: &[ERROR, "reactivated"],
        notifications: 1,
        refreshes: 0,
    },
    Row {
        cause: "an answer that means expired, with a token that can be refreshed",
        auths: RENEWING,
        steps: &[Api(&[419, 200]), Call(200), Is("active", None)],
        events: &[],
        notifications: 0,
        refreshes: 1,
    },
    Row {
        cause: "an answer that means expired",
        auths: FIXED,
        steps: &[Api(&[419]), Call(419), Is("needs_reauth", Some("rejected"))],
        events: &[ERROR],
        notifications: 1,
        refreshes: 0,
    },
    Row {
        cause: "answers that say nothing of the credential",
        auths: &[OAuth, OAuthFixed, ClientCredentials, ApiKey, Basic],
        steps: &[Api(&[400, 429, 500, 503]), Call(400), Call(429), Call(500), Call(503), Is("active", None)],
        events: &[],
        notifications: 0,
        refreshes: 0,
    },
];

#[tokio::test]
async fn what_an_answer_to_a_pass_through_does_to_an_account() {
    what_an_answer_does(Route::Via).await;
}

#[tokio::test]
async fn what_an_answer_to_a_list_does_to_an_account() {
    what_an_answer_does(Route::ProxyList).await;
}

#[tokio::test]
async fn what_an_answer_to_a_get_does_to_an_account() {
    what_an_answer_does(Route::ProxyGet).await;
}

#[tokio::test]
async fn what_an_answer_to_a_custom_call_does_to_an_account() {
    what_an_answer_does(Route::Custom).await;
}

#[tokio::test]
async fn what_an_answer_to_a_batch_does_to_an_account() {
    what_an_answer_does(Route::Batch).await;
}

#[tokio::test]
async fn what_an_answer_to_a_unified_call_does_to_an_account() {
    what_an_answer_does(Route::UnifiedList).await;
}

#[tokio::test]
async fn what_an_answer_to_a_sync_job_does_to_an_account() {
    what_an_answer_does(Route::SyncRun).await;
}

async fn what_an_answer_does(route: Route) {
    let world = World::new().await;
    for (number, row) in TABLE.iter().enumerate() {
        for auth in row.auths {
            let name = format!("{} ({auth:?}, {route:?})", row.cause);
            check(&world, number, row, *auth, route, &name).await;
        }
    }
}

async fn check(world: &World, number: usize, row: &Row, auth: SignIn, route: Route, name: &str) {
    let provider = Provider::start(auth != OAuthFixed).await;
    let account = provider.connect(world, auth, number).await;
    route.prepare(world, &crate::answering_provider::name(auth, number)).await;
    let connected = events(world, &account).await;
    assert_eq!(connected, ["created", "active"], "{name}");
    let tokens = provider.tokens();
    let mut person = Person::default();
    for step in row.steps {
        match *step {
            Api(statuses) => provider.with(|state| state.api = statuses.iter().copied().collect()),
            Probe(status) => provider.with(|state| state.probe = status),
            Token(status) => provider.with(|state| state.token = status),
            Call(expected) => {
                let (status, body) = route.call(world, &account).await;
                assert_eq!(status, expected, "{name}: {body}");
                route.assert_shown(status, &body, name);
            }
            Refresh(works) => {
                let path = format!("/relink/accounts/{account}/refresh");
                let (status, body) = world.as_person(Method::POST, &path, json!({})).await;
                assert_eq!(status.is_success(), works, "{name}: {body}");
            }
            Is(status, cause) => until_is(world, &account, status, cause, name).await,
        }
        person.look(world, &account).await;
    }
    let found = world.get(&format!("/integrated-account/{account}")).await;
    if let Some(forbidden) = found["last_forbidden_error"].as_object() {
        let called = ["resource", "method"].map(|key| forbidden[key].clone());
        assert_eq!(called, route.resource_and_method(), "{name}: {forbidden:?}");
    }
    assert_eq!(all_events(world, &account).await, [&["created", "active"], row.events].concat(), "{name}");
    assert_eq!(person.notified, row.notifications, "{name}: notifications");
    assert_eq!(provider.tokens() - tokens, row.refreshes, "{name}: refreshes");
}
