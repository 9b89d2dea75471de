//! Tools and capabilities.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// An integration with two resources.
async fn acme(world: &World) {
    let definition = json!({"name": "acme", "category": "crm", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": {"api_key": {"config": {
            "fields": [{"name": "api_key", "label": "API key", "type": "password", "required": true}],
        }}},
        "tool_tags": {"contacts": ["crm"]},
        "resources": {
            "contacts": {
                "list": {"path": "/contacts", "description": "Lists contacts."},
                "delete": {"path": "/contacts/{{id}}", "method": "delete"},
            },
            "notes": {"create": {"path": "/notes", "method": "post", "description": "Adds a note.", "tool_tags": ["writing"]}},
        },
    }, "documentation": [
        {"resource": "contacts", "method": "list", "type": "description", "content": "Lists the contacts of a team."},
        {"resource": "contacts", "method": "list", "type": "query_schema", "content": "required: [team]\nproperties:\n  team: {type: string}\n"},
    ]});
    world.post("/relink/integrations", json!({ "text": definition.to_string() })).await;
}

#[tokio::test]
async fn an_integrations_tools_are_its_described_methods() {
    let world = World::new().await;
    acme(&world).await;
    let names = async |query: &str| {
        let tools = world.get(&format!("/integration/acme/tools{query}")).await;
        let names = tools["result"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|tool| tool["name"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["list_all_acme_contacts", "create_a_acme_note"]);
    assert_eq!(names("?methods=write,custom").await, ["create_a_acme_note"]);
    assert_eq!(names("?methods[]=list&tags[0]=crm").await, ["list_all_acme_contacts"]);
    assert_eq!(names("?tags=other").await, [""; 0]);
    assert_eq!(names("?tags=writing").await, ["create_a_acme_note"]);
    let tools = world.get("/integration/acme/tools?methods=list").await;
    let list = &tools["result"][0];
    assert_eq!(
        (&list["description"], &list["required"], &list["query_schema"]["properties"]["team"]),
        (&json!("Lists the contacts of a team."), &json!(["team"]), &json!({"type": "string"}))
    );
    let (status, _) = world.ask(Method::GET, "/integration/unknown/tools", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn capabilities_say_what_can_be_called_and_how_to_sign_in() {
    let world = World::new().await;
    acme(&world).await;
    let shown = world.get("/integration/acme/capabilities").await;
    assert_eq!(shown["integration"]["label"], "Acme");
    let field = json!({"name": "api_key", "label": "API key", "type": "password", "required": true});
    assert_eq!(shown["auth"], json!({"formats": ["api_key"], "fields": [field], "documentation_link": null}));
    assert_eq!(
        shown["ai_readiness"],
        json!({"proxy_methods": 3, "proxy_methods_with_descriptions": 2, "ai_ready_score": 66})
    );
    assert_eq!((&shown["unified"], shown.get("account")), (&json!([]), None));
    let methods = |shown: &Value, at: usize| shown["proxy"][at]["methods"].as_array().map_or(0, Vec::len);
    assert_eq!((methods(&shown, 0), methods(&shown, 1)), (1, 1));
    let all = world.get("/integration/acme/capabilities?has_description=false&resource=contacts").await;
    assert_eq!((methods(&all, 0), methods(&all, 1)), (2, 0));
    assert_eq!(world.get("/integration/acme/capabilities?type=unified").await["proxy"], json!([]));
    let (status, error) = world.ask(Method::GET, "/integration/acme/capabilities?type=x", Value::Null).await;
    assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!("query_invalid")));
}

#[tokio::test]
async fn an_account_has_the_tools_and_capabilities_of_its_integration() {
    let world = World::new().await;
    world.sandbox().await;
    let id = world.account("acme-1").await;
    let tools = world.get(&format!("/integrated-account/{id}/tools")).await;
    assert_eq!(tools, world.get("/integration/sandbox/tools").await);
    let shown = world.get(&format!("/integrated-account/{id}/capabilities")).await;
    assert_eq!(
        shown["account"],
        json!({"id": id, "status": "active", "authentication_method": "api_key", "is_blocked": false})
    );
    let unknown = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let (status, _) = world.ask(Method::GET, &format!("/integrated-account/{unknown}/tools"), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn capabilities_link_to_where_what_a_sign_in_needs_is_explained() {
    let world = World::new().await;
    let key = json!({ "fields": [{ "name": "api_key", "type": "password", "required": true }] });
    let oauth2 = json!({
        "client": { "id": "acme", "secret": "" },
        "auth": { "tokenHost": "https://acme.example", "tokenPath": "/token", "authorizePath": "/authorize" },
        "documentation_link": "https://acme.example/oauth",
    });
    let mut key_with_link = key.clone();
    key_with_link["documentation_link"] = json!("https://acme.example/keys");
    for (name, credentials, link) in [
        (
            "both",
            json!({ "api_key": { "config": key_with_link }, "oauth2": { "config": oauth2 } }),
            "https://acme.example/oauth",
        ),
        ("one", json!({ "api_key": { "config": key }, "oauth2": { "config": oauth2 } }), "https://acme.example/oauth"),
        ("key", json!({ "api_key": { "config": key_with_link } }), "https://acme.example/keys"),
        ("docs", json!({ "api_key": { "config": key } }), "https://acme.example/docs"),
    ] {
        let docs = json!({ "docs": { "url": "https://acme.example/docs" } });
        let definition = json!({ "name": name, "config": {
            "label": "Acme", "base_url": "https://acme.example", "credentials": credentials, "relink": docs,
        } });
        world.post("/relink/integrations", json!({ "text": definition.to_string() })).await;
        let shown = world.get(&format!("/integration/{name}/capabilities")).await;
        assert_eq!(shown["auth"]["documentation_link"], link, "{name}: {shown}");
    }
}
