//! Each test is a row of contract section 13.1, in its order: the requests as Truto's TypeScript SDK sends them, and what it needs of the
//! answers. The rows about calls of providers are in `typescript_sdk_calls.rs`.

use reqwest::Method;
use serde_json::{Value, json};
use std::slice::from_ref;

use crate::{
    answering_provider::{Provider, SignIn, name},
    echoing_api::Echo,
    integrations::acme,
    truto_client::{Sdk, refused_with, text},
    world::World,
};

/// `team` LGU · `user` LG · `environment` LGU · `category` L · `apiToken` LG
#[tokio::test]
async fn team_user_environment_category_api_token() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    for resource in ["team", "user", "environment", "api-token"] {
        let all = sdk.list(resource, "limit=1").await;
        let [row] = all.as_slice() else { panic!("{resource}: {all:?}") };
        assert_eq!(sdk.first(resource, "").await, *row, "{resource}");
        assert_eq!(sdk.get(resource, &row["id"]).await.json(), *row, "{resource}");
        if ["team", "environment"].contains(&resource) {
            let updated = sdk.update(resource, &row["id"], &json!({ "name": "Acme" })).await.json();
            assert_eq!((&updated["id"], &updated["name"]), (&row["id"], &json!("Acme")), "{resource}");
        }
    }
    let categories = sdk.list("category", "").await;
    assert!(
        categories.iter().any(|category| category["name"] == "crm" && category["label"] == "CRM"),
        "{categories:?}"
    );
}

/// `integration` LGCUD, `install`
#[tokio::test]
async fn integration() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    let created = sdk.create("integration", &acme("")).await.json();
    let id = &created["id"];
    assert_eq!(sdk.get("integration", id).await.json(), created);
    assert_eq!(sdk.list("integration", "name=acme&limit=1").await, from_ref(&created));
    assert!(sdk.list("integration", "limit=3").await.len() > 6, "several pages");
    let change = json!({ "version": created["version"], "config": { "label": "New" } });
    let updated = sdk.update("integration", id, &change).await.json();
    assert_eq!(updated["config"]["label"], "New");
    // The SDK sends a 409's request three times at once.
    for _ in 0..3 {
        refused_with(409, sdk.update("integration", id, &change).await);
    }
    assert_eq!(sdk.get("integration", id).await.json(), updated, "nothing has changed");
    // Its type lacks the version, as a program may.
    let read = sdk.update("integration", id, &json!({ "config": { "label": "Newer" } })).await;
    refused_with(400, read);
    let installed = sdk.create("environment-integration", &json!({ "integration_id": id })).await.json();
    assert_eq!((&installed["integration"]["id"], &installed["is_enabled"]), (id, &json!(true)));
    sdk.delete("environment-integration", &installed["id"]).await;
    sdk.delete("integration", id).await;
    refused_with(404, sdk.get("integration", id).await);
}

/// `environmentIntegration` LGUD
#[tokio::test]
async fn environment_integration() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    let integration = sdk.create("integration", &acme("")).await.json();
    let new = json!({ "integration_id": integration["id"], "is_enabled": true });
    let installed = sdk.create("environment-integration", &new).await.json();
    let id = &installed["id"];
    let options = format!("integration_id={}", text(&integration["id"]));
    assert_eq!(sdk.list("environment-integration", &options).await, from_ref(&installed));
    assert_eq!(sdk.get("environment-integration", id).await.json(), installed);
    let change = json!({ "is_enabled": false, "override": { "label": "Ours" } });
    let updated = sdk.update("environment-integration", id, &change).await.json();
    assert_eq!((&updated["is_enabled"], &updated["override"]["label"]), (&json!(false), &json!("Ours")));
    sdk.delete("environment-integration", id).await;
    refused_with(404, sdk.get("environment-integration", id).await);
}

/// `environmentUnifiedModel` LGCD · `unifiedModel` LGCUD, `install`
#[tokio::test]
async fn environment_unified_model_unified_model() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    let model = sdk.create("unified-model", &json!({ "name": "work", "category": "ticketing" })).await.json();
    let id = &model["id"];
    assert_eq!(sdk.list("unified-model", "name=work").await, from_ref(&model));
    assert_eq!(sdk.get("unified-model", id).await.json(), model);
    let change = json!({ "version": model["version"], "resources": { "tasks": { "methods": ["list"] } } });
    let updated = sdk.update("unified-model", id, &change).await.json();
    assert_eq!((&updated["id"], &updated["resources"]["tasks"]["methods"]), (id, &json!(["list"])));

    let installed = sdk.create("environment-unified-model", &json!({ "unified_model_id": id })).await.json();
    assert_eq!((&installed["unified_model_id"], &installed["unified_model"]["name"]), (id, &json!("work")));
    let found = sdk.list("environment-unified-model", "unified_model.name=work").await;
    assert_eq!(found, from_ref(&installed));
    assert_eq!(sdk.get("environment-unified-model", &installed["id"]).await.json(), installed);
    sdk.delete("environment-unified-model", &installed["id"]).await;
    refused_with(404, sdk.get("environment-unified-model", &installed["id"]).await);
    sdk.delete("unified-model", id).await;
    refused_with(404, sdk.get("unified-model", id).await);
}

/// `integratedAccount` LGUD
#[tokio::test]
async fn integrated_account() {
    let world = World::new().await;
    world.sandbox().await;
    let sdk = Sdk::new(&world);
    let (first, second) = (json!(world.account("acme-1").await), json!(world.account("acme-2").await));
    let accounts =
        sdk.list("integrated-account", "tenant_id%5Bin%5D%5B0%5D=acme-1&tenant_id%5Bin%5D%5B1%5D=acme-2&limit=1");
    let ids: Vec<_> = accounts.await.into_iter().map(|account| account["id"].clone()).collect();
    assert_eq!(ids, [second.clone(), first.clone()], "two pages");
    assert_eq!(sdk.first("integrated-account", "tenant_id=acme-1&limit=1").await["id"], first);
    let account = sdk.get("integrated-account", &first).await.json();
    assert_eq!((&account["tenant_id"], &account["status"]), (&json!("acme-1"), &json!("active")));
    assert_eq!(account["integration"]["name"], "sandbox");
    assert_eq!(account["environment_integration"]["id"], account["environment_integration_id"]);
    let updated = sdk.update("integrated-account", &first, &json!({ "context": { "team": "core" } })).await.json();
    assert_eq!((&updated["id"], &updated["context"]["team"]), (&first, &json!("core")));
    sdk.delete("integrated-account", &first).await;
    refused_with(404, sdk.get("integrated-account", &first).await);
}

/// `.refreshCredentials` ‡
#[tokio::test]
async fn integrated_account_refresh_credentials() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::OAuth, 0).await;
    let (sdk, before) = (Sdk::new(&world), provider.tokens());
    let body = json!({ "id": account });
    let refreshed = sdk.request(Method::POST, "integrated-account/refresh-credentials", Some(&body)).await;
    assert_eq!(refreshed.json(), json!({ "success": true }));
    assert_eq!(provider.tokens(), before + 1);
    provider.with(|answers| answers.token = 400);
    let refused = sdk.request(Method::POST, "integrated-account/refresh-credentials", Some(&body)).await;
    let (status, error) = refused.refused();
    assert_eq!((status, &error["truto_is_remote_error"]), (401, &json!(true)), "{error}");
}

/// `.tools` †
#[tokio::test]
async fn integrated_account_tools() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme").await;
    let names = async |world: &World, account: &str, query: &str| {
        let path = format!("/integrated-account/{account}/tools?{query}");
        let tools = Sdk::new(world).request(Method::GET, &path, None).await.json();
        let tools = tools["result"].as_array().expect("tools").clone();
        tools.iter().map(|tool| text(&tool["name"]).to_owned()).collect::<Vec<_>>()
    };
    assert!(names(&world, &account, "").await.len() > 2);
    let sample = ["list_all_sandbox_items", "sandbox_people_me"];
    assert_eq!(names(&world, &account, "tags=sample").await, sample);
    assert_eq!(names(&world, &account, "methods=list%2Cget&tags=sample").await, sample[..1]);
    let tagged = Echo::new().await;
    let names = async |query: &str| names(&tagged.world, &tagged.account, query).await;
    assert_eq!(names("methods=read&tags=crm").await, ["list_all_acme-0-oauth_items"]);
    assert_eq!(names("tags=writing").await, ["create_a_acme-0-oauth_item"]);
    assert_eq!(names("methods=read&tags=writing").await, [""; 0]);
}

/// `linkToken.createForNewIntegration`, `.createForExistingIntegratedAccount`
#[tokio::test]
async fn link_token() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::OAuth, 0).await;
    let sdk = Sdk::new(&world);
    let link = async |body: Value| sdk.create("link-token", &body).await.json();
    let model = sdk.create("unified-model", &json!({ "name": "work" })).await.json();
    let new = link(json!({ "tenant_id": "acme-2", "unified_model_id": model["id"] })).await;
    assert!(text(&new["link_token"]).parse::<uuid::Uuid>().is_ok(), "{new}");
    link(json!({ "tenant_id": "acme-2" })).await;
    let body = json!({ "integrated_account_id": account });
    assert_eq!(
        link(body.clone()).await.as_object().map(|it| it.keys().cloned().collect()),
        Some(vec!["link_token".to_owned()])
    );
    let again = Provider::sign_in(&world, SignIn::OAuth, &name(SignIn::OAuth, 0), body).await;
    assert_eq!(again, account, "it keeps its id");
}

/// `webhook` LGCUD, `test` ‡
#[tokio::test]
async fn webhook() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    let target = Provider::start(true).await.url("/hook");
    let new = json!({ "target_url": target, "event_types": ["integrated_account:*"], "is_active": true });
    let created = sdk.create("webhook", &new).await.json();
    assert!(text(&created["secret"]).len() > 20, "{created}");
    let id = &created["id"];
    assert_eq!(sdk.list("webhook", "is_active=true").await[0]["id"], *id);
    let got = sdk.get("webhook", id).await.json();
    assert_eq!((&got["target_url"], &got["event_types"]), (&json!(target), &created["event_types"]));
    let tested = sdk.request(Method::POST, "webhook/test", Some(&json!({ "id": id }))).await;
    assert_eq!(tested.json(), json!({ "success": true }));
    let updated = sdk.update("webhook", id, &json!({ "is_active": false })).await.json();
    assert_eq!((&updated["id"], &updated["is_active"]), (id, &json!(false)));
    sdk.delete("webhook", id).await;
    assert_eq!(sdk.list("webhook", "").await, Vec::<Value>::new());
}

/// `sandboxIntegratedAccount` LGCD
#[tokio::test]
async fn sandbox_integrated_account() {
    let world = World::new().await;
    let account = json!(Provider::start(true).await.connect(&world, SignIn::OAuth, 0).await);
    let sdk = Sdk::new(&world);
    let row = sdk.create("sandbox-integrated-account", &json!({ "id": account })).await.json();
    assert_eq!((&row["integrated_account"]["id"], &row["created_at"]), (&account, &row["updated_at"]));
    assert_eq!(sdk.list("sandbox-integrated-account", "").await, from_ref(&row));
    assert_eq!(sdk.get("sandbox-integrated-account", &row["id"]).await.json(), row);
    sdk.delete("sandbox-integrated-account", &row["id"]).await;
    refused_with(404, sdk.get("sandbox-integrated-account", &row["id"]).await);
}

/// `documentation` LGCUD · `log` L
#[tokio::test]
async fn documentation_log() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    let integration = sdk.create("integration", &acme("")).await.json();
    let new =
        json!({ "entity_type": "integration", "entity_id": integration["id"], "type": "readme", "content": "# Acme" });
    let row = sdk.create("documentation", &new).await.json();
    let options = format!("integration_id={}", text(&integration["id"]));
    assert_eq!(sdk.list("documentation", &options).await, from_ref(&row));
    assert_eq!(sdk.get("documentation", &row["id"]).await.json(), row);
    let updated = sdk.update("documentation", &row["id"], &json!({ "content": "# New" })).await.json();
    assert_eq!(updated["content"], "# New");
    sdk.delete("documentation", &row["id"]).await;
    let called = Echo::new().await;
    let (logged, query) = (Sdk::new(&called.world), called.of_account());
    for path in ["items/1", "items/2"] {
        logged.request(Method::GET, &format!("/proxy/{path}?{query}"), None).await.json();
    }
    refused_with(404, logged.request(Method::GET, &format!("/proxy/nothing?{query}"), None).await);
    for log_type in ["unified_proxy_api", "rapid_bridge", "webhook", "sync_job_cron_trigger", "mcp"] {
        let options = format!("log_type={log_type}&limit=1&log_type_filter%5Bstatus%5D=200");
        let paths: Vec<_> =
            logged.list("log", &options).await.iter().map(|call| text(&call["path"]).to_owned()).collect();
        let ours = ["/items/2?integrated_account_id=…", "/items/1?integrated_account_id=…"];
        let expected: &[&str] = if log_type == "unified_proxy_api" { &ours } else { &[] };
        assert_eq!(paths, expected, "{log_type}");
    }
    refused_with(400, sdk.request(Method::GET, "/log?next_cursor=", None).await);
}
