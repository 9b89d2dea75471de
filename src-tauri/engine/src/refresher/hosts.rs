//! Limits on refreshes per provider host: how many at a time, and `Retry-After`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::Timestamp;
use tokio::sync::Semaphore;

use crate::{provider::Provider, sync::lock};

/// The maximum number of concurrent refreshes per provider host.
const MAX_PER_HOST: usize = 4;
/// The maximum `Retry-After` that is obeyed, in seconds.
const MAX_RETRY_AFTER_SECS: u32 = 24 * 60 * 60;

#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Arc<Host>>>);

#[derive(Debug)]
pub(super) struct Host {
    pub(super) permits: Arc<Semaphore>,
    closed_until: Mutex<Option<Timestamp>>,
}

impl Default for Host {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_PER_HOST)), closed_until: Mutex::default() }
    }
}

impl Hosts {
    /// The host of the provider's token endpoint.
    pub(super) fn get(&self, provider: &Provider) -> Arc<Host> {
        Arc::clone(lock(&self.0).entry(provider.token_host()).or_default())
    }
}

impl Host {
    /// Until when the host's `Retry-After` is in force, if it is.
    pub(super) fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        lock(&self.closed_until).filter(|until| *until > now)
    }

    /// Obeys a `Retry-After` (RFC 9110 §10.2.3), up to a day. A longer one that is in force stays.
    pub(super) fn close_for(&self, secs: Option<u32>, now: Timestamp) {
        let Some(secs) = secs else { return };
        let until = now.plus_secs(i64::from(secs.min(MAX_RETRY_AFTER_SECS)));
        let mut closed_until = lock(&self.closed_until);
        *closed_until = Some(closed_until.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn retry_after_closes_a_host_for_a_day_at_most_and_is_never_shortened() {
        let host = Host::default();
        host.close_for(None, NOW);
        assert_eq!(host.closed_until(NOW), None);
        host.close_for(Some(60), NOW);
        host.close_for(Some(30), NOW);
        assert_eq!(host.closed_until(NOW), Some(NOW.plus_secs(60)));
        assert_eq!(host.closed_until(NOW.plus_secs(60)), None);
        host.close_for(Some(u32::MAX), NOW);
        assert_eq!(host.closed_until(NOW), Some(NOW.plus_secs(24 * 60 * 60)));
    }
}
