//! Events, webhooks and their deliveries.
//!
//! Events are enqueued in the transaction of the change that they report (`store::outbox`), so only committed changes
//! are reported. Delivery is at least once, signed, and in order for each subject.

mod batches;
mod delivery;
mod log;
mod records;
mod send;
mod webhooks;

use std::sync::Arc;

use relink_domain::{EnvironmentId, WebhookId, caller::Caller};
use tokio::sync::watch;

pub use log::DeliveryDetails;
pub use webhooks::{NewWebhook, WebhookChange};

use crate::{
    clock::Clock,
    error::Result,
    keychain::Keychain,
    orphans::Orphans,
    outbound::Outbound,
    scheduler::Scheduler,
    store::{
        Store,
        outbox::{self, Event},
    },
    tasks::Tasks,
};

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) outbound: Outbound,
    pub(crate) tasks: Tasks,
    pub(crate) orphans: Orphans,
    pub(crate) environment: EnvironmentId,
}

/// Events and webhooks. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    /// When each webhook's next delivery is due.
    due: Scheduler<WebhookId>,
    /// Notified after a webhook may have been disabled, or is no longer.
    disabled: watch::Sender<()>,
}

impl Outbox {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, due: Scheduler::default(), disabled: watch::Sender::default() }))
    }

    /// Starts the delivery loop.
    pub(crate) fn start(&self) {
        self.0.uses.tasks.spawn_until_stop(delivery::run(self.clone()));
    }

    /// Events after this sequence number, oldest first.
    pub async fn events_after(&self, _caller: &Caller, seq: i64, limit: usize) -> Result<Vec<Event>> {
        Ok(self.0.uses.store.read(move |c| outbox::after(c, seq, limit)).await?)
    }

    /// Changes after a webhook may have been disabled ([`relink_contract::webhook::Webhook::disabled_at`]), or is no longer.
    pub fn disabled_webhooks_changed(&self, _caller: &Caller) -> watch::Receiver<()> {
        self.0.disabled.subscribe()
    }

    /// The latest event's sequence number. Changes with each new event.
    pub fn latest_seq(&self, _caller: &Caller) -> watch::Receiver<i64> {
        self.0.uses.store.outbox_seq()
    }
}

#[cfg(test)]
mod tests;
