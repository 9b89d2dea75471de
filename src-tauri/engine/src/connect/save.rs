//! A flow's end: the keychain first, then the account, in one transaction with the link's use and the events.

use relink_domain::{
    AccountId,
    account::{Account, Granted, Input, Profile, Replacement, Transition},
    link::LinkError,
};
use uuid::Uuid;

use super::{Flow, complete::Staged};
use crate::{
    Engine, Error,
    crash::CrashPoint,
    engine::jitter,
    error::Result,
    keychain::{Item, Key, KeychainError},
    store::{accounts, links, orphans},
};

impl Engine {
    /// A new account. Its keychain item is noted as a stray before it is written, and belongs to the account with the
    /// account's own commit: a crash in between leaves nothing that isn't swept.
    pub(super) async fn save_new(&self, flow: &Flow, tenant_id: &str, staged: Staged) -> Result<Account> {
        let provider = &flow.provider;
        let id = AccountId::from_uuid(Uuid::now_v7());
        let key = Key::Account(id);
        let now = self.now();
        let identity = staged.granted.identity.as_ref().map(|identity| identity.label.clone());
        let profile = Profile {
            id,
            tenant_id: tenant_id.to_owned(),
            environment_integration_id: provider.id(),
            integration: provider.name().to_owned(),
            name: identity.unwrap_or_else(|| tenant_id.to_owned()),
            is_sandbox: provider.definition.is_sandbox(),
            region: flow.link.options.region.clone(),
            context: serde_json::Map::new(),
            identity: None,
            scopes: Vec::new(),
            last_error: None,
            last_forbidden_error: None,
            created_at: now,
            updated_at: now,
        };
        let making = self.make_item(key).await?;
        let mut item = staged.item;
        item.generation = Account::FIRST_GENERATION;
        self.0.keychain.set(&key, &provider.item_label(&profile.name), &item).await?;
        CrashPoint::ConnectKept.here(&(&item, &staged.access)).await;

        let created = Account::connect(profile, &staged.granted, now);
        let active = created.account.clone().apply(Input::StepsPassed, now, jitter())?;
        let due = active.account.due(jitter());
        let (account, engine) = (active.account.clone(), self.clone());
        let (link, name) = (flow.link.id, key.to_string());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if !links::use_up(tx, link, now)? {
                return Ok(false);
            }
            accounts::commit(tx, &created, now, jitter())?;
            accounts::commit(tx, &active, now, jitter())?;
            orphans::claim(tx, &name)?;
            Ok(true)
        };
        let access = staged.access;
        let begin_life = move |saved: &bool| {
            if *saved {
                if let Some(access) = access {
                    engine.hold_token(id, access);
                }
                engine.0.agenda.set(id, due);
            }
        };
        let saved = self.0.store.write_then(write, begin_life).await?;
        drop(making);
        if !saved {
            self.sweep().await?;
            return Err(LinkError::Used.into());
        }
        Ok(account)
    }

    /// New credentials in the old ones' place. The intent is committed before the keychain is written, so that a crash in
    /// between is finished at the next start; until then the old ones are untouched.
    pub(super) async fn save_replacement(&self, flow: &Flow, id: AccountId, staged: Staged) -> Result<Account> {
        let key = Key::Account(id);
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let present = match self.0.keychain.get(&key).await {
            Ok(item) => item.unwrap_or_default(),
            // Nothing can be lost that can't be read: the new sign-in is what mends it.
            Err(KeychainError::Damaged { .. }) => Item::default(),
            Err(error) => return Err(error.into()),
        };
        // What a crash or a keychain that was closed left open comes first: its answer may be in the keychain.
        self.reconcile(self.load(id).await?, &present).await?;
        let begun = self.begin_replacement(flow, id, staged.granted).await?;
        let Some(replacement) = &begun.account.replacement else { return Err(Error::Stopping) };
        let generation = replacement.generation;
        CrashPoint::ReplaceIntent.here(&(&staged.item, &staged.access)).await;
        let item = Item { generation, ..staged.item };
        let label = flow.provider.item_label(&begun.account.profile.name);
        if let Err(error) = self.0.keychain.set(&key, &label, &item).await {
            self.see_what_landed(id, replacement, error).await?;
        }
        CrashPoint::ReplaceKept.here(&(&item, &staged.access)).await;
        // The old access token belongs to the old sign-in.
        self.drop_token(id);
        if let Some(access) = staged.access {
            self.hold_token(id, access);
        }
        Ok(self.commit(id, Input::Replaced { generation }).await?.account)
    }

    /// The link's one success is claimed together with the intent: of two flows of one link that end at once, the second
    /// is refused before it has touched anything.
    async fn begin_replacement(&self, flow: &Flow, id: AccountId, granted: Granted) -> Result<Transition> {
        let (link, now) = (flow.link.id, self.now());
        self.0
            .store
            .write(move |tx| {
                let Some(account) = accounts::get(tx, id)? else { return Ok(Err(Error::not_found("account", &id))) };
                let step = match account.apply(Input::BeginReplacement { granted, link }, now, jitter()) {
                    Ok(step) => step,
                    Err(rejected) => return Ok(Err(rejected.into())),
                };
                if !links::use_up(tx, link, now)? {
                    return Ok(Err(LinkError::Used.into()));
                }
                accounts::commit(tx, &step, now, jitter())?;
                Ok(Ok(step))
            })
            .await?
    }

    /// A write that failed may have landed all the same, or may land yet: only what the keychain shows decides. While it
    /// shows nothing, the replacement stays open.
    async fn see_what_landed(&self, id: AccountId, replacement: &Replacement, error: KeychainError) -> Result<()> {
        match self.0.keychain.get(&Key::Account(id)).await {
            Ok(Some(item)) if item.generation == replacement.generation => return Ok(()),
            Ok(_) => drop(self.lose_replacement(id, replacement).await?),
            Err(_) => self.finish_when_it_opens(id),
        }
        Err(error.into())
    }
}
