//! The delivery loop: which deliveries are tried when, and what becomes of each try.

use std::{
    collections::{HashMap, HashSet},
    future,
    time::Duration,
};

use relink_domain::{DeliveryId, Timestamp, WebhookId, caller::Caller};
use tokio::{
    task::{self, JoinError, JoinSet},
    time::Instant,
};

use super::Outbox;
use crate::{
    crash::CrashPoint,
    error::Result,
    scheduler::pause_until,
    store::webhooks::{self, Attempted, DeliveryState, Pending, Webhook},
};

/// Seconds to wait before each retry: three retries, exponential, at most ten seconds apart.
const RETRY_DELAYS_SECS: [i64; 3] = [2, 4, 8];
/// A webhook that has failed for this long is deactivated.
const DEACTIVATE_AFTER_SECS: i64 = 24 * 60 * 60;
/// The most deliveries at a time.
const MAX_IN_FLIGHT: usize = 64;
/// The most deliveries at a time for one webhook: one that hangs leaves the others their places.
const MAX_IN_FLIGHT_PER_WEBHOOK: usize = 4;
/// The longest time without a look at the database.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// When the database is asked again for what it refused.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(2);
/// Why deliveries to a webhook that was deactivated have failed.
const DEACTIVATED: &str = "given up: the webhook failed for a day and was deactivated";

/// How a try ended: the target's status, or that and what went wrong.
pub(super) type Outcome = std::result::Result<u16, (Option<u16>, String)>;

/// The deliveries in flight. Only the loop changes this, between two looks at the database: a delivery that has just ended is
/// never taken for a waiting one.
#[derive(Debug, Default)]
struct InFlight(HashMap<task::Id, (DeliveryId, WebhookId)>);

impl InFlight {
    fn places_for(&self, webhook: WebhookId) -> usize {
        let of_webhook = self.0.values().filter(|(_, other)| *other == webhook).count();
        MAX_IN_FLIGHT_PER_WEBHOOK.saturating_sub(of_webhook).min(MAX_IN_FLIGHT.saturating_sub(self.0.len()))
    }

    fn is_full(&self) -> bool {
        self.0.len() >= MAX_IN_FLIGHT
    }

    fn contains(&self, delivery: DeliveryId) -> bool {
        self.0.values().any(|(in_flight, _)| *in_flight == delivery)
    }

    /// Removes a delivery that has ended. Returns its webhook.
    fn remove(&mut self, ended: &std::result::Result<(task::Id, ()), JoinError>) -> Option<WebhookId> {
        let task = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.0.remove(&task).map(|(_, webhook)| webhook)
    }
}

pub(super) async fn run(outbox: Outbox) {
    let due = &outbox.0.due;
    let mut seq = outbox.latest_seq(&Caller::Internal);
    let mut clock = outbox.0.uses.clock.changes();
    let mut in_flight = InFlight::default();
    let mut tasks = JoinSet::new();
    // Webhooks that found every place taken. The end of any delivery gives them their turn.
    let mut waiting = HashSet::new();
    let mut retry_at = outbox.schedule_pending().await;
    loop {
        while let Some(ended) = tasks.try_join_next_with_id() {
            outbox.deliver_more(in_flight.remove(&ended).into_iter().chain(waiting.drain()));
        }
        let now = outbox.now();
        let taken = due.take_due(now);
        for webhook in taken.due {
            if in_flight.is_full() {
                waiting.insert(webhook);
                continue;
            }
            for pending in outbox.take_turns(webhook, &in_flight, now).await {
                let ids = (pending.id, pending.webhook);
                let task = tasks.spawn(outbox.clone().deliver(pending));
                in_flight.0.insert(task.id(), ids);
            }
        }
        tokio::select! {
            // The store is gone, and with it everything that could be delivered.
            changed = seq.changed() => {
                if changed.is_err() {
                    return;
                }
                retry_at = outbox.schedule_pending().await;
            }
            () = sleep_until(retry_at) => retry_at = outbox.schedule_pending().await,
            () = due.changed() => {}
            () = clock.changed() => {}
            () = tokio::time::sleep(pause_until(taken.next, now, MAX_PAUSE)) => {}
            Some(ended) = tasks.join_next_with_id() => {
                outbox.deliver_more(in_flight.remove(&ended).into_iter().chain(waiting.drain()));
            }
        }
    }
}

/// Never returns without a time.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => future::pending().await,
    }
}

impl Outbox {
    pub(super) fn now(&self) -> Timestamp {
        self.0.uses.clock.now()
    }

    /// Schedules every webhook that something is pending for. If the database refuses, returns when to try again.
    async fn schedule_pending(&self) -> Option<Instant> {
        match self.0.uses.store.read(webhooks::all_next_due).await {
            Ok(pending) => {
                for (webhook, at) in pending {
                    self.0.due.set_no_later(webhook, at);
                }
                None
            }
            Err(error) => {
                tracing::warn!("pending deliveries can't be read: {error}");
                Some(Instant::now() + STORE_RETRY_DELAY)
            }
        }
    }

    /// A delivery has ended: these webhooks may have their next turn.
    fn deliver_more(&self, webhooks: impl IntoIterator<Item = WebhookId>) {
        for webhook in webhooks {
            self.0.due.set_no_later(webhook, self.now());
        }
    }

    /// The deliveries of a webhook that have their turn now, and schedules the webhook for the next one.
    async fn take_turns(&self, webhook: WebhookId, in_flight: &InFlight, now: Timestamp) -> Vec<Pending> {
        let places = in_flight.places_for(webhook);
        if places == 0 {
            // The end of one of its deliveries schedules the webhook again.
            return Vec::new();
        }
        // Some of those that are due may be in flight.
        let limit = 2 * MAX_IN_FLIGHT_PER_WEBHOOK;
        let read = move |c: &rusqlite::Connection| {
            Ok((webhooks::due(c, webhook, now, Some(limit))?, webhooks::next_due(c, webhook, now)?))
        };
        match self.0.uses.store.read(read).await {
            Ok((due, next)) => {
                if let Some(next) = next {
                    self.0.due.set_no_later(webhook, next);
                }
                due.into_iter().filter(|pending| !in_flight.contains(pending.id)).take(places).collect()
            }
            Err(error) => {
                tracing::warn!(%webhook, "its deliveries can't be read: {error}");
                self.0.due.set_no_later(webhook, now.plus_secs(MAX_PAUSE.as_secs().try_into().unwrap_or(i64::MAX)));
                Vec::new()
            }
        }
    }

    /// One try. It ends when its outcome is recorded, or when it makes sense to try again.
    async fn deliver(self, pending: Pending) {
        let outcome = match self.attempt(&pending).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(delivery = %pending.id, code = error.code(), "not tried: {error}");
                // It continues when the keychain does. Whatever else was in the way may be over after a pause.
                let _ = tokio::time::timeout(MAX_PAUSE, self.0.uses.keychain.recovered()).await;
                return;
            }
        };
        CrashPoint::DeliveryAnswered.here(&pending).await;
        // It is not sent again because its outcome can't be recorded, however long the disk stays full.
        while let Err(error) = self.record(&pending, outcome.clone()).await {
            tracing::warn!(delivery = %pending.id, code = error.code(), "its outcome can't be recorded: {error}");
            tokio::time::sleep(STORE_RETRY_DELAY).await;
        }
    }

    /// Records the outcome of a try on the delivery and its webhook, as both are by now.
    async fn record(&self, pending: &Pending, outcome: Outcome) -> Result<()> {
        let (id, webhook, now) = (pending.id, pending.webhook, self.now());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let (Some(webhook), Some(tries)) = (webhooks::get(tx, webhook)?, webhooks::tries(tx, id)?) else {
                return Ok(());
            };
            let attempted = attempted(&outcome, tries, webhook.is_active, now);
            if attempted.state == DeliveryState::Failed {
                tracing::warn!(webhook = %webhook.id, delivery = %id, "failed after {} tries", tries + 1);
            }
            webhooks::record_attempt(tx, id, &attempted, now)?;
            let Some(changed) = after(webhook, attempted.state, now) else { return Ok(()) };
            webhooks::update_state(tx, &changed)?;
            if !changed.is_active {
                webhooks::fail_pending(tx, changed.id, DEACTIVATED, now)?;
            }
            Ok(())
        };
        Ok(self.0.uses.store.write(write).await?)
    }
}

/// What becomes of a delivery after a try; the first one is number zero. A deactivated webhook is given no retry.
fn attempted(outcome: &Outcome, tries: u32, is_active: bool, now: Timestamp) -> Attempted {
    match outcome {
        Ok(status) => Attempted { state: DeliveryState::Delivered, next_try: now, status: Some(*status), error: None },
        Err((status, error)) => {
            let delay = retry_delay_secs(tries).filter(|_| is_active);
            let state = if delay.is_some() { DeliveryState::Pending } else { DeliveryState::Failed };
            let next_try = delay.map_or(now, |secs| now.plus_secs(secs));
            Attempted { state, next_try, status: *status, error: Some(error.clone()) }
        }
    }
}

/// How many seconds to wait before the next try after so many; `None` after the last one.
fn retry_delay_secs(tries: u32) -> Option<i64> {
    RETRY_DELAYS_SECS.get(usize::try_from(tries).ok()?).copied()
}

/// The webhook after a try that left its delivery in this state, if that changes it. One that has failed for a day is
/// deactivated as soon as a delivery has used up its tries: a quiet day after one failure is no reason to give the next event
/// fewer.
fn after(webhook: Webhook, state: DeliveryState, now: Timestamp) -> Option<Webhook> {
    match (state, webhook.failing_since) {
        (DeliveryState::Delivered, Some(_)) => Some(Webhook { failing_since: None, ..webhook }),
        (DeliveryState::Pending | DeliveryState::Failed, None) => Some(Webhook { failing_since: Some(now), ..webhook }),
        (DeliveryState::Failed, Some(since))
            if webhook.is_active && now.millis_since(since) >= DEACTIVATE_AFTER_SECS * 1000 =>
        {
            tracing::warn!(webhook = %webhook.id, "deactivated: it has failed for a day");
            Some(Webhook { is_active: false, updated_at: now, ..webhook })
        }
        (DeliveryState::Delivered, None) | (DeliveryState::Pending | DeliveryState::Failed, Some(_)) => None,
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
