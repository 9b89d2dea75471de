//! The names of what jobs, runs and triggers refer to.

use std::collections::HashMap;

use relink_contract::window::{SyncAccount, SyncIntegration, SyncWebhook};
use relink_domain::{AccountId, WebhookId, caller::Caller};
use relink_engine::{Document, Filter, Kind};

use crate::{App, Result, error_view};

pub(super) struct Names {
    accounts: HashMap<AccountId, SyncAccount>,
    webhooks: Vec<SyncWebhook>,
    integrations: Vec<SyncIntegration>,
}

impl App {
    pub(super) async fn names(&self) -> Result<Names> {
        let engine = &self.0.engine;
        let accounts = engine.accounts().list(&Caller::Person, Filter::default()).await.map_err(error_view)?;
        let webhooks = engine.outbox().webhooks(&Caller::Person).await.map_err(error_view)?;
        let catalog = engine.catalog().list(&Caller::Person).await.map_err(error_view)?;
        let account = |view: relink_engine::AccountView| {
            let id = view.account.id();
            let name = view.account.profile.name;
            (id, SyncAccount { id, name, integration_label: view.label, is_gone: false })
        };
        let integration = |entry: relink_engine::CatalogEntry| SyncIntegration {
            label: entry.label(),
            color: entry.color(),
            name: entry.integration.name,
        };
        Ok(Names {
            accounts: accounts.into_iter().map(account).collect(),
            webhooks: webhooks.into_iter().map(|it| SyncWebhook { id: it.id, target_url: it.target_url }).collect(),
            integrations: catalog.into_iter().map(integration).collect(),
        })
    }
}

impl Names {
    pub(super) fn account(&self, id: AccountId) -> SyncAccount {
        let gone = || SyncAccount { id, name: id.to_string(), integration_label: String::new(), is_gone: true };
        self.accounts.get(&id).cloned().unwrap_or_else(gone)
    }

    pub(super) fn webhook(&self, id: WebhookId) -> Option<SyncWebhook> {
        self.webhooks.iter().find(|webhook| webhook.id == id).cloned()
    }

    /// An integration by its name. One that isn't known is called so.
    pub(super) fn integration(&self, name: &str) -> SyncIntegration {
        let known = self.integrations.iter().find(|it| it.name == name).cloned();
        known.unwrap_or_else(|| SyncIntegration { name: name.to_owned(), label: name.to_owned(), color: None })
    }
}

/// A text of a document that isn't empty.
pub(super) fn text_of<K: Kind>(row: &Document<K>, name: &str) -> Option<String> {
    row.text(name).filter(|text| !text.is_empty()).map(str::to_owned)
}
