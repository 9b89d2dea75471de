//! Events, webhooks and their deliveries: how everything that was committed reaches whoever listens.
//!
//! Events are enqueued in the transaction of the change that they report (`store::outbox`), so nothing is announced that
//! wasn't committed. Delivery is at least once, signed, and in order for each subject.

mod delivery;
mod send;
mod webhooks;

use std::sync::Arc;

use relink_domain::{EnvironmentId, WebhookId, caller::Caller};
use tokio::sync::watch;

pub use webhooks::NewWebhook;

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

/// The services that [`Outbox`] uses.
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

/// Events and webhooks. A clone is a handle on the same ones.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    /// When each webhook has something to deliver next.
    due: Scheduler<WebhookId>,
}

impl Outbox {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, due: Scheduler::default() }))
    }

    /// Begins to deliver.
    pub(crate) fn start(&self) {
        self.0.uses.tasks.spawn_until_stop(delivery::run(self.clone()));
    }

    /// Events after this sequence number, oldest first.
    pub async fn events_after(&self, _caller: &Caller, seq: i64, limit: usize) -> Result<Vec<Event>> {
        Ok(self.0.uses.store.read(move |c| outbox::after(c, seq, limit)).await?)
    }

    /// The latest event's sequence number, as it grows.
    pub fn latest_seq(&self, _caller: &Caller) -> watch::Receiver<i64> {
        self.0.uses.store.outbox_seq()
    }
}

#[cfg(test)]
mod tests;
