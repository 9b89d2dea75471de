use std::collections::BTreeMap;

use relink_contract::webhook::DeliveryAttempt;
use relink_domain::{AccountId, account::TimelineEvent, event::EventKind};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    store::{
        outbox::Payload,
        webhooks::{self, Attempted, DeliveryFilter, DeliveryState},
    },
    testing::{START, Services, WAIT_TIMEOUT, install, webhook},
};

const DAY: i64 = 24 * 60 * 60;

/// Retention that was built alone.
struct Alone {
    services: Services,
    retention: Retention,
}

impl Alone {
    fn new() -> Self {
        let services = Services::new();
        let retention = Retention::new(Dependencies {
            store: services.store.clone(),
            clock: services.clock.clone(),
            tasks: services.tasks.clone(),
        });
        Self { services, retention }
    }

    async fn pruned_after(&self, days: i64) {
        self.services.clock.advance_secs(days * DAY);
        for records in Records::ALL {
            self.retention.prune(records, self.services.clock.now()).await.expect("pruned");
        }
    }

    /// Waits until no event is left. Nothing signals a removal.
    async fn becomes_empty(&self) {
        let is_empty = async { while !self.seqs().await.is_empty() {} };
        tokio::time::timeout(WAIT_TIMEOUT, is_empty).await.expect("removed");
    }

    /// Waits until the loop has read the clock and removed everything that is due. Nothing signals that either.
    async fn plans_the_next_removal(&self) {
        let next = || self.retention.0.due.take_due(START.plus_secs(-365 * DAY)).next;
        let planned = self.services.clock.now().plus_secs(INTERVAL_SECS);
        let is_planned = async {
            while next() != Some(planned) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, is_planned).await.expect("planned");
    }

    async fn seqs(&self) -> Vec<i64> {
        let events = self.services.store.read(|c| outbox::after(c, 0, 5000)).await.expect("events");
        events.iter().map(|event| event.seq).collect()
    }
}

#[tokio::test]
async fn events_are_removed_after_thirty_days_unless_they_were_not_delivered() {
    let it = Alone::new();
    let webhook = webhook("https://example.com/");
    let id = webhook.id;
    it.services
        .store
        .write(move |tx| {
            webhooks::insert(tx, &webhook)?;
            let payload = Payload::of(&json!({}))?;
            for _ in 0..3 {
                outbox::enqueue_event_for(tx, &id.to_string(), EventKind::Test, &payload, START, START)?;
            }
            let newest_first = webhooks::deliveries(tx, id, DeliveryFilter::default(), 3)?;
            for (delivery, state) in newest_first.iter().zip([DeliveryState::Failed, DeliveryState::Delivered]) {
                let attempted = Attempted { state, next_try: START, status: None, error: None };
                webhooks::record_attempt(tx, delivery.id, &attempted, START)?;
            }
            // Events without deliveries: more than one batch.
            for _ in 0..2 * BATCH {
                outbox::enqueue_event(tx, EventKind::ApiTokenCreated, None, &payload, START)?;
                tx.execute("DELETE FROM delivery WHERE outbox_seq = ?1", [outbox::latest(tx)?])?;
            }
            Ok(())
        })
        .await
        .expect("written");
    let all = it.seqs().await;
    it.pruned_after(EVENTS_DAYS).await;
    assert_eq!(it.seqs().await, all, "not a day too early");
    it.pruned_after(1).await;
    // The first is still pending, the third is failed.
    assert_eq!(it.seqs().await, [all[0], all[2]]);
    assert_eq!(
        it.services
            .store
            .read(move |c| webhooks::deliveries(c, id, DeliveryFilter::default(), 10))
            .await
            .expect("read")
            .len(),
        2
    );
    let latest = it.services.store.read(outbox::latest).await.expect("read");
    assert_eq!(Some(&latest), all.last(), "whoever follows keeps their place");
    it.pruned_after(FAILED_DAYS - EVENTS_DAYS - 1).await;
    assert_eq!(it.seqs().await, [all[0], all[2]], "a failed delivery can be replayed for ninety days");
    it.pruned_after(1).await;
    assert_eq!(it.seqs().await, [all[0]], "the pending one waits for its target");
}

#[tokio::test]
async fn timeline_entries_are_removed_after_ninety_days_except_those_that_describe_the_account() {
    let it = Alone::new();
    let [living, gone] = [1, 2].map(|n| AccountId::from_uuid(Uuid::from_u128(n)));
    let refreshed = TimelineEvent::Refreshed { expires_at: None, rotated: false };
    let story = std::iter::once(TimelineEvent::Connected { identity: None })
        .chain(std::iter::repeat_n(refreshed, 2 * BATCH))
        .chain([TimelineEvent::Reactivated]);
    let of = |id: Option<AccountId>| {
        it.services.store.read(move |c| {
            let entries = timeline::list(c, id, None, None)?;
            Ok(entries.into_iter().filter(|entry| entry.account_id == id).map(|entry| entry.event).collect::<Vec<_>>())
        })
    };
    it.services
        .store
        .write(move |tx| {
            account_row(tx, living)?;
            for event in story {
                for id in [Some(living), Some(gone), None] {
                    timeline::add(tx, &timeline::NewEntry::of(id, START, &event, None)?)?;
                }
            }
            Ok(())
        })
        .await
        .expect("written");
    it.pruned_after(TIMELINE_DAYS).await;
    assert_eq!(of(Some(living)).await.expect("read").len(), 2 * BATCH + 2, "not a day too early");
    it.pruned_after(1).await;
    let kept = of(Some(living)).await.expect("read");
    assert_eq!(kept.len(), NEWEST_OF_ACCOUNT + 1);
    assert_eq!(
        (kept.first(), kept.last()),
        (Some(&TimelineEvent::Reactivated), Some(&TimelineEvent::Connected { identity: None }))
    );
    assert_eq!(of(Some(gone)).await.expect("read"), []);
    assert_eq!(of(None).await.expect("read"), []);
}

fn account_row(tx: &rusqlite::Transaction<'_>, id: AccountId) -> crate::store::Result<()> {
    let installed = install(tx, json!({ "name": "acme", "config": {} }))?;
    tx.execute(
        "INSERT INTO integrated_account (id, environment_integration_id, tenant_id, document, status, due_check, open,
           created_at, updated_at) VALUES (?1, ?2, '', '', '', 0, 0, 0, 0)",
        [id.to_string(), installed.id.to_string()],
    )?;
    Ok(())
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_postpone_the_next_removal() {
    let it = Alone::new();
    let add = async |at| {
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let payload = Payload::of(&json!({}))?;
            outbox::enqueue_event(tx, EventKind::Test, None, &payload, at)
        };
        it.services.store.write(write).await.expect("stored");
    };
    it.retention.start();
    add(START.plus_secs(-31 * DAY)).await;
    it.services.clock.advance_secs(7 * 60 * 60);
    it.becomes_empty().await;
    it.plans_the_next_removal().await;
    add(START.plus_secs(-60 * DAY)).await;
    it.services.clock.advance_secs(-7 * DAY);
    it.becomes_empty().await;
}

#[tokio::test]
async fn what_an_attempt_sent_and_got_is_removed_after_two_weeks_and_its_delivery_stays() {
    let it = Alone::new();
    let webhook = webhook("https://example.com/");
    let id = webhook.id;
    let attempt = DeliveryAttempt {
        at: START,
        duration_ms: 1,
        target_url: webhook.target_url.clone(),
        request_headers: BTreeMap::new(),
        response: None,
        error: None,
    };
    let write = move |tx: &rusqlite::Transaction<'_>| {
        webhooks::insert(tx, &webhook)?;
        let payload = Payload::of(&json!({}))?;
        let delivery = outbox::enqueue_event_for(tx, &id.to_string(), EventKind::Test, &payload, START, START)?;
        webhooks::add_attempt(tx, id, delivery, &attempt)?;
        Ok(delivery)
    };
    let delivery = it.services.store.write(write).await.expect("written");
    let kept = async || it.services.store.read(move |c| webhooks::attempts_of(c, delivery)).await.expect("read").len();
    it.pruned_after(14).await;
    assert_eq!(kept().await, 1);
    it.pruned_after(1).await;
    assert_eq!(kept().await, 0);
    let found = it.services.store.read(move |c| webhooks::delivery(c, id, delivery)).await.expect("read");
    assert!(found.is_some());
}
