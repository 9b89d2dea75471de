//! Commits the changes of accounts. An account changes in no other way.

use std::ops::ControlFlow;

use relink_domain::{
    AccountId,
    account::{Account, AccountState, DeferReason, Input, Transition},
    caller::Caller,
};
use rusqlite::Transaction;

use super::Accounts;
use crate::{
    error::{Error, Result},
    random::jitter,
    store::{
        self,
        accounts::{self, Change, Stored},
    },
    wire,
};

/// The result of one attempt to commit.
enum Attempt {
    Committed(Box<Transition>),
    /// The `extra` of [`Accounts::commit_with`] broke off.
    Refused,
    /// The account was changed after it was read.
    Outdated,
}

impl Accounts {
    /// Reads the account, applies the input and commits the transition.
    pub(crate) async fn commit(&self, caller: &Caller, id: AccountId, input: Input) -> Result<Transition> {
        let committed = self.commit_with(caller, id, input, |_| Ok(ControlFlow::Continue(()))).await?;
        committed.ok_or(Error::Stopping)
    }

    /// Like [`Accounts::commit`], but runs `extra` in the same transaction before the account is written. If `extra`
    /// breaks off (it must not have written anything), nothing is committed: `None`.
    pub(crate) async fn commit_with(
        &self,
        caller: &Caller,
        id: AccountId,
        input: Input,
        extra: impl Fn(&Transaction<'_>) -> store::Result<ControlFlow<()>> + Clone + Send + 'static,
    ) -> Result<Option<Transition>> {
        loop {
            let stored = self.0.uses.store.read(move |c| accounts::get_stored(c, id)).await?;
            let Stored { account, document } = stored.ok_or_else(|| Error::not_found("account", &id))?;
            let was_connecting = matches!(account.state, AccountState::Connecting { .. });
            let step = account.apply(input.clone(), self.0.uses.clock.now(), jitter())?;
            let change = self.change(caller, &step)?;
            let extra = extra.clone();
            let write = move |tx: &Transaction<'_>| {
                if !accounts::is_current(tx, id, &document)? {
                    return Ok(Attempt::Outdated);
                }
                if extra(tx)?.is_break() {
                    return Ok(Attempt::Refused);
                }
                accounts::commit(tx, &change)?;
                Ok(Attempt::Committed(Box::new(step)))
            };
            let accounts = self.clone();
            let waits_for = match input {
                Input::Defer { why } => Some(why),
                _ => None,
            };
            let follow = move |attempt: &Attempt| {
                if let Attempt::Committed(step) = attempt {
                    accounts.0.uses.tokens.committed(&step.account);
                    accounts.0.names.set(&step.account);
                    if step.account.has_moved() {
                        accounts.0.uses.tokens.remove(id);
                    }
                    accounts.plan(&step.account, waits_for);
                    if !was_connecting {
                        accounts.run_steps_of(&step.account);
                    }
                }
            };
            match self.0.uses.store.write_then(write, follow).await? {
                Attempt::Committed(step) => return Ok(Some(*step)),
                Attempt::Refused => return Ok(None),
                Attempt::Outdated => {}
            }
        }
    }

    /// Serializes what a transition changes: the account, its timeline entries and its events.
    pub(crate) fn change(&self, caller: &Caller, step: &Transition) -> Result<Change> {
        let payload = if step.events.is_empty() {
            None
        } else {
            let installed = self.installed_of(&step.account)?;
            Some(wire::integrated_account(&step.account, self.0.uses.ids, &installed))
        };
        Ok(Change::of(step, caller, payload.as_ref(), self.0.uses.clock.now(), jitter())?)
    }

    /// Schedules what the account's new state requires; nothing if its integration's definition can't be used.
    pub(crate) fn plan(&self, account: &Account, waits_for: Option<DeferReason>) {
        let schedule = &self.0.uses.schedule;
        match waits_for {
            Some(reason) => schedule.defer(account.id(), reason),
            None if self.0.uses.providers.of(account).is_err() => {
                schedule.set(account.id(), None);
            }
            None => schedule.plan(account, self.0.uses.clock.now()),
        }
    }

    /// Defers a due refresh until the reason no longer applies.
    pub(crate) async fn defer(&self, caller: &Caller, id: AccountId, why: DeferReason) -> Result<()> {
        self.commit(caller, id, Input::Defer { why }).await?;
        tracing::info!(account = %id, ?why, "deferred");
        Ok(())
    }

    /// Waits until what changes the account's credentials has ended.
    pub(crate) async fn wait_for_replacement(&self, id: AccountId) {
        let lock = self.lock_of(id);
        drop(lock.lock().await);
    }

    pub(crate) async fn load(&self, id: AccountId) -> Result<Account> {
        let account = self.0.uses.store.read(move |c| accounts::get(c, id)).await?;
        account.ok_or_else(|| Error::not_found("account", &id))
    }
}
