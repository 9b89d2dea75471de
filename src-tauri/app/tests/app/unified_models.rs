//! Unified models: the list, the editor of mappings and its playground.

use relink_contract::window::Change;
use relink_domain::{account::AccountChange, caller::Caller};
use serde_json::{Value, json};

use crate::world::{World, next};

fn of(integration: &str, method: &str) -> Value {
    json!({ "model": "ticketing", "resource": "tickets", "integration": integration, "method": method })
}

async fn view(world: &World, of: &Value) -> Value {
    world.command("unified_mapping", json!({ "of": of })).await
}

/// The keys of a mapping, with the text of one replaced.
fn with(view: &Value, name: &str, text: &str) -> Value {
    let mut keys = view["keys"].as_array().expect("keys").clone();
    keys.retain(|key| key["name"] != name);
    keys.push(json!({ "name": name, "text": text, "language": "text" }));
    keys.into()
}

async fn tried(world: &World, of: &Value, keys: &Value, sample: &str) -> Value {
    world.command("try_mapping", json!({ "of": of, "keys": keys, "sample": sample })).await
}

fn json_in(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_else(|| panic!("a text: {text}"))).expect("JSON")
}

async fn ticketing(world: &World) -> Value {
    let models = world.command("unified_models", json!({})).await;
    models.as_array().expect("a list").iter().find(|it| it["name"] == "ticketing").expect("it is there").clone()
}

fn mapping_in(model: &Value, integration: &str, method: &str) -> Value {
    let resources = model["resources"].as_array().expect("a list");
    let tickets = resources.iter().find(|it| it["name"] == "tickets").expect("it is there");
    let mut mappings = tickets["mappings"].as_array().expect("a list").iter();
    mappings.find(|it| it["integration"] == integration && it["method"] == method).cloned().unwrap_or_default()
}

#[tokio::test]
async fn models_are_listed_with_their_schema_and_what_is_mapped_in_each_layer() {
    let world = World::new().await;
    let id = world.connect().await;
    let model = ticketing(&world).await;
    assert_eq!(
        (&model["label"], &model["built_in"], &model["installed"]),
        (&json!("Ticketing"), &json!(true), &json!(true))
    );
    let tickets = model["resources"].as_array().expect("a list").iter().find(|it| it["name"] == "tickets");
    let fields = tickets.expect("it is there")["fields"].as_array().expect("fields").clone();
    assert_eq!((&fields[0]["name"], &fields[0]["is_required"]), (&json!("id"), &json!(true)));
    let base =
        json!({"integration": "github", "method": "list", "has_base": true, "is_overridden": false, "accounts": []});
    assert_eq!(mapping_in(&model, "github", "list"), base);

    let over = json!({"ticketing": {"tickets": {"list": {"query": {"status": "open"}}}}});
    let change = AccountChange {
        unified_model_override: over.as_object().cloned().expect("an object"),
        ..AccountChange::default()
    };
    world.engine.accounts().update(&Caller::Person, id, change).await.expect("changed");
    let own = mapping_in(&ticketing(&world).await, "sandbox", "list");
    assert_eq!(own["accounts"].as_array().map(Vec::len), Some(1), "{own}");
    assert_eq!(view(&world, &of("sandbox", "list")).await["accounts"][0]["is_overridden"], true);

    world.command("uninstall_unified_model", json!({ "name": "ticketing" })).await;
    assert_eq!(ticketing(&world).await["installed"], false);
    world.command("install_unified_model", json!({ "name": "ticketing" })).await;
    assert_eq!(ticketing(&world).await["installed"], true);
}

#[tokio::test]
async fn a_mapping_runs_on_an_input_while_it_is_written() {
    let world = World::new().await;
    let github = of("github", "list");
    let shown = view(&world, &github).await;
    assert_eq!((&shown["integration_label"], &shown["override_version"]), (&json!("GitHub"), &Value::Null));
    assert_eq!(shown["keys"][0]["language"], "json", "a choice of resources");
    let first = tried(&world, &github, &shown["keys"], shown["sample"].as_str().expect("a text")).await;
    assert_eq!(first["problem"], Value::Null, "the input to begin with is enough for the built-in mapping: {first}");

    let sample = json!({
        "query": {"collection": {"id": "acme/api"}, "status": "open"},
        "response": [{"number": 7, "title": "Broken", "state": "open", "repository_url": "https://api.github.com/repos/acme/api"}],
    });
    let done = tried(&world, &github, &shown["keys"], &sample.to_string()).await;
    let request = json_in(&done["request"]);
    assert_eq!(
        (&request["resource"], &request["query"]["repo"], &request["query"]["state"]),
        (&json!("issues"), &json!("api"), &json!("open"))
    );
    let record = &json_in(&done["output"])["result"][0];
    assert_eq!((&record["id"], &record["remote_data"]["number"]), (&json!("acme/api/7"), &json!(7)), "{record}");
    assert_eq!(done["faults"], json!([]));

    let keys = with(&shown, "response_mapping", "response.{ 'id': number, 'status': 'done' }");
    let differs = tried(&world, &github, &keys, &sample.to_string()).await;
    assert_eq!(
        differs["faults"],
        json!([
            {"record": 1, "path": "id", "problem": "must be string, but is 7"},
            {"record": 1, "path": "status", "problem": "must be one of open, in_progress, closed, but is done"},
        ])
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_mapping_is_said_at_its_place() {
    let world = World::new().await;
    let github = of("github", "list");
    let shown = view(&world, &github).await;
    let sample =
        json!({"query": {"collection": {"id": "a/b"}}, "response": [{"n": 1}, {"n": 2}, {"n": "x"}]}).to_string();
    let problem = async |key: &str, text: &str| {
        tried(&world, &github, &with(&shown, key, text), &sample).await["problem"].clone()
    };
    let syntax = problem("response_mapping", "response.{\n  'id': number,,\n}").await;
    assert_eq!(
        (&syntax["at"], &syntax["key"], &syntax["line"], &syntax["column"]),
        (&json!("mapping"), &json!("response_mapping"), &json!(2), &json!(16)),
        "{syntax}"
    );
    assert_eq!(syntax["place"], "ticketing/tickets list on GitHub, response_mapping");
    let unknown = problem("query_mapping", "$nothing(1)").await;
    assert!(unknown["problem"].as_str().is_some_and(|it| it.contains("$nothing")), "{unknown}");

    let failed = problem("response_mapping", "response.{ 'id': $string(n + 1) }").await;
    assert_eq!(
        (&failed["at"], &failed["place"], &failed["line"], &failed["column"]),
        (&json!("run"), &json!("ticketing/tickets list on GitHub, response_mapping, record 3"), &json!(1), &json!(28)),
        "{failed}"
    );
    let cut = tried(&world, &github, &shown["keys"], "{\n  \"query\": }").await["problem"].clone();
    assert_eq!((&cut["at"], &cut["line"]), (&json!("sample"), &json!(2)), "{cut}");
    let missing = tried(&world, &github, &shown["keys"], "{}").await["problem"].clone();
    assert!(missing["problem"].as_str().is_some_and(|it| it.contains("missing: collection")), "{missing}");
    let refused =
        json!({"query": {"collection": {"id": "a/b"}}, "error": {"status": 422, "body": {"message": "No such user"}}});
    let refused = tried(&world, &github, &shown["keys"], &refused.to_string()).await;
    assert_eq!(refused["problem"]["problem"], "The provider answered with status 422: No such user");
    assert_eq!(json_in(&refused["output"])["raw_response"], json!({"message": "No such user"}));
}

#[tokio::test]
async fn what_differs_from_the_base_is_saved_for_this_environment() {
    let world = World::new().await;
    let sandbox = of("sandbox", "list");
    let shown = view(&world, &sandbox).await;
    let save = |keys: &Value, version: Value| json!({ "of": sandbox, "keys": keys, "version": version });
    let mut changes = world.app.changes();
    let keys = with(&shown, "response_mapping", "response.{ 'id': id, 'name': 'Ours: ' & title }");
    assert_eq!(world.command("save_mapping", save(&keys, Value::Null)).await, json!([]));
    while next(&mut changes).await != Change::UnifiedModels {}
    let after = view(&world, &sandbox).await;
    assert_eq!((&after["override_version"], &after["base"]), (&json!(1), &shown["base"]));
    assert_eq!(mapping_in(&ticketing(&world).await, "sandbox", "list")["is_overridden"], true);
    let rows = world.engine.unified_models().mappings(&Caller::Person, relink_engine::MappingLayer::Environment).await;
    let config = rows.expect("rows").remove(0).config;
    assert_eq!(config.keys().collect::<Vec<_>>(), ["response_mapping"], "only what differs");

    let stale =
        world.app.dispatch("save_mapping", save(&keys, Value::Null)).await.expect_err("it has a version by now");
    assert_eq!(stale.code, "stale_version");
    let broken = with(&after, "response_mapping", "response.");
    let refused = world.app.dispatch("save_mapping", save(&broken, json!(1))).await.expect_err("no expression");
    assert_eq!(refused.field.as_deref(), Some("config.response_mapping"));

    // A key that is emptied is removed from what is in force, and a part of an object is overridden alone.
    let mut keys = with(&after, "query_mapping", "");
    let schema = keys.as_array_mut().and_then(|keys| keys.iter_mut().find(|key| key["name"] == "query_schema"));
    let schema = schema.expect("it is there");
    schema["text"] = schema["text"].as_str().expect("a text").replace("\"How far it is\"", "\"Ours\"").into();
    world.command("save_mapping", save(&keys, json!(1))).await;
    let rows = world.engine.unified_models().mappings(&Caller::Person, relink_engine::MappingLayer::Environment).await;
    let config = Value::Object(rows.expect("rows").remove(0).config);
    assert_eq!(config["query_mapping"], Value::Null);
    assert_eq!(config["query_schema"], json!({"properties": {"status": {"description": "Ours"}}}));
    let again = view(&world, &sandbox).await;
    assert!(again["keys"].as_array().expect("keys").iter().all(|key| key["name"] != "query_mapping"), "{again}");

    world.command("save_mapping", save(&shown["base"], json!(2))).await;
    let removed = view(&world, &sandbox).await;
    assert_eq!((&removed["override_version"], &removed["keys"]), (&Value::Null, &shown["keys"]));
}

#[tokio::test]
async fn a_mapping_that_is_not_saved_is_tried_with_an_account() {
    let world = World::new().await;
    let id = world.connect().await;
    let sandbox = of("sandbox", "list");
    let shown = view(&world, &sandbox).await;
    assert_eq!(shown["accounts"][0]["id"], json!(id));
    let keys = with(&shown, "response_mapping", "response.{ 'id': id, 'name': 'Tried: ' & title }");
    let arguments =
        |of: &Value, keys: &Value| json!({ "of": of, "keys": keys, "sample": "{\"query\": {\"limit\": 2}}", "id": id });
    let done = world.command("try_mapping_with_account", arguments(&sandbox, &keys)).await;
    assert_eq!(done["problem"], Value::Null, "{done}");
    let output = json_in(&done["output"]);
    assert_eq!(output["result_count"], 2);
    assert!(output["result"][0]["name"].as_str().is_some_and(|name| name.starts_with("Tried: ")), "{output}");
    let sample = json_in(&done["sample"]);
    assert_eq!(sample["response"][0], output["result"][0]["remote_data"], "the answer is the new input");
    assert_eq!(sample["query"], json!({"limit": 2}));
    let calls = world.app.calls(id).await.expect("calls");
    assert_eq!(serde_json::to_value(&calls[0]).expect("JSON")["path"], "/ticketing/tickets");
    assert_eq!(view(&world, &sandbox).await["keys"], shown["keys"], "nothing was saved");

    let fails = with(&shown, "response_mapping", "response.{ 'id': title + 1 }");
    let failed = world.command("try_mapping_with_account", arguments(&sandbox, &fails)).await;
    assert_eq!(failed["problem"]["place"], "ticketing/tickets list on Sandbox, response_mapping, record 1");
    assert!(json_in(&failed["sample"])["response"][0]["title"].is_string(), "what failed can be looked at: {failed}");

    let writes = world.app.dispatch("try_mapping_with_account", arguments(&of("sandbox", "create"), &keys)).await;
    assert_eq!(writes.expect_err("it would write").code, "method_writes");
    let mut hidden = with(&shown, "method", "create");
    let tried = world.command("try_mapping_with_account", arguments(&sandbox, &hidden)).await;
    assert!(tried["problem"]["problem"].as_str().is_some_and(|it| it.contains("403") || it.contains("405")), "{tried}");
    hidden = with(&shown, "before", "");
    let before = json!([{"type": "request", "config": {"resource": "tickets", "method": "create", "body": {"title": "Written"}}}]);
    hidden
        .as_array_mut()
        .expect("keys")
        .push(json!({"name": "before", "text": before.to_string(), "language": "json"}));
    let tried = world.command("try_mapping_with_account", arguments(&sandbox, &hidden)).await;
    assert_ne!(tried["problem"], Value::Null, "a step doesn't write either: {tried}");
    let other = world.app.dispatch("try_mapping_with_account", arguments(&of("github", "list"), &keys)).await;
    assert_eq!(other.expect_err("another integration").code, "not_found");
}

#[tokio::test]
async fn a_method_that_is_not_mapped_yet_can_be_mapped() {
    let world = World::new().await;
    let custom = of("sandbox", "close");
    let shown = view(&world, &custom).await;
    assert_eq!((&shown["keys"], &shown["base"]), (&json!([]), &json!([])));
    let keys = json!([{ "name": "resource", "text": "tickets", "language": "text" }, { "name": "ours", "text": "1", "language": "text" }]);
    let warnings = world.command("save_mapping", json!({ "of": custom, "keys": keys, "version": null })).await;
    assert!(warnings[0].as_str().is_some_and(|it| it.contains("ours")), "{warnings}");
    let row = mapping_in(&ticketing(&world).await, "sandbox", "close");
    assert_eq!((&row["has_base"], &row["is_overridden"]), (&json!(false), &json!(true)));
    world.command("uninstall_unified_model", json!({ "name": "ticketing" })).await;
    let refused = world.app.dispatch("save_mapping", json!({ "of": custom, "keys": keys, "version": null })).await;
    assert_eq!(refused.expect_err("not installed").code, "not_found");
}
