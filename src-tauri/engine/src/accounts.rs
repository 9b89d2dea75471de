//! Accounts, as surfaces see and change them.

use std::{collections::hash_map::Entry, sync::Arc};

use relink_domain::{
    AccountId, Secret,
    account::{Account, CallOutcome, Credential, Input, Rejected, TimelineEvent},
    event::EventKind,
    failure::{Cause, Failure},
    schedule::TokenLifetime,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    AccountView, Engine, Error,
    engine::{AccessToken, USED_WITHIN_MILLIS, held},
    error::Result,
    in_flight::Reason,
    keychain::{Item, Key, KeychainError},
    provider::{CallCredentials, Probed, Provider, no_credentials},
    refresh::ACCESS_TOKEN,
    store::{accounts, orphans, outbox, timeline},
    wire,
};

/// What a check found.
#[derive(Debug)]
pub struct CheckReport {
    /// What the provider said.
    pub outcome: CheckOutcome,
    /// The account after it.
    pub account: AccountView,
}

/// What the provider said to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// A call was accepted.
    Accepted,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// It could not be found out.
    Inconclusive,
    /// The integration has no call to check with.
    NoProbe,
}

/// A call that was made to see whether an account works.
struct Call {
    probed: Probed,
    /// Of the credential that it was made with.
    generation: u64,
    /// The access token that it was made with, if another can be fetched.
    renewable: Option<Secret>,
}

/// The longest name of an account, in characters.
const LONGEST_NAME: usize = 200;

impl Engine {
    /// Truto's view of an account.
    pub fn wire(&self, view: &AccountView) -> Value {
        wire::account(&view.account, self.0.environment, &view.installed)
    }

    /// What a program signs its calls with: a fresh access token, or the key.
    pub async fn access_token(&self, id: AccountId) -> Result<AccessToken> {
        // Only what is renewed is held. A program may ask before each of its calls: no look into the store is in its way.
        if let Some(token) = self.fresh_at_hand(id) {
            self.note_use(id);
            return Ok(token);
        }
        let account = self.load(id).await?;
        let token = match account.state.credential() {
            Credential::Renewing(_) => {
                self.obey_retry_after(&account).await?;
                self.fresh_token(id).await?
            }
            Credential::Fixed(fixed) => {
                let item = self.item_of(&account).await?;
                let Some((name, secret)) = item.secrets.into_iter().next() else {
                    let failure = Failure::new(Cause::CredentialMissing);
                    return Err(Error::provider(failure, &self.account(id).await?.label, None));
                };
                tracing::debug!(account = %id, secret = name, "given to a caller");
                let issued_at = account.profile.updated_at;
                AccessToken { token: secret, lifetime: TokenLifetime { issued_at, expires_at: fixed.expires_at } }
            }
        };
        self.note_use(id);
        Ok(token)
    }

    /// A program that asks again and again must not turn a provider's `Retry-After` into a storm, whichever account it was
    /// said for. What a person asks for ([`Engine::refresh`]) is tried all the same.
    async fn obey_retry_after(&self, account: &Account) -> Result<()> {
        if self.fresh_at_hand(account.id()).is_some() {
            return Ok(());
        }
        let provider = self.provider(account.profile.environment_integration_id).await?;
        let now = self.now();
        let said_before = account.state.trouble().filter(|trouble| trouble.failure.retry_after_secs.is_some());
        let own = said_before.and_then(|trouble| trouble.next_try).filter(|next| *next > now);
        let Some(until) = own.max(self.closed_until(&provider)) else { return Ok(()) };
        let wait = u32::try_from(until.millis_since(now).max(0) / 1000 + 1).unwrap_or(u32::MAX);
        let failure = said_before.map_or(Failure::new(Cause::RateLimited), |trouble| trouble.failure.clone());
        Err(Error::provider(Failure { retry_after_secs: Some(wait), ..failure }, provider.label(), Some(until)))
    }

    /// Refreshes because somebody asked: it is always tried, and its failure is always reported.
    pub async fn refresh(&self, id: AccountId) -> Result<AccountView> {
        self.fly(id, Reason::Asked, false).await?;
        self.account(id).await
    }

    /// Makes the integration's probe call. With a refresh token behind it, a 401 is met by one refresh and one more try.
    pub async fn check(&self, id: AccountId) -> Result<CheckReport> {
        let account = self.load(id).await?;
        let provider = self.provider(account.profile.environment_integration_id).await?;
        let mut call = self.probe_account(&account, &provider).await?;
        if let (Probed::Unauthorized, Some(refused)) = (&call.probed, &call.renewable) {
            self.drop_refused(id, refused);
            call = self.probe_account(&account, &provider).await?;
        }
        let (outcome, answer) = match call.probed {
            Probed::Works(_) => (CheckOutcome::Accepted, Some(CallOutcome::Accepted)),
            Probed::Unauthorized => (CheckOutcome::Unauthorized, Some(CallOutcome::Unauthorized)),
            Probed::Forbidden => (CheckOutcome::Forbidden, Some(CallOutcome::Forbidden)),
            Probed::Inconclusive(failure) => (CheckOutcome::Inconclusive, Some(CallOutcome::Inconclusive(failure))),
            Probed::NoProbe => (CheckOutcome::NoProbe, None),
        };
        if let Some(answer) = answer {
            let lock = self.lock_of(id);
            let _guard = lock.lock().await;
            match self.commit(id, Input::CallAnswered { generation: call.generation, outcome: answer }).await {
                // Made with credentials that were replaced meanwhile, it says nothing of the present ones.
                Ok(_) | Err(Error::Rejected(Rejected::Stale { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(CheckReport { outcome, account: self.account(id).await? })
    }

    async fn probe_account(&self, account: &Account, provider: &Provider) -> Result<Call> {
        let id = account.id();
        let (renewable, item, generation) = match account.state.credential() {
            Credential::Renewing(_) => {
                let (token, generation) = self.fresh_token_and_generation(id).await?;
                (Some(token), Item::default(), generation)
            }
            Credential::Fixed(fixed) => (None, self.item_of(account).await?, fixed.generation),
        };
        let Item { mut secrets, .. } = item;
        let kept = secrets.remove(ACCESS_TOKEN);
        let credentials = CallCredentials {
            method: account.method(),
            access_token: renewable.as_ref().or(kept.as_ref()),
            fields: &secrets,
            context: &account.profile.context,
        };
        let probed = self.probe(provider, &credentials, None).await?;
        Ok(Call { probed, generation, renewable })
    }

    /// A fresh access token and the generation of the credential that it came from.
    async fn fresh_token_and_generation(&self, id: AccountId) -> Result<(Secret, u64)> {
        loop {
            let token = self.fresh_token(id).await?.token;
            let generation = self.load(id).await?.state.credential().generation();
            // A refresh puts its token in place before it commits its generation: still in place, it is not newer.
            if self.held_token(id).is_some_and(|held| held.token == token) {
                return Ok((token, generation));
            }
        }
    }

    /// The keychain item of an account whose credential stays as it is. One that the person removed, or that can't be read,
    /// is an account that needs them.
    async fn item_of(&self, account: &Account) -> Result<Item> {
        let id = account.id();
        if account.replacement.is_none()
            && let Ok(item) = self.look_for_item(id).await?
        {
            return Ok(item);
        }
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let found = self.look_for_item(id).await?;
        // A reauthorization may have put it there meanwhile, or have left open whether it did.
        let none = Item::default();
        self.reconcile(self.load(id).await?, found.as_ref().unwrap_or(&none)).await?;
        let failure = match found {
            Ok(item) => return Ok(item),
            Err(cause) => Failure::new(cause),
        };
        let input = Input::CredentialGone { failure: failure.clone() };
        self.commit(id, input).await?;
        Err(Error::provider(failure, &self.account(id).await?.label, None))
    }

    /// An account's keychain item, or why there is none to use.
    async fn look_for_item(&self, id: AccountId) -> Result<Result<Item, Cause>> {
        match self.0.keychain.get(&Key::Account(id)).await {
            Ok(item) => Ok(item.ok_or(Cause::CredentialMissing)),
            Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => Ok(Err(Cause::CredentialDamaged)),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that an account was used, to the minute: beside the call, never in its way.
    fn note_use(&self, id: AccountId) {
        let now = self.now();
        match held(&self.0.used).entry(id) {
            Entry::Occupied(last) if now.millis_since(*last.get()).abs() < USED_WITHIN_MILLIS => return,
            entry => entry.insert_entry(now),
        };
        let engine = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = engine.0.store.write(move |tx| accounts::mark_used(tx, id, now)).await {
                tracing::warn!(account = %id, "its use could not be noted: {error}");
            }
        });
    }

    /// Gives an account another name.
    pub async fn rename(&self, id: AccountId, name: String) -> Result<AccountView> {
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(char::is_control) {
            let message = format!("A name must have 1 to {LONGEST_NAME} characters, on one line.");
            return Err(Error::invalid_field("name_invalid", "name", message));
        }
        self.commit(id, Input::Rename { name }).await?;
        self.relabel_when_it_opens(id);
        self.account(id).await
    }

    /// A person finds an account's item in the keychain's own app by the account's name. Nobody waits for that.
    fn relabel_when_it_opens(&self, id: AccountId) {
        let engine = self.clone();
        self.spawn_until_stop(async move {
            engine.keychain_opens().await;
            if let Err(error) = engine.relabel(id).await {
                tracing::info!(account = %id, code = error.code(), "its keychain item keeps its old label: {error}");
            }
        });
    }

    async fn relabel(&self, id: AccountId) -> Result<()> {
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let account = self.load(id).await?;
        let provider = self.provider(account.profile.environment_integration_id).await?;
        let Some(item) = self.0.keychain.get(&Key::Account(id)).await? else { return Ok(()) };
        Ok(self.0.keychain.set(&Key::Account(id), &provider.item_label(&account.profile.name), &item).await?)
    }

    /// Merges an account's context, one level deep. Credentials can't be touched this way.
    pub async fn merge_context(&self, id: AccountId, context: Map<String, Value>) -> Result<AccountView> {
        let account = self.load(id).await?;
        // A definition that can't be read any more names no fields; what is always a credential is known without it.
        let provider = self.provider(account.profile.environment_integration_id).await.ok();
        no_credentials(&context, provider.as_slice())?;
        self.commit(id, Input::MergeContext { context }).await?;
        self.account(id).await
    }

    /// Deletes an account: tells the provider to revoke its tokens where it offers that, forgets the secrets, and tells.
    pub async fn delete_account(&self, id: AccountId) -> Result<()> {
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let view = self.account(id).await?;
        let provider = Provider::of(Arc::unwrap_or_clone(view.installed)).ok();
        // A keychain that is locked now must not keep a person from deleting: the item is swept later.
        let item = self.0.keychain.get(&Key::Account(id)).await.ok().flatten();
        let revoked = match (&provider, &item) {
            (Some(provider), Some(item)) => self.revoke(provider, item).await,
            (Some(_) | None, Some(_) | None) => None,
        };
        let timeline_event = TimelineEvent::Deleted { name: view.account.profile.name, revoked };
        let (now, key, engine) = (self.now(), Key::Account(id).to_string(), self.clone());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            accounts::delete(tx, id)?;
            orphans::note(tx, &key, now)?;
            timeline::add(tx, Some(id), now, &timeline_event)?;
            let payload = json!({ "id": id });
            outbox::enqueue_event(tx, EventKind::AccountDeleted, Some(&id.to_string()), &payload, now).map(drop)
        };
        // With the commit, whether or not the caller is still there: nobody gets its token any more.
        self.0.store.write_then(write, move |()| engine.forget(id)).await?;
        if let Err(error) = self.sweep().await {
            tracing::info!(account = %id, code = error.code(), "its keychain item is removed later: {error}");
        }
        Ok(())
    }
}
