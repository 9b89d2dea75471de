//! The names of what jobs, runs and triggers refer to.

use std::collections::HashMap;

use relink_contract::window::{SyncAccount, SyncDatastore, SyncIntegration, SyncWebhook};
use relink_domain::{AccountId, WebhookId, caller::Caller};
use relink_engine::{Datastore, Document, Filter, Kind, SyncJob};

use crate::{App, Result, error_view};

/// Of accounts, webhooks and datastores.
pub(super) struct Names {
    accounts: HashMap<AccountId, SyncAccount>,
    webhooks: Vec<SyncWebhook>,
    datastores: Vec<SyncDatastore>,
}

impl App {
    /// The names of all webhooks and datastores, and of these accounts: a run is shown often, and there may be many accounts.
    pub(super) async fn names(&self, accounts: impl IntoIterator<Item = AccountId>) -> Result<Names> {
        let engine = &self.0.engine;
        let filter = Filter { ids: Some(accounts.into_iter().collect()), ..Filter::default() };
        let accounts = engine.accounts().list(&Caller::Person, filter).await.map_err(error_view)?;
        let webhooks = engine.outbox().webhooks(&Caller::Person).await.map_err(error_view)?;
        let account = |view: relink_engine::AccountView| {
            let id = view.account.id();
            let name = view.account.profile.name;
            (id, SyncAccount { id, name, integration_label: view.label, is_gone: false })
        };
        Ok(Names {
            accounts: accounts.into_iter().map(account).collect(),
            webhooks: webhooks.into_iter().map(|it| SyncWebhook { id: it.id, target_url: it.target_url }).collect(),
            datastores: self.sync_datastores().await?,
        })
    }

    pub async fn sync_datastores(&self) -> Result<Vec<SyncDatastore>> {
        let all = self.0.engine.sync_jobs().all::<Datastore>(&Caller::Person).await.map_err(error_view)?;
        let entry = |row: Document<Datastore>| SyncDatastore { id: row.id, label: label_of(&row) };
        Ok(all.into_iter().map(entry).collect())
    }

    /// The integrations that jobs may name.
    pub(super) async fn integrations_of_jobs(&self) -> Result<Integrations> {
        let catalog = self.0.engine.catalog().list(&Caller::Person).await.map_err(error_view)?;
        let integration = |entry: relink_engine::CatalogEntry| SyncIntegration {
            label: entry.label(),
            color: entry.color(),
            name: entry.integration.name,
        };
        Ok(Integrations(catalog.into_iter().map(integration).collect()))
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

    pub(super) fn datastore(&self, id: &str) -> Option<SyncDatastore> {
        self.datastores.iter().find(|datastore| datastore.id.to_string() == id).cloned()
    }
}

pub(super) struct Integrations(Vec<SyncIntegration>);

impl Integrations {
    /// The one that a job names. One that isn't known is called so.
    pub(super) fn of(&self, row: &Document<SyncJob>) -> Option<SyncIntegration> {
        let name = text_of(row, "integration_name")?;
        let known = self.0.iter().find(|it| it.name == name).cloned();
        Some(known.unwrap_or_else(|| SyncIntegration { label: name.clone(), name, color: None }))
    }
}

/// What a row without a label is called, as on the wire.
const UNTITLED: &str = "Untitled";

pub(super) fn label_of<K: Kind>(row: &Document<K>) -> String {
    text_of(row, "label").unwrap_or_else(|| UNTITLED.to_owned())
}

/// A text of a document that isn't empty.
pub(super) fn text_of<K: Kind>(row: &Document<K>, name: &str) -> Option<String> {
    row.text(name).filter(|text| !text.is_empty()).map(str::to_owned)
}
