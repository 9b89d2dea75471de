//! `Idempotency-Key` (contract section 0.5), on every route that takes it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::IntoResponse,
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    answering_provider::{Provider, SignIn, name},
    unified_model::Model,
    world::World,
};

/// How a call is made with an account.
#[derive(Debug, Clone)]
struct Target {
    method: Method,
    path: &'static str,
}

const POSTS: [&str; 6] = [
    "/proxy/items",
    "/proxy/items/merge",
    "/custom/items",
    "/batch-request",
    "/unified/sales/items",
    "/unified/sales/items/merge",
];
const PATCHES: [&str; 3] = ["/proxy/items/7", "/custom/items/7", "/unified/sales/items/7"];

fn targets() -> Vec<Target> {
    let posts = POSTS.into_iter().map(|path| Target { method: Method::POST, path });
    posts.chain(PATCHES.into_iter().map(|path| Target { method: Method::PATCH, path })).collect()
}

impl Target {
    /// The status for the caller of what the provider answers with this one. A unified record has a form of its own.
    fn answers(&self, status: StatusCode) -> u16 {
        if self.path.starts_with("/unified/") && status.is_success() { 200 } else { status.as_u16() }
    }
}

/// What the provider does.
#[derive(Clone)]
struct Api {
    calls: Arc<AtomicUsize>,
    status: Arc<Mutex<StatusCode>>,
    /// A permit for each answer.
    answers: Arc<Semaphore>,
}

struct Calling {
    world: World,
    provider: Provider,
    account: String,
    api: Api,
}

impl Calling {
    async fn new() -> Self {
        let world = World::new().await;
        let api = Api {
            calls: Arc::default(),
            status: Arc::new(Mutex::new(StatusCode::CREATED)),
            answers: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS / 2)),
        };
        let router = Router::new().fallback({
            let api = api.clone();
            move || async move {
                let number = api.calls.fetch_add(1, Ordering::SeqCst) + 1;
                api.answers.acquire().await.expect("open").forget();
                let status = *api.status.lock().expect("not poisoned");
                (status, [(header::ETAG, number.to_string())], Json(json!({ "number": number }))).into_response()
            }
        });
        let provider = Provider::with_api(true, |_| router).await.with_resources(json!({ "items": {
            "create": { "path": "/items", "method": "post" },
            "update": { "path": "/items/{{id}}", "method": "patch" },
            "merge": { "path": "/items/merge", "method": "post" },
            "delete": { "path": "/items/{{id}}", "method": "delete" },
        } }));
        let account = provider.connect(&world, SignIn::ApiKey, 0).await;
        let model = Model::new(&world).await;
        for method in ["create", "update", "merge", "delete"] {
            for number in [0, 1] {
                model.map(&name(SignIn::ApiKey, number), "items", method, json!({})).await;
            }
        }
        Self { world, provider, account, api }
    }

    fn request(&self, target: &Target, account: &str, name: &str) -> RequestBuilder {
        self.request_with(&self.world.token, target, account, name)
    }

    fn request_with(&self, token: &str, target: &Target, account: &str, name: &str) -> RequestBuilder {
        let Target { method, path } = target.clone();
        let is_batch = path == "/batch-request";
        let query = if is_batch { String::new() } else { format!("?integrated_account_id={account}") };
        let body = if is_batch {
            let entry = json!({ "resource": "items", "method": "create", "body": { "name": name }, "persist": true });
            json!({ "integrated_account_id": account, "resources": [entry] })
        } else {
            json!({ "name": name })
        };
        let request = self.world.client.request(method, format!("{}{path}{query}", self.world.base()));
        request.bearer_auth(token).json(&body)
    }

    async fn call(&self, target: &Target, key: &str) -> Shown {
        shown(self.request(target, &self.account, "a").header("idempotency-key", key).send().await.expect("an answer"))
            .await
    }

    fn calls(&self) -> usize {
        self.api.calls.load(Ordering::SeqCst)
    }
}

/// Status, `ETag` and body.
type Shown = (u16, Option<String>, Value);

async fn shown(response: Response) -> Shown {
    let tag = response.headers().get("etag").map(|tag| tag.to_str().expect("text").to_owned());
    (response.status().as_u16(), tag, response.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_kept_answer_comes_again_without_a_call() {
    let it = Calling::new().await;
    let other_account = it.provider.connect(&it.world, SignIn::ApiKey, 1).await;
    for target in targets() {
        // The same key at another path, or of another account, is another one.
        let before = it.calls();
        let first = it.call(&target, "key").await;
        assert_eq!(it.calls(), before + 1, "{target:?}: {first:?}");
        let expected = if target.path == "/batch-request" { 200 } else { target.answers(StatusCode::CREATED) };
        assert_eq!(first.0, expected, "{target:?}: {first:?}");
        assert_eq!(it.call(&target, "key").await, first, "{target:?}");
        let with_another_body = it.request(&target, &it.account, "b").header("idempotency-key", "key");
        assert_eq!(shown(with_another_body.send().await.expect("an answer")).await, first, "{target:?}");
        assert_eq!(it.calls(), before + 1, "{target:?}");

        let without = it.request(&target, &it.account, "a");
        let of_other_account = it.request(&target, &other_account, "a").header("idempotency-key", "key");
        for (number, request) in [(2, without), (3, of_other_account)] {
            assert_ne!(shown(request.send().await.expect("an answer")).await, first, "{target:?}");
            assert_eq!(it.calls(), before + number, "{target:?}");
        }
        assert_ne!(it.call(&target, "another").await, first, "{target:?}");
        assert_eq!(it.calls(), before + 4, "{target:?}");
    }
}

#[tokio::test]
async fn only_a_success_is_kept() {
    let it = Calling::new().await;
    for target in targets() {
        for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::CONFLICT, StatusCode::CREATED] {
            *it.api.status.lock().expect("not poisoned") = status;
            let (found, _, body) = it.call(&target, "key").await;
            // A batch has done what it could: repeated, it would do that again.
            let expected = if target.path == "/batch-request" { 200 } else { target.answers(status) };
            assert_eq!(found, expected, "{target:?}: {body}");
        }
    }
    let batches = targets().iter().filter(|target| target.path == "/batch-request").count();
    assert_eq!(it.calls(), 3 * (targets().len() - batches) + batches);
}

#[tokio::test]
async fn while_a_call_is_under_way_its_repetition_is_a_409() {
    let it = Calling::new().await;
    for target in targets() {
        it.api.answers.forget_permits(usize::MAX);
        let before = it.calls();
        let second = async {
            while it.calls() == before {
                tokio::task::yield_now().await;
            }
            let second = it.call(&target, "key").await;
            it.api.answers.add_permits(1);
            second
        };
        let (first, (status, _, body)) = tokio::join!(it.call(&target, "key"), second);
        assert_eq!((status, &body["code"]), (409, &json!("idempotency_key_in_use")), "{target:?}");
        assert!((200..300).contains(&first.0), "{target:?}: {first:?}");
        assert_eq!(it.call(&target, "key").await, first, "{target:?}");
        assert_eq!(it.calls(), before + 1, "{target:?}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_gets_the_answer_when_it_asks_again() {
    let it = Calling::new().await;
    for target in targets() {
        it.api.answers.forget_permits(usize::MAX);
        let before = it.calls();
        tokio::select! {
            first = it.call(&target, "key") => panic!("{target:?} has no answer yet, but {first:?}"),
            () = async { while it.calls() == before { tokio::task::yield_now().await } } => {}
        }
        it.api.answers.add_permits(1);
        let again = loop {
            let (status, tag, body) = it.call(&target, "key").await;
            if body["code"] != "idempotency_key_in_use" {
                break (status, tag, body);
            }
        };
        assert!((200..300).contains(&again.0), "{target:?}: {again:?}");
        assert_eq!(it.calls(), before + 1, "{target:?}");
    }
}

#[tokio::test]
async fn a_key_counts_only_for_what_creates_or_changes_and_must_be_one() {
    let it = Calling::new().await;
    for (method, path) in
        [(Method::DELETE, "/proxy/items/7"), (Method::PUT, "/custom/items"), (Method::GET, "/custom/x")]
    {
        let target = Target { method, path };
        assert_ne!(it.call(&target, "key").await, it.call(&target, "key").await, "{target:?}");
    }
    let before = it.calls();
    for target in targets() {
        for key in ["", &"x".repeat(256)] {
            let (status, _, body) = it.call(&target, key).await;
            assert_eq!((status, &body["code"]), (400, &json!("idempotency_key_invalid")), "{target:?}");
        }
    }
    assert_eq!(it.calls(), before);
}

#[tokio::test]
async fn a_kept_answer_is_for_nobody_who_may_not_call_the_account() {
    let it = Calling::new().await;
    let other_account = it.provider.connect(&it.world, SignIn::ApiKey, 1).await;
    let limited = json!({ "name": "limited", "accounts": [other_account] });
    let (_, made) = it.world.as_person(Method::POST, "/relink/api-tokens", limited).await;
    let token = made["token"].as_str().unwrap_or_else(|| panic!("{made}"));
    for target in targets() {
        let first = it.call(&target, "key").await;
        assert!((200..300).contains(&first.0), "{target:?}: {first:?}");
        let refused = it.request_with(token, &target, &it.account, "a").header("idempotency-key", "key");
        let refused = refused.send().await.expect("an answer");
        assert_eq!(refused.status().as_u16(), 403, "{target:?}");
    }
}
