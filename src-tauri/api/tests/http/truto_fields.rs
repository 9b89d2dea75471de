//! `region` and `is_active`: set, read back and filtered by.

use relink_domain::caller::Caller;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

impl World {
    /// Connects an account of this tenant by a link with this body.
    async fn connect_by(&self, body: Value) -> String {
        let (_, key) = self.as_person(Method::POST, "/relink/sandbox/control/api-keys", json!({})).await;
        let link = self.post("/link-token", body).await;
        let fields = json!({ "api_key": key["api_key"] });
        let flow = self.begin(&link, json!({ "integration": "sandbox", "format": "api_key", "fields": fields })).await;
        let ended = self.until_ended(&flow).await;
        ended["outcome"]["account"]["id"].as_str().unwrap_or_else(|| panic!("{ended}")).to_owned()
    }

    /// The `region` of an account wherever it is shown.
    async fn regions_of(&self, id: &str) -> Vec<Value> {
        let shown = self.get(&format!("/integrated-account/{id}")).await["region"].clone();
        let listed = self.get(&format!("/integrated-account?id={id}")).await["result"][0]["region"].clone();
        let events = self.engine.outbox().events_after(&Caller::Person, 0, 1000).await.expect("events");
        let of_it = events.iter().filter(|event| event.payload["id"] == id);
        let sent = of_it.map(|event| event.payload["region"].clone());
        [shown, listed].into_iter().chain(sent).collect()
    }
}

#[tokio::test]
async fn a_region_is_that_of_the_link_or_trutos_default_wherever_the_account_is_shown() {
    let world = World::new().await;
    world.sandbox().await;
    let mut accounts = Vec::new();
    for (region, stored) in [
        (None, "wnam"),
        (Some(json!(null)), "wnam"),
        (Some(json!("")), "wnam"),
        (Some(json!("  ")), "wnam"),
        (Some(json!("wnam")), "wnam"),
        (Some(json!("enam")), "enam"),
        (Some(json!("apac")), "apac"),
        (Some(json!("eu")), "eu"),
    ] {
        let mut body = json!({ "tenant_id": "acme-1" });
        if let Some(region) = &region {
            body["region"] = region.clone();
        }
        let id = world.connect_by(body).await;
        let regions = world.regions_of(&id).await;
        assert!(regions.len() >= 4, "created and active are sent: {regions:?}");
        assert!(regions.iter().all(|it| it == stored), "{region:?}: {regions:?}");
        accounts.push((id, stored));
    }
    // It is an account's for good: neither a change of it nor a new sign-in moves it.
    let (id, stored) = accounts.last().expect("the last");
    let path = format!("/integrated-account/{id}");
    let (_, changed) = world.ask(Method::PATCH, &path, json!({ "context": { "region": "apac" } })).await;
    assert_eq!(changed["region"], *stored);
    let again = world.connect_by(json!({ "integrated_account_id": id, "region": "apac" })).await;
    assert_eq!(again, *id);
    assert!(world.regions_of(id).await.iter().all(|it| it == stored));
}

#[tokio::test]
async fn another_region_is_refused() {
    let world = World::new().await;
    for region in
        [json!("mars"), json!("EU"), json!(" eu"), json!("eu,apac"), json!("e\u{200b}u"), json!(7), json!(["eu"])]
    {
        let body = json!({ "tenant_id": "acme-1", "region": region });
        let (status, refused) = world.ask(Method::POST, "/link-token", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{region}: {refused}");
        if region.is_string() {
            assert_eq!((refused["code"].as_str(), refused["field"].as_str()), (Some("region_invalid"), Some("region")));
            assert!(refused["message"].as_str().is_some_and(|text| text.contains("wnam, enam, apac, eu")), "{refused}");
        }
    }
}

#[tokio::test]
async fn an_installed_integration_is_active_wherever_it_is_shown() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let catalog = world.get("/integration").await["result"].clone();
    let id_of = |name: &str| {
        let found = catalog.as_array().expect("a list").iter().find(|it| it["name"] == name).expect("there");
        found["id"].clone()
    };
    let before = world.get("/environment-integration").await["result"].as_array().map_or(0, Vec::len);
    for flags in [
        json!({}),
        json!({ "is_enabled": true }),
        json!({ "is_active": true }),
        json!({ "is_enabled": true, "is_active": true, "show_in_catalog": true, "override": {} }),
        json!({ "is_enabled": null }),
    ] {
        let mut body = flags.clone();
        body["integration_id"] = id_of("sandbox");
        let installed = world.post("/environment-integration", body).await;
        assert_eq!((&installed["is_enabled"], &installed["is_active"]), (&json!(true), &json!(true)), "{flags}");
        let shown = world.get(&format!("/environment-integration/{}", installed["id"].as_str().expect("an ID"))).await;
        assert_eq!(shown, installed, "{flags}");
    }
    for (field, value) in [("is_enabled", json!(false)), ("is_active", json!(false)), ("show_in_catalog", json!(false))]
    {
        let body = json!({ "integration_id": id_of("sandbox"), field: value });
        let installed = world.post("/environment-integration", body).await;
        assert_eq!(installed[field], true, "an installed one stays as it is");
        let body = json!({ "integration_id": id_of("sandbox"), field: "yes" });
        let (status, refused) = world.ask(Method::POST, "/environment-integration", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    }
    for (query, count) in [
        ("is_active=true", before),
        ("is_active=false", 0),
        ("is_active[ne]=true", 0),
        ("is_active[in]=true,false", before),
        ("is_active[exists]=true", before),
        ("is_active=true&is_enabled=true&show_in_catalog=true", before),
        ("is_active=true&is_enabled=false", 0),
    ] {
        let found = world.get(&format!("/environment-integration?{query}")).await["result"].clone();
        assert_eq!(found.as_array().map_or(0, Vec::len), count, "{query}");
    }
    let (status, _) = world.ask(Method::GET, "/environment-integration?is_active=maybe", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let of_account = world.get(&format!("/integrated-account/{account}")).await["environment_integration"].clone();
    let events = world.engine.outbox().events_after(&Caller::Person, 0, 1000).await.expect("events");
    let sent = events.iter().map(|event| match event.payload.get("environment_integration") {
        Some(of_account) => of_account.clone(),
        None => event.payload.clone(),
    });
    let sent: Vec<_> = sent.filter(|payload| payload.get("integration_id").is_some()).collect();
    assert!(sent.len() >= 2, "{events:?}");
    for shown in sent.iter().chain([&of_account]) {
        assert_eq!((&shown["is_enabled"], &shown["is_active"]), (&json!(true), &json!(true)), "{shown}");
    }
}

#[tokio::test]
async fn a_webhook_is_active_or_not_as_it_was_created() {
    let world = World::new().await;
    let mut made = Vec::new();
    for (is_active, stored) in [(json!(true), true), (json!(false), false), (Value::Null, true)] {
        let body = json!({ "target_url": "http://127.0.0.1:9/", "is_active": is_active });
        let hook = world.post("/webhook", body).await;
        let shown = world.get(&format!("/webhook/{}", hook["id"].as_str().expect("an ID"))).await;
        assert_eq!((&hook["is_active"], &shown["is_active"]), (&json!(stored), &json!(stored)), "{is_active}");
        made.push((hook["id"].clone(), stored));
    }
    for (query, wanted) in [("is_active=true", true), ("is_active=false", false)] {
        let found = world.get(&format!("/webhook?{query}&sort=created_at")).await["result"].clone();
        let found: Vec<_> = found.as_array().expect("a list").iter().map(|hook| hook["id"].clone()).collect();
        let expected: Vec<_> = made.iter().filter(|(_, stored)| *stored == wanted).map(|(id, _)| id.clone()).collect();
        assert_eq!(found, expected, "{query}");
    }
}
