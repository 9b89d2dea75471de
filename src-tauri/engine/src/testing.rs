//! An engine for tests that look inside: nothing in it runs by itself.

use relink_domain::{AccountId, Timestamp, account::Profile, caller::Caller};
use serde_json::Map;
use tempfile::TempDir;

use crate::{
    Engine, Options,
    clock::Clock,
    keychain::{Keychain, MemoryKeychain},
    store::integrations::Installed,
};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const PERSON: Caller = Caller::Person;

/// The profile of an account of this integration.
pub(crate) fn profile(of: &Installed, id: AccountId, name: String) -> Profile {
    Profile {
        id,
        tenant_id: "acme-1".to_owned(),
        environment_integration_id: of.id,
        integration: of.integration.name.clone(),
        name,
        is_sandbox: false,
        region: None,
        context: Map::new(),
        identity: None,
        scopes: Vec::new(),
        last_error: None,
        last_forbidden_error: None,
        created_at: START,
        updated_at: START,
    }
}

pub(crate) struct TestEngine {
    pub(crate) engine: Engine,
    pub(crate) keychain: MemoryKeychain,
    pub(crate) clock: Clock,
    _folder: TempDir,
}

impl TestEngine {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (keychain, clock) = (MemoryKeychain::default(), Clock::set_to(START));
        let engine = Engine::start(Options {
            data_dir: folder.path().to_owned(),
            keychain: Keychain::memory(keychain.clone()),
            clock: clock.clone(),
            takes_deep_links: true,
        })
        .await
        .expect("the engine starts");
        Self { engine, keychain, clock, _folder: folder }
    }

    /// Whether the disk takes writes.
    pub(crate) async fn set_writable(&self, writable: bool) {
        self.engine.store().accept_writes(writable).await.expect("set");
    }
}
