//! Section 6 of the contract as a table: what a provider's answer to a call does to the account, for every way to authenticate,
//! every cause and every route that calls take.

use relink_domain::{
    AccountId, Timestamp,
    caller::Caller,
    notice::{self, Action, FailingAccount, Network, NoticeHistory, Situation},
};
use relink_engine::Filter;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    answering_provider::{
        Provider,
        SignIn::{self, ApiKey, Basic, ClientCredentials, OAuth, OAuthFixed},
    },
    world::World,
};

const RENEWING: &[SignIn] = &[OAuth, ClientCredentials];
const FIXED: &[SignIn] = &[OAuthFixed, ApiKey, Basic];

/// The routes that calls take. `/proxy` and `/custom` belong here as well.
#[derive(Debug, Clone, Copy)]
enum Route {
    Via,
}

const ROUTES: &[Route] = &[Route::Via];

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
async fn what_an_answer_does_to_an_account() {
    let world = World::new().await;
    for (number, row) in TABLE.iter().enumerate() {
        for auth in row.auths {
            for route in ROUTES {
                let name = format!("{} ({auth:?}, {route:?})", row.cause);
                check(&world, number, row, *auth, *route, &name).await;
            }
        }
    }
}

async fn check(world: &World, number: usize, row: &Row, auth: SignIn, route: Route, name: &str) {
    let provider = Provider::start(auth != OAuthFixed).await;
    let account = provider.connect(world, auth, number).await;
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
                let (status, body) = call(world, route, &account).await;
                assert_eq!(status, expected, "{name}: {body}");
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
    // What follows of an answer is not waited for. Whatever it sent too much is before this one.
    world.post(&format!("/relink/accounts/{account}/rename"), json!({ "name": "Acme" })).await;
    let mut expected = [&["created", "active"], row.events, &["updated"]].concat();
    let mut found = events(world, &account).await;
    assert_eq!((expected.pop(), found.pop().as_deref()), (Some("updated"), Some("updated")), "{name}");
    assert_eq!(found, expected, "{name}");
    assert_eq!(person.notified, row.notifications, "{name}: notifications");
    assert_eq!(provider.tokens() - tokens, row.refreshes, "{name}: refreshes");
}

async fn call(world: &World, route: Route, account: &str) -> (u16, Value) {
    let path = match route {
        Route::Via => format!("/via/{account}/items"),
    };
    let (status, body) = world.ask(Method::GET, &path, Value::Null).await;
    (status.as_u16(), body)
}

/// Waits until the account has this status and cause, because what follows of a call comes after its response.
async fn until_is(world: &World, account: &str, status: &str, cause: Option<&str>, name: &str) {
    let waits = async {
        loop {
            let found = world.get(&format!("/integrated-account/{account}")).await;
            let error = if cause == Some("forbidden") { "last_forbidden_error" } else { "last_error" };
            if (found["status"].as_str(), found[error]["code"].as_str()) == (Some(status), cause) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), waits).await;
    if waited.is_err() {
        let found = world.get(&format!("/integrated-account/{account}")).await;
        panic!("{name}: not {status} with {cause:?}, but {found}");
    }
}

async fn events(world: &World, account: &str) -> Vec<String> {
    let events = world.get("/relink/events?after=0&limit=1000").await;
    let events = events["result"].as_array().expect("a list").iter();
    let of_account = events.filter(|event| event["payload"]["id"] == account);
    let name = |event: &Value| event["event"].as_str().and_then(|name| name.split(':').nth(1)).map(str::to_owned);
    of_account.filter_map(name).collect()
}

/// Who is notified, by the desktop's policy.
#[derive(Default)]
struct Person {
    history: NoticeHistory,
    notified: usize,
}

impl Person {
    async fn look(&mut self, world: &World, account: &str) {
        let id: AccountId = account.parse().expect("an id");
        let views = world.engine.accounts().list(&Caller::Person, Filter::default()).await.expect("read");
        let failing = views.iter().filter(|view| view.account.id() == id);
        let failing = failing.filter_map(|view| FailingAccount::of(&view.account, &view.label)).collect();
        let situation = Situation { failing, network: Network::Online, paused: false };
        let now: Timestamp = world.engine.now();
        let decision = notice::decide(&self.history, &situation, now);
        self.notified += decision.actions.iter().filter(|it| matches!(it, Action::Show { alert: true, .. })).count();
        self.history = decision.next;
    }
}
