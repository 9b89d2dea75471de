use super::*;
use crate::{
    store::outbox,
    testing::{PERSON, TestEngine},
};

const ACME: &str = r#"{"name": "acme", "config": {"label": "Acme", "base_url": "https://api.acme.example",
  "credentials": {"format": "oauth2", "config": {"client": {"id": "relink", "secret": "first-secret"},
    "auth": {"tokenHost": "https://acme.example", "tokenPath": "/token",
             "authorizeHost": "https://acme.example", "authorizePath": "/authorize"}, "scope": ["read"]}},
  "authorization": {"format": "bearer", "config": {"path": "oauth.token.access_token"}}}}"#;

impl TestEngine {
    async fn client_secret(&self, installed: &Installed) -> Option<String> {
        let item = self.engine.keychain().get(&Key::Integration(installed.id)).await.expect("open")?;
        item.secrets.get(CLIENT_SECRET).map(|secret| secret.expose().to_owned())
    }

    /// What the database has told and what it knows of Acme.
    async fn known(&self) -> (i64, Option<Installed>) {
        let read = |c: &rusqlite::Connection| Ok((outbox::latest(c)?, integrations::installed_named(c, "acme")?));
        self.engine.store().read(read).await.expect("read")
    }
}

#[tokio::test]
async fn an_integration_is_not_added_when_its_client_secret_cannot_be_stored() {
    let it = TestEngine::start().await;
    let before = it.known().await;
    it.keychain.refuse(KeychainError::Locked);
    let error = it.engine.catalog().add(&PERSON, ACME).await.expect_err("locked");
    assert_eq!(error.code(), "keychain_locked");
    assert_eq!(it.known().await, before);
    it.keychain.recover();
    it.keychain.fail_after(0);
    it.engine.catalog().add(&PERSON, ACME).await.expect_err("it can be read, but not written");
    assert_eq!(it.known().await, before);
    assert!(
        !it.engine.catalog().list(&PERSON).await.expect("read").iter().any(|entry| entry.integration.name == "acme")
    );

    it.keychain.recover();
    let added = it.engine.catalog().add(&PERSON, ACME).await.expect("added").installed;
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"));
    it.engine.orphans().sweep().await.expect("swept");
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"), "it is not swept as an orphan");
}

#[tokio::test]
async fn a_client_is_set_completely_or_not_at_all() {
    let it = TestEngine::start().await;
    let added = it.engine.catalog().add(&PERSON, ACME).await.expect("added").installed;
    let before = it.known().await;
    it.keychain.refuse(KeychainError::Locked);
    let refused =
        it.engine.catalog().set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret"))).await;
    assert_eq!(refused.expect_err("locked").code(), "keychain_locked");
    it.keychain.recover();
    it.keychain.fail_after(0);
    it.engine
        .catalog()
        .set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret")))
        .await
        .expect_err("not kept");
    it.keychain.recover();
    assert_eq!(it.known().await, before);
    it.set_writable(false).await;
    it.engine
        .catalog()
        .set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret")))
        .await
        .expect_err("not written");
    it.set_writable(true).await;
    assert_eq!(it.known().await, before);
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("first-secret"));

    it.engine
        .catalog()
        .set_client(&PERSON, "acme", "other".into(), Some(Secret::new("other-secret")))
        .await
        .expect("set");
    assert_eq!(it.client_secret(&added).await.as_deref(), Some("other-secret"));
}

#[tokio::test]
async fn an_integration_is_uninstalled_while_the_keychain_is_locked() {
    let it = TestEngine::start().await;
    it.engine.catalog().add(&PERSON, ACME).await.expect("added");
    it.keychain.refuse(KeychainError::Locked);
    it.engine.catalog().uninstall(&PERSON, "acme").await.expect("uninstalled");
    assert_eq!(it.known().await.1, None);
    it.keychain.recover();
    it.engine.orphans().sweep().await.expect("swept");
    assert!(it.keychain.names().is_empty());
}

#[tokio::test]
async fn a_list_reads_the_client_secret_from_the_keychain_only_once() {
    let it = TestEngine::start().await;
    it.engine.set_api_port(7417);
    let installed = it.engine.catalog().install(&PERSON, "github").await.expect("installed");
    let is_ready = async || {
        let listed = it.engine.catalog().list(&PERSON).await.expect("read");
        listed.iter().find(|entry| entry.integration.name == "github").expect("listed").not_ready.is_none()
    };
    it.engine.catalog().set_client(&PERSON, "github", "relink".into(), None).await.expect("set");
    assert!(!is_ready().await, "its secret is missing");
    let secret = Some(Secret::new("s"));
    it.engine.catalog().set_client(&PERSON, "github", "relink".into(), secret).await.expect("set");
    assert!(is_ready().await);
    it.engine.keychain().delete(&Key::Integration(installed.id)).await.expect("removed behind the engine's back");
    assert!(is_ready().await, "the keychain was asked again");

    it.engine.catalog().uninstall(&PERSON, "github").await.expect("uninstalled");
    it.engine.catalog().install(&PERSON, "github").await.expect("installed");
    it.engine.catalog().set_client(&PERSON, "github", "relink".into(), None).await.expect("set");
    assert!(!is_ready().await, "the secret went with the installation");
}
