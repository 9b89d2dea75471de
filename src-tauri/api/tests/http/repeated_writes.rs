//! Which key a provider gets with what is written, so that it knows a write that is repeated (contract section 0.5).

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::Request,
    http::StatusCode as Answered,
    response::{IntoResponse, Response},
};
use relink_domain::caller::Caller;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn, name},
    truto_client::text,
    unified_model::Model,
    world::World,
};

/// A request that the provider got.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// Method, path and body.
    request: String,
    key: Option<String>,
}

/// A provider that notes the keys of requests.
struct Noting {
    world: World,
    account: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _provider: Provider,
}

impl Noting {
    async fn new() -> Self {
        let world = World::new().await;
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let noted = Arc::clone(&seen);
        let api = Router::new().fallback(move |request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1000).await.expect("a body");
            let line = format!("{} {} {}", parts.method, parts.uri.path(), String::from_utf8_lossy(&body));
            let key = parts.headers.get("idempotency-key").map(|key| key.to_str().expect("text").to_owned());
            let request = line.trim().to_owned();
            let mut seen = noted.lock().expect("not poisoned");
            let is_first = seen.iter().all(|earlier| earlier.request != request);
            seen.push(Seen { request: request.clone(), key });
            answer(&request, is_first)
        });
        let write = |path: &str| json!({ "path": path, "method": "post" });
        let paged = json!({
            "path": "/export", "method": "post",
            "pagination": { "format": "cursor", "config": { "cursor_path": "next", "cursor_key": "after" } },
        });
        let provider = Provider::with_api(true, |_| api).await.with_resources(json!({
            "items": { "list": { "path": "/items" }, "create": write("/items"), "search": write("/search"), "export": paged },
            "sessions": { "create": write("/sessions") },
            "owners": { "create": write("/owners"), "list": write("/owners/search") },
        }));
        let account = provider.connect(&world, SignIn::ApiKey, 0).await;
        let model = Model::new(&world).await;
        let step = |name: &str| json!({ "name": name, "type": "request", "config": { "resource": "sessions", "method": "create", "body": { "step": name } } });
        let config = json!({
            "before": [
                step("opened"), step("checked"),
                { "type": "request", "config": { "method": "post", "path": "/own" } },
                { "type": "request", "config": { "resource": "owners", "method": "list" } },
            ],
            "side_load": { "owner": { "resource": "owners", "method": "create", "body": { "of": "{{record.id}}" } } },
            "after": [
                step("closed"),
                { "name": "noted", "type": "request", "config": { "resource": "sales/people", "method": "create", "body": { "n": 1 } } },
            ],
        });
        let integration = name(SignIn::ApiKey, 0);
        model.map(&integration, "items", "create", config.clone()).await;
        model.map(&integration, "items", "list", config).await;
        model.map(&integration, "people", "create", json!({ "resource": "sessions", "before": [step("inner")] })).await;
        Self { world, account, seen, _provider: provider }
    }

    /// What the provider got since the last time.
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().expect("not poisoned"))
    }

    /// Runs these nodes to their end.
    async fn run(&self, nodes: Value) -> Vec<Seen> {
        let job = self.world.post("/sync-job", json!({ "resources": nodes })).await;
        let new = json!({ "sync_job_id": job["id"], "integrated_account_id": self.account });
        let run = self.world.post("/sync-job-run", new).await;
        let mut changes = self.world.engine.changes(&Caller::Person);
        loop {
            let row = self.world.get(&format!("/sync-job-run/{}", text(&run["id"]))).await;
            if row["finished_at"].is_string() {
                assert_eq!(row["status"], "completed", "{row}");
                return self.seen();
            }
            changes.next().await.expect("the engine runs");
        }
    }
}

/// The second item can only be made when it is asked for again.
fn answer(request: &str, is_first: bool) -> Response {
    if request == r#"POST /items {"of":"2"}"# && is_first {
        return (Answered::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response();
    }
    Json(match request {
        "GET /items" => json!([{ "id": 1 }, { "id": 2 }]),
        _ => json!({ "id": "new" }),
    })
    .into_response()
}

fn requests(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.request.as_str()).collect()
}

/// The keys of requests that must have one.
fn keys(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.key.as_deref().unwrap_or_else(|| panic!("no key: {seen:?}"))).collect()
}

/// What making the item of a record asks the provider for.
fn of_item(id: u8) -> Vec<String> {
    [
        r#"POST /sessions {"step":"opened"}"#,
        r#"POST /sessions {"step":"checked"}"#,
        &format!(r#"POST /own {{"of":"{id}"}}"#),
        "POST /owners/search",
        &format!(r#"POST /items {{"of":"{id}"}}"#),
        r#"POST /owners {"of":"new"}"#,
        r#"POST /sessions {"step":"closed"}"#,
        r#"POST /sessions {"step":"inner"}"#,
        r#"POST /sessions {"n":1}"#,
    ]
    .map(str::to_owned)
    .to_vec()
}

#[tokio::test]
async fn a_runs_writes_have_the_same_keys_when_they_are_repeated() {
    // Given a job that makes an item for each of two, of which the provider makes the second only when it is asked again
    let it = Noting::new().await;
    let nodes = json!([
        { "resource": "items", "method": "list", "persist": false },
        { "resource": "sales/items", "method": "create", "depends_on": "items", "loop_on": "resources.items", "persist": false,
          "body": { "of": "{{resources.items.id}}" } },
    ]);
    // When it runs
    let seen = it.run(nodes).await;
    let repeated = &of_item(2)[..5];
    let expected = [&["GET /items".to_owned()][..], &of_item(1), repeated, &of_item(2)].concat();
    assert_eq!(requests(&seen), expected);
    // Then what reads has no key
    let is_read = |seen: &Seen| seen.request.starts_with("GET ") || seen.request == "POST /owners/search";
    assert!(seen.iter().filter(|seen| is_read(seen)).all(|seen| seen.key.is_none()), "{seen:?}");
    // And each step of each record has one of its own, which is the same when it is repeated
    let (first, second, again) = (&seen[1..10], &seen[10..15], &seen[15..]);
    assert_eq!(again[..5], *second);
    let writes: Vec<_> = first.iter().chain(again).filter(|seen| !is_read(seen)).cloned().collect();
    let different: BTreeSet<_> = keys(&writes).into_iter().collect();
    assert_eq!((writes.len(), different.len()), (16, 16), "{seen:?}");
}

#[tokio::test]
async fn the_steps_of_a_list_have_a_key_for_each_record() {
    let it = Noting::new().await;
    let seen = it.run(json!([{ "resource": "sales/items", "method": "list", "persist": false }])).await;
    let owners: Vec<_> = seen.iter().filter(|seen| seen.request.starts_with("POST /owners {")).cloned().collect();
    assert_eq!(requests(&owners), [r#"POST /owners {"of":"1"}"#, r#"POST /owners {"of":"2"}"#]);
    assert_ne!(keys(&owners)[0], keys(&owners)[1]);
    assert!(seen.iter().all(|seen| seen.request != "GET /items" || seen.key.is_none()), "{seen:?}");
}

#[tokio::test]
async fn a_run_gives_writes_of_the_proxy_a_key_too() {
    let it = Noting::new().await;
    let seen = it
        .run(json!([
            { "resource": "items", "method": "list", "persist": false },
            { "resource": "sessions", "method": "create", "depends_on": "items", "loop_on": "resources.items", "persist": false, "body": {} },
        ]))
        .await;
    assert_eq!(requests(&seen), ["GET /items", "POST /sessions {}", "POST /sessions {}"]);
    assert_ne!(keys(&seen[1..])[0], keys(&seen[1..])[1]);
}

#[tokio::test]
async fn what_a_program_writes_has_a_key_at_the_provider_that_follows_from_its_own() {
    let it = Noting::new().await;
    let call = async |method: Method, path: &str, key: &str| {
        let url = format!("{}{path}?integrated_account_id={}", it.world.base(), it.account);
        let request = it.world.client.request(method, url).bearer_auth(&it.world.token).json(&json!({ "of": 1 }));
        let status = request.header("idempotency-key", key).send().await.expect("an answer").status();
        assert!(status.is_success(), "{path}: {status}");
        it.seen()
    };
    let mut sent = BTreeSet::new();
    for (method, path, writes) in [
        (Method::POST, "/proxy/items", true),
        (Method::POST, "/proxy/items/search", true),
        (Method::GET, "/proxy/items", false),
        // Each of its pages is a request of its own.
        (Method::POST, "/proxy/items/export", false),
        // A list that is a POST at the provider.
        (Method::GET, "/proxy/owners", false),
    ] {
        let seen = call(method, path, "mine").await;
        assert_eq!((seen.len(), seen[0].key.is_some()), (1, writes), "{path}");
        sent.extend(seen[0].key.clone());
    }
    // A provider may know a key for everything that it is asked for: the one key of two calls is two for it, and no text of the program.
    assert!(sent.len() == 2 && !sent.contains("mine"), "{sent:?}");
    let custom = call(Method::POST, "/custom/items", "mine").await;
    assert_eq!(custom[0].key.as_deref(), Some("mine"), "a custom call has the headers of its caller");
    // The unified call has it, and its steps have others that follow from it.
    let (first, other) =
        (call(Method::POST, "/unified/sales/items", "a").await, call(Method::POST, "/unified/sales/items", "b").await);
    let main = |seen: &[Seen]| seen.iter().find(|seen| seen.request.starts_with("POST /items")).cloned().expect("made");
    let (one, two) = (main(&first).key.expect("a key"), main(&other).key.expect("a key"));
    assert!(one != two && one != "a" && two != "b", "{one} {two}");
    let steps = |seen: &[Seen]| keys(&seen[..3]).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(steps(&first).union(&steps(&other)).count(), 6);
}
