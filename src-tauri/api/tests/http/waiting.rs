//! `Relink-Wait`: calls that wait for the account's person.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    answering_provider::{self, Provider, SignIn},
    route::Route,
    unified_model::Model,
    world::World,
};

struct Waiting {
    world: World,
    provider: Provider,
    auth: SignIn,
    account: String,
}

impl Waiting {
    async fn new(auth: SignIn) -> Self {
        let world = World::new().await;
        let provider = Provider::start(true).await;
        let account = provider.connect(&world, auth, 0).await;
        Route::UnifiedList.prepare(&world, &answering_provider::name(auth, 0)).await;
        Self { world, provider, auth, account }
    }

    async fn call(&self, route: Route, wait: &str) -> (u16, Value) {
        let request = route.request(&self.world, &self.account).header("relink-wait", wait);
        route.answer(request.send().await.expect("an answer")).await
    }

    /// Waits until programs wait for the account, or none does.
    async fn until_awaited(&self, expected: &[&str]) {
        let id = self.account.parse().expect("an id");
        let caller = relink_domain::caller::Caller::Person;
        let mut waits = self.world.engine.accounts().waits_changed(&caller);
        while self.world.engine.accounts().awaited_by(&caller, id) != expected {
            waits.changed().await.expect("it runs");
        }
    }

    async fn reauthorize(&self) {
        let link = json!({ "integrated_account_id": self.account });
        let name = answering_provider::name(self.auth, 0);
        assert_eq!(Provider::sign_in(&self.world, self.auth, &name, link).await, self.account);
    }
}

#[tokio::test]
async fn a_call_waits_for_the_reauthorization_and_goes_on() {
    for auth in [SignIn::ApiKey, SignIn::OAuth] {
        let it = Waiting::new(auth).await;
        for route in Route::ALL {
            it.provider.with(|state| {
                state.api = [401].into();
                state.token = 400;
            });
            let ((status, body), ()) = tokio::join!(it.call(route, "10m"), async {
                it.until_awaited(&["test"]).await;
                it.provider.with(|state| {
                    state.api = [200].into();
                    state.token = 200;
                });
                it.reauthorize().await;
            });
            assert_eq!(status, 200, "{auth:?}, {route:?}: {body}");
            route.assert_shown(status, &body, "the provider's answer");
            it.until_awaited(&[]).await;
            let account = it.world.get(&format!("/integrated-account/{}", it.account)).await;
            assert_eq!(account["status"], "active", "{auth:?}, {route:?}");
        }
    }
}

#[tokio::test]
async fn a_call_goes_on_when_another_one_shows_that_the_key_is_accepted_again() {
    let it = Waiting::new(SignIn::ApiKey).await;
    for route in Route::ALL {
        it.provider.with(|state| state.api = [401].into());
        let ((status, body), ()) = tokio::join!(it.call(route, "1h"), async {
            it.until_awaited(&["test"]).await;
            it.provider.with(|state| state.api = [200].into());
            let other = it.world.get(&format!("/via/{}/items", it.account)).await;
            assert_eq!(other["message"], "as the table says");
        });
        assert_eq!(status, 200, "{route:?}: {body}");
        // Or the next call would be taken for this one.
        it.until_awaited(&[]).await;
    }
}

#[tokio::test]
async fn after_its_time_a_call_ends_with_the_refusal() {
    let it = Waiting::new(SignIn::ApiKey).await;
    it.provider.with(|state| state.api = [401].into());
    for route in Route::ALL {
        let (status, body) = it.call(route, "0s").await;
        assert_eq!((status, &body["message"]), (401, &json!("as the table says")), "{route:?}");
        let (status, body) = it.call(route, "soon").await;
        assert_eq!((status, &body["code"]), (400, &json!("relink_wait_invalid")), "{route:?}");
    }
}

/// A body that is kept meanwhile, and one that is too large for that.
#[tokio::test]
async fn a_body_waits_with_its_call() {
    let it = Waiting::new(SignIn::ApiKey).await;
    let models = it.world.get("/environment-unified-model?unified_model.name=sales").await;
    let model = Model::of(&it.world, &models["result"][0]);
    model.map(&answering_provider::name(SignIn::ApiKey, 0), "items", "create", json!({})).await;
    for path in [
        format!("/via/{}/items", it.account),
        format!("/proxy/items?integrated_account_id={}", it.account),
        format!("/custom/items?integrated_account_id={}", it.account),
        format!("/unified/sales/items?integrated_account_id={}", it.account),
    ] {
        let post = |body: Value| {
            let request = it.world.client.post(format!("{}{path}", it.world.base())).bearer_auth(&it.world.token);
            request.header("relink-wait", "10m").json(&body).send()
        };
        it.provider.with(|state| state.api = [401].into());
        let (answer, ()) = tokio::join!(post(json!({ "name": "x".repeat(1000) })), async {
            it.until_awaited(&["test"]).await;
            it.provider.with(|state| state.api = [200].into());
            it.reauthorize().await;
        });
        assert_eq!(answer.expect("an answer").status(), StatusCode::OK, "{path}");
        it.until_awaited(&[]).await;
        assert_eq!(it.provider.with(|state| state.received), 1000 + r#"{"name":""}"#.len(), "{path}");
        let refused = post(json!({ "name": "x".repeat(1 << 20) })).await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_eq!(refused.json::<Value>().await.expect("JSON")["code"], "body_too_large_to_wait", "{path}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place_and_a_deleted_account_ends_the_wait() {
    for route in Route::ALL {
        let it = Waiting::new(SignIn::ApiKey).await;
        it.provider.with(|state| state.api = [401].into());
        tokio::select! {
            answer = it.call(route, "10m") => panic!("{route:?} waits, but got {answer:?}"),
            () = it.until_awaited(&["test"]) => {}
        }
        it.until_awaited(&[]).await;
        let ((status, body), ()) = tokio::join!(it.call(route, "10m"), async {
            it.until_awaited(&["test"]).await;
            let path = format!("/integrated-account/{}", it.account);
            let (status, body) = it.world.as_person(reqwest::Method::DELETE, &path, Value::Null).await;
            assert!(status.is_success(), "{body}");
        });
        assert_eq!(status, 404, "{route:?}: {body}");
    }
}
