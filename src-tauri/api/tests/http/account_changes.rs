//! `PATCH /integrated-account/{id}`: what programs change of an account.

use axum::{Json, Router, http::HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn, name},
    integrations::failure,
    world::World,
};

impl World {
    async fn change_account(&self, id: &str, change: Value) -> (StatusCode, Value) {
        self.ask(Method::PATCH, &format!("/integrated-account/{id}"), change).await
    }

    async fn change_as_person(&self, id: &str, change: Value) -> Value {
        let (status, changed) = self.as_person(Method::PATCH, &format!("/integrated-account/{id}"), change).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        changed
    }

    /// The header `X-Region` that the provider gets with a call of the account.
    async fn region_of_call(&self, id: &str) -> Value {
        self.get(&format!("/proxy/items?integrated_account_id={id}")).await["result"][0]["region"].clone()
    }
}

/// A provider that answers with the header `X-Region` of the call.
async fn provider_of_regions() -> Provider {
    let provider = Provider::with_api(true, |_| {
        Router::new().fallback(async |headers: HeaderMap| {
            let region = headers.get("x-region").and_then(|value| value.to_str().ok()).map(str::to_owned);
            Json(json!([{ "region": region }]))
        })
    });
    let header = json!({ "X-Region": "{{environment_variables.region ?: none}}" });
    provider.await.with_resources(json!({ "items": { "list": { "path": "/items", "headers": header } } }))
}

/// The id of the installed integration of this account.
async fn installed(world: &World, account: &str) -> String {
    let shown = world.get(&format!("/integrated-account/{account}")).await;
    shown["environment_integration_id"].as_str().expect("an ID").to_owned()
}

#[tokio::test]
async fn a_program_changes_tenant_context_and_overrides() {
    let world = World::new().await;
    world.sandbox().await;
    let id = world.account("acme-1").await;
    let before = world.latest_event();
    let (status, changed) = world
        .change_account(
            &id,
            json!({
                "tenant_id": "acme-2", "status": "active",
                "context": {
                    "team": { "id": 1 }, "access_token": "canary", "environment_variables": { "a": "b" },
                    "oauth": { "instance": "eu", "token": { "access_token": "canary" }, "scope": ["all"] },
                    "file": { "truto_obj_store": true, "data": [1, 2] },
                },
                "unified_model_override": { "crm": { "contacts": { "list": { "resource": "people" } } } },
            }),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(changed["tenant_id"], "acme-2");
    assert_eq!(changed["context"], json!({ "team": { "id": 1 }, "oauth": { "instance": "eu" }, "file": [1, 2] }));
    assert_eq!(changed["object_store_context_fields"], json!(["file"]));
    assert_eq!(changed["unified_model_override"]["crm"]["contacts"]["list"]["resource"], "people");
    let (_, changed) = world
        .change_account(&id, json!({ "context": { "team": { "name": "core" } }, "unified_model_override": { "crm": { "contacts": null } } }))
        .await;
    assert_eq!(changed["context"]["team"], json!({ "name": "core" }), "an object replaces the stored one");
    assert_eq!(changed["unified_model_override"], json!({ "crm": {} }));
    assert_eq!(world.get(&format!("/integrated-account/{id}")).await, changed);
    for (tenant, count) in [("acme-1", 0), ("acme-2", 1)] {
        let listed = world.get(&format!("/integrated-account?tenant_id={tenant}")).await;
        assert_eq!(listed["result"].as_array().map(Vec::len), Some(count), "{tenant}");
    }
    let events = world.events_after(before).await;
    assert_eq!(events.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["integrated_account:updated"; 2]);
    assert_eq!(events[1].1, changed, "an event has the account as responses do");
    assert!(!json!(events).to_string().contains("canary"));
    let (_, timeline) = world.ask(Method::GET, &format!("/relink/timeline?account={id}&limit=3"), Value::Null).await;
    let details: Vec<_> =
        timeline["result"].as_array().expect("a list").iter().map(|entry| entry["detail"].clone()).collect();
    assert!(details.contains(&json!("tenant_id, unified_model_override")), "{timeline}");
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_or_ignored() {
    let world = World::new().await;
    world.sandbox().await;
    let id = world.account("acme-1").await;
    let before = world.get(&format!("/integrated-account/{id}")).await;
    let method = before["authentication_method"].clone();
    for ignored in [
        json!({}),
        json!({ "status": "needs_reauth" }),
        json!({ "authentication_method": method }),
        // Another name of Truto's for `api_key`.
        json!({ "authentication_method": "basic" }),
        json!({ "context": { "environment_variables": { "a": "b" }, "oauth": { "scope": ["all"] } } }),
        json!({ "tenant_id": null, "context": null, "integration_override": null }),
    ] {
        let (status, shown) = world.change_account(&id, ignored.clone()).await;
        assert_eq!((status, shown), (StatusCode::OK, before.clone()), "{ignored}");
    }
    for (refused, field) in [
        (json!({ "tenant_id": "" }), "tenant_id"),
        (json!({ "tenant_id": "a\nb" }), "tenant_id"),
        (json!({ "authentication_method": "oauth2" }), "authentication_method"),
        (json!({ "authentication_method": "oauth" }), "authentication_method"),
        (json!({ "authentication_method": "magic" }), "authentication_method"),
        (json!({ "context": { "a": "\u{1b}" } }), "context"),
        (json!({ "unified_model_override": { "a": "\u{1b}" } }), "unified_model_override"),
        (json!({ "integration_override": { "base_url": "ftp://x" } }), "integration_override.base_url"),
    ] {
        let (status, answer) = world.change_account(&id, refused.clone()).await;
        assert_eq!((status, failure(&answer).0), (StatusCode::BAD_REQUEST, field), "{refused}: {answer}");
    }
    assert_eq!(world.get(&format!("/integrated-account/{id}")).await, before);
}

#[tokio::test]
async fn variables_of_the_override_are_shown_with_the_context_and_filled_into_calls() {
    let world = World::new().await;
    let provider = provider_of_regions().await;
    let account = provider.connect(&world, SignIn::ApiKey, 1).await;
    assert_eq!(world.region_of_call(&account).await, "none");
    let path = format!("/environment-integration/{}", installed(&world, &account).await);
    let over = json!({ "environment_variables": { "region": "eu", "zone": 1 } });
    let (status, changed) = world.as_person(Method::PATCH, &path, json!({ "override": over })).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(world.region_of_call(&account).await, "eu");
    let before = world.latest_event();
    let (_, changed) = world
        .change_account(&account, json!({ "context": { "a": 1, "environment_variables": { "region": "us" } } }))
        .await;
    assert_eq!(changed["context"], json!({ "a": 1, "environment_variables": { "region": "eu", "zone": 1 } }));
    assert_eq!(world.events_after(before).await[0].1["context"], json!({ "a": 1 }), "events are without");
    assert_eq!(world.region_of_call(&account).await, "eu");
    let changed = world.change_as_person(&account, json!({ "integration_override": over_of_region("us") })).await;
    assert_eq!(
        changed["context"]["environment_variables"],
        json!({ "region": "us", "zone": 1 }),
        "the account's own are over them"
    );
}

fn over_of_region(region: &str) -> Value {
    json!({ "environment_variables": { "region": region } })
}

#[tokio::test]
async fn an_accounts_override_is_in_force_for_its_calls_alone() {
    let world = World::new().await;
    let provider = provider_of_regions().await;
    let one = provider.connect(&world, SignIn::ApiKey, 1).await;
    let other =
        Provider::sign_in(&world, SignIn::ApiKey, &name(SignIn::ApiKey, 1), json!({ "tenant_id": "acme-2" })).await;
    assert_eq!(world.region_of_call(&one).await, "none");
    world.change_as_person(&one, json!({ "integration_override": over_of_region("us") })).await;
    assert_eq!((world.region_of_call(&one).await, world.region_of_call(&other).await), (json!("us"), json!("none")));
    // A change of the installation's override is below it.
    let path = format!("/environment-integration/{}", installed(&world, &one).await);
    world.as_person(Method::PATCH, &path, json!({ "override": over_of_region("eu") })).await;
    assert_eq!((world.region_of_call(&one).await, world.region_of_call(&other).await), (json!("us"), json!("eu")));
    let described = json!({ "resources": { "items": { "list": { "description": "Only of this account." } } } });
    world.change_as_person(&one, json!({ "integration_override": described })).await;
    let tools = |id: String| {
        let world = &world;
        async move { world.get(&format!("/integrated-account/{id}/tools")).await["result"].as_array().map(Vec::len) }
    };
    assert_eq!((tools(one.clone()).await, tools(other.clone()).await), (Some(1), Some(0)));
    let changed = world
        .change_as_person(&one, json!({ "integration_override": { "environment_variables": null, "resources": null } }))
        .await;
    assert_eq!(changed["integration_override"], json!({}));
    assert_eq!(world.region_of_call(&one).await, "eu");
}

#[tokio::test]
async fn an_accounts_override_that_changes_an_address_asks_it_alone_for_a_sign_in() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let one = provider.connect(&world, SignIn::ApiKey, 1).await;
    let other =
        Provider::sign_in(&world, SignIn::ApiKey, &name(SignIn::ApiKey, 1), json!({ "tenant_id": "acme-2" })).await;
    let status = |id: String| {
        let world = &world;
        async move { world.get(&format!("/integrated-account/{id}")).await["status"].clone() }
    };
    let elsewhere = json!({ "integration_override": { "base_url": "http://127.0.0.1:9" } });
    let (refused, _) = world.change_account(&one, elsewhere.clone()).await;
    assert_eq!(refused, StatusCode::FORBIDDEN, "the consent to a private address is the person's");
    let changed = world.change_as_person(&one, elsewhere).await;
    assert_eq!(
        (&changed["status"], &changed["last_error_details"]["code"]),
        (&json!("needs_reauth"), &json!("origin_changed"))
    );
    assert_eq!(status(other.clone()).await, "active");
    let (call, _) = world.ask(Method::GET, &format!("/proxy/items?integrated_account_id={one}"), Value::Null).await;
    assert_eq!(call, StatusCode::UNAUTHORIZED, "nothing is sent there");
    world.change_as_person(&one, json!({ "integration_override": { "base_url": null } })).await;
    assert_eq!(status(one.clone()).await, "active");
}

#[tokio::test]
async fn an_accounts_override_holds_no_secrets_and_no_other_way_to_sign_in() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::OAuth, 1).await;
    let path = format!("/integrated-account/{account}");
    for over in [
        json!({ "secret_environment_variables": { "HOOK": "canary-1" } }),
        json!({ "credentials": { "oauth2": { "config": { "client": { "secret": "canary-2" } } } } }),
        json!({ "credentials": { "format": "api_key", "config": { "fields": [{ "name": "api_key", "type": "password" }] } } }),
    ] {
        let (status, refused) = world.as_person(Method::PATCH, &path, json!({ "integration_override": over })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
        assert!(
            failure(&refused).0.starts_with("integration_override") && !refused.to_string().contains("canary"),
            "{refused}"
        );
    }
    assert_eq!(world.get(&path).await["integration_override"], json!({}));
}

#[tokio::test]
async fn a_context_is_stored_alike_whoever_gives_it() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::ApiKey, 1).await;
    let before = world.latest_event();
    let context = json!({
        "file": { "truto_obj_store": true, "data": [1, 2] }, "environment_variables": { "region": "us" }, "team": "core",
    });
    let name = name(SignIn::ApiKey, 1);
    let link = json!({ "tenant_id": "acme-2", "context": context });
    let linked = Provider::sign_in(&world, SignIn::ApiKey, &name, link).await;
    let mut given = context.clone();
    given["api_key"] = json!("k-123456");
    let import = json!({
        "tenant_id": "acme-3", "environment_integration_id": installed(&world, &account).await, "context": given,
    });
    let imported = world.post("/integrated-account", import).await["id"].as_str().expect("an ID").to_owned();
    let (status, changed) = world.change_account(&account, json!({ "context": context })).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    for id in [&linked, &imported, &account] {
        let shown = world.get(&format!("/integrated-account/{id}")).await;
        assert_eq!(shown["context"], json!({ "file": [1, 2], "team": "core" }), "{shown}");
        assert_eq!(shown["object_store_context_fields"], json!(["file"]), "{shown}");
    }
    for (event, payload) in world.events_after(before).await {
        assert_eq!(payload["context"], json!({ "file": [1, 2], "team": "core" }), "{event}: {payload}");
    }

    // A sign-in that keeps the context keeps the name with the value; one that doesn't, neither.
    for (keeps, fields) in [(true, json!(["file"])), (false, json!([]))] {
        let link = json!({ "integrated_account_id": linked, "persist_previous_context": keeps });
        Provider::sign_in(&world, SignIn::ApiKey, &name, link).await;
        let shown = world.get(&format!("/integrated-account/{linked}")).await;
        assert_eq!(shown["object_store_context_fields"], fields, "{shown}");
        assert_eq!(shown["context"].get("file").is_some(), keeps, "{shown}");
    }
}

#[tokio::test]
async fn variables_that_an_earlier_version_stored_are_shown_to_nobody() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::ApiKey, 1).await;
    let stored = "UPDATE integrated_account SET document =
        json_set(document, '$.profile.context.environment_variables', json('{\"region\":\"us\"}'))";
    let world = world.restarted_after(stored).await;
    let before = world.latest_event();
    let (status, changed) = world.change_account(&account, json!({ "context": { "a": 1 } })).await;
    assert_eq!((status, &changed["context"]), (StatusCode::OK, &json!({ "a": 1 })), "{changed}");
    assert_eq!(world.events_after(before).await[0].1["context"], json!({ "a": 1 }));
}
