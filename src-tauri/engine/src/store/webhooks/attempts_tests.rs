use std::collections::BTreeMap;

use relink_domain::event::EventKind;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    store::{
        outbox::{self, Payload},
        query_plans::in_memory,
        webhooks::{self, Webhook},
    },
    testing::{START, webhook},
};

fn attempt(seconds: i64) -> DeliveryAttempt {
    DeliveryAttempt {
        at: START.plus_secs(seconds),
        duration_ms: 7,
        target_url: "https://example.com/".into(),
        request_headers: BTreeMap::new(),
        response: None,
        error: None,
    }
}

/// A webhook with this number, and a delivery to it.
fn delivery_to(tx: &Transaction<'_>, number: u128) -> (WebhookId, DeliveryId) {
    let id = WebhookId::from_uuid(Uuid::from_u128(number));
    webhooks::insert(tx, &Webhook { id, ..webhook("https://example.com/") }).expect("inserted");
    let payload = Payload::of(&json!({})).expect("serialized");
    let delivery = outbox::enqueue_event_for(tx, &id.to_string(), EventKind::Test, &payload, START, START);
    (id, delivery.expect("enqueued"))
}

#[test]
fn a_webhooks_oldest_attempts_make_room_and_those_of_another_stay() {
    let mut connection = in_memory();
    let tx = connection.transaction().expect("begins");
    let (other, delivery_to_other) = delivery_to(&tx, 1);
    let (id, delivery) = delivery_to(&tx, 2);
    add(&tx, other, delivery_to_other, &attempt(0)).expect("added");
    let number = i64::try_from(MAX_OF_WEBHOOK).expect("few");
    for seconds in 0..=number {
        add(&tx, id, delivery, &attempt(seconds)).expect("added");
    }
    let kept = of(&tx, delivery).expect("read");
    assert_eq!((kept.len(), &kept[0]), (MAX_OF_WEBHOOK, &attempt(1)));
    assert_eq!(kept.last(), Some(&attempt(number)));
    assert_eq!(of(&tx, delivery_to_other).expect("read"), [attempt(0)]);
}

#[test]
fn attempts_are_removed_by_their_age_and_with_their_delivery() {
    let mut connection = in_memory();
    let tx = connection.transaction().expect("begins");
    let (id, delivery) = delivery_to(&tx, 1);
    for seconds in 0..5 {
        add(&tx, id, delivery, &attempt(seconds)).expect("added");
    }
    assert!(prune(&tx, START.plus_secs(3), 2).expect("pruned"), "there may be more");
    assert!(!prune(&tx, START.plus_secs(3), 2).expect("pruned"));
    assert_eq!(of(&tx, delivery).expect("read"), [attempt(3), attempt(4)]);
    webhooks::delete(&tx, id).expect("deleted");
    assert_eq!(of(&tx, delivery).expect("read"), []);
}
