//! What is kept, and for how long. What happened and what was told is kept for a person to look at, not for ever.

use std::time::Duration;

use crate::{
    Engine,
    error::Result,
    store::{outbox, timeline},
};

/// A timeline's entries are kept for so long.
const TIMELINE_DAYS: i64 = 90;
/// An account's newest entries are kept whatever their age: they say how it is.
const NEWEST_OF_ACCOUNT: usize = 100;
/// Events and what was delivered of them are kept for so long.
const EVENTS_DAYS: i64 = 30;
/// Rows looked at in one transaction: whoever waits for the store comes in between.
const BATCH: usize = 500;
/// How often it is looked. Oftener than once a day, because timers stand still while the machine sleeps.
const AGAIN: Duration = Duration::from_hours(6);

/// The loop.
pub(crate) async fn run(engine: Engine) {
    loop {
        if let Err(error) = engine.prune().await {
            tracing::warn!(code = error.code(), "old entries stay for now: {error}");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

impl Engine {
    /// Lets go of what is old.
    async fn prune(&self) -> Result<()> {
        let store = &self.0.store;
        let days_ago = |days: i64| self.now().plus_secs(-days * 24 * 60 * 60);
        let (mut from, before) = (0, days_ago(TIMELINE_DAYS));
        while let Some(to) = store.read(move |c| timeline::old(c, from, before, BATCH)).await? {
            store.write(move |tx| timeline::prune(tx, from, to, before, NEWEST_OF_ACCOUNT)).await?;
            from = to;
        }
        let (mut from, before) = (0, days_ago(EVENTS_DAYS));
        while let Some(to) = store.read(move |c| outbox::old(c, from, before, BATCH)).await? {
            store.write(move |tx| outbox::prune(tx, from, to, before)).await?;
            from = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::{AccountId, account::TimelineEvent, event::EventKind};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{
        NewWebhook,
        store::webhooks::{self, DeliveryState, Tried},
        testing::{START, Started},
    };

    const DAY: i64 = 24 * 60 * 60;

    impl Started {
        async fn pruned_after(&self, days: i64) {
            self.clock.advance_secs(days * DAY);
            self.engine.prune().await.expect("pruned");
        }

        async fn seqs(&self) -> Vec<i64> {
            self.engine.events_after(0, 5000).await.expect("events").iter().map(|event| event.seq).collect()
        }
    }

    #[tokio::test]
    async fn events_go_after_thirty_days_but_not_what_was_not_delivered() {
        let it = Started::new().await;
        let target_url = "https://example.com/".to_owned();
        let new = NewWebhook { target_url, is_active: true, event_types: None, allow_private: false };
        let id = it.engine.create_webhook(new).await.expect("made").0.id;
        for _ in 0..3 {
            it.engine.test_webhook(id).await.expect("on its way");
        }
        let newest_first = it.engine.deliveries(id, 3).await.expect("deliveries");
        it.engine
            .0
            .store
            .write(move |tx| {
                for (delivery, state) in newest_first.iter().zip([DeliveryState::Failed, DeliveryState::Delivered]) {
                    let tried = Tried { state, next_try: START, status: None, error: None };
                    webhooks::tried(tx, delivery.id, &tried, START)?;
                }
                // More than one batch of what nobody was to be told.
                for _ in 0..2 * BATCH {
                    outbox::enqueue_event(tx, EventKind::ApiTokenCreated, None, &json!({}), START)?;
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
        // The first is still pending, the third failed.
        assert_eq!(it.seqs().await, [all[0], all[2]]);
        assert_eq!(it.engine.deliveries(id, 10).await.expect("deliveries").len(), 2);
        let latest = it.engine.0.store.read(outbox::latest).await.expect("read");
        assert_eq!(Some(&latest), all.last(), "whoever follows keeps their place");
    }

    #[tokio::test]
    async fn a_timeline_goes_after_ninety_days_but_for_what_says_how_the_account_is() {
        let it = Started::new().await;
        let [living, gone] = [1, 2].map(|n| AccountId::from_uuid(Uuid::from_u128(n)));
        let refreshed = TimelineEvent::Refreshed { expires_at: None, rotated: false };
        let story = std::iter::once(TimelineEvent::Connected { identity: None })
            .chain(std::iter::repeat_n(refreshed, 2 * BATCH))
            .chain([TimelineEvent::Reactivated]);
        let of = |id: Option<AccountId>| {
            it.engine.0.store.read(move |c| {
                let entries = timeline::list(c, id, None, None)?;
                Ok(entries
                    .into_iter()
                    .filter(|entry| entry.account_id == id)
                    .map(|entry| entry.event)
                    .collect::<Vec<_>>())
            })
        };
        it.engine
            .0
            .store
            .write(move |tx| {
                account_row(tx, living)?;
                for timeline_event in story {
                    for id in [Some(living), Some(gone), None] {
                        timeline::add(tx, id, START, &timeline_event)?;
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
}
