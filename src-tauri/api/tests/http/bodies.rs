//! Bodies that lack a field or have a wrong value in one: each field of each body of the document is named (contract section 0.4).

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::world::World;

/// Stands in values, and must be in no answer.
const CANARY: &str = "canary-of-a-value";

/// Read whatever it is, and ignored.
const IGNORED: [&str; 1] = ["patch /integrated-account/{id} status"];

/// A type of this test's own: a text, or a list of some.
const ONE_OR_MORE: &str = "one or more";

/// A schema without references and alternatives: that of a value that isn't null.
fn resolved(document: &Value, schema: &Value) -> Value {
    if let Some(pointer) = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#')) {
        return resolved(document, document.pointer(pointer).expect("the schema"));
    }
    if schema["oneOf"] == json!([{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]) {
        return json!({ "type": ONE_OR_MORE });
    }
    let is_null = |schema: &&Value| schema["type"] == "null";
    match schema["oneOf"].as_array().and_then(|all| all.iter().find(|it| !is_null(it))) {
        Some(schema) => resolved(document, schema),
        None => schema.clone(),
    }
}

/// The type of a value that isn't null; `None`: any.
fn type_of(schema: &Value) -> Option<&str> {
    let all = schema["type"].as_array();
    all.map_or(schema["type"].as_str(), |all| all.iter().filter_map(Value::as_str).find(|it| *it != "null"))
}

/// A body's fields with their schemas, and the names of those that it must have.
fn fields(document: &Value, schema: &Value) -> (Map<String, Value>, Vec<String>) {
    let schema = resolved(document, schema);
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (more, more_required) = fields(document, part);
        properties.extend(more);
        required.extend(more_required);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        properties.insert(name.clone(), resolved(document, property));
    }
    required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    (properties, required)
}

/// A value that can be read.
fn readable(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    match (type_of(schema), schema["format"].as_str()) {
        (Some("string"), Some("uuid")) => json!("00000000-0000-0000-0000-000000000000"),
        (Some("string"), Some("date-time")) => json!("2099-01-01T00:00:00.000Z"),
        (Some("boolean"), _) => json!(true),
        (Some("integer" | "number"), _) => json!(1),
        (Some("array"), _) => json!([]),
        (Some("object"), _) => json!({}),
        _ => json!("x"),
    }
}

/// A value of another type.
fn wrong(schema: &Value) -> Value {
    if schema == &json!({ "type": ONE_OR_MORE }) {
        return json!({ CANARY: CANARY });
    }
    if matches!(type_of(schema), Some("array" | "object")) { json!(CANARY) } else { json!([CANARY]) }
}

#[tokio::test]
async fn each_field_that_is_missing_or_of_another_type_is_named() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let token = world.post("/integrated-account/token", json!({ "integrated_account_id": account })).await;
    let token = token["token"].as_str().expect("a token");
    // Its fields are read after it was found, because only then it is known whether it may be changed.
    let (_, model) = world.as_person(Method::POST, "/unified-model", json!({ "name": "own" })).await;
    let model = model["id"].as_str().expect("a model");
    // These are merged into what is there before they are checked.
    let sync_job = world.post("/sync-job", json!({})).await["id"].clone();
    let template = world.post("/sync-job-template", json!({})).await["id"].clone();
    let trigger = json!({ "sync_job_id": sync_job, "cron_expression": "0 * * * *" });
    let trigger = world.post("/sync-job-cron-trigger", trigger).await["id"].clone();
    let step = json!({ "type": "run", "action": "run_sync_job", "config": { "sync_job_id": sync_job } });
    let workflow = json!({ "trigger_name": "integrated_account:active", "config": { "steps": [step] } });
    let workflow = world.post("/workflow", workflow).await["id"].clone();
    let datastore = json!({ "type": "s3", "config": { "access_key_id": "k", "secret_access_key": "s", "region": "r", "bucket": "b" } });
    let datastore = world.post("/datastore", datastore).await["id"].clone();
    let own = [
        ("/sync-job/", sync_job),
        ("/sync-job-template/", template),
        ("/sync-job-cron-trigger/", trigger),
        ("/workflow/", workflow),
        ("/datastore/", datastore),
    ];
    let document = world.get("/openapi.json").await;
    let (mut missing, mut mistyped, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if !operation["security"].is_array() || body.is_null() {
                continue;
            }
            let nothing = "00000000-0000-0000-0000-000000000000";
            let known = own.iter().find(|(route, _)| path.starts_with(route)).and_then(|(_, id)| id.as_str());
            let id = if path.starts_with("/unified-model/") { model } else { known.unwrap_or(nothing) };
            let url = path.replace("{id}", id).replace("{token_id}", nothing).replace("{name}", "github");
            let token = if path == "/integrated-account/me" { token } else { &world.person };
            let asked: Method = method.to_uppercase().parse().expect("a method");
            let send = async |body: Map<String, Value>| {
                let (status, answer) = world.ask_with(token, asked.clone(), &url, Value::Object(body)).await;
                assert!(!answer.to_string().contains(CANARY), "{method} {path}: {answer}");
                (status, answer)
            };
            let (properties, required) = fields(&document, body);
            let whole = |without: &str| {
                let names = required.iter().filter(|name| *name != without);
                names.map(|name| (name.clone(), readable(&properties[name]))).collect::<Map<_, _>>()
            };
            for name in &required {
                let (status, answer) = send(whole(name)).await;
                // The others have a default.
                if status == StatusCode::BAD_REQUEST && answer["code"] == "body_invalid" {
                    let message = format!("{name} is missing.");
                    let failure = json!({ "path": name, "message": message });
                    if answer["details"] != json!({ "failures": [failure] }) || answer["message"] != message {
                        faults.push(format!("{method} {path} without {name}: {answer}"));
                    }
                    missing.push(format!("{method} {path} {name}"));
                }
            }
            for (name, schema) in properties.iter().filter(|(_, schema)| type_of(schema).is_some()) {
                if IGNORED.contains(&format!("{method} {path} {name}").as_str()) {
                    continue;
                }
                let mut body = whole(name);
                body.insert(name.clone(), wrong(schema));
                let (status, answer) = send(body).await;
                let failure = &answer["details"]["failures"][0];
                let is_named = failure["path"] == *name && failure["message"] == answer["message"];
                if status != StatusCode::BAD_REQUEST || !is_named {
                    faults.push(format!("{method} {path} with a wrong {name}: {status} {answer}"));
                }
                mistyped.push(format!("{method} {path} {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for expected in
        ["post /webhook target_url", "post /environment-integration integration_id", "patch /integration/{id} version"]
    {
        assert!(missing.iter().any(|it| it == expected), "{expected}: {missing:?}");
    }
    for expected in [
        "post /environment-integration is_enabled",
        "post /relink/api-tokens read_only",
        "patch /integrated-account/me context",
    ] {
        assert!(mistyped.iter().any(|it| it == expected), "{expected}: {mistyped:?}");
    }
}

#[tokio::test]
async fn a_batch_without_an_account_names_the_field() {
    let world = World::new().await;
    let (status, answer) = world.ask(Method::POST, "/batch-request", json!({ "resources": [] })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert_eq!(answer["details"]["failures"][0]["path"], "integrated_account_id", "{answer}");
}
