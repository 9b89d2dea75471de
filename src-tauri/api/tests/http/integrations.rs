//! Rows of `/integration`: created, changed with an optimistic lock, deleted.

use relink_domain::{caller::Caller, event::EventName};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// An integration's row whose client has this secret.
pub fn acme(secret: &str) -> Value {
    json!({ "name": "acme", "category": "crm", "is_beta": true, "sharing": "allow", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "headers": { "X-One": "1", "X-Two": "2" },
        "credentials": { "oauth2": { "format": "oauth2", "config": {
            "client": { "id": "relink", "secret": secret }, "scope": ["read", "write"],
            "auth": { "tokenHost": "https://acme.example", "tokenPath": "/token", "authorizePath": "/authorize" },
        } } },
        "resources": { "contacts": { "list": { "path": "/contacts", "description": "Lists contacts." } } },
    } })
}

impl World {
    pub async fn create_integration(&self, row: Value) -> Value {
        let (status, created) = self.ask(Method::POST, "/integration", row).await;
        assert_eq!(status, StatusCode::OK, "{created}");
        created
    }

    async fn patch(&self, id: &Value, change: Value) -> (StatusCode, Value) {
        self.ask(Method::PATCH, &path(id), change).await
    }

    /// The names of the events after this one, and their payloads.
    pub async fn events_after(&self, seq: i64) -> Vec<(&'static str, Value)> {
        let events = self.engine.outbox().events_after(&Caller::Person, seq, 1000).await.expect("events");
        let own = |event: relink_engine::Event| match event.kind {
            EventName::Kind(kind) => (kind.as_str(), event.payload),
            EventName::Record(other) => panic!("{other:?}"),
        };
        events.into_iter().map(own).collect()
    }

    pub fn latest_event(&self) -> i64 {
        *self.engine.outbox().latest_seq(&Caller::Person).borrow()
    }
}

fn path(id: &Value) -> String {
    format!("/integration/{}", id.as_str().expect("an ID"))
}

/// The path and message of the only failure.
pub fn failure(refused: &Value) -> (&str, &str) {
    let failures = refused["details"]["failures"].as_array().unwrap_or_else(|| panic!("{refused}"));
    assert_eq!(failures.len(), 1, "{refused}");
    let text = |key: &str| failures[0][key].as_str().expect("a text");
    (text("path"), text("message"))
}

#[tokio::test]
async fn an_integration_is_created_and_changed_by_its_version() {
    let world = World::new().await;
    let before = world.latest_event();
    let created = world.create_integration(acme("")).await;
    let shown = world.get(&path(&created["id"])).await;
    assert_eq!(created, shown);
    let keys: Vec<_> = shown.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id",
            "name",
            "category",
            "is_beta",
            "config",
            "sharing",
            "can_install",
            "version",
            "team_id",
            "team",
            "installed_environment",
            "default_oauth_app_id",
            "created_at",
            "updated_at",
        ]
    );
    let team = world.get("/team").await["result"][0].clone();
    assert_eq!((&shown["team_id"], &shown["team"]), (&team["id"], &team));
    let facts = ["name", "category", "is_beta", "sharing", "can_install", "version", "installed_environment"];
    assert_eq!(
        facts.map(|fact| shown[fact].clone()),
        [json!("acme"), json!("crm"), json!(true), json!("allow"), json!(true), json!(1), json!([])]
    );
    assert_eq!(shown["config"]["credentials"]["oauth2"]["config"]["client"], json!({ "id": "relink", "secret": "" }));
    assert_eq!(world.events_after(before).await, [], "it isn't installed");

    // Deeply merged: null removes a key, an array replaces what was there.
    let change = json!({ "version": 1, "category": "ats", "sharing": "deny", "config": {
        "headers": { "X-One": null, "X-Three": "3" },
        "credentials": { "oauth2": { "config": { "scope": ["admin"] } } },
    } });
    let (status, changed) = world.patch(&created["id"], change.clone()).await;
    assert_eq!((status, changed["version"].as_i64()), (StatusCode::OK, Some(2)), "{changed}");
    assert_eq!(
        (&changed["category"], &changed["sharing"], &changed["is_beta"]),
        (&json!("ats"), &json!("deny"), &json!(true))
    );
    assert_eq!(changed["config"]["headers"], json!({ "X-Two": "2", "X-Three": "3" }));
    let oauth2 = &changed["config"]["credentials"]["oauth2"]["config"];
    assert_eq!((&oauth2["scope"], &oauth2["client"]["id"]), (&json!(["admin"]), &json!("relink")));

    // The same change again is of a version that is gone.
    let (status, refused) = world.patch(&created["id"], change).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::CONFLICT, Some("version_stale")), "{refused}");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("has version 2")), "{refused}");
    assert_eq!(world.get(&path(&created["id"])).await, changed, "nothing was changed");
    let (status, refused) = world.patch(&created["id"], json!({ "config": { "label": "Other" } })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a change names its version: {refused}");

    // Of several changes at once to the same version, one is made.
    let several = (0..4).map(|number| {
        world.patch(&created["id"], json!({ "version": 2, "config": { "label": format!("Acme {number}") } }))
    });
    let outcomes = futures_util::future::join_all(several).await;
    assert_eq!(outcomes.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 1, "{outcomes:?}");
    assert_eq!(world.get(&path(&created["id"])).await["version"], 3);
}

#[tokio::test]
async fn an_integration_is_found_by_name_and_sharing_and_has_no_unified_apis_until_it_is_mapped() {
    let world = World::new().await;
    let created = world.create_integration(acme("")).await;
    for (query, found) in [("name=acme", true), ("sharing=allow", true), ("name=acme&sharing=ask", false)] {
        let listed = world.get(&format!("/integration?{query}")).await["result"].clone();
        let ids: Vec<_> = listed.as_array().expect("a list").iter().map(|it| it["id"].clone()).collect();
        assert_eq!(ids.contains(&created["id"]), found, "{query}");
    }
    for id in [created["id"].as_str().expect("an ID"), "acme"] {
        assert_eq!(world.get(&format!("/integration/{id}/unified-apis")).await, json!([]));
    }
    let (status, _) = world.ask(Method::GET, "/integration/nobody/unified-apis", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_client_that_is_set_says_what_it_lacks_and_the_sandbox_keeps_its_own() {
    let world = World::new().await;
    world.sandbox().await;
    let set = async |name: &str, client: Value| {
        world.as_person(Method::POST, &format!("/relink/integrations/{name}/client"), client).await
    };
    let (status, body) = set("github", json!({ "id": "mine" })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body["not_ready"].as_str().is_some_and(|text| text.contains("needs a client secret")), "{body}");
    let (_, body) = set("github", json!({ "id": "mine", "secret": "a-secret" })).await;
    assert_eq!(body, json!({ "name": "github", "not_ready": null }));
    let (status, refused) = set("sandbox", json!({ "id": "mine" })).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("sandbox_client")), "{refused}");
    world.account("still-works").await;
}

#[tokio::test]
async fn a_file_that_replaces_an_integration_says_how_many_accounts_use_it() {
    let world = World::new().await;
    world.sandbox().await;
    let definition = |label: &str| {
        let config = json!({ "label": label, "base_url": "https://api.acme.example",
            "credentials": { "format": "api_key", "config": { "fields": [{ "name": "api_key", "label": "Key", "type": "password" }] } },
            "authorization": { "format": "bearer", "config": { "token": "{{api_key}}" } } });
        json!({ "text": json!({ "name": "acme", "config": config }).to_string() })
    };
    for (label, replaced) in [("Acme", false), ("Acme 2", true)] {
        let (status, added) = world.as_person(Method::POST, "/relink/integrations", definition(label)).await;
        assert_eq!(status, StatusCode::CREATED, "{added}");
        assert_eq!((&added["replaced"], &added["accounts"]), (&json!(replaced), &json!(0)), "{added}");
    }
}

#[tokio::test]
async fn a_definition_is_checked_when_it_is_written_and_errors_name_the_field() {
    let world = World::new().await;
    let with = |pointer: &str, value: Value| {
        let mut row = acme("");
        let (parent, key) = pointer.rsplit_once('/').expect("a path");
        row.pointer_mut(parent).expect("there")[key] = value;
        row
    };
    for (row, field) in [
        (with("/config/base_url", json!("htps://api")), "config.base_url"),
        (with("/config/credentials", json!({})), "config.credentials"),
        (with("/config/headers", json!({ "Authorization": "Bearer hunter2hunter2" })), "config.headers.Authorization"),
        (with("/sharing", json!("everybody")), "sharing"),
        (with("/name", json!("Acme Inc")), "name"),
        (with("/config/resources/contacts/list/path", json!(7)), "config.resources.contacts.list.path"),
    ] {
        let (status, refused) = world.ask(Method::POST, "/integration", row).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
        let (path, message) = failure(&refused);
        assert!(path == field && !message.contains("hunter2") && !message.contains("line "), "{refused}");
    }
    for missing in ["name", "config"] {
        let mut row = acme("");
        row.as_object_mut().expect("an object").shift_remove(missing);
        let (status, refused) = world.ask(Method::POST, "/integration", row).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
        assert!(refused["message"].as_str().is_some_and(|text| text.contains(missing)), "{refused}");
    }
    let created = world.create_integration(acme("")).await;
    for (change, field) in [
        (json!({ "version": 1, "config": { "base_url": "http://api.acme.example" } }), "config.base_url"),
        (json!({ "version": 1, "config": { "credentials": null } }), "config"),
        (json!({ "version": 1, "name": "other" }), "name"),
    ] {
        let (status, refused) = world.patch(&created["id"], change).await;
        assert_eq!((status, failure(&refused).0), (StatusCode::BAD_REQUEST, field), "{refused}");
    }
    let (status, taken) = world.ask(Method::POST, "/integration", acme("")).await;
    assert_eq!((status, failure(&taken).0), (StatusCode::BAD_REQUEST, "name"));
    assert_eq!(world.get(&path(&created["id"])).await, created);
}

#[tokio::test]
async fn a_client_secret_is_in_the_keychain_and_in_no_answer_or_event() {
    let world = World::new().await;
    let created = world.create_integration(acme("canary-secret-1")).await;
    assert_eq!(created["installed_environment"], json!([world.get("/environment").await["result"][0]["id"]]));
    let is_ready = || async {
        world.get("/relink/integrations").await["result"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|it| it["name"] == "acme")
            .expect("there")["not_ready"]
            .is_null()
    };
    assert!(is_ready().await, "the secret is kept");
    let (status, changed) = world
        .patch(&created["id"], json!({ "version": 1, "config": { "credentials": { "oauth2": { "config": { "client": { "secret": "canary-secret-2" } } } } } }))
        .await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    // What a program read and sends back keeps the secret.
    let (status, _) = world.patch(&created["id"], json!({ "version": 2, "config": changed["config"] })).await;
    assert_eq!(status, StatusCode::OK);
    assert!(is_ready().await);
    let all = [
        world.get("/integration").await,
        world.get("/environment-integration").await,
        json!(world.events_after(0).await),
    ];
    assert!(all.iter().chain([&created, &changed]).all(|it| !it.to_string().contains("canary")), "{all:?}");
}

#[tokio::test]
async fn an_integration_is_deleted_unless_it_is_built_in_or_has_accounts() {
    let world = World::new().await;
    let created = world.create_integration(acme("a-secret-of-acme")).await;
    let before = world.latest_event();
    let (status, deleted) = world.ask(Method::DELETE, &path(&created["id"]), Value::Null).await;
    assert_eq!((status, deleted), (StatusCode::OK, json!({ "id": created["id"] })));
    let names: Vec<_> = world.events_after(before).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["environment_integration:deleted"]);
    for method in [Method::GET, Method::DELETE] {
        let (status, _) = world.ask(method, &path(&created["id"]), Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    world.create_integration(acme("")).await;

    let github = world.get("/integration?name=github").await["result"][0].clone();
    let (status, refused) = world.ask(Method::DELETE, &path(&github["id"]), Value::Null).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::CONFLICT, Some("integration_built_in")));
    let (status, refused) = world.patch(&github["id"], json!({ "version": github["version"], "config": {} })).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::CONFLICT, Some("integration_built_in")));
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("override")), "{refused}");
}

#[tokio::test]
async fn only_the_person_consents_to_a_definition_with_private_addresses() {
    let world = World::new().await;
    let mut row = acme("");
    row["config"]["relink"] = json!({ "allow_local": true });
    let (status, refused) = world.ask(Method::POST, "/integration", row.clone()).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::FORBIDDEN, Some("forbidden")), "{refused}");
    let (status, created) = world.as_person(Method::POST, "/integration", row).await;
    assert_eq!(status, StatusCode::OK, "{created}");
    let change = json!({ "version": 1, "config": { "base_url": "http://127.0.0.1:9" } });
    let (status, _) = world.patch(&created["id"], change.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, changed) = world.as_person(Method::PATCH, &path(&created["id"]), change).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
}

#[tokio::test]
async fn a_format_of_trutos_that_relink_lacks_is_not_implemented() {
    let world = World::new().await;
    let of = |credentials: Value| json!({ "name": "keka", "config": { "label": "Keka", "base_url": "https://api.example.com", "credentials": credentials } });
    let fields = json!({ "fields": [{ "name": "api_key", "type": "password", "required": true }] });
    for format in ["oauth", "keka_oauth"] {
        let single = of(json!({ "format": format, "config": fields }));
        let mut map = json!({ "api_key": { "format": "api_key", "config": fields } });
        map[format] = json!({ "format": format, "config": fields });
        for (definition, path) in
            [(single, "config.credentials.format".to_owned()), (of(map), format!("config.credentials.{format}"))]
        {
            for (route, body) in [
                ("/integration", definition.clone()),
                ("/relink/integrations", json!({ "text": definition.to_string() })),
                ("/relink/integrations", definition.clone()),
            ] {
                let (status, said) = world.ask(Method::POST, route, body).await;
                assert_eq!((status, &said["code"]), (StatusCode::NOT_IMPLEMENTED, &json!("not_in_relink")), "{said}");
                let (field, message) = failure(&said);
                assert_eq!(field, path, "{said}");
                assert!(message.contains(&format!("{format:?}")) && message.contains("Relink lacks"), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn what_has_no_effect_in_a_definition_is_kept_with_a_warning() {
    let world = World::new().await;
    let field = json!({ "name": "api_key", "type": "password", "required": true, "format": "us_phone" });
    let definition = json!({ "name": "acme", "config": {
        "label": "Acme", "base_url": "https://api.example.com", "icon": "acme.svg", "required_headers": ["X-Team"],
        "credentials": { "format": "api_key", "config": { "fields": [field], "permissions_text": "It must read contacts." } },
        "relink": { "probe": { "path": "/me" } },
    } });
    let added = world.post("/relink/integrations", json!({ "text": definition.to_string() })).await;
    let warnings = added["warnings"].as_array().expect("warnings");
    for part in ["config.icon", "config.required_headers", "config.credentials.config.fields[0].format"] {
        assert!(warnings.iter().any(|it| it.as_str().is_some_and(|text| text.contains(part))), "{part}: {added}");
    }
    assert_eq!(warnings.len(), 3, "what is used has none: {added}");
    let link = world.post("/link-token", json!({ "tenant_id": "acme-1" })).await;
    let request = world.client.get(format!("{}/connect-account/session", world.base()));
    let request = request.header("x-relink-link-token", link["link_token"].as_str().expect("a token"));
    let session: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let offered = session["integrations"].as_array().expect("a list").iter().find(|it| it["name"] == "acme");
    assert_eq!(offered.expect("offered")["methods"][0]["permissions_text"], "It must read contacts.");
}
