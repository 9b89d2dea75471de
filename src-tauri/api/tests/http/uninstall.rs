//! `DELETE /environment-integration/{id}`: all of it or nothing.

use relink_domain::caller::Caller;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

impl World {
    async fn installed(&self, name: &str) -> Option<String> {
        let all = self.get("/environment-integration").await;
        let found =
            all["result"].as_array().expect("a list").iter().find(|it| it["integration"]["name"] == name).cloned();
        found.map(|it| it["id"].as_str().expect("an ID").to_owned())
    }

    async fn remove(&self, id: &str) -> (StatusCode, Value) {
        self.ask(Method::DELETE, &format!("/environment-integration/{id}"), Value::Null).await
    }

    async fn accounts(&self) -> usize {
        self.get("/integrated-account").await["result"].as_array().expect("a list").len()
    }
}

#[tokio::test]
async fn an_integration_is_removed_with_its_accounts() {
    let world = World::new().await;
    world.sandbox().await;
    let (one, other) = (world.account("acme-1").await, world.account("acme-2").await);
    let id = world.installed("sandbox").await.expect("installed");
    let before = *world.engine.outbox().latest_seq(&Caller::Person).borrow();
    assert_eq!(world.remove(&id).await, (StatusCode::OK, json!({ "id": id })));
    assert_eq!((world.installed("sandbox").await, world.accounts().await), (None, 0));
    for account in [&one, &other] {
        let (status, _) = world.ask(Method::GET, &format!("/integrated-account/{account}"), Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let events = world.engine.outbox().events_after(&Caller::Person, before, 100).await.expect("events");
    let names: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    let deleted = "integrated_account:deleted";
    assert_eq!(names, [deleted, deleted, "environment_integration:deleted"]);

    let (status, body) = world.remove(&id).await;
    assert_eq!((status, body["code"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")), "{body}");
    world.sandbox().await;
    world.account("acme-3").await;
}

#[tokio::test]
async fn an_integration_whose_definition_cannot_be_loaded_is_removed_with_its_accounts() {
    let world = World::new().await;
    world.sandbox().await;
    world.account("acme-1").await;
    world.account("acme-2").await;
    // As a later version finds what this one has accepted.
    let sql = "UPDATE integration SET built_in = 0, document = '{\"name\": \"sandbox\", \"config\": {\"label\": 7}}' WHERE name = 'sandbox'";
    let world = world.restarted_after(sql).await;
    let id = world.installed("sandbox").await.expect("installed");
    assert_eq!(world.accounts().await, 2);
    assert_eq!(world.remove(&id).await, (StatusCode::OK, json!({ "id": id })));
    assert_eq!((world.installed("sandbox").await, world.accounts().await), (None, 0));
}

#[tokio::test]
async fn accounts_that_are_connected_at_that_moment_go_too_or_are_not_connected() {
    let world = World::new().await;
    for round in 0..4 {
        world.sandbox().await;
        let id = world.installed("sandbox").await.expect("installed");
        world.account("acme-1").await;
        let (_, key) = world.as_person(Method::POST, "/relink/sandbox/control/api-keys", json!({})).await;
        let key = key["api_key"].clone();
        let mut flows = Vec::new();
        for _ in 0..4 {
            let link = world.post("/link-token", json!({ "tenant_id": "acme-2" })).await;
            let fields = json!({ "api_key": key });
            flows.push(
                world.begin(&link, json!({ "integration": "sandbox", "format": "api_key", "fields": fields })).await,
            );
        }
        let ended = async {
            for flow in &flows {
                let ended = world.until_ended(flow).await;
                if ended["phase"] == "failed" {
                    assert_eq!(ended["error"]["code"], "integration_removed", "{ended}");
                }
            }
        };
        let (removed, ()) = tokio::join!(world.remove(&id), ended);
        assert_eq!(removed, (StatusCode::OK, json!({ "id": id })), "round {round}");
        assert_eq!((world.installed("sandbox").await, world.accounts().await), (None, 0), "round {round}");
    }
}
