use relink_domain::{AccountId, account::TimelineEvent, event::EventKind};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    NewWebhook,
    store::{
        outbox::Payload,
        webhooks::{self, Attempted, DeliveryState},
    },
    testing::{PERSON, START, TestEngine},
};

const DAY: i64 = 24 * 60 * 60;

impl TestEngine {
    async fn pruned_after(&self, days: i64) {
        self.clock.advance_secs(days * DAY);
        let retention = Retention::new(Dependencies {
            store: self.engine.store().clone(),
            clock: self.clock.clone(),
            tasks: Tasks::default(),
        });
        for records in [Records::Timeline, Records::Events] {
            retention.prune(records, self.clock.now()).await.expect("pruned");
        }
    }

    async fn seqs(&self) -> Vec<i64> {
        self.engine
            .outbox()
            .events_after(&PERSON, 0, 5000)
            .await
            .expect("events")
            .iter()
            .map(|event| event.seq)
            .collect()
    }
}

#[tokio::test]
async fn events_are_removed_after_thirty_days_unless_they_were_not_delivered() {
    let it = TestEngine::start().await;
    let target_url = "https://example.com/".to_owned();
    let new = NewWebhook { target_url, is_active: true, event_types: None, allow_private: false };
    let id = it.engine.outbox().create_webhook(&PERSON, new).await.expect("made").0.id;
    for _ in 0..3 {
        it.engine.outbox().test_webhook(&PERSON, id).await.expect("on its way");
    }
    let newest_first = it.engine.outbox().deliveries(&PERSON, id, 3).await.expect("deliveries");
    it.engine
        .store()
        .write(move |tx| {
            for (delivery, state) in newest_first.iter().zip([DeliveryState::Failed, DeliveryState::Delivered]) {
                let attempted = Attempted { state, next_try: START, status: None, error: None };
                webhooks::record_attempt(tx, delivery.id, &attempted, START)?;
            }
            // More than one batch of what nobody was to be told.
            for _ in 0..2 * BATCH {
                outbox::enqueue_event(tx, EventKind::ApiTokenCreated, None, &Payload::of(&json!({}))?, START)?;
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
    assert_eq!(it.engine.outbox().deliveries(&PERSON, id, 10).await.expect("deliveries").len(), 2);
    let latest = it.engine.store().read(outbox::latest).await.expect("read");
    assert_eq!(Some(&latest), all.last(), "whoever follows keeps their place");
}

#[tokio::test]
async fn timeline_entries_are_removed_after_ninety_days_except_those_that_describe_the_account() {
    let it = TestEngine::start().await;
    let [living, gone] = [1, 2].map(|n| AccountId::from_uuid(Uuid::from_u128(n)));
    let refreshed = TimelineEvent::Refreshed { expires_at: None, rotated: false };
    let story = std::iter::once(TimelineEvent::Connected { identity: None })
        .chain(std::iter::repeat_n(refreshed, 2 * BATCH))
        .chain([TimelineEvent::Reactivated]);
    let of = |id: Option<AccountId>| {
        it.engine.store().read(move |c| {
            let entries = timeline::list(c, id, None, None)?;
            Ok(entries.into_iter().filter(|entry| entry.account_id == id).map(|entry| entry.event).collect::<Vec<_>>())
        })
    };
    it.engine
        .store()
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
    let installed: String = tx.query_row("SELECT id FROM environment_integration LIMIT 1", [], |row| row.get(0))?;
    tx.execute(
        "INSERT INTO integrated_account (id, environment_integration_id, tenant_id, document, status, due_check, open,
           created_at, updated_at) VALUES (?1, ?2, '', '', '', 0, 0, 0, 0)",
        [id.to_string(), installed],
    )?;
    Ok(())
}
