//! Saves a flow's result: first to the keychain, then the account, in one transaction with the link's use and the
//! events.

use std::{ops::ControlFlow, sync::Arc};

use relink_contract::connect::{FlowOutcome, FlowStep};
use relink_domain::{
    AccountId,
    account::{Account, AccountState, ConnectStep, Input, Profile, Replacement, Transition},
    link::{LinkError, Purpose},
    origins::Origins,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Connections,
    complete::outcome_of,
    flow::{Flow, Phase},
    staged::Staged,
    view::FlowFailure,
};
use crate::{
    crash::CrashPoint,
    error::{Error, Result},
    keychain::{Item, Key, KeychainError},
    provider::{Revoked, revoke},
    random::jitter,
    store::{accounts, integrations, links, orphans},
};

impl Connections {
    /// Saves the new credentials: as a replacement, or as a new account.
    pub(super) async fn save(
        &self,
        flow: &Arc<Flow>,
        account: Option<Account>,
        staged: Staged,
        as_second: bool,
    ) -> Result<FlowOutcome, FlowFailure> {
        flow.set(Phase::Working(FlowStep::Saving));
        let (unused, context) = (staged.item.clone(), staged.granted.context.clone());
        let saved = match account {
            Some(account) if !as_second => Box::pin(self.save_replacement(flow, account.id(), staged)).await,
            Some(account) => Box::pin(self.save_new(flow, &account.profile.tenant_id, staged)).await,
            None => match &flow.purpose {
                Purpose::Connect { tenant_id } => Box::pin(self.save_new(flow, tenant_id, staged)).await,
                Purpose::Reauthorize { account_id } => Err(Error::not_found("account", account_id)),
            },
        };
        let saved = match saved {
            Ok(saved) => saved,
            Err(error) => {
                if self.is_removed(flow) {
                    self.revoke_unused(flow, &unused, &context).await;
                }
                return Err(FlowFailure::of_error(&error));
            }
        };
        // The integration may have been changed since the flow began. The account then says so.
        if let Err(error) = self.0.uses.accounts.provider_for(&saved).await {
            tracing::info!(account = %saved.id(), code = error.code(), "connected, but not usable: {error}");
        }
        let saved = self.run_steps(flow, saved).await?;
        let reauthorized = flow.account_to_reauthorize() == Some(saved.id());
        let form_token = self.form_after(flow, &saved).await;
        Ok(FlowOutcome { form_token, ..outcome_of(&saved, flow, reauthorized) })
    }

    /// Waits for the integration's steps, which have begun with the commit. A program sees their end by the account.
    async fn run_steps(&self, flow: &Flow, saved: Account) -> Result<Account, FlowFailure> {
        if flow.link.is_none() || !matches!(saved.state, AccountState::Connecting { .. }) {
            return Ok(saved);
        }
        flow.set(Phase::Working(FlowStep::Onboarding));
        let onboarding = &self.0.uses.onboarding;
        let ended = onboarding.wait(saved.id()).await.map_err(|error| FlowFailure::of_error(&error))?;
        match onboarding.error_of(&ended) {
            None => Ok(ended),
            Some(error) => Err(FlowFailure::of_steps(&error, ended.id())),
        }
    }

    /// Revokes the tokens of a sign-in that isn't saved, if the provider supports that. Those that a program gave are its own.
    pub(super) async fn revoke_unused(&self, flow: &Flow, item: &Item, context: &Map<String, Value>) {
        if flow.link.is_none() {
            return;
        }
        let revoked = match self.0.uses.providers.client_secret(&flow.provider).await {
            Ok(secret) => revoke(&self.0.uses.outbound, &flow.provider, secret, item, context).await,
            Err(_) => Revoked::Unreachable,
        };
        if matches!(revoked, Revoked::Refused | Revoked::Unreachable) {
            tracing::info!(flow = %flow.id, "the provider did not take back the unused sign-in");
        }
    }

    /// Saves a new account. Its keychain item is noted as an orphan before it is written and claimed in the account's
    /// own transaction, so an item that a crash left behind is swept.
    pub(super) async fn save_new(&self, flow: &Flow, tenant_id: &str, staged: Staged) -> Result<Account> {
        let uses = &self.0.uses;
        let id = AccountId::from_uuid(Uuid::now_v7());
        let (key, now) = (Key::Account(id), self.now());
        let profile = self.new_profile(flow, id, tenant_id, &staged);
        let being_written = uses.orphans.note_before_writing(key).await?;
        let mut item = staged.item;
        item.generation = Account::FIRST_GENERATION;
        uses.keychain.set(&key, &flow.provider.item_label(&profile.name), &item).await?;
        CrashPoint::ConnectKept.here(&(&item, &staged.access)).await;

        let created = Account::connect(profile, &staged.granted, now);
        let input = first_step(flow).map_or(Input::StepsPassed, |first| Input::BeginSteps { first });
        let active = created.account.clone().apply(input, now, jitter())?;
        let account = active.account;
        let changes = [
            uses.accounts.change(&flow.caller, &created)?,
            uses.accounts.change(&flow.caller, &Transition { account: account.clone(), ..active })?,
        ];
        let (link, name, integration) = (flow.link, key.to_string(), flow.provider.id());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if integrations::installed(tx, integration)?.is_none() {
                return Ok(Err(Error::not_found("installed integration", &integration)));
            }
            if let Some(link) = link
                && let Err(refused) = links::use_up(tx, link, now)?
            {
                return Ok(Err(refused.into()));
            }
            for change in &changes {
                accounts::commit(tx, change)?;
            }
            orphans::claim(tx, &name)?;
            Ok(Ok(()))
        };
        let (access, connections, saved_account) = (staged.access, self.clone(), account.clone());
        let then = move |saved: &Result<()>| {
            if saved.is_ok() {
                if let Some(access) = access {
                    connections.0.uses.tokens.insert(id, access);
                }
                connections.0.uses.accounts.created(&saved_account);
            }
        };
        let saved = uses.store.write_then(write, then).await?;
        drop(being_written);
        if let Err(refused) = saved {
            uses.orphans.sweep().await?;
            return Err(refused);
        }
        Ok(account)
    }

    fn new_profile(&self, flow: &Flow, id: AccountId, tenant_id: &str, staged: &Staged) -> Profile {
        let (provider, now) = (&flow.provider, self.now());
        let identity = staged.granted.identity.as_ref().map(|identity| identity.label.clone());
        Profile {
            id,
            tenant_id: tenant_id.to_owned(),
            environment_integration_id: provider.id(),
            integration: provider.name().to_owned(),
            name: identity.unwrap_or_else(|| tenant_id.to_owned()),
            is_sandbox: provider.definition.is_sandbox(),
            region: flow.options.region.clone(),
            context: Map::new(),
            identity: None,
            scopes: Vec::new(),
            requested_scopes: None,
            origins: Origins::default(),
            settings: relink_domain::account::Settings::default(),
            last_error: None,
            answers_as_another: None,
            last_forbidden_error: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Replaces an account's credentials. The intent is committed before the keychain is written, so that the next
    /// start can finish what a crash interrupted. The old credentials are untouched until the keychain is written.
    pub(super) async fn save_replacement(&self, flow: &Flow, id: AccountId, staged: Staged) -> Result<Account> {
        let uses = &self.0.uses;
        let key = Key::Account(id);
        let lock = uses.accounts.lock_of(id);
        let _guard = lock.lock().await;
        let present = match uses.keychain.get(&key).await {
            Ok(item) => item.unwrap_or_default(),
            // A damaged item can only be replaced.
            Err(KeychainError::Damaged { .. }) => Item::default(),
            Err(error) => return Err(error.into()),
        };
        // First finish what a crash or a locked keychain left open: its result may be in the keychain.
        uses.accounts.reconcile(uses.accounts.load(id).await?, &present).await?;
        let account = self.begin_replacement(flow, id, &staged).await?;
        let Some(replacement) = &account.replacement else { return Err(Error::Stopping) };
        let generation = replacement.generation;
        CrashPoint::ReplaceIntent.here(&(&staged.item, &staged.access)).await;
        let staged_origins = staged.granted.origins.clone();
        let mut item = Item { generation, ..staged.item };
        let goes_on = account.profile.origins.moved_to(&staged_origins, flow.provider.moved_from()).is_none();
        if flow.options.persist_previous_context && goes_on {
            // They stay with the values that the form's other fields have in the context, but are for the addresses that they were
            // given for.
            let kept = flow.provider.definition.form_passwords().filter_map(|name| present.secrets.get_key_value(name));
            let kept: Vec<_> = kept.map(|(name, secret)| (name.clone(), secret.clone())).collect();
            for (name, secret) in kept {
                item.secrets.entry(name).or_insert(secret);
            }
        }
        let label = flow.provider.item_label(&account.profile.name);
        if let Err(error) = uses.keychain.set(&key, &label, &item).await {
            self.after_failed_write(&account, replacement, error).await?;
        }
        CrashPoint::ReplaceKept.here(&(&item, &staged.access)).await;
        // The old access token belongs to the old sign-in.
        uses.tokens.remove(id);
        if let Some(access) = staged.access {
            uses.tokens.insert(id, access);
        }
        match uses.accounts.commit(&flow.caller, id, Input::Replaced { generation }).await {
            Ok(committed) => Ok(committed.account),
            Err(error) => {
                // The new credentials are in the keychain, so `Recovery` commits the account later.
                uses.unfinished.add(id);
                Err(error)
            }
        }
    }

    /// Uses up the link in the same transaction as the intent: if two flows of one link end at the same time, the
    /// second is refused before it changes anything.
    async fn begin_replacement(&self, flow: &Flow, id: AccountId, staged: &Staged) -> Result<Account> {
        let (uses, link, now) = (&self.0.uses, flow.link, self.now());
        let use_link = move |tx: &rusqlite::Transaction<'_>| {
            let used_up = link.map_or(Ok(Ok(())), |link| links::use_up(tx, link, now))?;
            Ok(if used_up.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        let input = Input::BeginReplacement { granted: staged.granted.clone(), link, first_step: first_step(flow) };
        let begun = uses.accounts.commit_with(&flow.caller, id, input, use_link).await?;
        if let Some(begun) = begun {
            return Ok(begun.account);
        }
        let Some(link) = link else { return Err(Error::Stopping) };
        let refused = uses.store.read(move |c| links::get(c, link)).await?;
        let refused = refused.ok_or(LinkError::Unknown).and_then(|link| link.usable(now)).err();
        Err(refused.unwrap_or(LinkError::Used).into())
    }

    /// A write that failed may still have been carried out, or may be carried out later, so the keychain's content
    /// decides. While it can't be read, the replacement stays open.
    async fn after_failed_write(
        &self,
        account: &Account,
        replacement: &Replacement,
        error: KeychainError,
    ) -> Result<()> {
        let uses = &self.0.uses;
        match uses.keychain.get(&Key::Account(account.id())).await {
            Ok(Some(item)) if item.generation == replacement.generation => return Ok(()),
            Ok(_) => drop(uses.accounts.lose_replacement(account, replacement).await?),
            Err(_) => uses.unfinished.add(account.id()),
        }
        Err(error.into())
    }
}

/// The connect step that follows the sign-in.
fn first_step(flow: &Flow) -> Option<ConnectStep> {
    flow.provider.definition.actions().first_connect_step()
}
