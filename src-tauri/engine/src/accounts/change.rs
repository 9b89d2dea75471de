//! Changes that people and programs make to an account: rename, the mark of a sandbox account, and what the API changes.

use std::{ops::ControlFlow, sync::Arc};

use relink_domain::{
    AccountId,
    account::{Account, AccountChange, Input},
    caller::Caller,
    integration::{Definition, FORMATS},
    merge::merge,
    name::{self, MAX_TENANT_ID},
};
use rusqlite::Transaction;
use serde_json::{Map, Value};

use super::{AccountView, Accounts};
use crate::{
    error::{Error, Result},
    keychain::Key,
    provider::{SECRET_VARIABLES, check_override, drop_credentials_in_context, require_same_refresh_steps},
    store::{
        self, accounts,
        integrations::{self, Installed},
    },
};

/// How often a change is checked while what it is checked with changes.
const MAX_TRIES: u32 = 4;
/// The maximum length of an account's name, in characters.
const MAX_NAME: usize = 200;

impl Accounts {
    pub async fn rename(&self, caller: &Caller, id: AccountId, name: String) -> Result<AccountView> {
        let Some(name) = name::one_line(&name, MAX_NAME).map(str::to_owned) else {
            let message = format!("A name must have 1 to {MAX_NAME} characters, on one line.");
            return Err(Error::invalid_field("name_invalid", "name", message));
        };
        self.require(caller, id).await?;
        self.commit(caller, id, Input::Rename { name }).await?;
        self.relabel_in_background(id);
        self.view_of(id).await
    }

    /// Marks an account as a sandbox account, with which programs can only read, or takes the mark away. The account stays as it is.
    pub async fn mark_sandbox(&self, caller: &Caller, id: AccountId, is_sandbox: bool) -> Result<AccountView> {
        self.require(caller, id).await?;
        self.commit(caller, id, Input::MarkSandbox { is_sandbox }).await?;
        self.view_of(id).await
    }

    /// Updates the label by which a person finds the account's item in the system's keychain app. No caller waits for
    /// it.
    fn relabel_in_background(&self, id: AccountId) {
        let accounts = self.clone();
        self.0.uses.tasks.spawn_until_stop(async move {
            accounts.0.uses.keychain.opened().await;
            if let Err(error) = accounts.relabel(id).await {
                tracing::info!(account = %id, code = error.code(), "its keychain item keeps its old label: {error}");
            }
        });
    }

    async fn relabel(&self, id: AccountId) -> Result<()> {
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let account = self.load(id).await?;
        let provider = self.0.uses.providers.of(&account)?;
        let (key, keychain) = (Key::Account(id), &self.0.uses.keychain);
        let Some(item) = keychain.get(&key).await? else { return Ok(()) };
        Ok(keychain.set(&key, &provider.item_label(&account.profile.name), &item).await?)
    }

    /// Changes what programs may change of an account (contract section 3). Credentials in the context are ignored, and the
    /// override is checked strictly with the definition. If that changes an address, the account is marked.
    pub async fn update(&self, caller: &Caller, id: AccountId, mut change: AccountChange) -> Result<AccountView> {
        self.require(caller, id).await?;
        let has_new_override = !change.integration_override.is_empty();
        for _ in 0..MAX_TRIES {
            let Some(checked) = self.checked(caller, id, &mut change).await? else { return self.view_of(id).await };
            let input = Input::Change(Box::new(change.clone()));
            let is_current = move |tx: &Transaction<'_>| {
                Ok(if checked.is_current(tx)? { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            };
            if self.commit_with(caller, id, input, is_current).await?.is_none() {
                continue;
            }
            if has_new_override {
                Box::pin(self.follow_origins(id)).await?;
            }
            return self.view_of(id).await;
        }
        let message = "The account or its integration was changed at the same time. Nothing was changed. Do it again.";
        Err(Error::conflict("account_changed", message))
    }

    /// Checks a change, without the credentials in it. None if there is nothing to change.
    async fn checked(&self, caller: &Caller, id: AccountId, change: &mut AccountChange) -> Result<Option<Checked>> {
        let account = self.load(id).await?;
        let installed = self.installed_of(&account).ok();
        // Without a usable definition, only the keys that are always credentials are known.
        let provider = self.0.uses.providers.of(&account).ok();
        drop_credentials_in_context(&mut change.context, provider.as_deref());
        if change.is_empty() {
            return Ok(None);
        }
        let changed = change.clone().applied_to(account.profile.clone());
        if !name::is_line(&changed.tenant_id, MAX_TENANT_ID) {
            return Err(tenant_id_invalid());
        }
        let settings = &changed.settings;
        for (field, map) in [
            ("context", &changed.context),
            ("integration_override", &settings.integration_override),
            ("unified_model_override", &settings.unified_model_override),
        ] {
            name::check_context(map)
                .map_err(|fault| Error::invalid_field("context_invalid", field, fault.to_string()))?;
        }
        let mut in_force = None;
        if !change.integration_override.is_empty() && !settings.integration_override.is_empty() {
            let installed = installed.as_deref().ok_or_else(|| {
                Error::not_found("installed integration", &account.profile.environment_integration_id)
            })?;
            let definition = check_own_override(caller, installed, &account, &settings.integration_override)?;
            if settings.integration_override.contains_key("actions") {
                self.0.uses.runners.check_actions(&definition, OVERRIDE).await?;
            }
            in_force = Some(definition);
        }
        if !change.integration_override.is_empty() {
            let without = self.0.uses.providers.get(account.profile.environment_integration_id).ok();
            let after = in_force.as_ref().or_else(|| without.as_deref().map(|provider| &*provider.definition));
            let before = provider.as_deref().map(|provider| &*provider.definition);
            require_same_refresh_steps(caller, before, after)?;
        }
        Ok(Some(Checked { account, installed }))
    }
}

/// What errors call an account's own override.
const OVERRIDE: &str = "integration_override";

/// Strictly checks an account's own override, over that of its integration. What it makes of the definition.
fn check_own_override(
    caller: &Caller,
    installed: &Installed,
    account: &Account,
    own: &Map<String, Value>,
) -> Result<Definition> {
    let mut over = installed.r#override.clone();
    merge(&mut over, own);
    let mut checked = check_override(caller, installed, &over, OVERRIDE)?;
    let has_client_secret = FORMATS.into_iter().any(|format| checked.client_secrets.take(format).is_some());
    if has_client_secret || own.contains_key(SECRET_VARIABLES) {
        let message = "The override of an account holds no secrets. Set them in the override of its environment integration, \
                       which keeps them in the keychain.";
        return Err(Error::invalid_field("secret_in_override", OVERRIDE, message));
    }
    if !checked.definition.methods().contains(&account.method()) {
        let message = "With this override, the account's own way to sign in isn't offered any more.";
        return Err(Error::invalid_field("override_invalid", OVERRIDE, message));
    }
    Ok(checked.definition)
}

/// What a change was checked with.
#[derive(Clone)]
struct Checked {
    account: Account,
    installed: Option<Arc<Installed>>,
}

impl Checked {
    /// Whether the change would be checked with the same now.
    fn is_current(&self, tx: &Transaction<'_>) -> store::Result<bool> {
        let parts = |account: &Account| {
            let profile = &account.profile;
            (account.method(), profile.context.clone(), profile.settings.clone())
        };
        let is_same =
            accounts::get(tx, self.account.id())?.is_some_and(|account| parts(&account) == parts(&self.account));
        let definition = |it: &Installed| (it.integration.document.clone(), it.r#override.clone());
        let installed = integrations::installed(tx, self.account.profile.environment_integration_id)?;
        Ok(is_same && installed.as_ref().map(definition) == self.installed.as_deref().map(definition))
    }
}

/// The error for a `tenant_id` that can't be stored.
pub(crate) fn tenant_id_invalid() -> Error {
    let message = format!("A tenant_id must have 1 to {MAX_TENANT_ID} characters, without control characters.");
    Error::invalid_field("tenant_id_invalid", "tenant_id", message)
}
