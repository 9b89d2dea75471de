//! The delivery loop: when deliveries are attempted, and how each outcome is recorded.

use std::{
    collections::{HashMap, HashSet},
    future,
    time::Duration,
};

use relink_contract::webhook::DeliveryAttempt;
use relink_domain::{DeliveryId, Timestamp, WebhookId, caller::Caller, event::EventKind};
use tokio::{
    task::{self, JoinError, JoinSet},
    time::Instant,
};

use super::Outbox;
use crate::{
    clock::{ClockChange, ClockWatch},
    crash::CrashPoint,
    error::Result,
    scheduler::pause_until,
    store::webhooks::{self, Attempted, DeliveryState, Pending, Webhook},
};

/// Seconds to wait before each retry: three retries, exponential, at most ten seconds apart.
const RETRY_DELAYS_SECS: [i64; 3] = [2, 4, 8];
/// A webhook that has failed for this long is deactivated.
const DEACTIVATE_AFTER_SECS: i64 = 24 * 60 * 60;
/// The maximum number of concurrent deliveries.
const MAX_IN_FLIGHT: usize = 64;
/// The maximum number of concurrent deliveries per webhook, so that one that hangs can't block the others.
const MAX_IN_FLIGHT_PER_WEBHOOK: usize = 4;
/// The maximum time that the loop sleeps, or waits after an error.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The delay before a failed database operation is retried.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(2);
/// The error that is recorded on deliveries to a deactivated webhook.
const DEACTIVATED: &str = "given up: the webhook failed for a day and was deactivated";

/// The deliveries in flight. Only the loop changes this, between two reads of the database, so a delivery that has just
/// ended is never mistaken for a pending one.
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
    // Webhooks that were due while `in_flight` was full. They are scheduled again when any delivery ends.
    let mut waiting = HashSet::new();
    let mut watch = ClockWatch::new(outbox.now());
    outbox.bring_retries_forward().await;
    let mut retry_at = outbox.schedule_pending().await;
    loop {
        while let Some(ended) = tasks.try_join_next_with_id() {
            outbox.deliver_more(in_flight.remove(&ended).into_iter().chain(waiting.drain()));
        }
        let now = outbox.now();
        if matches!(watch.look(now), ClockChange::Back(_)) {
            outbox.bring_retries_forward().await;
            retry_at = outbox.schedule_pending().await;
        }
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
            // The store has closed, so nothing can be delivered.
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

/// Never returns if `at` is `None`.
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

    /// Retries no later than the longest delay after now: the clock may have been set back since a retry was planned.
    async fn bring_retries_forward(&self) {
        let now = self.now();
        let latest = now.plus_secs(RETRY_DELAYS_SECS.into_iter().max().unwrap_or_default());
        if let Err(error) = self.0.uses.store.write(move |tx| webhooks::clock_set_back(tx, now, latest)).await {
            tracing::warn!("retries that were planned by another clock stay: {error}");
        }
    }

    /// Schedules every webhook that has pending deliveries. If the database can't be read, returns when to retry.
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

    /// Schedules these webhooks now, because a delivery has ended.
    pub(super) fn deliver_more(&self, webhooks: impl IntoIterator<Item = WebhookId>) {
        for webhook in webhooks {
            self.0.due.set_no_later(webhook, self.now());
        }
    }

    /// Returns the webhook's deliveries that can be sent now, and schedules the webhook for the next one.
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

    /// Makes one attempt. Returns when the outcome is recorded or, if nothing was sent, when a retry makes sense.
    async fn deliver(self, pending: Pending) {
        if let Err(error) = self.attempt_and_record(&pending).await {
            tracing::warn!(delivery = %pending.id, code = error.code(), "not tried: {error}");
            // Continue when the keychain is available again. Any other cause may be over after a pause.
            let _ = tokio::time::timeout(MAX_PAUSE, self.0.uses.keychain.recovered()).await;
        }
    }

    /// Makes one attempt and records it. `None` if the webhook was deleted; an error if nothing was sent.
    pub(super) async fn attempt_and_record(&self, pending: &Pending) -> Result<Option<DeliveryAttempt>> {
        let Some(attempt) = self.attempt(pending).await? else { return Ok(None) };
        CrashPoint::DeliveryAnswered.here(pending).await;
        // Retry until the outcome is recorded, however long the disk stays full, so that the delivery isn't sent again.
        while let Err(error) = self.record(pending, attempt.clone()).await {
            tracing::warn!(delivery = %pending.id, code = error.code(), "its outcome can't be recorded: {error}");
            tokio::time::sleep(STORE_RETRY_DELAY).await;
        }
        Ok(Some(attempt))
    }

    /// Records an attempt on the delivery and its webhook, based on their current state.
    async fn record(&self, pending: &Pending, attempt: DeliveryAttempt) -> Result<()> {
        let (id, webhook, now) = (pending.id, pending.webhook, self.now());
        let is_test = pending.event == EventKind::Test.as_str();
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let (Some(webhook), Some(tries)) = (webhooks::get(tx, webhook)?, webhooks::tries(tx, id)?) else {
                return Ok(false);
            };
            // What a pause interrupts continues after it. That a paused webhook was tested doesn't.
            let is_retried = webhook.is_active || webhook.disabled_at.is_none() && !is_test;
            let attempted = attempted(&attempt, tries, is_retried, now);
            if attempted.state == DeliveryState::Failed {
                tracing::warn!(webhook = %webhook.id, delivery = %id, "failed after {} tries", tries + 1);
            }
            webhooks::record_attempt(tx, id, &attempted, now)?;
            webhooks::add_attempt(tx, webhook.id, id, &attempt)?;
            let Some(changed) = after(webhook, attempted.state, now) else { return Ok(false) };
            webhooks::update(tx, &changed)?;
            if changed.disabled_at.is_some() {
                webhooks::fail_pending(tx, changed.id, DEACTIVATED, now)?;
            }
            Ok(changed.disabled_at.is_some())
        };
        if self.0.uses.store.write(write).await? {
            self.0.disabled.send_replace(());
        }
        Ok(())
    }
}

/// The state of a delivery after attempt number `tries`, counted from zero.
fn attempted(attempt: &DeliveryAttempt, tries: u32, is_retried: bool, now: Timestamp) -> Attempted {
    let delay = retry_delay_secs(tries).filter(|_| is_retried);
    let state = match (&attempt.error, delay) {
        (None, _) => DeliveryState::Delivered,
        (Some(_), Some(_)) => DeliveryState::Pending,
        (Some(_), None) => DeliveryState::Failed,
    };
    Attempted {
        state,
        next_try: delay.map_or(now, |secs| now.plus_secs(secs)),
        status: attempt.response.as_ref().map(|response| response.status),
        error: attempt.error.clone(),
    }
}

/// How many seconds to wait after attempt number `tries`, counted from zero; `None` after the last one.
fn retry_delay_secs(tries: u32) -> Option<i64> {
    RETRY_DELAYS_SECS.get(usize::try_from(tries).ok()?).copied()
}

/// The webhook after an attempt that left its delivery in `state`; `None` if it doesn't change. A webhook that has
/// failed for a day is deactivated only when a delivery has used up its attempts, so that a day without events after
/// one failure doesn't cost the next event its retries.
fn after(webhook: Webhook, state: DeliveryState, now: Timestamp) -> Option<Webhook> {
    match (state, webhook.failing_since) {
        (DeliveryState::Delivered, Some(_)) => Some(Webhook { failing_since: None, ..webhook }),
        (DeliveryState::Pending | DeliveryState::Failed, None) => Some(Webhook { failing_since: Some(now), ..webhook }),
        (DeliveryState::Failed, Some(since))
            if webhook.is_active && now.millis_since(since) >= DEACTIVATE_AFTER_SECS * 1000 =>
        {
            tracing::warn!(webhook = %webhook.id, "deactivated: it has failed for a day");
            Some(Webhook { is_active: false, disabled_at: Some(now), updated_at: now, ..webhook })
        }
        (DeliveryState::Delivered, None) | (DeliveryState::Pending | DeliveryState::Failed, Some(_)) => None,
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
