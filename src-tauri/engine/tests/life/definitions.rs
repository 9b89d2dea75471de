//! Stored definitions that can't be loaded, and built-in integrations beside a person's own.

use std::collections::{BTreeMap, BTreeSet};

use relink_domain::{
    AccountId, Secret,
    account::{AuthenticationMethod, Status, TimelineEvent},
};
use relink_engine::{CatalogEntry, Integration};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::world::{PERSON, World};

/// An integration whose API keys are stored unchecked.
fn acme(label: &str) -> String {
    let key = json!({ "name": "api_key", "label": "API key", "type": "password", "required": true });
    json!({ "name": "acme", "config": {
        "label": label,
        "base_url": "https://api.acme.example",
        "credentials": { "format": "api_key", "config": { "fields": [key] } },
        "authorization": { "format": "bearer", "config": { "path": "credentials.api_key" } },
    } })
    .to_string()
}

impl World {
    async fn connected_acme(&self) -> AccountId {
        self.engine.catalog().add(&PERSON, &acme("Acme")).await.expect("added");
        let link = self.connect_link().await;
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new("key"))]);
        self.begin_at("acme", &link, AuthenticationMethod::ApiKey, fields).await.succeeds().await
    }

    /// Stops the engine, changes the database as another version might have, and starts again.
    async fn restart_after(&mut self, sql: &str, parameters: &[&str]) {
        self.engine.stop().await;
        let database = Connection::open(self.folder.path().join("relink.db")).expect("the database");
        let changed = database.execute(sql, rusqlite::params_from_iter(parameters)).expect("changed");
        assert_eq!(changed, 1, "{sql}");
        drop(database);
        self.start_again().await;
    }

    async fn entry(&self, name: &str) -> CatalogEntry {
        let entries = self.engine.catalog().list(&PERSON).await.expect("read");
        entries.into_iter().find(|entry| entry.integration.name == name).expect("listed")
    }

    async fn integration(&self, name: &str) -> Integration {
        self.entry(name).await.integration
    }

    async fn hidden_lines(&self) -> usize {
        let entries = self.engine.accounts().timeline(&PERSON, None, None, 100).await.expect("a timeline");
        entries.iter().filter(|entry| matches!(entry.event, TimelineEvent::BuiltInHidden { .. })).count()
    }
}

const BREAK_ACME: &str =
    "UPDATE integration SET document = '{\"name\": \"acme\", \"config\": {\"label\": 7}}' WHERE name = 'acme'";

#[tokio::test]
async fn an_account_whose_definition_cannot_be_loaded_fails_and_works_again_after_a_repair() {
    let mut world = World::new().await;
    let (id, other) = (world.connected_acme().await, world.connected().await);

    world.restart_after(BREAK_ACME, &[]).await;
    world.until_status(id, Status::ValidationError).await;
    assert_eq!(world.event_names().await.last().map(String::as_str), Some("validation_error"));
    let refused = world.engine.refresher().check(&PERSON, id).await.expect_err("its definition is broken");
    assert_eq!(refused.code(), "integration_broken");
    assert_eq!(world.account(other).await.status(), Status::Active, "nothing else is affected");
    world.engine.refresher().access_token(&PERSON, other).await.expect("a token");

    let events_before = world.event_names().await.len();
    world.restart().await;
    assert_eq!(world.account(id).await.status(), Status::ValidationError);
    assert_eq!(world.event_names().await.len(), events_before, "it is reported once");

    world.engine.catalog().add(&PERSON, &acme("Acme, repaired")).await.expect("repaired");
    world.until_status(id, Status::Active).await;
    assert_eq!(world.event_names().await.last().map(String::as_str), Some("active"));
    assert_eq!(world.account(id).await.profile.last_error, None);
}

#[tokio::test]
async fn an_integration_that_cannot_be_loaded_is_removed_with_its_accounts() {
    let mut world = World::new().await;
    let id = world.connected_acme().await;
    world.restart_after(BREAK_ACME, &[]).await;
    let broken = world.entry("acme").await;
    assert!(broken.definition.is_none() && broken.not_ready.is_some(), "{broken:?}");
    world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
    world.engine.catalog().uninstall(&PERSON, "acme").await.expect("uninstalled");
    assert!(world.entry("acme").await.installed.is_none());
}

#[tokio::test]
async fn an_update_hides_a_built_in_integration_with_the_name_of_an_added_one() {
    let mut world = World::new().await;
    // As if this version were the first to bring one of the name.
    let own = acme("My GitHub").replace("\"acme\"", "\"github\"");
    let sql = "UPDATE integration SET built_in = 0, document = ?1 WHERE name = 'github'";
    world.restart_after(sql, &[&own]).await;
    for _ in 0..2 {
        let entries = world.engine.catalog().list(&PERSON).await.expect("read");
        let github: Vec<_> = entries.iter().filter(|entry| entry.integration.name == "github").collect();
        let [github] = github.as_slice() else { panic!("{} entries", github.len()) };
        assert_eq!(github.definition.as_ref().expect("usable").label(), "My GitHub");
        assert!(github.hides_built_in && !github.integration.built_in);
        assert_eq!(world.hidden_lines().await, 1, "it is noted once");
        world.restart().await;
    }
}

#[tokio::test]
async fn a_renamed_copy_of_a_built_in_integration_gets_an_id_of_its_own() {
    let world = World::new().await;
    let original = world.integration("github").await;
    let mut copy = original.document.clone();
    copy["name"] = json!("my-github");
    let added = world.engine.catalog().add(&PERSON, &copy.to_string()).await.expect("added").installed;
    assert_ne!(added.integration.id, original.id);
    assert_eq!(world.integration("my-github").await, added.integration);
    assert_eq!(world.integration("github").await, original);
    let again = world.engine.catalog().add(&PERSON, &copy.to_string()).await.expect("added again").installed;
    assert_eq!((again.id, again.integration.id), (added.id, added.integration.id), "it keeps them");
}

#[tokio::test]
async fn an_update_whose_built_in_integration_has_the_id_of_the_persons_own_starts() {
    let mut world = World::new().await;
    // As if the person had used the ID before this version brought the integration with it.
    let own = acme("My GitHub");
    let sql = "UPDATE integration SET name = 'acme', built_in = 0, document = ?1 WHERE name = 'github'";
    let id = world.integration("github").await.id;
    world.restart_after(sql, &[&own]).await;
    let acme = world.integration("acme").await;
    assert_eq!((acme.id, acme.built_in, acme.version), (id, false, 1));
    let github = world.integration("github").await;
    assert!(github.built_in && github.id != id);
    world.engine.catalog().install(&PERSON, "github").await.expect("installed");
    for name in ["acme", "github"] {
        let entry = world.entry(name).await;
        assert!(entry.installed.is_some());
        assert_eq!(entry.definition.expect("usable").name(), name);
    }
    world.restart().await;
    assert_eq!(world.integration("github").await, github, "it keeps its ID");
    assert_eq!(world.integration("acme").await, acme);
}

#[tokio::test]
async fn an_id_in_a_file_is_never_the_id_of_an_integration() {
    let mut world = World::new().await;
    let catalog = world.engine.catalog().clone();
    let with_id = |name: &str, id: Value| {
        let mut definition: Value = serde_json::from_str(&acme("Acme")).expect("JSON");
        (definition["name"], definition["id"]) = (json!(name), id);
        definition.to_string()
    };
    let other = catalog.add(&PERSON, &acme("Acme")).await.expect("added").installed.integration.id;
    let (github, sandbox) = (world.integration("github").await, world.integration("sandbox").await);
    let ids = [
        github.id.to_string(),
        github.id.to_string().to_uppercase(),
        github.id.to_string().replace('-', ""),
        sandbox.id.to_string(),
        other.to_string(),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned(),
    ];
    for (at, id) in ids.iter().enumerate() {
        let name = format!("copy-{at}");
        let text = with_id(&name, json!(id));
        let added = catalog.add(&PERSON, &text).await.expect("added").installed.integration;
        let plain = |text: &str| text.to_lowercase().replace('-', "");
        assert_ne!(plain(&added.id.to_string()), plain(id));
        let replaced = catalog.add(&PERSON, &text).await.expect("replaced").installed.integration;
        assert_eq!((replaced.id, replaced.version), (added.id, 2), "{id}");
        catalog.uninstall(&PERSON, &name).await.expect("uninstalled");
        let again = catalog.add(&PERSON, &with_id(&name, json!(ids[0]))).await.expect("added again").installed;
        assert_eq!(again.integration.id, added.id, "{id}");
    }
    let odd = [
        json!("1"),
        json!("github"),
        json!("'; DROP TABLE integration; --"),
        json!("g".repeat(36)),
        json!("\u{0}".repeat(36)),
        json!("1".repeat(100_000)),
        json!(7),
        json!({ "id": 1 }),
        json!([github.id]),
    ];
    for id in odd {
        let refused = catalog.add(&PERSON, &with_id("odd", id.clone())).await.expect_err("refused");
        let text = refused.to_string();
        assert_eq!(refused.code(), "integration_malformed", "{text}");
        assert!(text.contains("\"id\"") || text.contains(" id"), "{text}");
        assert!(text.len() < 500 && !text.to_lowercase().contains("sql"), "{text}");
    }

    let listed = async |world: &World| {
        let entries = world.engine.catalog().list(&PERSON).await.expect("read");
        let ids: BTreeSet<_> = entries.iter().map(|entry| entry.integration.id).collect();
        assert_eq!(ids.len(), entries.len(), "each has an ID of its own");
        entries.into_iter().map(|entry| (entry.integration.name, entry.integration.id)).collect::<Vec<_>>()
    };
    let before = listed(&world).await;
    world.restart().await;
    assert_eq!(listed(&world).await, before);
    assert_eq!((world.integration("github").await, world.integration("sandbox").await), (github, sandbox));
}
