//! Orphans: keychain items that have no owner yet, or no longer.
//!
//! An item is noted as an orphan before it is written and claimed in the transaction that stores its owner, so an item
//! that a crash left behind is swept. When the owner is deleted, the item becomes an orphan in the same transaction, so
//! a locked keychain never prevents a deletion.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    clock::Clock,
    error::Result,
    keychain::{Key, Keychain},
    store::{Store, orphans},
    sync::lock,
    tasks::Tasks,
};

/// The delay before retrying a sweep that failed although the keychain is available.
const SWEEP_RETRY_DELAY: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// Notes and sweeps orphans. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Orphans(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    /// Items that are being written. They are noted already, but must not be swept.
    being_written: Mutex<HashSet<Key>>,
    sweep_failed: Notify,
}

/// Prevents an item from being swept while it is being written.
pub(crate) struct BeingWritten {
    orphans: Orphans,
    key: Key,
}

impl Drop for BeingWritten {
    fn drop(&mut self) {
        lock(&self.orphans.0.being_written).remove(&self.key);
    }
}

impl Orphans {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, being_written: Mutex::default(), sweep_failed: Notify::new() }))
    }

    /// Sweeps now, and again after each sweep that failed.
    pub(crate) fn start(&self) {
        self.0.uses.tasks.spawn_until_stop(self.clone().keep_sweeping());
    }

    /// Notes an item before it is written. The writer claims it in the transaction of its owner, then drops the guard.
    pub(crate) async fn note_before_writing(&self, key: Key) -> Result<BeingWritten> {
        lock(&self.0.being_written).insert(key);
        let guard = BeingWritten { orphans: self.clone(), key };
        let (name, now) = (key.to_string(), self.0.uses.clock.now());
        self.0.uses.store.write(move |tx| orphans::note(tx, &name, now)).await?;
        Ok(guard)
    }

    /// Deletes all orphans. Those that the keychain refuses to delete now are deleted in the background as soon as it
    /// allows that.
    pub(crate) async fn sweep(&self) -> Result<()> {
        let swept = self.sweep_once().await;
        if swept.is_err() {
            self.0.sweep_failed.notify_one();
        }
        swept
    }

    async fn keep_sweeping(self) {
        loop {
            self.0.uses.keychain.opened().await;
            if let Err(error) = self.sweep_once().await {
                tracing::info!(code = error.code(), "orphaned keychain items are removed later: {error}");
                tokio::time::sleep(SWEEP_RETRY_DELAY).await;
                continue;
            }
            self.0.sweep_failed.notified().await;
        }
    }

    /// Tries all orphans, even if one can't be deleted. Returns the first error.
    async fn sweep_once(&self) -> Result<()> {
        let mut first = Ok(());
        for name in self.0.uses.store.read(orphans::list).await? {
            first = first.and(self.sweep_item(name).await);
        }
        first
    }

    async fn sweep_item(&self, name: String) -> Result<()> {
        if let Some(key) = Key::parse(&name) {
            // Check in this order: the writer claims the item before it drops the guard, so an item that is not being
            // written and is still noted has no owner.
            let being_written = lock(&self.0.being_written).contains(&key);
            let wanted = name.clone();
            if being_written || !self.0.uses.store.read(move |c| orphans::is_orphan(c, &wanted)).await? {
                return Ok(());
            }
            self.0.uses.keychain.delete(&key).await?;
        }
        Ok(self.0.uses.store.write(move |tx| orphans::claim(tx, &name)).await?)
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::AccountId;
    use uuid::Uuid;

    use super::*;
    use crate::{keychain::Item, testing::Services};

    #[tokio::test]
    async fn an_item_that_cannot_be_deleted_does_not_keep_the_others() {
        let Services { orphans, keychain, backend, .. } = Services::new();
        let keys = [1, 2].map(|n| Key::Account(AccountId::from_uuid(Uuid::from_u128(n))));
        for key in keys {
            let _being_written = orphans.note_before_writing(key).await.expect("noted");
            keychain.set(&key, "Relink: test", &Item::default()).await.expect("written");
        }
        backend.keep(&keys[0].to_string());
        orphans.sweep().await.expect_err("one is left");
        assert_eq!(backend.names(), [keys[0].to_string()]);
    }

    #[tokio::test]
    async fn an_item_that_is_being_written_is_not_swept() {
        let Services { orphans, keychain, backend, .. } = Services::new();
        let key = Key::Account(AccountId::from_uuid(Uuid::from_u128(1)));
        let being_written = orphans.note_before_writing(key).await.expect("noted");
        keychain.set(&key, "Relink: test", &Item::default()).await.expect("written");
        orphans.sweep().await.expect("swept");
        assert_eq!(backend.names(), [key.to_string()]);
        drop(being_written);
        orphans.sweep().await.expect("swept");
        assert!(backend.names().is_empty());
    }
}
