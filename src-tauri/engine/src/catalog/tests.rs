use relink_domain::{Secret, event::EventName};
use serde_json::{Value, json};

use super::*;
use crate::{
    error::Error,
    keychain::{Key, KeychainError},
    provider::CLIENT_SECRET,
    store::outbox,
    testing::{PERSON, Services},
};

mod documentation;
mod secrets;
mod uninstall;

const ACME: &str = r#"{"name": "acme", "config": {"label": "Acme", "base_url": "https://api.acme.example",
  "credentials": {"format": "oauth2", "config": {"client": {"id": "relink", "secret": "first-secret"},
    "auth": {"tokenHost": "https://acme.example", "tokenPath": "/token",
             "authorizeHost": "https://acme.example", "authorizePath": "/authorize"}, "scope": ["read"]}},
  "authorization": {"format": "bearer", "config": {"path": "oauth.token.access_token"}}}}"#;

/// A catalog that was built alone.
struct Alone {
    services: Services,
    catalog: Catalog,
}

impl Alone {
    async fn open() -> Self {
        let services = Services::new();
        let catalog = services.catalog(&services.accounts()).await;
        Self { services, catalog }
    }

    async fn client_secret(&self, installed: &Installed) -> Option<String> {
        let item = self.services.keychain.get(&Key::Integration(installed.id)).await.expect("open")?;
        item.secrets.get(CLIENT_SECRET).map(|secret| secret.expose().to_owned())
    }

    /// The latest place in the outbox, and the installed Acme.
    async fn outbox_and_acme(&self) -> (i64, Option<Installed>) {
        let read = |c: &rusqlite::Connection| Ok((outbox::latest(c)?, integrations::installed_named(c, "acme")?));
        self.services.store.read(read).await.expect("read")
    }
}

#[tokio::test]
async fn what_is_added_can_be_used_at_once_and_what_is_uninstalled_no_more() {
    let it = Alone::open().await;
    let mut changes = it.catalog.changes(&PERSON);
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    assert!(changes.has_changed().expect("open"));
    changes.mark_unchanged();
    assert_eq!(it.services.providers.get(added.id).expect("usable").label(), "Acme");
    it.catalog.uninstall(&PERSON, "acme").await.expect("uninstalled");
    assert!(changes.has_changed().expect("open"));
    assert_eq!(it.services.providers.get(added.id).expect_err("gone").code(), "not_found");
}

#[tokio::test]
async fn an_integration_is_not_added_when_its_client_secret_cannot_be_stored() {
    let it = Alone::open().await;
    let before = it.outbox_and_acme().await;
    it.services.backend.refuse(KeychainError::Locked);
    let error = it.catalog.add(&PERSON, ACME).await.expect_err("locked");
    assert_eq!(error.code(), "keychain_locked");
    assert_eq!(it.outbox_and_acme().await, before);
    it.services.backend.recover();
    it.services.backend.fail_after(0);
    it.catalog.add(&PERSON, ACME).await.expect_err("it can be read, but not written");
    assert_eq!(it.outbox_and_acme().await, before);
    assert!(!it.catalog.list(&PERSON).await.expect("read").iter().any(|entry| entry.integration.name == "acme"));

    it.services.backend.recover();
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"));
    it.services.orphans.sweep().await.expect("swept");
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"), "it is not swept as an orphan");
}

#[tokio::test]
async fn an_integration_is_created_with_its_client_secret_or_not_at_all() {
    let it = Alone::open().await;
    let text = acme_with(oauth2(json!({ "id": "relink" })));
    let create = || it.catalog.create(&PERSON, &text, Some(Secret::new("entered")));
    let before = it.outbox_and_acme().await;
    it.services.backend.refuse(KeychainError::Locked);
    assert_eq!(create().await.expect_err("locked").code(), "keychain_locked");
    it.services.backend.recover();
    it.services.backend.fail_after(0);
    create().await.expect_err("the keychain takes no item");
    it.services.backend.recover();
    it.services.set_writable(false).await;
    create().await.expect_err("the disk takes no writes");
    it.services.set_writable(true).await;
    assert_eq!(it.outbox_and_acme().await, before);
    assert!(!it.catalog.list(&PERSON).await.expect("read").iter().any(|entry| entry.integration.name == "acme"));
    assert!(it.services.backend.names().is_empty(), "nothing stays in the keychain");

    let added = create().await.expect("created").installed;
    let (client, secret) = (it.client_id(), it.client_secret(&added).await);
    assert_eq!((client.as_str(), secret.as_deref()), ("relink", Some("entered")));
    assert!(!added.client_secret_origins.of_client().is_empty(), "the secret is bound to the definition's addresses");
}

#[tokio::test]
async fn an_integration_is_not_created_with_a_name_of_the_catalog() {
    let it = Alone::open().await;
    it.catalog.add(&PERSON, ACME).await.expect("added");
    let before = it.outbox_and_acme().await;
    let create = |name: &str| {
        let text = ACME.replace("\"acme\"", &format!("\"{name}\""));
        let catalog = it.catalog.clone();
        async move { catalog.create(&PERSON, &text, None).await.map(|added| added.installed) }
    };
    let refused = |outcome: Result<Installed>| match outcome.expect_err("refused") {
        Error::Invalid { code, field, .. } => (code, field),
        error => panic!("{error:?}"),
    };
    let taken = ("integration_name_taken", Some("name".to_owned()));
    for name in ["acme", "github", "sandbox"] {
        assert_eq!(refused(create(name).await), taken, "{name}");
    }
    it.catalog.uninstall(&PERSON, "acme").await.expect("uninstalled");
    assert_eq!(refused(create("acme").await), taken, "it is still in the catalog");
    assert_eq!(it.outbox_and_acme().await.0, before.0 + 1, "only the removal is announced");
    // Two at once: whichever commits first keeps the name.
    let (one, other) = tokio::join!(create("two"), create("two"));
    let outcomes = [one, other];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(refused(outcomes.into_iter().find(Result::is_err).expect("one is refused")), taken);
}

#[tokio::test]
async fn a_client_is_set_completely_or_not_at_all() {
    let it = Alone::open().await;
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    let before = it.outbox_and_acme().await;
    it.services.backend.refuse(KeychainError::Locked);
    let refused = it.catalog.set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret"))).await;
    assert_eq!(refused.expect_err("locked").code(), "keychain_locked");
    it.services.backend.recover();
    it.services.backend.fail_after(0);
    it.catalog
        .set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret")))
        .await
        .expect_err("not kept");
    it.services.backend.recover();
    assert_eq!(it.outbox_and_acme().await, before);
    it.services.set_writable(false).await;
    it.catalog
        .set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret")))
        .await
        .expect_err("not written");
    it.services.set_writable(true).await;
    assert_eq!(it.outbox_and_acme().await, before);
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"));

    it.catalog.set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret"))).await.expect("set");
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("other-secret"));
}

#[tokio::test]
async fn an_integration_is_uninstalled_while_the_keychain_is_locked() {
    let it = Alone::open().await;
    it.catalog.add(&PERSON, ACME).await.expect("added");
    it.services.backend.refuse(KeychainError::Locked);
    it.catalog.uninstall(&PERSON, "acme").await.expect("uninstalled");
    assert_eq!(it.outbox_and_acme().await.1, None);
    it.services.backend.recover();
    it.services.orphans.sweep().await.expect("swept");
    assert!(it.services.backend.names().is_empty());
}

/// Acme as a file of its person's would have it: with these credentials in place of the first ones.
fn acme_with(credentials: Value) -> String {
    let mut definition: Value = serde_json::from_str(ACME).expect("JSON");
    definition["config"]["credentials"] = credentials;
    definition.to_string()
}

/// Acme where nobody signs in, but enters a key.
fn acme_with_keys() -> String {
    let fields = json!([{ "name": "api_key", "label": "Key", "type": "password" }]);
    acme_with(json!({ "format": "api_key", "config": { "fields": fields } }))
        .replace("oauth.token.access_token", "credentials.api_key")
}

/// Acme's credentials for this client.
fn oauth2(client: Value) -> Value {
    let definition: Value = serde_json::from_str(ACME).expect("JSON");
    let mut credentials = definition["config"]["credentials"].clone();
    credentials["config"]["client"] = client;
    credentials
}

impl Alone {
    /// The client ID that is in force at Acme.
    fn client_id(&self) -> String {
        let provider = self.services.providers.named("acme").expect("it can be used");
        provider.definition.oauth2().expect("it has OAuth 2.0").client_id.clone()
    }

    /// The events from this place on.
    async fn events_after(&self, seq: i64) -> Vec<&'static str> {
        let events = self.services.store.read(move |c| outbox::after(c, seq, 100)).await.expect("events");
        events.iter().map(|event| own_name(&event.kind)).collect()
    }
}

/// The name of an event that isn't a provider's.
fn own_name(name: &EventName) -> &'static str {
    match name {
        EventName::Kind(kind) => kind.as_str(),
        EventName::Record(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_definition_that_is_added_again_keeps_the_client_and_says_that_it_was_updated() {
    let it = Alone::open().await;
    let catalog = &it.catalog;
    let added = catalog.add(&PERSON, ACME).await.expect("added").installed;
    catalog.set_client(&PERSON, "acme", "mine".into(), None).await.expect("set");
    let mut changes = catalog.changes(&PERSON);
    changes.borrow_and_update();
    let before = it.outbox_and_acme().await.0;
    let again = acme_with(oauth2(json!({ "id": "relink" }))).replace("\"Acme\"", "\"Acme Corp\"");
    let again = catalog.add(&PERSON, &again).await.expect("added").installed;
    assert_eq!((again.id, again.integration.version, again.label()), (added.id, 2, "Acme Corp".to_owned()));
    assert_eq!(it.client_id(), "mine");
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"));
    assert_eq!(it.events_after(before).await, ["environment_integration:updated"]);
    assert!(changes.has_changed().expect("the catalog is there"));
}

#[tokio::test]
async fn a_definition_that_the_persons_client_cannot_be_applied_to_is_refused() {
    let it = Alone::open().await;
    let catalog = &it.catalog;
    let added = catalog.add(&PERSON, ACME).await.expect("added").installed;
    catalog.set_client(&PERSON, "acme", "mine".into(), None).await.expect("set");
    let before = it.outbox_and_acme().await;
    let by_format = json!({ "oauth2": oauth2(json!({ "id": "relink", "secret": "second-secret" })) });
    let error = catalog.add(&PERSON, &acme_with(by_format)).await.expect_err("refused");
    assert_eq!(error.code(), "integration_override_unfit");
    assert!(error.to_string().contains("uninstall acme first"), "it says what to do: {error}");
    assert_eq!(it.outbox_and_acme().await, before);
    assert_eq!(it.client_id(), "mine");
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"));
    // Where nobody signs in, the client is of no use and does no harm.
    catalog.add(&PERSON, &acme_with_keys()).await.expect("added");
    catalog.add(&PERSON, &acme_with(oauth2(json!({ "id": "relink" })))).await.expect("added");
    assert_eq!(it.client_id(), "mine");
}

#[tokio::test]
async fn a_client_secret_is_not_stored_beside_the_id_of_another_client() {
    let it = Alone::open().await;
    let catalog = &it.catalog;
    let added = catalog.add(&PERSON, ACME).await.expect("added").installed;
    catalog.set_client(&PERSON, "acme", "mine".into(), Some(Secret::new("my-secret"))).await.expect("set");
    let before = it.outbox_and_acme().await;
    let error = catalog.add(&PERSON, ACME).await.expect_err("refused");
    assert_eq!(error.code(), "client_secret_of_another");
    let of_mine = acme_with(oauth2(json!({ "id": "mine", "secret": "my-next-secret" })));
    assert_eq!((it.outbox_and_acme().await, it.client_secret(&added).await.as_deref()), (before, Some("my-secret")));
    catalog.add(&PERSON, &of_mine).await.expect("added");
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("my-next-secret"));
}

#[tokio::test]
async fn a_client_is_checked_with_the_definition_that_is_there_when_it_is_written() {
    let it = Alone::open().await;
    let catalog = &it.catalog;
    let added = catalog.add(&PERSON, ACME).await.expect("added").installed;
    let unusable = |installed: &mut Installed| {
        installed.integration.document["config"]["base_url"] = json!("not a URL");
    };
    let mut broken = added.clone();
    unusable(&mut broken);
    let record = broken.integration;
    it.services.store.write(move |tx| integrations::put(tx, &record)).await.expect("stored");
    let before = it.outbox_and_acme().await;
    let refused = catalog.set_client(&PERSON, "acme", "mine".into(), Some(Secret::new("mine"))).await;
    assert_eq!(refused.expect_err("refused").code(), "integration_broken");
    assert_eq!(it.outbox_and_acme().await, before);
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"));

    // By now its credentials are a map by format.
    let mut by_format = added.clone();
    let credentials = by_format.integration.document["config"]["credentials"].take();
    by_format.integration.document["config"]["credentials"] = json!({ "oauth2": credentials });
    let record = by_format.integration;
    it.services.store.write(move |tx| integrations::put(tx, &record)).await.expect("stored");
    catalog.set_client(&PERSON, "acme", "mine".into(), None).await.expect("set");
    assert_eq!(it.client_id(), "mine");
}

#[tokio::test]
async fn a_client_is_refused_where_nobody_signs_in_with_one() {
    let it = Alone::open().await;
    it.catalog.add(&PERSON, &acme_with_keys()).await.expect("added");
    let refused = it.catalog.set_client(&PERSON, "acme", "mine".into(), None).await;
    assert_eq!(refused.expect_err("refused").code(), "unknown_method");
}

#[tokio::test]
async fn a_list_reads_the_client_secret_from_the_keychain_only_once() {
    let it = Alone::open().await;
    let installed = it.catalog.install(&PERSON, "github").await.expect("installed");
    let is_ready = async || {
        let listed = it.catalog.list(&PERSON).await.expect("read");
        listed.iter().find(|entry| entry.integration.name == "github").expect("listed").not_ready.is_none()
    };
    it.catalog.set_client(&PERSON, "github", "relink".into(), None).await.expect("set");
    assert!(!is_ready().await, "its secret is missing");
    let secret = Some(Secret::new("s"));
    it.catalog.set_client(&PERSON, "github", "relink".into(), secret).await.expect("set");
    assert!(is_ready().await);
    it.services.keychain.delete(&Key::Integration(installed.id)).await.expect("removed behind the engine's back");
    assert!(is_ready().await, "the keychain was asked again");

    it.catalog.uninstall(&PERSON, "github").await.expect("uninstalled");
    it.catalog.install(&PERSON, "github").await.expect("installed");
    it.catalog.set_client(&PERSON, "github", "relink".into(), None).await.expect("set");
    assert!(!is_ready().await, "the secret went with the installation");
}

#[tokio::test]
async fn the_label_and_color_are_those_of_the_config_in_force() {
    let it = Alone::open().await;
    let catalog = &it.catalog;
    let mut installed = catalog.add(&PERSON, ACME).await.expect("added").installed;
    assert_eq!((installed.label(), installed.color()), ("Acme".to_owned(), None));
    let over = json!({ "label": "My Acme", "relink": { "color": "#102030" } });
    installed.r#override = over.as_object().expect("an object").clone();
    assert_eq!((installed.label(), installed.color().as_deref()), ("My Acme".to_owned(), Some("#102030")));
    assert_eq!(installed.integration_summary(it.services.ids.team).label(), "My Acme");
    it.services.providers.publish(installed);
    let entries = catalog.list(&PERSON).await.expect("the catalog");
    let acme = entries.iter().find(|entry| entry.integration.name == "acme").expect("there");
    assert_eq!((acme.label(), acme.color().as_deref()), ("My Acme".to_owned(), Some("#102030")));
}

/// Acme with its token endpoint at another origin.
fn moved_acme(client: &Value) -> String {
    acme_with(oauth2(client.clone()))
        .replace(r#""tokenHost":"https://acme.example""#, r#""tokenHost":"https://evil.example""#)
}

#[tokio::test]
async fn a_client_secret_is_not_sent_to_another_address_than_it_was_given_for() {
    let it = Alone::open().await;
    let catalog = &it.catalog;
    let added = catalog.add(&PERSON, ACME).await.expect("added").installed;
    let secret = async || {
        let provider = it.services.providers.get(added.id).expect("usable");
        it.services.providers.client_secret(&provider).await.expect("open").map(|secret| secret.expose().to_owned())
    };
    let not_ready = async || {
        let entries = catalog.list(&PERSON).await.expect("read");
        entries.into_iter().find(|entry| entry.integration.name == "acme").expect("listed").not_ready
    };
    assert_eq!((secret().await.as_deref(), not_ready().await), (Some("first-secret"), None));

    let without_secret = json!({ "id": "relink" });
    catalog.add(&PERSON, &moved_acme(&without_secret)).await.expect("added");
    let reason = not_ready().await.expect("the secret must be entered again");
    assert!(reason.contains("from https://acme.example to https://evil.example"), "{reason}");
    assert!(reason.contains("relink integrations client acme --id relink --secret-stdin"), "{reason}");
    catalog.set_client(&PERSON, "acme", "relink".into(), None).await.expect("set");
    assert_eq!(secret().await, None, "an ID alone doesn't bind the old secret anew");
    assert!(not_ready().await.is_some());

    // The address is back.
    catalog.add(&PERSON, &acme_with(oauth2(without_secret.clone()))).await.expect("added");
    assert_eq!((secret().await.as_deref(), not_ready().await), (Some("first-secret"), None));

    catalog.add(&PERSON, &moved_acme(&without_secret)).await.expect("added");
    let again = Some(Secret::new("second-secret"));
    catalog.set_client(&PERSON, "acme", "relink".into(), again).await.expect("set");
    assert_eq!((secret().await.as_deref(), not_ready().await), (Some("second-secret"), None));
}

#[tokio::test]
async fn a_client_secret_that_comes_with_a_file_is_bound_to_the_addresses_of_the_file() {
    let it = Alone::open().await;
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    let before = it.services.providers.get(added.id).expect("usable");
    it.catalog.add(&PERSON, &moved_acme(&json!({ "id": "relink", "secret": "theirs" }))).await.expect("added");
    let after = it.services.providers.get(added.id).expect("usable");
    let secret = async |provider| it.services.providers.client_secret(provider).await.expect("open");
    assert_eq!(secret(&after).await.map(|secret| secret.expose().to_owned()).as_deref(), Some("theirs"));
    assert!(secret(&before).await.is_none(), "a sign-in that began before gets no secret of the new address");
}
