//! The state of Relink as a whole.

use std::time::{Duration, Instant};

use relink_contract::window::{KeychainState, Overview};
use relink_domain::{
    account::{Status, Verdict},
    caller::Caller,
    notice::FailingAccount,
};
use relink_engine::{Filter, SANDBOX};

use crate::{App, Result, count, error_view, lock};

/// How long the keychain's state is cached, unless the engine reports a change.
const KEYCHAIN_STATE_TTL: Duration = Duration::from_secs(30);

impl App {
    pub async fn overview(&self) -> Result<Overview> {
        let engine = &self.0.engine;
        let accounts = engine.accounts().counts(&Caller::Person).await.map_err(error_view)?.into_values().sum();
        let failing = self.failing_accounts().await?;
        let needs_attention = failing.iter().filter(|account| account.trouble.verdict() != Verdict::Retrying).count();
        let keychain = self.keychain_state().await;
        let desktop = self.0.desktop_status.borrow().clone();
        let info = &self.0.runtime_info;
        let port = info.api_port.state();
        Ok(Overview {
            version: info.version.clone(),
            base_url: port.base_url.to_string(),
            port_problem: port.problem.map(|problem| problem.to_string()),
            keychain,
            online: engine.is_online(&Caller::Person),
            needs_attention: count(needs_attention),
            accounts,
            sandbox: engine.catalog().is_installed(&Caller::Person, SANDBOX),
            notifications_trouble: desktop.notifications_trouble,
            tray: desktop.tray,
            detects_unlock: info.detects_unlock,
            data_folder: info.data_dir.display().to_string(),
        })
    }

    /// The accounts that don't work. Doesn't read the others.
    pub(crate) async fn failing_accounts(&self) -> Result<Vec<FailingAccount>> {
        let failing = Filter { statuses: vec![Status::NeedsReauth.as_str().to_owned()], ..Filter::default() };
        let views = self.0.engine.accounts().list(&Caller::Person, failing).await.map_err(error_view)?;
        let failing = views.iter().filter_map(|view| FailingAccount::of(&view.account, &view.label));
        let accounts = self.0.engine.accounts();
        Ok(failing
            .map(|it| {
                let programs = accounts.awaited_by(&Caller::Person, it.id);
                it.awaited_by(programs)
            })
            .collect())
    }

    async fn keychain_state(&self) -> KeychainState {
        let cached = lock(&self.0.keychain).clone();
        if let Some((state, _)) = cached.filter(|(_, read_at)| read_at.elapsed() < KEYCHAIN_STATE_TTL) {
            return state;
        }
        let read_at = Instant::now();
        let status = self.0.engine.keychain_status(&Caller::Person).await;
        let state = KeychainState { available: status.is_available(), message: status.message };
        *lock(&self.0.keychain) = Some((state.clone(), read_at));
        state
    }
}
