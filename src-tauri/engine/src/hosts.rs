//! Limits on refreshes per provider host: how many at a time, and `Retry-After`. The refresher obeys them, and accounts show them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::{provider::Provider, sync::lock};

/// The maximum number of concurrent refreshes per provider host.
const MAX_PER_HOST: usize = 4;
/// The maximum `Retry-After` that the other accounts of a host obey, in seconds. The account that received it obeys a longer one, up to a
/// day (`schedule::retry_at`).
const MAX_RETRY_AFTER_SECS: u32 = 60 * 60;

#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<HashMap<String, Arc<Host>>>);

#[derive(Debug)]
pub(crate) struct Host {
    permits: Arc<Semaphore>,
    /// Limits how many due refreshes wait for `permits` at a time, so that one that a caller waits for overtakes the
    /// others.
    turns: Semaphore,
    closed_until: Mutex<Option<Timestamp>>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_PER_HOST)),
            turns: Semaphore::new(MAX_PER_HOST),
            closed_until: Mutex::default(),
        }
    }
}

impl Hosts {
    /// The host of the provider's token endpoint, for an account with this context.
    pub(crate) fn get(&self, provider: &Provider, context: &Map<String, Value>) -> Arc<Host> {
        Arc::clone(lock(&self.0).entry(provider.token_host(context)).or_default())
    }

    /// The clock was set back: what is waited for moves with it.
    pub(crate) fn clock_set_back(&self, millis: i64) {
        for host in lock(&self.0).values() {
            let mut closed_until = lock(&host.closed_until);
            *closed_until = closed_until.map(|until| until.plus_millis(-millis));
        }
    }

    /// The hosts whose `Retry-After` is in force, and when it ends.
    pub(crate) fn closed(&self, now: Timestamp) -> HashMap<String, Timestamp> {
        let hosts = lock(&self.0);
        hosts.iter().filter_map(|(name, host)| Some((name.clone(), host.closed_until(now)?))).collect()
    }
}

impl Host {
    /// Waits until another refresh may be sent to the host. `None`: never, because Relink is stopping.
    pub(crate) async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Like [`Self::admit`], for a due refresh. It waits behind those that callers wait for. `urgent` is notified when
    /// a caller begins to wait for this one.
    pub(crate) async fn admit_due(&self, urgent: &Notify) -> Option<OwnedSemaphorePermit> {
        let turn = tokio::select! {
            biased;
            () = urgent.notified() => None,
            turn = self.turns.acquire() => Some(turn.ok()?),
        };
        let permit = self.admit().await;
        drop(turn);
        permit
    }

    #[cfg(test)]
    pub(crate) fn has_due_waiting(&self) -> bool {
        self.turns.available_permits() < MAX_PER_HOST
    }

    /// When the host's `Retry-After` ends; `None` if none is in force.
    pub(crate) fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        lock(&self.closed_until).filter(|until| *until > now)
    }

    /// Obeys a `Retry-After` (RFC 9110 §10.2.3), up to an hour. Never shortens one that is in force.
    pub(crate) fn close_for(&self, secs: Option<u32>, now: Timestamp) {
        let Some(secs) = secs else { return };
        let until = now.plus_secs(i64::from(secs.min(MAX_RETRY_AFTER_SECS)));
        let mut closed_until = lock(&self.closed_until);
        *closed_until = Some(closed_until.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn retry_after_closes_a_host_for_an_hour_at_most_and_is_never_shortened() {
        let host = Host::default();
        host.close_for(None, NOW);
        assert_eq!(host.closed_until(NOW), None);
        host.close_for(Some(60), NOW);
        host.close_for(Some(30), NOW);
        assert_eq!(host.closed_until(NOW), Some(NOW.plus_secs(60)));
        assert_eq!(host.closed_until(NOW.plus_secs(60)), None);
        host.close_for(Some(u32::MAX), NOW);
        assert_eq!(host.closed_until(NOW), Some(NOW.plus_secs(60 * 60)));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_a_retry_after() {
        let hosts = Hosts::default();
        let host = Arc::new(Host::default());
        lock(&hosts.0).insert("as.example:443".to_owned(), Arc::clone(&host));
        host.close_for(Some(600), NOW);
        let earlier = NOW.plus_secs(-86_400);
        hosts.clock_set_back(86_400_000);
        assert_eq!(host.closed_until(earlier), Some(earlier.plus_secs(600)));
        assert_eq!(hosts.closed(earlier.plus_secs(599)).len(), 1);
        assert!(hosts.closed(earlier.plus_secs(600)).is_empty());
    }

    #[tokio::test]
    async fn refreshes_that_somebody_waits_for_overtake_those_that_are_due() {
        let host = Arc::new(Host::default());
        let mut running = Vec::new();
        for _ in 0..MAX_PER_HOST {
            running.push(host.admit().await.expect("there is room"));
        }
        let (admitted, mut order) = mpsc::channel(4);
        let wait = async |name: &'static str, due: Option<Arc<Notify>>| {
            let (host, admitted) = (Arc::clone(&host), admitted.clone());
            tokio::spawn(async move {
                let permit = match due {
                    Some(urgent) => host.admit_due(&urgent).await,
                    None => host.admit().await,
                };
                admitted.send(name).await.expect("received");
                drop(permit);
            });
            tokio::task::yield_now().await;
        };
        let urgent = Arc::new(Notify::new());
        for _ in 0..MAX_PER_HOST {
            wait("due with a turn", Some(Arc::default())).await;
        }
        wait("due", Some(Arc::default())).await;
        wait("due and urgent", Some(Arc::clone(&urgent))).await;
        wait("requested", None).await;
        urgent.notify_one();
        tokio::task::yield_now().await;

        running.pop();
        for _ in 0..MAX_PER_HOST {
            assert_eq!(order.recv().await, Some("due with a turn"));
        }
        for expected in ["requested", "due and urgent", "due"] {
            assert_eq!(order.recv().await, Some(expected));
        }
    }
}
