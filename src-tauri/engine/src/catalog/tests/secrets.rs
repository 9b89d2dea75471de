//! Secrets that change together with addresses.

use super::*;
use crate::{
    keychain::{Item, KeychainError},
    provider::Provider,
};

/// A row's change of the client secret and of the address that it is sent to.
fn moving_change() -> Map<String, Value> {
    let credentials = json!({ "config": {
        "client": { "secret": "second-secret" },
        "auth": { "tokenHost": "https://new.example" },
    } });
    Map::from_iter([("config".to_owned(), json!({ "credentials": credentials }))])
}

impl Alone {
    async fn sent_to(&self, provider: &Provider) -> Option<String> {
        let secret = self.services.providers.client_secret(provider).await.expect("open");
        secret.map(|secret| secret.expose().to_owned())
    }

    /// From now on the keychain takes one write, and the disk none: the process ends between the two.
    async fn end_after_the_keychain(&self) {
        self.services.backend.fail_after(1);
        self.services.set_writable(false).await;
    }

    /// The catalog of the next start.
    async fn restart(self) -> Self {
        self.services.backend.recover();
        self.services.set_writable(true).await;
        let catalog = self.services.catalog(&self.services.accounts()).await;
        Self { catalog, ..self }
    }
}

#[tokio::test]
async fn a_new_client_secret_is_not_sent_to_the_old_address_if_relink_ends_before_the_new_one_is_committed() {
    let it = Alone::open().await;
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    let before = it.services.providers.get(added.id).expect("usable");
    it.end_after_the_keychain().await;
    it.catalog.change_row(&PERSON, added.integration.id, 1, &moving_change()).await.expect_err("not committed");
    let texts = it.services.keychain.get(&Key::Integration(added.id)).await.expect("open").expect("an item");
    assert!(texts.secrets.values().any(|secret| secret.expose() == "second-secret"), "it is in the keychain already");
    assert_eq!(it.sent_to(&before).await.as_deref(), Some("first-secret"), "while Relink still runs");

    let it = it.restart().await;
    let provider = it.services.providers.get(added.id).expect("usable");
    assert_eq!(it.sent_to(&provider).await.as_deref(), Some("first-secret"), "nothing has to be entered again");
    it.catalog.change_row(&PERSON, added.integration.id, 1, &moving_change()).await.expect("changed");
    let after = it.services.providers.get(added.id).expect("usable");
    assert_eq!(it.sent_to(&after).await.as_deref(), Some("second-secret"));
    assert_eq!(it.sent_to(&before).await, None, "the new secret isn't the old address's");
    let item = it.services.keychain.get(&Key::Integration(added.id)).await.expect("open").expect("an item");
    assert!(item.secrets.values().all(|secret| secret.expose() == "second-secret"), "the former one is gone");
}

#[tokio::test]
async fn a_keychain_of_another_time_than_the_database_has_no_secret_that_is_sent() {
    let it = Alone::open().await;
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    let provider = it.services.providers.get(added.id).expect("usable");
    let key = Key::Integration(added.id);
    let current = it.services.keychain.get(&key).await.expect("open").expect("an item");
    for generation in [0, 2] {
        let other = Item { generation, ..current.clone() };
        it.services.keychain.set(&key, "Relink: test", &other).await.expect("written");
        assert_eq!(it.sent_to(&provider).await, None, "generation {generation}");
    }
    it.services.keychain.set(&key, "Relink: test", &current).await.expect("written");
    assert_eq!(it.sent_to(&provider).await.as_deref(), Some("first-secret"));
}

#[tokio::test]
async fn secret_variables_of_an_override_that_is_not_committed_are_not_in_force() {
    let it = Alone::open().await;
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    let with = |value: &str| {
        let over = json!({ "secret_environment_variables": { "HOOK": value } });
        InstallationChange { r#override: over.as_object().cloned(), ..InstallationChange::default() }
    };
    it.catalog.change_installation(&PERSON, added.id, with("one")).await.expect("changed");
    it.end_after_the_keychain().await;
    it.catalog.change_installation(&PERSON, added.id, with("two")).await.expect_err("not committed");
    let it = it.restart().await;
    let provider = it.services.providers.get(added.id).expect("usable");
    let variable = async || {
        let secrets = it.services.providers.secrets(&provider).await.expect("open").0;
        secrets.variables().get("HOOK").map(|secret| secret.expose().to_owned())
    };
    assert_eq!(variable().await.as_deref(), Some("one"));
    assert_eq!(it.sent_to(&provider).await.as_deref(), Some("first-secret"), "the client's stays");
    it.catalog.change_installation(&PERSON, added.id, with("two")).await.expect("changed");
    assert_eq!(variable().await.as_deref(), Some("two"));
}

#[tokio::test]
async fn while_the_keychain_cannot_be_read_a_secret_that_was_never_given_has_not_moved() {
    let it = Alone::open().await;
    let without_secret = json!({ "id": "relink" });
    it.catalog.add(&PERSON, &acme_with(oauth2(without_secret.clone()))).await.expect("added");
    let not_ready = async || {
        let entries = it.catalog.list(&PERSON).await.expect("read");
        entries.into_iter().find(|entry| entry.integration.name == "acme").expect("listed").not_ready
    };
    it.services.backend.refuse(KeychainError::Locked);
    assert_eq!(not_ready().await, None, "whether there is a secret can't be known");
    it.services.backend.recover();
    it.catalog.set_client(&PERSON, "acme", "relink".into(), Some(Secret::new("a-secret"))).await.expect("set");
    it.catalog.add(&PERSON, &moved_acme(&without_secret)).await.expect("added");
    it.services.backend.refuse(KeychainError::Locked);
    let reason = not_ready().await.expect("one was given");
    assert!(reason.contains("from https://acme.example to https://evil.example"), "{reason}");
}
