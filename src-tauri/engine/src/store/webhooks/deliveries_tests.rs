use std::collections::BTreeMap;

use proptest::prelude::*;
use relink_domain::{event::EventKind, webhook::SignatureFormat};
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::store::{
    Store,
    outbox::{self, Payload},
    query_plans::in_memory,
    webhooks::{self, Webhook},
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SUBJECTS: [&str; 3] = ["a", "b", "c"];

fn webhook(number: u128) -> WebhookId {
    WebhookId::from_uuid(Uuid::from_u128(number))
}

fn add_webhook(tx: &Transaction<'_>, number: u128) {
    let webhook = Webhook {
        id: webhook(number),
        target_url: "https://example.com".into(),
        is_active: true,
        event_types: None,
        allow_private: false,
        signature_format: SignatureFormat::Base64,
        failing_since: None,
        disabled_at: None,
        creator: None,
        created_at: NOW,
        updated_at: NOW,
    };
    webhooks::insert(tx, &webhook).expect("inserted");
}

fn add_event(tx: &Transaction<'_>, subject: &str) {
    outbox::enqueue_event(
        tx,
        EventKind::AccountActive,
        Some(subject),
        &Payload::of(&json!({})).expect("serialized"),
        NOW,
    )
    .expect("enqueued");
}

fn outcome(state: DeliveryState, next_try: Timestamp) -> Attempted {
    Attempted { state, next_try, status: None, error: None }
}

fn with_database(test: impl FnOnce(&Transaction<'_>)) {
    let mut connection = in_memory();
    let tx = connection.transaction().expect("begins");
    test(&tx);
}

fn due_seqs(connection: &Connection, number: u128) -> Vec<i64> {
    let due = due(connection, webhook(number), NOW.plus_secs(1_000_000), None).expect("read");
    due.iter().map(|pending| pending.outbox_seq).collect()
}

#[test]
fn only_the_oldest_pending_delivery_of_a_subject_is_due() {
    with_database(|tx| {
        add_webhook(tx, 1);
        for subject in ["a", "a", "b", "a"] {
            add_event(tx, subject);
        }
        assert_eq!(due_seqs(tx, 1), [1, 3]);
        let first = due(tx, webhook(1), NOW, Some(1)).expect("read").remove(0);
        record_attempt(tx, first.id, &outcome(DeliveryState::Pending, NOW.plus_secs(60)), NOW).expect("written");
        let due_now: Vec<_> = due(tx, webhook(1), NOW, None).expect("read").iter().map(|it| it.outbox_seq).collect();
        assert_eq!(due_now, [3], "the second delivery of the subject waits for the retry of the first");
        record_attempt(tx, first.id, &outcome(DeliveryState::Delivered, NOW), NOW).expect("written");
        assert_eq!(due_seqs(tx, 1), [2, 3]);
    });
}

#[test]
fn next_due_names_the_first_retry_and_no_inactive_webhook() {
    with_database(|tx| {
        add_webhook(tx, 1);
        add_webhook(tx, 2);
        add_event(tx, "a");
        add_event(tx, "b");
        let pending = due(tx, webhook(1), NOW, None).expect("read");
        record_attempt(tx, pending[0].id, &outcome(DeliveryState::Pending, NOW.plus_secs(8)), NOW).expect("written");
        record_attempt(tx, pending[1].id, &outcome(DeliveryState::Pending, NOW.plus_secs(4)), NOW).expect("written");
        let next = |number, after| next_due(tx, webhook(number), after).expect("read");
        assert_eq!((next(1, NOW), next(1, NOW.plus_secs(4))), (Some(NOW.plus_secs(4)), Some(NOW.plus_secs(8))));
        assert_eq!(next(2, NOW), None, "both of the other webhook's deliveries are due already");
        assert_eq!(all_next_due(tx).expect("read"), [(webhook(1), NOW.plus_secs(4)), (webhook(2), NOW)]);

        tx.execute("UPDATE webhook SET is_active = 0 WHERE id = ?1", [webhook(1).to_string()]).expect("updated");
        assert_eq!((due_seqs(tx, 1), next(1, NOW)), (vec![], None));
        assert_eq!(all_next_due(tx).expect("read"), [(webhook(2), NOW)]);
    });
}

#[derive(Debug, Clone)]
enum Change {
    Event(usize),
    /// Records an attempt of any delivery, eligible or not.
    Attempted(usize, DeliveryState),
    Fail(u128),
    Retry(u128),
}

fn change() -> impl Strategy<Value = Change> {
    let state = prop_oneof![Just(DeliveryState::Pending), Just(DeliveryState::Delivered), Just(DeliveryState::Failed)];
    prop_oneof![
        4 => (0..SUBJECTS.len()).prop_map(Change::Event),
        6 => (any::<usize>(), state).prop_map(|(place, state)| Change::Attempted(place, state)),
        1 => (1..=2_u128).prop_map(Change::Fail),
        1 => (1..=2_u128).prop_map(Change::Retry),
    ]
}

fn apply(tx: &Transaction<'_>, change: &Change) {
    match *change {
        Change::Event(subject) => add_event(tx, SUBJECTS[subject]),
        Change::Attempted(place, state) => {
            let mut statement = tx.prepare_cached("SELECT id FROM delivery ORDER BY id").expect("prepared");
            let ids: Vec<String> =
                statement.query_map([], |row| row.get(0)).expect("read").collect::<Result<_, _>>().expect("read");
            if !ids.is_empty() {
                let id = ids[place % ids.len()].parse().expect("an id");
                record_attempt(tx, id, &outcome(state, NOW), NOW).expect("written");
            }
        }
        Change::Fail(number) => drop(fail_pending(tx, webhook(number), "why", NOW).expect("written")),
        Change::Retry(number) => drop(retry_failed(tx, webhook(number), NOW).expect("written")),
    }
}

fn oldest_pending(tx: &Transaction<'_>) -> BTreeMap<(String, String), i64> {
    rows(tx, "SELECT webhook_id, subject, min(outbox_seq) FROM delivery WHERE state = 'pending' GROUP BY 1, 2")
}

fn eligible(tx: &Transaction<'_>) -> BTreeMap<(String, String), i64> {
    rows(tx, "SELECT webhook_id, subject, outbox_seq FROM delivery WHERE eligible = 1")
}

fn rows(tx: &Transaction<'_>, sql: &str) -> BTreeMap<(String, String), i64> {
    let mut statement = tx.prepare_cached(sql).expect("prepared");
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).expect("read");
    rows.collect::<Result<_, _>>().expect("read")
}

proptest! {
    #[test]
    fn the_oldest_pending_delivery_of_each_subject_is_always_eligible(
        changes in prop::collection::vec(change(), 1..40)
    ) {
        let mut connection = in_memory();
        let tx = connection.transaction().expect("begins");
        add_webhook(&tx, 1);
        add_webhook(&tx, 2);
        for change in &changes {
            apply(&tx, change);
            prop_assert_eq!(eligible(&tx), oldest_pending(&tx), "after {:?}", change);
        }
    }
}

#[tokio::test]
async fn deleting_a_webhook_deletes_its_deliveries() {
    let store = Store::in_memory().expect("opens");
    let left: i64 = store
        .write(|tx| {
            add_webhook(tx, 1);
            add_event(tx, "a");
            webhooks::delete(tx, webhook(1))?;
            Ok(tx.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0))?)
        })
        .await
        .expect("written");
    assert_eq!(left, 0);
}
