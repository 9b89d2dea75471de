//! What a crash cut off is finished at the start, or as soon as the keychain opens.
//!
//! The keychain is the authority: it is written before the database. An item that carries an open intent's generation
//! means that only the database's step is missing. Any other means that the answer, if there was one, is lost: the old
//! token is tried at once, because many providers allow a grace period.

use std::time::Duration;

use relink_domain::{
    AccountId,
    account::{Account, Attempt, Credential, Input, Renewing, Replacement},
};
use uuid::Uuid;

use crate::{
    Engine, Error,
    engine::held,
    error::Result,
    in_flight::Reason,
    keychain::{Item, Key},
    store::{accounts, links, orphans},
};

/// The least time between two attempts at what has just failed, whatever the reason.
pub(crate) const LEAST_PAUSE: Duration = Duration::from_secs(2);

/// After this a sweep is tried again that failed although the keychain is open.
const SWEEP_AGAIN: Duration = Duration::from_mins(1);
/// How often an item that an earlier write still holds is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Finishes what can be finished and plans the rest.
pub(crate) async fn run(engine: &Engine) -> Result<()> {
    engine.plan().await?;
    for account in engine.0.store.read(accounts::unfinished).await? {
        engine.finish_when_it_opens(account.id());
    }
    engine.spawn_until_stop(engine.clone().keep_swept());
    Ok(())
}

impl Engine {
    /// Returns once the keychain answers, however long that takes.
    pub(crate) async fn keychain_opens(&self) {
        let nobodys = Key::Account(AccountId::from_uuid(Uuid::nil()));
        while self.0.keychain.get(&nobodys).await.is_err() {
            self.keychain_recovers().await;
        }
    }

    /// After the keychain refused: returns once it is available again, and never at once. Some refusals say nothing about
    /// the keychain as a whole, so that it counts as available all along.
    pub(crate) async fn keychain_recovers(&self) {
        tokio::time::sleep(LEAST_PAUSE).await;
        self.0.keychain.available().await;
    }

    /// Finishes what is open of an account once the keychain lets it, however long that takes.
    pub(crate) fn finish_when_it_opens(&self, id: AccountId) {
        let engine = self.clone();
        self.spawn_until_stop(async move {
            loop {
                engine.keychain_opens().await;
                match engine.finish(id).await {
                    Ok(()) => return,
                    // An earlier write of its item may still be under way, while the keychain answers otherwise.
                    Err(Error::Keychain(error)) if error.is_passing() => tokio::time::sleep(LOOK_AGAIN).await,
                    Err(error) => {
                        tracing::info!(account = %id, code = error.code(), "not finished: {error}");
                        return;
                    }
                }
            }
        });
    }

    async fn finish(&self, id: AccountId) -> Result<()> {
        let mut account = self.load(id).await?;
        if account.replacement.is_some() {
            let lock = self.lock_of(id);
            let _guard = lock.lock().await;
            let item = self.0.keychain.get(&Key::Account(id)).await?.unwrap_or_default();
            account = self.reconcile(self.load(id).await?, &item).await?;
        }
        match account.state.credential() {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. }) => {
                match self.fly(id, Reason::Due, false).await {
                    // Put off: the agenda takes it up again.
                    Err(Error::Keychain(_)) | Ok(_) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => Ok(()),
        }
    }

    /// Under the account's lock: what the keychain shows to be done already is committed; a replacement that never got
    /// there is dropped. An open refresh that never got there stays open, for the caller to take up.
    pub(crate) async fn reconcile(&self, account: Account, item: &Item) -> Result<Account> {
        let id = account.id();
        if let Some(replacement) = &account.replacement {
            let generation = replacement.generation;
            if item.generation != generation {
                return self.lose_replacement(id, replacement).await;
            }
            // The old access token belongs to the old sign-in.
            self.drop_token(id);
            return Ok(self.commit(id, Input::Replaced { generation }).await?.account);
        }
        match account.state.credential() {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, lifetime, .. })
                if item.generation == *generation =>
            {
                let lifetime = item.noted_lifetime().unwrap_or(*lifetime);
                let input = Input::Refreshed { generation: *generation, lifetime, rotated: true };
                Ok(self.commit(id, input).await?.account)
            }
            Credential::Renewing(_) | Credential::Fixed(_) => Ok(account),
        }
    }

    /// The new credentials never got into the keychain: the link that asked for them is good again.
    pub(crate) async fn lose_replacement(&self, id: AccountId, replacement: &Replacement) -> Result<Account> {
        let (generation, link) = (replacement.generation, replacement.link);
        let input = Input::ReplacementLost { generation };
        Ok(self.commit_with(id, input, move |tx, _| links::give_back(tx, link)).await?.account)
    }

    /// Notes a keychain item as a stray before it is written: if the process dies before it belongs to something, it is
    /// swept. Until the guard is dropped, it isn't.
    pub(crate) async fn make_item(&self, key: Key) -> Result<InTheMaking<'_>> {
        held(&self.0.in_the_making).insert(key);
        let guard = InTheMaking { engine: self, key };
        let (name, now) = (key.to_string(), self.now());
        self.0.store.write(move |tx| orphans::note(tx, &name, now)).await?;
        Ok(guard)
    }

    /// Deletes keychain items that belong to nothing. What can't be deleted now is as soon as the keychain lets it.
    pub(crate) async fn sweep(&self) -> Result<()> {
        let swept = self.sweep_once().await;
        if swept.is_err() {
            self.0.unswept.notify_one();
        }
        swept
    }

    /// Sweeps at the start, and again after a sweep that failed: a secret that belongs to nothing doesn't outlast a locked
    /// keychain.
    async fn keep_swept(self) {
        loop {
            self.keychain_opens().await;
            if let Err(error) = self.sweep_once().await {
                tracing::info!(code = error.code(), "stray keychain items are removed later: {error}");
                tokio::time::sleep(SWEEP_AGAIN).await;
                continue;
            }
            self.0.unswept.notified().await;
        }
    }

    /// One that can't be deleted doesn't keep the others; the first error is the answer.
    async fn sweep_once(&self) -> Result<()> {
        let mut first = Ok(());
        for name in self.0.store.read(orphans::list).await? {
            first = first.and(self.sweep_item(name).await);
        }
        first
    }

    async fn sweep_item(&self, name: String) -> Result<()> {
        if let Some(key) = Key::parse(&name) {
            // In this order: whoever has made it commits first and leaves the making afterwards. So what is not being made
            // and is noted still belongs to nothing.
            let being_made = held(&self.0.in_the_making).contains(&key);
            let wanted = name.clone();
            if being_made || !self.0.store.read(move |c| orphans::is_orphan(c, &wanted)).await? {
                return Ok(());
            }
            self.0.keychain.delete(&key).await?;
        }
        Ok(self.0.store.write(move |tx| orphans::claim(tx, &name)).await?)
    }
}

/// A keychain item that is being made.
pub(crate) struct InTheMaking<'e> {
    engine: &'e Engine,
    key: Key,
}

impl Drop for InTheMaking<'_> {
    fn drop(&mut self) {
        held(&self.engine.0.in_the_making).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::{keychain::KeychainError, testing::Started};

    #[tokio::test(start_paused = true)]
    async fn a_keychain_that_fails_in_a_way_of_its_own_is_given_time() {
        let it = Started::new().await;
        it.keychain.refuse(KeychainError::Other("it is out of sorts".into()));
        let began = Instant::now();
        it.engine.keychain_recovers().await;
        assert!(began.elapsed() >= LEAST_PAUSE, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn an_item_that_cannot_be_deleted_does_not_keep_the_others() {
        let it = Started::new().await;
        let keys = [1, 2].map(|n| Key::Account(AccountId::from_uuid(Uuid::from_u128(n))));
        for key in keys {
            let _making = it.engine.make_item(key).await.expect("noted");
            it.engine.0.keychain.set(&key, "Relink: test", &Item::default()).await.expect("kept");
        }
        it.keychain.keep(&keys[0].to_string());
        it.engine.sweep().await.expect_err("one is left");
        assert_eq!(it.keychain.names(), [keys[0].to_string()]);
    }
}
