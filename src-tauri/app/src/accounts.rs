//! Accounts, as the window shows and changes them.

use relink_api::CallWaits;
use relink_contract::{
    account::DeletedAccount,
    window::{Account, AccountContext, CheckResult, Fact},
};
use relink_domain::{AccountId, Timestamp, caller::Caller};
use relink_engine::{AccountView, Error, Filter};
use serde_json::Value;

use crate::{App, Result, error_view};

impl App {
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        self.accounts_of(Filter::default()).await
    }

    pub(crate) async fn accounts_of(&self, filter: Filter) -> Result<Vec<Account>> {
        let views = self.0.engine.accounts().list(&Caller::Person, filter).await.map_err(error_view)?;
        let shown = self.shown().await?;
        let (now, waits) = (self.0.engine.now(), self.0.local_calls.waits(&Caller::Person));
        Ok(views.iter().map(|view| account(view, &waits, shown.remind_at(view.account.id()), now)).collect())
    }

    pub async fn account(&self, id: AccountId) -> Result<Account> {
        let view = self.0.engine.accounts().get(&Caller::Person, id).await.map_err(error_view)?;
        self.with_reminder(&view).await
    }

    async fn with_reminder(&self, view: &AccountView) -> Result<Account> {
        let remind_at = self.shown().await?.remind_at(view.account.id());
        let waits = self.0.local_calls.waits(&Caller::Person);
        Ok(account(view, &waits, remind_at, self.0.engine.now()))
    }

    /// Checks with one call to the provider whether the account works.
    pub async fn check(&self, id: AccountId) -> Result<CheckResult> {
        let report = self.0.engine.refresher().check(&Caller::Person, id).await.map_err(error_view)?;
        Ok(CheckResult { outcome: report.outcome, account: self.with_reminder(&report.account).await? })
    }

    pub async fn refresh(&self, id: AccountId) -> Result<Account> {
        let view = self.0.engine.refresher().refresh(&Caller::Person, id).await.map_err(error_view)?;
        self.with_reminder(&view).await
    }

    /// Runs the steps again that the account's integration runs after a sign-in.
    pub async fn run_steps(&self, id: AccountId) -> Result<Account> {
        match self.0.engine.onboarding().run_again(&Caller::Person, id).await {
            Ok(_) | Err(Error::Step { .. }) => self.account(id).await,
            Err(error) => Err(error_view(error)),
        }
    }

    /// What was filled in and found for the account: its context, which has no secrets.
    pub async fn context(&self, id: AccountId) -> Result<Vec<Fact>> {
        let view = self.0.engine.accounts().get(&Caller::Person, id).await.map_err(error_view)?;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fact = |(name, value): (&String, &Value)| Fact { name: name.clone(), value: text(value) };
        Ok(view.shown_context().iter().map(fact).collect())
    }

    /// Whether the account's integration has a form to fill in after a sign-in.
    pub async fn has_form(&self, id: AccountId) -> Result<bool> {
        let definition = self.0.engine.accounts().definition(&Caller::Person, id).await.map_err(error_view)?;
        Ok(definition.is_some_and(|definition| definition.actions().form().is_some()))
    }

    pub async fn rename(&self, id: AccountId, name: String) -> Result<Account> {
        let view = self.0.engine.accounts().rename(&Caller::Person, id, name).await.map_err(error_view)?;
        self.with_reminder(&view).await
    }

    /// Deletes the account and its keychain item, and revokes its token if the provider supports that.
    pub async fn delete_account(&self, id: AccountId) -> Result<DeletedAccount> {
        self.0.engine.accounts().delete(&Caller::Person, id).await.map_err(error_view)
    }
}

/// An account as the window shows it. `remind_at`: until when reminders about it are silenced.
fn account(view: &AccountView, waits: &CallWaits, remind_at: Option<Timestamp>, now: Timestamp) -> Account {
    let color = view.installed.color();
    let is_of_own_sandbox = view.installed.integration.is_own_sandbox();
    let context = AccountContext { common: view.context(now), color: color.as_deref(), is_of_own_sandbox, remind_at };
    Account { waiting: waits.of(view), ..Account::new(&view.account, &context) }
}
