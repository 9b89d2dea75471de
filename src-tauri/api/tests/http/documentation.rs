//! Rows of `/documentation`, which tools and capabilities read before what a definition says itself.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    integrations::{acme, failure},
    world::World,
};

const SCHEMA: &str = "type: object\nrequired: [email]\nproperties:\n  email: {type: string}\n";

impl World {
    async fn document(&self, row: Value) -> Value {
        let (status, created) = self.ask(Method::POST, "/documentation", row).await;
        assert_eq!(status, StatusCode::OK, "{created}");
        created
    }

    /// The only tool of Acme.
    async fn tool(&self) -> Value {
        let tools = self.get("/integration/acme/tools").await;
        assert_eq!(tools["result"].as_array().map(Vec::len), Some(1), "{tools}");
        tools["result"][0].clone()
    }

    async fn described(&self) -> Value {
        self.tool().await["description"].clone()
    }
}

fn about_contacts(entity_type: &str, entity: &Value, kind: &str, content: &str) -> Value {
    json!({ "entity_type": entity_type, "entity_id": entity, "type": kind, "content": content, "resource": "contacts", "method": "list" })
}

fn path(row: &Value) -> String {
    format!("/documentation/{}", row["id"].as_str().expect("an ID"))
}

#[tokio::test]
async fn a_row_counts_before_the_definition_and_an_installations_before_the_integrations() {
    let world = World::new().await;
    let created = world.create_integration(acme("")).await;
    assert_eq!(world.described().await, "Lists contacts.");
    let row = world.document(about_contacts("integration", &created["id"], "description", "All contacts.")).await;
    assert_eq!(world.described().await, "All contacts.", "also before it is installed");
    let installed = world.post("/environment-integration", json!({ "integration_id": created["id"] })).await;
    assert_eq!(world.described().await, "All contacts.");
    let own = world.document(about_contacts("environment_integration", &installed["id"], "description", "Ours.")).await;
    world.document(about_contacts("integration", &created["id"], "query_schema", SCHEMA)).await;
    let tool = world.tool().await;
    assert_eq!((&tool["description"], &tool["required"]), (&json!("Ours."), &json!(["email"])));
    let capabilities = world.get("/integration/acme/capabilities").await;
    let method = &capabilities["proxy"][0]["methods"][0];
    assert_eq!((&method["description"], &method["has_query_schema"]), (&json!("Ours."), &json!(true)));

    let (status, changed) = world.ask(Method::PATCH, &path(&own), json!({ "content": "Ours, by name." })).await;
    assert_eq!(
        (status, &changed["content"], &changed["method"]),
        (StatusCode::OK, &json!("Ours, by name."), &json!("list"))
    );
    assert_eq!(world.described().await, "Ours, by name.");
    let (status, _) = world.ask(Method::PATCH, &path(&own), json!({ "method": null })).await;
    assert_eq!(
        (status, world.described().await),
        (StatusCode::OK, json!("All contacts.")),
        "it is about no method any more"
    );
    for row in [&own, &row] {
        let (status, deleted) = world.ask(Method::DELETE, &path(row), Value::Null).await;
        assert_eq!((status, &deleted["id"]), (StatusCode::OK, &row["id"]));
        let (status, _) = world.ask(Method::GET, &path(row), Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    assert_eq!(world.described().await, "Lists contacts.");
}

#[tokio::test]
async fn a_list_names_whose_rows_it_has() {
    let world = World::new().await;
    let created = world.create_integration(acme("")).await;
    let (status, refused) = world.ask(Method::GET, "/documentation?type=readme", Value::Null).await;
    assert_eq!((status, failure(&refused).0), (StatusCode::BAD_REQUEST, "integration_id"));
    let readme =
        json!({ "entity_type": "integration", "entity_id": created["id"], "type": "readme", "content": "# Acme" });
    let readme = world.document(readme).await;
    let row = world.document(about_contacts("integration", &created["id"], "description", "All.")).await;
    assert_eq!(world.get(&path(&row)).await, row);
    let id = created["id"].as_str().expect("an ID");
    for (query, expected) in [
        (format!("integration_id={id}"), json!([row, readme])),
        (format!("integration_id={id}&type=readme"), json!([readme])),
        (format!("integration_id={id}&resource=contacts&method=list"), json!([row])),
        (format!("environment_integration_id={id}"), json!([])),
        (format!("unified_model_id={id}"), json!([])),
        (format!("environment_unified_model_id={id}"), json!([])),
    ] {
        assert_eq!(world.get(&format!("/documentation?{query}")).await["result"], expected, "{query}");
    }
}

#[tokio::test]
async fn a_row_is_checked_when_it_is_written() {
    let world = World::new().await;
    let created = world.create_integration(acme("")).await;
    let of = |kind: &str, content: &str| about_contacts("integration", &created["id"], kind, content);
    for (row, field) in [
        (of("query_schema", "type: [object"), "content"),
        (of("body_schema", "- a list"), "content"),
        (of("poem", "Roses are red."), "type"),
        (about_contacts("integration", &json!("nobody"), "readme", "x"), "entity_id"),
        (about_contacts("environment_integration", &created["id"], "readme", "x"), "entity_id"),
        (about_contacts("unified_model", &created["id"], "readme", "x"), "entity_type"),
    ] {
        let (status, refused) = world.ask(Method::POST, "/documentation", row).await;
        assert_eq!((status, failure(&refused).0), (StatusCode::BAD_REQUEST, field), "{refused}");
    }
    let row = world.document(of("query_schema", SCHEMA)).await;
    let (status, refused) = world.ask(Method::PATCH, &path(&row), json!({ "content": "type: [object" })).await;
    assert_eq!((status, failure(&refused).0), (StatusCode::BAD_REQUEST, "content"));
    assert_eq!(world.get(&path(&row)).await, row);
}

#[tokio::test]
async fn a_file_of_trutos_is_imported_whole_and_its_documentation_becomes_rows() {
    let world = World::new().await;
    let mut file = acme("");
    file["label"] = json!("Acme");
    file["audit_notes"] = json!([{ "note": "checked" }]);
    file["documentation"] = json!([
        { "type": "description", "content": "From the file.", "resource": "contacts", "method": "list" },
        { "type": "query_schema", "content": { "type": "object", "required": ["q"] }, "resource": "contacts", "method": "list" },
        { "type": "readme", "content": "# Acme" },
    ]);
    let (status, added) = world.ask(Method::POST, "/relink/integrations", file.clone()).await;
    assert_eq!((status, &added["name"]), (StatusCode::CREATED, &json!("acme")), "{added}");
    let tool = world.tool().await;
    assert_eq!((&tool["description"], &tool["required"]), (&json!("From the file."), &json!(["q"])));
    let id = world.get("/integration?name=acme").await["result"][0]["id"].as_str().expect("an ID").to_owned();
    let rows =
        || async { world.get(&format!("/documentation?integration_id={id}&sort=created_at")).await["result"].clone() };
    let all = rows().await;
    let facts: Vec<_> = all.as_array().expect("a list").iter().map(|row| (&row["type"], &row["content"])).collect();
    let schema = json!({ "type": "object", "required": ["q"] }).to_string();
    let expected =
        [("description", json!("From the file.")), ("query_schema", json!(schema)), ("readme", json!("# Acme"))];
    assert_eq!(json!(facts), json!(expected));

    // A change of the definition leaves them. A file with documentation replaces them, one without keeps them.
    let (status, _) = world
        .ask(Method::PATCH, &format!("/integration/{id}"), json!({ "version": 1, "config": { "label": "New" } }))
        .await;
    assert_eq!((status, rows().await), (StatusCode::OK, all.clone()));
    world.post("/relink/integrations", json!({ "text": acme("").to_string() })).await;
    assert_eq!(rows().await, all);
    file["documentation"] = json!([{ "type": "readme", "content": "# New" }]);
    world.post("/relink/integrations", json!({ "text": file.to_string() })).await;
    assert_eq!(rows().await.as_array().map(Vec::len), Some(1));
    assert_eq!(world.described().await, "Lists contacts.");

    file["documentation"] =
        json!([{ "type": "query_schema", "content": "type: [object", "resource": "contacts", "method": "list" }]);
    let (status, refused) = world.ask(Method::POST, "/relink/integrations", file).await;
    assert_eq!((status, failure(&refused).0), (StatusCode::BAD_REQUEST, "documentation[0].content"), "{refused}");
}

#[tokio::test]
async fn documentation_ends_with_what_it_is_about() {
    let world = World::new().await;
    let created = world.create_integration(acme("")).await;
    let installed = world.post("/environment-integration", json!({ "integration_id": created["id"] })).await;
    let row = world.document(about_contacts("integration", &created["id"], "description", "All.")).await;
    let own = world.document(about_contacts("environment_integration", &installed["id"], "description", "Ours.")).await;
    let uninstall = format!("/environment-integration/{}", installed["id"].as_str().expect("an ID"));
    let delete = format!("/integration/{}", created["id"].as_str().expect("an ID"));
    for (path_of_entity, row) in [(uninstall, own), (delete, row)] {
        let (status, _) = world.ask(Method::DELETE, &path_of_entity, Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        let (status, _) = world.ask(Method::GET, &path(&row), Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}
