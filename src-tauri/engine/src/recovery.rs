//! What a crash cut off is finished at the start, or as soon as the keychain opens.
//!
//! The keychain is the authority: it is written before the database. An item that carries an open intent's generation
//! means that only the database's step is missing. Any other means that the answer, if there was one, is lost: the old
//! token is tried at once, because many providers allow a grace period.

use relink_domain::{
    AccountId,
    account::{Account, Attempt, Credential, Input, Renewing},
};
use uuid::Uuid;

use crate::{
    Engine,
    engine::held,
    error::Result,
    flight::Reason,
    store::{accounts, links},
    vault::{Item, Key},
};

/// Finishes what can be finished and plans the rest.
pub(crate) async fn run(engine: &Engine) -> Result<()> {
    engine.plan().await?;
    for account in engine.0.store.read(accounts::unfinished).await? {
        let engine = engine.clone();
        engine.clone().spawn_until_stop(async move {
            engine.keychain_opens().await;
            if let Err(error) = engine.finish(&account).await {
                tracing::info!(account = %account.id(), code = error.code(), "taken up after a crash: {error}");
            }
        });
    }
    let sweeper = engine.clone();
    engine.spawn_until_stop(async move {
        sweeper.keychain_opens().await;
        if let Err(error) = sweeper.sweep().await {
            tracing::warn!(code = error.code(), "stray keychain items stay until the next start: {error}");
        }
    });
    Ok(())
}

impl Engine {
    /// Returns once the keychain answers, however long that takes.
    async fn keychain_opens(&self) {
        let nobodys = Key::Account(AccountId::from_uuid(Uuid::nil()));
        while self.0.vault.get(&nobodys).await.is_err() {
            self.0.vault.available().await;
        }
    }

    async fn finish(&self, account: &Account) -> Result<()> {
        match account.life.credential() {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. }) => {
                self.fly(account.id(), Reason::Due, false).await.map(drop)
            }
            Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => {
                let lock = self.lock_of(account.id());
                let _guard = lock.lock().await;
                let item = self.0.vault.get(&Key::Account(account.id())).await?.unwrap_or_default();
                self.settle(self.load(account.id()).await?, &item).await.map(drop)
            }
        }
    }

    /// Under the account's lock: what the keychain shows to be done already is committed; a replacement that never got
    /// there is dropped. An open refresh that never got there stays open, for the caller to take up.
    pub(crate) async fn settle(&self, account: Account, item: &Item) -> Result<Account> {
        let id = account.id();
        if let Some(replacement) = &account.replacement {
            let generation = replacement.generation;
            if item.generation != generation {
                return Ok(self.commit(id, Input::ReplacementLost { generation }).await?.account);
            }
            let (link, now) = (item.noted_link(), self.now());
            let step = self
                .commit_with(id, Input::Replaced { generation }, move |tx, _| {
                    link.map_or(Ok(true), |link| links::use_up(tx, link, now)).map(drop)
                })
                .await?;
            return Ok(step.account);
        }
        match account.life.credential() {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, lease, .. })
                if item.generation == *generation =>
            {
                let lease = item.noted_lease().unwrap_or(*lease);
                let input = Input::Refreshed { generation: *generation, lease, rotated: true };
                Ok(self.commit(id, input).await?.account)
            }
            Credential::Renewing(_) | Credential::Fixed(_) => Ok(account),
        }
    }

    /// Notes a keychain item as a stray before it is written: if the process dies before it belongs to something, it is
    /// swept. Until the guard is dropped, it isn't.
    pub(crate) async fn make_item(&self, key: Key) -> Result<InTheMaking<'_>> {
        held(&self.0.in_the_making).insert(key);
        let guard = InTheMaking { engine: self, key };
        let (name, now) = (key.to_string(), self.now());
        self.0.store.write(move |tx| accounts::stray(tx, &name, now)).await?;
        Ok(guard)
    }

    /// Deletes keychain items that belong to nothing.
    pub(crate) async fn sweep(&self) -> Result<()> {
        for name in self.0.store.read(accounts::strays).await? {
            if let Some(key) = Key::parse(&name) {
                // In this order: whoever has made it commits first and leaves the making afterwards. So what is not being
                // made and is noted still belongs to nothing.
                let being_made = held(&self.0.in_the_making).contains(&key);
                let wanted = name.clone();
                if being_made || !self.0.store.read(move |c| accounts::is_stray(c, &wanted)).await? {
                    continue;
                }
                self.0.vault.delete(&key).await?;
            }
            self.0.store.write(move |tx| accounts::not_stray(tx, &name)).await?;
        }
        Ok(())
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
