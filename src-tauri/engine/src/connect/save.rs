//! A flow's end: the keychain first, then the account, in one transaction with the link's use and the events.

use relink_domain::{
    AccountId, LinkTokenId,
    account::{Account, Input, Profile},
    link::{LinkRefused, LinkToken},
};
use uuid::Uuid;

use super::{Flow, complete::Staged};
use crate::{
    Engine, Error,
    crash::CrashPoint,
    engine::jitter,
    error::Result,
    store::{accounts, links},
    vault::{Item, Key},
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
            region: flow.link.wishes.region.clone(),
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
        self.0.vault.set(&key, &provider.item_label(&profile.name), &item).await?;
        CrashPoint::ConnectKept.here(&(&item, &staged.access)).await;

        let created = Account::connect(profile, &staged.granted, now);
        let active = created.account.clone().apply(Input::StepsPassed, now, jitter())?;
        let due = active.account.due(jitter());
        let account = active.account.clone();
        let (link, name) = (flow.link.id, key.to_string());
        let saved = self
            .0
            .store
            .write(move |tx| {
                if !links::use_up(tx, link, now)? {
                    return Ok(false);
                }
                accounts::commit(tx, &created, now, jitter())?;
                accounts::commit(tx, &active, now, jitter())?;
                accounts::not_stray(tx, &name)?;
                Ok(true)
            })
            .await?;
        drop(making);
        if !saved {
            self.sweep().await?;
            return Err(LinkRefused::Used.into());
        }
        if let Some(access) = staged.access {
            self.hold_token(id, access);
        }
        self.0.agenda.set(id, due);
        Ok(account)
    }

    /// New credentials in the old ones' place. The intent is committed before the keychain is written, so that a crash in
    /// between is finished at the next start; until then the old ones are untouched.
    pub(super) async fn save_replacement(&self, flow: &Flow, id: AccountId, staged: Staged) -> Result<Account> {
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        self.link_is_unused(&flow.link).await?;
        let begun = self.commit(id, Input::BeginReplacement { granted: staged.granted.clone() }).await?;
        let Some(generation) = begun.account.replacement.as_ref().map(|replacement| replacement.generation) else {
            return Err(Error::Stopping);
        };
        CrashPoint::ReplaceIntent.here(&staged).await;
        let mut item = staged.item;
        item.generation = generation;
        item.note_link(flow.link.id);
        let label = flow.provider.item_label(&begun.account.profile.name);
        if let Err(error) = self.0.vault.set(&Key::Account(id), &label, &item).await {
            self.commit(id, Input::ReplacementLost { generation }).await?;
            return Err(error.into());
        }
        CrashPoint::ReplaceKept.here(&(&item, &staged.access)).await;
        let (link, now) = (flow.link.id, self.now());
        // The old access token belongs to the old sign-in.
        self.drop_token(id);
        if let Some(access) = staged.access {
            self.hold_token(id, access);
        }
        let step = self
            .commit_with(id, Input::Replaced { generation }, move |tx, _| links::use_up(tx, link, now).map(drop))
            .await?;
        Ok(step.account)
    }

    async fn link_is_unused(&self, link: &LinkToken) -> Result<()> {
        let id = link.id;
        let used = self.0.store.read(move |c| links::is_used(c, id)).await?;
        if used { Err(LinkRefused::Used.into()) } else { Ok(()) }
    }
}

impl Item {
    /// Notes the link that asked for a replacement: a crash right after still uses it up.
    fn note_link(&mut self, link: LinkTokenId) {
        self.notes.insert("link_token_id".into(), link.to_string().into());
    }

    /// What [`Item::note_link`] noted.
    pub(crate) fn noted_link(&self) -> Option<LinkTokenId> {
        self.notes.get("link_token_id")?.as_str()?.parse().ok()
    }
}
