//! Calls of the unified API (contract section 8), with a provider that answers with what it was asked.

use relink_domain::{caller::Caller, token_limits::TokenLimits};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    answering_provider::{SignIn, name},
    echoing_api::Echo,
    unified_model::{Model, written},
    world::World,
};

/// The integration of the account.
fn integration() -> String {
    name(SignIn::OAuth, 0)
}

/// Maps what the provider has.
async fn mapped(world: &World) -> Model<'_> {
    let model = Model::new(world).await;
    for (method, config) in [
        (
            "list",
            json!({"response_mapping": "response.{\"id\": $string(id)}", "query_mapping": "{\"team\": query.team}"}),
        ),
        ("get", json!({"response_mapping": "response.{\"id\": $substringAfter(path, '/items/'), \"asked\": query}"})),
        (
            "create",
            json!({"request_body_mapping": "{\"name\": body.label}", "response_mapping": "response.{\"id\": \"new\", \"sent\": body}", "request_body_schema": {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}}),
        ),
        (
            "update",
            json!({"request_body_mapping": "{\"name\": body.label}", "response_mapping": "response.{\"id\": \"7\", \"sent\": body}"}),
        ),
        ("delete", json!({})),
        ("merge", json!({"response_mapping": "response.{\"sent\": body}"})),
    ] {
        model.map(&integration(), "items", method, config).await;
    }
    model
}

#[tokio::test]
async fn each_method_is_called_as_the_mapping_says() {
    let it = Echo::new().await;
    mapped(&it.world).await;
    let query = it.of_account();
    let call = async |method: Method, path: &str, body: Value| {
        written(&it.world, method, &format!("/unified/sales/items{path}{query}&truto_ignore_remote_data=true"), body)
            .await
    };
    let first = call(Method::GET, "?limit=2&", Value::Null).await;
    assert_eq!(first["result"], json!([{"id": "1"}, {"id": "2"}]));
    assert_eq!((&first["result_count"], &first["prev_cursor"]), (&json!(2), &Value::Null));
    let cursor = first["next_cursor"].as_str().expect("more").to_owned();
    let next = call(Method::GET, &format!("?limit=2&next_cursor={cursor}&"), Value::Null).await;
    assert_eq!(next["result"], json!([{"id": "3"}, {"id": "4"}]));
    assert_eq!(call(Method::GET, "/a%2Fb?x=1&", Value::Null).await, json!({"id": "a%2Fb", "asked": "x=1"}));
    assert_eq!(call(Method::POST, "?", json!({"label": "A"})).await, json!({"id": "new", "sent": {"name": "A"}}));
    assert_eq!(call(Method::PATCH, "/7?", json!({"label": "B"})).await, json!({"id": "7", "sent": {"name": "B"}}));
    assert_eq!(call(Method::DELETE, "/7?", Value::Null).await, json!({"id": "7"}));
    assert_eq!(call(Method::POST, "/merge?", json!({"into": "1"})).await, json!({"result": {"sent": {"into": "1"}}}));
    let page = it.world.get(&format!("/unified/sales/items?limit=1&{query}")).await;
    assert_eq!(page["result"], json!([{"id": "1", "remote_data": {"id": 1}}]));
    let log = it.world.get(&format!("/log?log_type=unified_proxy_api&{query}")).await;
    let paths: Vec<_> =
        log["result"].as_array().expect("a list").iter().map(|it| (&it["route"], &it["path"])).collect();
    assert!(
        paths.contains(&(
            &json!("unified"),
            &json!("/sales/items/merge?integrated_account_id=…&truto_ignore_remote_data=…")
        )),
        "{paths:?}"
    );
}

#[tokio::test]
async fn the_base_the_environment_and_the_account_each_change_what_is_in_force() {
    let it = Echo::new().await;
    let model = mapped(&it.world).await;
    let query = it.of_account();
    let first = async || it.world.get(&format!("/unified/sales/items?limit=1&{query}")).await["result"][0].clone();
    let meta = async || {
        let meta = it.world.get(&format!("/unified/sales/items/meta/list?{query}")).await;
        meta["response_mapping"].as_str().map(str::to_owned)
    };
    assert_eq!(first().await["id"], "1");
    let over = json!({"response_mapping": "response.{\"id\": \"e\" & id}"});
    let row = model.map_here(&integration(), "items", "list", over).await;
    assert_eq!((first().await["id"].clone(), meta().await.expect("one").contains("\"e\"")), (json!("e1"), true));
    let account = format!("/integrated-account/{}", it.account);
    let own = json!({"unified_model_override": {"sales": {"items": {"list": {"response_mapping": "response.{\"id\": \"a\" & id}"}}}}});
    written(&it.world, Method::PATCH, &account, own).await;
    assert_eq!((first().await["id"].clone(), meta().await.expect("one").contains("\"a\"")), (json!("a1"), true));
    // What the layers above don't name stays: the base's query.
    let base = format!("/unified/sales/items/{}/meta/list", integration());
    assert!(it.world.get(&base).await["response_mapping"].as_str().is_some_and(|it| it.contains("\"e\"")));
    let removed = json!({"unified_model_override": {"sales": {"items": {"list": null}}}});
    written(&it.world, Method::PATCH, &account, removed).await;
    assert_eq!(first().await["id"], "e1");
    let row = format!("/environment-unified-model-resource-method/{}", row["id"].as_str().expect("an id"));
    written(&it.world, Method::PATCH, &row, json!({"config": {"response_mapping": "response.{\"id\": \"f\" & id}"}}))
        .await;
    assert_eq!(first().await["id"], "f1", "an account's merged mapping follows the layers below");
    written(&it.world, Method::DELETE, &row, Value::Null).await;
    assert_eq!(first().await["id"], "1");
}

#[tokio::test]
async fn what_is_not_mapped_says_what_there_is() {
    let it = Echo::new().await;
    let model = mapped(&it.world).await;
    model.map("other", "people", "list", json!({})).await;
    let query = it.of_account();
    let asked = async |method: Method, path: &str| {
        let (status, error) = it.world.ask(method, &format!("/unified/{path}?{query}"), json!({})).await;
        assert_eq!((status, &error["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{path}: {error}");
        error["message"].as_str().expect("a message").to_owned()
    };
    for (method, path, said) in [
        (Method::GET, "hris/items", "Installed unified models: "),
        (Method::GET, "sales/people", "Mapped resources: items."),
        (Method::POST, "sales/items/purge", "Mapped methods of items: create, delete, get, list, merge, update."),
        (Method::GET, "sales/items/meta/purge", "Mapped methods of items: "),
    ] {
        let message = asked(method, path).await;
        assert!(message.contains(said), "{path}: {message}");
    }
    let installed = format!("/environment-unified-model/{}", model.installed.as_str().expect("an id"));
    written(&it.world, Method::DELETE, &installed, Value::Null).await;
    assert!(!asked(Method::GET, "sales/items").await.contains("sales,"), "it isn't installed any more");
    let (status, _) = it.world.ask(Method::GET, "/unified/sales/items", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "without an account");
}

#[tokio::test]
async fn errors_are_the_callers_the_providers_or_the_mappings() {
    let it = Echo::new().await;
    let model = mapped(&it.world).await;
    let path = |below: &str| format!("/unified/sales/items{below}?{}", it.of_account());
    let (status, error) = it.world.ask(Method::POST, &path(""), json!({})).await;
    assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!("required_missing")));
    let insight = &error["truto_error_insight"]["missing_required_body_fields"];
    assert_eq!((&insight["value"], error.get("truto_is_remote_error")), (&json!(["label"]), None), "{error}");

    let lost = json!({"path_mapping": "'/missing'", "error_mapping": "{\"status\": 410, \"message\": error.message & \" Really.\"}"});
    model.map(&integration(), "people", "get", json!({})).await;
    model.map_here(&integration(), "items", "get", lost).await;
    let (status, error) = it.world.ask(Method::GET, &path("/1"), Value::Null).await;
    assert_eq!((status, &error["message"]), (StatusCode::GONE, &json!("There is none. Really.")), "{error}");
    assert_eq!(
        (&error["truto_is_remote_error"], &error["raw_response"]["message"]),
        (&json!(true), &json!("There is none."))
    );
    assert!(error["truto_error_insight"]["remote_error"]["description"].is_string(), "{error}");

    model.map_here(&integration(), "items", "list", json!({"response_mapping": "$sum(response)"})).await;
    let (status, error) = it.world.ask(Method::GET, &path(""), Value::Null).await;
    assert_eq!((status, &error["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!("mapping_failed")));
    let place = "failed at response_mapping, for record 1, line 1, column 1: ";
    let said = format!("The mapping sales/items list of {} {place}", integration());
    assert!(error["message"].as_str().is_some_and(|it| it.starts_with(&said)), "{error}");

    let escaped = json!({"path_mapping": "'/../other'"});
    model.map_here(&integration(), "items", "update", escaped).await;
    let (status, error) = it.world.ask(Method::PATCH, &path("/1"), json!({})).await;
    assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!("path_leaves_api")), "{error}");
    for (parameter, status) in [("truto_super_query=apac", 501), ("truto_response_format=xml", 400)] {
        let (found, _) = it.world.ask(Method::GET, &format!("{}&{parameter}", path("")), Value::Null).await;
        assert_eq!(found.as_u16(), status, "{parameter}");
    }
}

#[tokio::test]
async fn a_mapping_can_not_take_the_credential_elsewhere_or_replace_it() {
    let it = Echo::new().await;
    let model = mapped(&it.world).await;
    let config = json!({"request_header_mapping": "{\"Authorization\": \"Bearer mine\", \"Cookie\": \"a=b\", \"X-Own\": context.tenant, \"Accept\": \"text/x\"}"});
    model.map(&integration(), "people", "list", json!({"resource": "items", "method": "merge"})).await;
    model.map_here(&integration(), "people", "list", config).await;
    let query = it.of_account();
    let page = it.world.get(&format!("/unified/sales/people?{query}")).await;
    // The provider answers only with its own token, and says nothing of headers: it was called with the account's.
    assert_eq!(page["result"][0]["path"], "/items/merge", "{page}");
    until_active(&it).await;
}

async fn until_active(it: &Echo) {
    let account = it.world.get(&format!("/integrated-account/{}", it.account)).await;
    assert_eq!(account["status"], "active");
}

#[tokio::test]
async fn who_may_only_read_and_a_sandbox_write_nothing_however_it_is_mapped() {
    let it = Echo::new().await;
    let model = mapped(&it.world).await;
    // A list that writes, and a read whose step writes.
    model.map(&integration(), "people", "list", json!({"resource": "items", "method": "create"})).await;
    let step = json!({"type": "request", "config": {"resource": "items", "method": "create", "body": {}}});
    model.map(&integration(), "people", "get", json!({"resource": "items", "before": [step]})).await;
    let own = json!({"type": "request", "config": {"method": "post", "path": "/items"}});
    model
        .map(&integration(), "people", "search", json!({"resource": "items", "method": "list", "before": [own]}))
        .await;
    let limits = TokenLimits { read_only: true, ..TokenLimits::default() };
    let grant = relink_domain::caller::Grant { level: relink_domain::caller::TokenLevel::Full, limits };
    let made = it.world.engine.access().create_api_token(&Caller::Person, "reader".into(), grant, None).await;
    let reader = made.expect("a token").1;
    let query = it.of_account();
    let as_reader = async |method: Method, path: &str| {
        it.world.ask_with(reader.expose(), method, &format!("/unified/sales/{path}?{query}"), Value::Null).await
    };
    assert_eq!(as_reader(Method::GET, "items").await.0, StatusCode::OK);
    for (method, path) in [
        (Method::GET, "people"),
        (Method::GET, "people/1"),
        (Method::POST, "people/search"),
        (Method::DELETE, "items/1"),
    ] {
        let (status, error) = as_reader(method.clone(), path).await;
        assert_eq!((status, &error["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{method} {path}: {error}");
    }
    written(&it.world, Method::POST, "/sandbox-integrated-account", json!({"id": it.account})).await;
    assert_eq!(
        it.world.ask(Method::GET, &format!("/unified/sales/items?{query}"), Value::Null).await.0,
        StatusCode::OK
    );
    for (method, path) in [
        (Method::GET, "people"),
        (Method::GET, "people/1"),
        (Method::POST, "people/search"),
        (Method::POST, "items/merge"),
        (Method::PATCH, "items/1"),
        (Method::DELETE, "items/1"),
    ] {
        let (status, error) =
            it.world.ask(method.clone(), &format!("/unified/sales/{path}?{query}"), json!({"label": "x"})).await;
        assert_eq!(
            (status, &error["code"]),
            (StatusCode::METHOD_NOT_ALLOWED, &json!("sandbox_is_read_only")),
            "{method} {path}: {error}"
        );
    }
}

#[tokio::test]
async fn an_account_token_calls_for_its_account_and_describes_no_integration() {
    let it = Echo::new().await;
    mapped(&it.world).await;
    let token =
        written(&it.world, Method::POST, "/integrated-account/token", json!({"integrated_account_id": it.account}))
            .await;
    let token = token["token"].as_str().expect("a token").to_owned();
    let asked = async |path: &str| it.world.ask_with(&token, Method::GET, path, Value::Null).await.0;
    assert_eq!(asked("/unified/sales/items").await, StatusCode::OK);
    assert_eq!(asked("/unified/sales/items/meta/list").await, StatusCode::OK);
    assert_eq!(asked("/unified/meta/sales/acme").await, StatusCode::FORBIDDEN);
    assert_eq!(asked(&format!("/unified/sales/items/{}/meta/list", integration())).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn methods_are_described_for_people_and_agents() {
    let it = Echo::new().await;
    let model = mapped(&it.world).await;
    let meta = it.world.get(&format!("/unified/sales/items/meta/create?{}", it.of_account())).await;
    let expected = json!({"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]});
    assert_eq!((&meta["method"], &meta["request_body_schema"]), (&json!("create"), &expected));
    assert_eq!(
        (&meta["schema"]["properties"], &meta["default_query"]),
        (&json!({"id": {"type": "string"}}), &json!({}))
    );
    let whole = it.world.get(&format!("/unified/meta/sales/{}?format=json", integration())).await;
    let methods: Vec<_> =
        whole["resources"]["items"]["methods"].as_object().expect("methods").keys().cloned().collect();
    assert_eq!(methods, ["create", "delete", "get", "list", "merge", "update"]);
    for (format, status) in [("md", 501), ("html", 501), ("yaml", 400)] {
        let path = format!("/unified/meta/sales/{}?format={format}", integration());
        assert_eq!(it.world.ask(Method::GET, &path, Value::Null).await.0.as_u16(), status, "{format}");
    }
    model.map_here(&integration(), "items", "list", json!({})).await;
    let capabilities = it.world.get(&format!("/integrated-account/{}/capabilities?type=unified", it.account)).await;
    let unified = &capabilities["unified"][0];
    assert_eq!(
        (&unified["model"], &unified["resource"], &unified["env_overridden"]),
        (&json!("sales"), &json!("items"), &json!(true))
    );
    assert_eq!(capabilities["proxy"], json!([]));
    let docs = unified["docs_url"].as_str().and_then(|url| url.strip_prefix(it.world.base())).expect("an address here");
    assert_eq!(it.world.get(docs).await["integration"], json!(integration()));
    let apis = it.world.get(&format!("/integration/{}/unified-apis", integration())).await;
    assert_eq!((&apis[0]["unified_model"], &apis[0]["resource"]), (&json!("sales"), &json!("items")));
}

#[tokio::test]
async fn a_batch_has_unified_entries_with_their_formats() {
    let it = Echo::new().await;
    mapped(&it.world).await;
    let entries = json!([
        {"resource": "sales/items", "method": "list", "query": {"limit": 2}},
        {"resource": "items", "method": "get", "id": "{{resources.sales.items.id}}", "depends_on": "sales/items", "loop_on": "resources.sales.items", "persist": true},
    ]);
    let batch = json!({"integrated_account_id": it.account, "resources": entries});
    let answer = written(&it.world, Method::POST, "/batch-request", batch).await;
    let ids: Vec<_> =
        answer["result"]["sales/items"].as_array().expect("records").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"], "followed to the end, and persisted without being asked");
    assert_eq!(answer["result"]["items"][4]["path"], "/items/5", "{answer}");
    let raw = json!([{"resource": "sales/items", "response_format": "raw"}, {"resource": "sales/people"}]);
    let batch = json!({"integrated_account_id": it.account, "resources": raw});
    let answer = written(&it.world, Method::POST, "/batch-request", batch).await;
    assert_eq!(answer["result"]["sales/items"][0], json!({"id": 1}));
    assert_eq!(answer["errors"]["sales/people"][0]["statusCode"], 404);
}

#[tokio::test]
async fn a_body_that_is_no_value_and_one_that_is_passed_on_go_as_they_are() {
    let it = Echo::new().await;
    mapped(&it.world).await;
    let url = format!("{}/unified/sales/items/merge?{}", it.world.base(), it.of_account());
    let post = |url: String| it.world.client.post(url).bearer_auth(&it.world.token);
    let file = post(url.clone()).header(header::CONTENT_TYPE, "image/png").body(vec![0x89, b'P', 0xff]);
    let sent: Value = file.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(sent["result"]["remote_data"]["type"], "image/png", "{sent}");
    let passed =
        post(format!("{url}&truto_body_passthrough=true")).header(header::CONTENT_TYPE, "text/csv").body("a,b");
    let sent: Value = passed.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(sent["result"]["remote_data"]["type"], "text/csv", "{sent}");
    assert_eq!(sent["result"]["sent"], "a,b");
}

/// The Sandbox plays both models, so that anybody can try them.
#[tokio::test]
async fn the_built_in_models_are_installed_and_can_be_called_with_the_sandbox() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let of_account = format!("integrated_account_id={account}&limit=2");
    for path in ["ticketing/tickets", "ticketing/users", "crm/contacts", "crm/companies", "crm/deals"] {
        let page = world.get(&format!("/unified/{path}?{of_account}")).await;
        let record = &page["result"][0];
        assert!(record["id"].is_string() && record["remote_data"].is_object(), "{path}: {page}");
        assert_eq!(page["result_count"], 2, "{path}: {page}");
        let id = record["id"].as_str().expect("an id");
        let one = world.get(&format!("/unified/{path}/{id}?{of_account}")).await;
        assert_eq!(one["id"], record["id"], "{path}");
    }
    let created = json!({"name": "Try it", "description": "For the test"});
    let (status, refused) = world.ask(Method::POST, &format!("/unified/ticketing/tickets?{of_account}"), created).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("sandbox_is_read_only")),
        "{refused}"
    );
    // They can't be changed, but overridden here.
    let model = world.get("/unified-model?name=crm").await["result"][0].clone();
    assert_eq!(model["is_built_in"], true);
    let path = format!("/unified-model/{}", model["id"].as_str().expect("an id"));
    let (status, refused) =
        world.ask(Method::PATCH, &path, json!({"version": model["version"], "description": "x"})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("unified_model_built_in")));
    let base =
        world.get("/unified-model-resource-method?unified_model_name=crm&integration_name=sandbox&limit=1").await;
    let base = format!("/unified-model-resource-method/{}", base["result"][0]["id"].as_str().expect("an id"));
    assert_eq!(world.ask(Method::DELETE, &base, Value::Null).await.0, StatusCode::CONFLICT);
    let installed = world.get("/environment-unified-model?unified_model.name=crm").await["result"][0]["id"].clone();
    let own = json!({
        "environment_unified_model_id": installed, "integration_name": "sandbox", "resource_name": "contacts",
        "method_name": "list", "config": {"response_mapping": "response.{ 'id': 'mine-' & id }"},
    });
    written(&world, Method::POST, "/environment-unified-model-resource-method", own).await;
    let page = world.get(&format!("/unified/crm/contacts?{of_account}")).await;
    assert!(page["result"][0]["id"].as_str().is_some_and(|id| id.starts_with("mine-")), "{page}");
}
