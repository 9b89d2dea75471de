//! `Relink-Wait`: calls that wait for the account's person.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{self, Provider, SignIn},
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
        Self { world, provider, auth, account }
    }

    async fn call(&self, wait: &str) -> Response {
        let url = format!("{}/via/{}/items", self.world.base(), self.account);
        let call = self.world.client.post(url).bearer_auth(&self.world.token).header("relink-wait", wait).body("body");
        call.send().await.expect("an answer")
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
        it.provider.with(|state| {
            state.api = [401].into();
            state.token = 400;
        });
        let (answer, ()) = tokio::join!(it.call("10m"), async {
            it.until_awaited(&["test"]).await;
            it.provider.with(|state| {
                state.api = [200].into();
                state.token = 200;
            });
            it.reauthorize().await;
        });
        assert_eq!(answer.status(), StatusCode::OK, "{auth:?}");
        it.until_awaited(&[]).await;
        let account = it.world.get(&format!("/integrated-account/{}", it.account)).await;
        assert_eq!(account["status"], "active", "{auth:?}");
    }
}

#[tokio::test]
async fn a_call_goes_on_when_another_one_shows_that_the_key_is_accepted_again() {
    let it = Waiting::new(SignIn::ApiKey).await;
    it.provider.with(|state| state.api = [401].into());
    let (answer, ()) = tokio::join!(it.call("1h"), async {
        it.until_awaited(&["test"]).await;
        it.provider.with(|state| state.api = [200].into());
        let other = it.world.get(&format!("/via/{}/items", it.account)).await;
        assert_eq!(other["message"], "as the table says");
    });
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn after_its_time_a_call_ends_with_the_refusal() {
    let it = Waiting::new(SignIn::ApiKey).await;
    it.provider.with(|state| state.api = [401].into());
    let answer = it.call("0s").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["message"], "as the table says");
    let refused = it.call("soon").await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(refused.json::<Value>().await.expect("JSON")["code"], "relink_wait_invalid");
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place_and_a_deleted_account_ends_the_wait() {
    let it = Waiting::new(SignIn::ApiKey).await;
    it.provider.with(|state| state.api = [401].into());
    tokio::select! {
        answer = it.call("10m") => panic!("it waits, but got {answer:?}"),
        () = it.until_awaited(&["test"]) => {}
    }
    it.until_awaited(&[]).await;
    let (answer, ()) = tokio::join!(it.call("10m"), async {
        it.until_awaited(&["test"]).await;
        let path = format!("/integrated-account/{}", it.account);
        let (status, body) = it.world.as_person(reqwest::Method::DELETE, &path, Value::Null).await;
        assert!(status.is_success(), "{body}");
    });
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}
