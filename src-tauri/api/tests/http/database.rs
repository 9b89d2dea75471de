//! A database that can't be used, while the server runs.

use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::world::World;

/// Renames every table behind the engine's back, and returns their names.
fn hide_tables(world: &World) -> Vec<String> {
    let database = Connection::open(world.folder.path().join("relink.db")).expect("the database");
    database.pragma_update(None, "legacy_alter_table", true).expect("set");
    let mut tables =
        database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'");
    let names = tables.as_mut().expect("a statement").query_map([], |row| row.get(0)).expect("read");
    let names: Vec<String> = names.collect::<Result<_, _>>().expect("read");
    for name in &names {
        database.execute_batch(&format!("ALTER TABLE {name} RENAME TO hidden_{name}")).expect("renamed");
    }
    names
}

#[tokio::test]
async fn no_response_repeats_what_the_database_says() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let operations = world.operations().await;
    let names = hide_tables(&world);
    assert!(names.len() > 8, "{names:?}");
    let body = |path: &str| match path {
        "/link-token" => json!({ "tenant_id": "acme-1" }),
        "/webhook" => json!({ "target_url": "https://example.com/hook" }),
        "/webhook/test"
        | "/integrated-account/refresh-credentials"
        | "/integrated-account/run-post-install-actions" => json!({ "id": account }),
        "/integrated-account/{id}" => json!({ "context": { "a": 1 } }),
        "/environment-integration" => json!({ "integration_id": account }),
        "/relink/api-tokens" => json!({ "name": "agent" }),
        "/relink/redirect-uris" => json!({ "redirect_uris": ["https://example.com/back"] }),
        "/relink/integrations" => json!({ "text": json!({ "name": "acme", "config": {
            "label": "Acme",
            "base_url": "https://api.acme.example",
            "credentials": { "format": "api_key", "config": { "fields": [{ "name": "api_key" }] } },
            "authorization": { "format": "bearer", "config": { "path": "api_key" } },
        } }).to_string() }),
        "/workflow" => {
            let step = json!({ "type": "run", "action": "run_sync_job", "config": { "sync_job_id": account } });
            json!({ "trigger_name": "integrated_account:active", "config": { "steps": [step] } })
        }
        "/relink/integrations/{name}/client" => json!({ "id": "mine" }),
        _ => json!({}),
    };
    let mut internal = Vec::new();
    for operation in operations.iter().filter(|operation| !operation.path.contains("events")) {
        let path = operation.path.replace("{id}", &account).replace("{name}", "sandbox");
        let mut request = world.client.request(operation.method.clone(), format!("{}{path}", world.base()));
        request = request.bearer_auth(&world.person).header("x-relink-link-token", "unknown");
        if operation.method != Method::GET {
            request = request.json(&body(&operation.path));
        }
        let answer = request.send().await.expect("an answer");
        let is_internal = answer.status() == StatusCode::INTERNAL_SERVER_ERROR;
        let is_page = operation.path.starts_with("/docs") || operation.path == "/openapi.json";
        let text = answer.text().await.expect("a body");
        if is_internal && operation.method != Method::HEAD {
            let error: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(error["code"], "store", "{operation:?}: {text}");
            internal.push(operation);
        }
        let text = text.to_lowercase();
        for word in ["sql", "no such table", "no such column", "hidden_", "prepare", "constraint", "trigger"] {
            let is_its_own = is_page || operation.path.contains(word);
            assert!(is_its_own || !text.contains(word), "{operation:?} says {word}: {text}");
        }
    }
    assert!(internal.len() > 15, "most routes need the database: {internal:?}");
}
