//! The rows of unified models and their mappings (contract section 8.1).

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    unified_model::{Model, written},
    world::World,
};

#[tokio::test]
async fn a_model_is_written_changed_with_its_version_and_deleted() {
    let world = World::new().await;
    let resources = json!({"tasks": {"schema": {"type": "object"}, "description": "To do", "methods": ["list"]}});
    let new = json!({"name": "work", "category": "ticketing", "team_id": "x", "resources": resources, "scopes": {"jira": ["a"]}});
    let model = written(&world, Method::POST, "/unified-model", new).await;
    let id = model["id"].as_str().expect("an id").to_owned();
    assert_eq!((&model["version"], &model["sharing"], &model["resources"]), (&json!(1), &json!("deny"), &resources));
    assert_eq!((&model["webhooks"], &model["installed_environment"]), (&json!({}), &json!([])));

    let path = format!("/unified-model/{id}");
    let change = json!({"version": 1, "description": "Ours", "resources": {"tasks": {"description": null, "methods": ["list", "get"]}}});
    let changed = written(&world, Method::PATCH, &path, change.clone()).await;
    assert_eq!((&changed["version"], &changed["description"]), (&json!(2), &json!("Ours")));
    assert_eq!(changed["resources"], json!({"tasks": {"schema": {"type": "object"}, "methods": ["list", "get"]}}));
    let (status, stale) = world.ask(Method::PATCH, &path, change).await;
    assert_eq!((status, &stale["code"]), (StatusCode::CONFLICT, &json!("stale_version")), "{stale}");
    let (status, _) = world.ask(Method::PATCH, &path, json!({"description": "no version"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let listed = world.get("/unified-model?name=work&category=ticketing").await;
    assert_eq!((listed["result"].as_array().map(Vec::len), &listed["result"][0]["id"]), (Some(1), &model["id"]));
    assert_eq!(world.get("/unified-model?name=other").await["result"], json!([]));
    assert_eq!(written(&world, Method::DELETE, &path, Value::Null).await, json!({ "id": id }));
    assert_eq!(world.ask(Method::GET, &path, Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_a_model_is_refused_at_its_field() {
    let world = World::new().await;
    let model = Model::new(&world).await;
    for (body, status, code, field) in [
        (json!({"name": "a b"}), 400, "name_invalid", "name"),
        (json!({"name": "meta"}), 400, "name_invalid", "name"),
        (json!({"name": "x", "resources": []}), 400, "unified_model_invalid", "resources"),
        (
            json!({"name": "x", "resources": {"a": {"schema": "a: ["}}}),
            400,
            "unified_model_invalid",
            "resources.a.schema",
        ),
        (json!({"name": "sales"}), 409, "unified_model_exists", ""),
    ] {
        let (found, error) = world.ask(Method::POST, "/unified-model", body).await;
        assert_eq!((found.as_u16(), &error["code"]), (status, &json!(code)), "{error}");
        if status == 400 {
            assert_eq!(error["details"]["failures"][0]["path"], field, "{error}");
        }
    }
    let other = written(&world, Method::POST, "/unified-model", json!({"name": "other"})).await;
    let path = format!("/unified-model/{}", other["id"].as_str().expect("an id"));
    let (status, taken) = world.ask(Method::PATCH, &path, json!({"version": 1, "name": "sales"})).await;
    assert_eq!((status, &taken["code"]), (StatusCode::CONFLICT, &json!("unified_model_exists")));
    let unknown = json!({"unified_model_id": "01900000-0000-7000-8000-000000000000"});
    assert_eq!(world.ask(Method::POST, "/environment-unified-model", unknown).await.0, StatusCode::NOT_FOUND);
    drop(model);
}

#[tokio::test]
async fn installing_again_changes_nothing_and_uninstalling_takes_the_environments_mappings() {
    let world = World::new().await;
    let model = Model::new(&world).await;
    let again = json!({"unified_model_id": model.id});
    let again = written(&world, Method::POST, "/environment-unified-model", again).await;
    assert_eq!((&again["id"], &again["unified_model"]["name"]), (&model.installed, &json!("sales")));
    assert_eq!(again["unified_model"]["installed_environment"], json!([again["environment_id"]]));
    let path = format!("/environment-unified-model/{}", model.installed.as_str().expect("an id"));
    let over =
        json!({"override": {"webhooks": {"acme": "body.records"}, "resources": {"items": {"description": "Ours"}}}});
    let changed = written(&world, Method::PATCH, &path, over).await;
    assert_eq!(changed["override"]["webhooks"], json!({"acme": "body.records"}));
    let bad = json!({"override": {"resources": {"items": {"methods": 1}}}});
    let (status, refused) = world.ask(Method::PATCH, &path, bad).await;
    assert_eq!((status, &refused["field"]), (StatusCode::BAD_REQUEST, &json!("resources.items.methods")), "{refused}");

    let base = model.map("acme", "items", "list", json!({})).await;
    let own = model.map_here("acme", "items", "list", json!({})).await;
    for (filter, found) in [
        (format!("unified_model_id={}", model.id.as_str().expect("an id")), 1),
        ("unified_model.name=sales".to_owned(), 1),
        ("unified_model.name=hris".to_owned(), 0),
        (format!("environment_id={}", again["environment_id"].as_str().expect("an id")), 1),
    ] {
        let listed = world.get(&format!("/environment-unified-model?{filter}")).await;
        let of_tests = listed["result"].as_array().expect("a list").iter().filter(|it| it["id"] == model.installed);
        assert_eq!(of_tests.count(), found, "{filter}: {listed}");
    }
    written(&world, Method::DELETE, &path, Value::Null).await;
    let id = |row: &Value| row["id"].as_str().expect("an id").to_owned();
    let own = format!("/environment-unified-model-resource-method/{}", id(&own));
    assert_eq!(world.ask(Method::GET, &own, Value::Null).await.0, StatusCode::NOT_FOUND);
    world.get(&format!("/unified-model-resource-method/{}", id(&base))).await;
}

#[tokio::test]
async fn a_mapping_is_found_by_its_names_and_merged_into() {
    let world = World::new().await;
    let model = Model::new(&world).await;
    let config = json!({"query": {"a": 1, "b": 1}, "response_mapping": "response"});
    let row = model.map("acme", "items", "list", config).await;
    model.map("acme", "items", "get", json!({})).await;
    model.map("other", "people", "list", json!({})).await;
    assert_eq!((&row["version"], &row["unified_model_name"], row.get("warnings")), (&json!(1), &json!("sales"), None));
    let found = async |filter: &str| {
        let page = world.get(&format!("/unified-model-resource-method?unified_model_name=sales&{filter}")).await;
        page["result"].as_array().expect("a list").len()
    };
    assert_eq!(
        (found("integration_name=acme").await, found("resource_name=items&method_name=get").await, found("").await),
        (2, 1, 3)
    );
    let path = format!("/unified-model-resource-method/{}", row["id"].as_str().expect("an id"));
    let change = json!({"config": {"query": {"b": null, "c": 2}, "response_mapping": "response.id"}});
    let changed = written(&world, Method::PATCH, &path, change).await;
    assert_eq!(changed["config"], json!({"query": {"a": 1, "c": 2}, "response_mapping": "response.id"}));
    assert_eq!(changed["version"], 2);
    // A version isn't needed, but one that is stale is a conflict.
    let (status, stale) = world.ask(Method::PATCH, &path, json!({"config": {}, "version": 1})).await;
    assert_eq!((status, &stale["code"]), (StatusCode::CONFLICT, &json!("stale_version")));
    let (status, taken) = world.ask(Method::PATCH, &path, json!({"method_name": "get"})).await;
    assert_eq!((status, &taken["code"]), (StatusCode::CONFLICT, &json!("mapping_exists")));
    assert_eq!(written(&world, Method::DELETE, &path, Value::Null).await, json!({"id": row["id"]}));
    assert_eq!(found("integration_name=acme").await, 1);
}

#[tokio::test]
async fn a_mapping_that_cannot_work_is_refused_when_it_is_written() {
    let world = World::new().await;
    let model = Model::new(&world).await;
    model.map("acme", "items", "list", json!({})).await;
    let row = |resource: &str, method: &str, config: Value| {
        json!({
            "unified_model_id": model.id, "integration_name": "acme", "resource_name": resource, "method_name": method,
            "config": config,
        })
    };
    for (row, status, code, field) in [
        (
            row("items", "get", json!({"response_mapping": "response."})),
            400,
            "expression_invalid",
            "config.response_mapping",
        ),
        (
            row("items", "get", json!({"query_mapping": {"a": "$unknownOne(query)"}})),
            400,
            "expression_invalid",
            "config.query_mapping.a",
        ),
        (row("items", "get", json!({"before": [{"type": "wait"}]})), 400, "mapping_invalid", "config.before[0]"),
        (row("things", "get", json!({})), 400, "resource_unknown", "resource_name"),
        (row("items", "", json!({})), 400, "name_missing", "method_name"),
        (row("items", "list", json!({})), 409, "mapping_exists", ""),
    ] {
        let (found, error) = world.ask(Method::POST, "/unified-model-resource-method", row).await;
        assert_eq!((found.as_u16(), &error["code"]), (status, &json!(code)), "{error}");
        if status == 400 {
            assert_eq!(error["details"]["failures"][0]["path"], field, "{error}");
        }
    }
    let known = model.map("acme", "items", "get", json!({"respons_mapping": "1"})).await;
    assert!(known["warnings"][0].as_str().is_some_and(|it| it.starts_with("config.respons_mapping")), "{known}");
    // An override is checked with what it is merged over.
    let base = json!({"before": [{"type": "transform", "config": "1"}], "response_mapping_method": "item"});
    model.map("acme", "people", "list", base).await;
    let over = json!({
        "environment_unified_model_id": model.installed, "integration_name": "acme", "resource_name": "people",
        "method_name": "list", "config": {"response_mapping_method": "each"},
    });
    let (status, _) = world.ask(Method::POST, "/environment-unified-model-resource-method", over).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
