//! Rows of `/environment-integration`: how an installed integration is used, and its override.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn, name},
    integrations::{acme, failure},
    world::World,
};

impl World {
    async fn installed_acme(&self) -> Value {
        let created = self.create_integration(acme("")).await;
        self.post("/environment-integration", json!({ "integration_id": created["id"] })).await
    }

    async fn change_installed(&self, id: &Value, change: Value) -> (StatusCode, Value) {
        self.ask(Method::PATCH, &path(id), change).await
    }

    /// What the connect UI offers to whoever has a link.
    async fn offered(&self) -> Vec<Value> {
        let link = self.post("/link-token", json!({ "tenant_id": "acme-1" })).await;
        let request = self.client.get(format!("{}/connect-account/session", self.base()));
        let token = link["link_token"].as_str().expect("a token");
        let answer = request.header("X-Relink-Link-Token", token).send().await.expect("an answer");
        let session: Value = answer.json().await.expect("JSON");
        let all = session["integrations"].as_array().unwrap_or_else(|| panic!("{session}"));
        all.iter().map(|it| it["name"].clone()).collect()
    }
}

fn path(id: &Value) -> String {
    format!("/environment-integration/{}", id.as_str().expect("an ID"))
}

#[tokio::test]
async fn an_override_is_replaced_whole_and_a_null_slot_falls_back() {
    let world = World::new().await;
    let installed = world.installed_acme().await;
    let before = world.latest_event();
    let first = json!({ "label": "Acme EU", "base_url": null, "environment_variables": { "region": "eu" } });
    let (status, changed) = world.change_installed(&installed["id"], json!({ "override": first })).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(changed["override"], json!({ "label": "Acme EU", "environment_variables": { "region": "eu" } }));
    assert_eq!(changed["integration"]["config"]["label"], "Acme EU");
    let (_, changed) =
        world.change_installed(&installed["id"], json!({ "override": { "headers": { "X-One": null } } })).await;
    assert_eq!(changed["override"], json!({ "headers": { "X-One": null } }), "nothing of the first is left");
    assert_eq!(changed["integration"]["config"]["label"], "Acme");
    let (_, unchanged) = world.change_installed(&installed["id"], json!({ "show_in_catalog": true })).await;
    assert_eq!(unchanged["override"], changed["override"], "it stays where a change doesn't name it");
    assert_eq!(world.get(&path(&installed["id"])).await["override"], changed["override"]);
    let events = world.events_after(before).await;
    let overrides: Vec<_> = events.iter().map(|(name, payload)| (*name, payload["override"].clone())).collect();
    let updated = "environment_integration:updated";
    assert_eq!(overrides[1..], [(updated, changed["override"].clone()), (updated, changed["override"].clone())]);
    assert_eq!(overrides.len(), 3);
}

#[tokio::test]
async fn a_disabled_integration_offers_no_new_connections() {
    let world = World::new().await;
    let installed = world.installed_acme().await;
    assert!(world.offered().await.contains(&json!("acme")));
    for (change, is_offered) in [
        (json!({ "show_in_catalog": false }), false),
        (json!({ "show_in_catalog": true, "is_enabled": false }), false),
        (json!({ "is_active": true }), true),
    ] {
        let (status, changed) = world.change_installed(&installed["id"], change.clone()).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        assert_eq!(changed["is_enabled"], changed["is_active"]);
        assert_eq!(world.offered().await.contains(&json!("acme")), is_offered, "{change}");
    }
    let (_, changed) = world.change_installed(&installed["id"], json!({ "is_active": false })).await;
    assert_eq!(changed["is_enabled"], false);
    assert_eq!(world.get("/environment-integration?is_active=false").await["result"][0]["id"], installed["id"]);
    let link = world.post("/link-token", json!({ "tenant_id": "acme-1" })).await;
    let refused = world.begin(&link, json!({ "integration": "acme", "format": "oauth2" })).await;
    assert_eq!(refused["code"], "not_found", "{refused}");
    let (status, refused) =
        world.change_installed(&installed["id"], json!({ "is_enabled": true, "is_active": false })).await;
    assert_eq!((status, failure(&refused).0), (StatusCode::BAD_REQUEST, "is_active"));
}

#[tokio::test]
async fn an_installation_can_begin_with_an_override_and_is_made_once() {
    let world = World::new().await;
    let created = world.create_integration(acme("")).await;
    let before = world.latest_event();
    let body = json!({ "integration_id": created["id"], "is_enabled": false, "override": { "label": "Ours" } });
    let installed = world.post("/environment-integration", body).await;
    assert_eq!((&installed["is_active"], &installed["override"]["label"]), (&json!(false), &json!("Ours")));
    let again =
        world.post("/environment-integration", json!({ "integration_id": created["id"], "is_enabled": true })).await;
    assert_eq!(again, installed, "one that is installed stays as it is");
    let events = world.events_after(before).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].0, &events[0].1["override"]["label"]), ("environment_integration:created", &json!("Ours")));
    let listed =
        world.get(&format!("/environment-integration?integration_id={}", created["id"].as_str().expect("an ID"))).await;
    assert_eq!(listed["result"], json!([installed]));
}

#[tokio::test]
async fn an_override_is_checked_and_its_secrets_are_in_the_keychain_alone() {
    let world = World::new().await;
    let installed = world.installed_acme().await;
    for (over, field) in [
        (json!({ "base_url": "http://api.acme.example" }), "override.base_url"),
        (
            json!({ "credentials": { "oauth2": { "config": { "scope": 7 } } } }),
            "override.credentials.oauth2.config.scope",
        ),
        (json!({ "headers": { "X-Key": "sk_live_hunter2hunter2hunter2" } }), "override.headers.X-Key"),
        (json!({ "secret_environment_variables": { "HOOK": 7 } }), "override.secret_environment_variables.HOOK"),
        (json!({ "secret_environment_variables": "hunter2" }), "override.secret_environment_variables"),
    ] {
        let (status, refused) = world.change_installed(&installed["id"], json!({ "override": over })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{over}: {refused}");
        let (path, message) = failure(&refused);
        assert!(path == field && !message.contains("hunter2"), "{refused}");
    }
    let over = json!({
        "credentials": { "oauth2": { "config": { "client": { "id": "ours", "secret": "canary-secret-1" } } } },
        "secret_environment_variables": { "HOOK": "canary-secret-2" },
    });
    let (status, changed) = world.change_installed(&installed["id"], json!({ "override": over })).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let client = &changed["override"]["credentials"]["oauth2"]["config"]["client"];
    assert_eq!(*client, json!({ "id": "ours", "secret": "" }));
    assert_eq!(changed["override"]["secret_environment_variables"], json!({ "HOOK": "" }));
    let not_ready = || async {
        let all = world.get("/relink/integrations").await["result"].clone();
        all.as_array().expect("a list").iter().find(|it| it["name"] == "acme").expect("there")["not_ready"].clone()
    };
    assert_eq!(not_ready().await, Value::Null, "the secret of its own client is there");
    // What a program read and sends back keeps both.
    let (status, _) = world.change_installed(&installed["id"], json!({ "override": changed["override"] })).await;
    assert_eq!((status, not_ready().await), (StatusCode::OK, Value::Null));
    let all = [world.get("/environment-integration").await, json!(world.events_after(0).await), changed];
    assert!(all.iter().all(|it| !it.to_string().contains("canary")), "{all:?}");
}

#[tokio::test]
async fn an_override_that_changes_an_address_asks_the_accounts_for_a_sign_in() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::ApiKey, 1).await;
    let installed = world.get("/environment-integration").await["result"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|it| it["integration"]["name"] == name(SignIn::ApiKey, 1))
        .expect("there")["id"]
        .clone();
    let (status, _) =
        world.change_installed(&installed, json!({ "override": { "base_url": "http://127.0.0.1:9" } })).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "the person's consent is to the definition's address");
    let state = || async {
        let shown = world.get(&format!("/integrated-account/{account}")).await;
        (shown["status"].clone(), shown["last_error_details"]["code"].clone())
    };
    for (over, expected) in [
        (json!({ "base_url": "http://127.0.0.1:9" }), (json!("needs_reauth"), json!("origin_changed"))),
        (json!({}), (json!("active"), Value::Null)),
    ] {
        let (status, changed) = world.as_person(Method::PATCH, &path(&installed), json!({ "override": over })).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        assert_eq!(state().await, expected, "{over}");
    }
}
