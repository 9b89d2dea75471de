//! The editor of definitions and overrides.

use serde_json::{Value, json};

use crate::world::World;

fn acme(base_url: &str) -> String {
    let row = json!({ "name": "acme", "config": {
        "label": "Acme", "base_url": base_url,
        "credentials": { "api_key": { "format": "api_key", "config": { "fields": [{ "name": "api_key", "type": "password" }] } } },
    } });
    serde_json::to_string_pretty(&row).expect("JSON")
}

#[tokio::test]
async fn a_definition_is_checked_in_place_and_saved_with_its_version() {
    let world = World::new().await;
    world.command("add_integration", json!({ "text": acme("https://api.acme.example") })).await;
    let shown = world.command("definition", json!({ "name": "acme" })).await;
    assert_eq!(
        (&shown["version"], &shown["built_in"], &shown["override_text"]),
        (&json!(1), &json!(false), &json!("{}"))
    );
    assert!(shown["text"].as_str().is_some_and(|text| text.contains("\n  \"config\": {")), "{shown}");

    let wrong = acme("ftp://x");
    let problem = world.command("check_definition", json!({ "text": wrong })).await;
    let line = wrong.lines().position(|line| line.contains("ftp:")).expect("there") + 1;
    assert_eq!((&problem["line"], &problem["field"]), (&json!(line), &json!("config.base_url")), "{problem}");
    let good = acme("https://api.acme.test");
    assert_eq!(world.command("check_definition", json!({ "text": good })).await, Value::Null);

    let save = |version: i64, text: &str| json!({ "name": "acme", "version": version, "text": text });
    let refused = world.app.dispatch("save_definition", save(1, &wrong)).await.expect_err("refused");
    assert_eq!(refused.field.as_deref(), Some("config.base_url"));
    world.command("save_definition", save(1, &good)).await;
    let stale =
        world.app.dispatch("save_definition", save(1, &acme("https://other.acme.test"))).await.expect_err("stale");
    assert_eq!(stale.code, "version_stale");
    let renamed = good.replace("\"acme\"", "\"other\"");
    let refused = world.app.dispatch("save_definition", save(2, &renamed)).await.expect_err("another name");
    assert_eq!(refused.field.as_deref(), Some("name"));
    let shown = world.command("definition", json!({ "name": "acme" })).await;
    assert!(
        shown["version"] == 2 && shown["text"].as_str().is_some_and(|text| text.contains("api.acme.test")),
        "{shown}"
    );
}

#[tokio::test]
async fn a_file_that_replaces_an_integration_says_so() {
    let world = World::new().await;
    let add = json!({ "text": acme("https://api.acme.example") });
    assert_eq!(world.command("add_integration", add.clone()).await["replaced_for"], Value::Null, "it is new");
    assert_eq!(world.command("add_integration", add).await["replaced_for"], 0, "no account uses it");
}

#[tokio::test]
async fn an_override_is_checked_in_place_and_saved() {
    let world = World::new().await;
    world.command("add_integration", json!({ "text": acme("https://api.acme.example") })).await;
    for (text, line, field) in [
        ("{\n  \"label\": \"Ours\",\n  \"base_url\": \"ftp://x\"\n}", 3, "base_url"),
        ("{\n  \"label\": \"Ours\",\n}", 3, ""),
        ("[]", 1, ""),
    ] {
        let problem = world.command("check_override", json!({ "name": "acme", "text": text })).await;
        assert_eq!((&problem["line"], &problem["field"]), (&json!(line), &json!(field)), "{problem}");
        assert!(problem["problem"].as_str().is_some_and(|text| !text.contains("override.")), "{problem}");
    }
    let over = json!({ "name": "acme", "text": "{\"label\": \"Ours\"}" });
    assert_eq!(world.command("check_override", over.clone()).await, Value::Null);
    world.command("save_override", over).await;
    let shown = world.command("definition", json!({ "name": "acme" })).await;
    assert_eq!((&shown["version"], &shown["override_text"]), (&json!(1), &json!("{\n  \"label\": \"Ours\"\n}")));
    world.command("save_override", json!({ "name": "acme", "text": " " })).await;
    assert_eq!(world.command("definition", json!({ "name": "acme" })).await["override_text"], "{}");
    let built_in = world.command("definition", json!({ "name": "github" })).await;
    assert_eq!(built_in["built_in"], true);
}
