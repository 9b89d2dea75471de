use std::collections::BTreeMap;

use relink_contract::webhook::DeliveryResponse;
use relink_domain::event::EventKind;
use tokio::time::Instant;

use super::{super::tests::Alone, *};
use crate::{
    keychain::{Key, KeychainError},
    store::{
        outbox::{self, Payload},
        webhooks::DeliveryFilter,
    },
    testing::{LocalServer, PERSON, START as NOW, WAIT_TIMEOUT, webhook},
};

/// An attempt that the target answered with 500.
fn refused() -> DeliveryAttempt {
    let response = DeliveryResponse { status: 500, headers: BTreeMap::new(), body: String::new(), is_truncated: false };
    DeliveryAttempt {
        at: NOW,
        duration_ms: 1,
        target_url: "https://example.com/".into(),
        request_headers: BTreeMap::new(),
        response: Some(response),
        error: Some("answered with 500".into()),
    }
}

#[test]
fn a_delivery_fails_after_three_retries() {
    let failed = refused();
    let steps: Vec<_> = (0..4)
        .map(|tries| {
            let tried = attempted(&failed, tries, true, NOW);
            (tried.state, tried.next_try.millis_since(NOW) / 1000)
        })
        .collect();
    let again = DeliveryState::Pending;
    assert_eq!(steps, [(again, 2), (again, 4), (again, 8), (DeliveryState::Failed, 0)]);
}

#[test]
fn a_webhook_is_deactivated_after_a_day_of_failures_unless_one_succeeds() {
    let webhook = webhook("https://example.com/");
    let (pending, failed) = (DeliveryState::Pending, DeliveryState::Failed);
    let failing = after(webhook, pending, NOW).expect("it changes");
    assert_eq!(after(failing.clone(), failed, NOW.plus_secs(DEACTIVATE_AFTER_SECS - 1)), None);
    assert_eq!(after(failing.clone(), pending, NOW.plus_secs(DEACTIVATE_AFTER_SECS)), None, "it has tries left");
    let day_later = NOW.plus_secs(DEACTIVATE_AFTER_SECS);
    let disabled = after(failing.clone(), failed, day_later).expect("it changes");
    assert_eq!((disabled.is_active, disabled.disabled_at), (false, Some(day_later)));
    assert_eq!(after(failing, DeliveryState::Delivered, NOW).expect("it changes").failing_since, None);
}

impl Alone {
    async fn rename_webhook(&self, from: String, to: String) {
        let write = move |tx: &rusqlite::Transaction<'_>| {
            tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
            tx.execute("UPDATE webhook SET id = ?2 WHERE id = ?1", [&from, &to])?;
            tx.execute("UPDATE delivery SET webhook_id = ?2 WHERE webhook_id = ?1", [&from, &to])?;
            Ok(())
        };
        self.services.store.write(write).await.expect("renamed");
    }
}

#[tokio::test]
async fn a_webhook_deleted_during_a_delivery_stays_deleted() {
    let it = Alone::new();
    let target = LocalServer::listen().await;
    let id = it.webhook(&target, 1).await;
    let pending = it.turn().await;
    tokio::join!(it.outbox.clone().deliver(pending), async {
        let waiting = target.request().await;
        it.outbox.delete_webhook(&PERSON, id).await.expect("deleted");
        waiting.respond(500, "").await;
    });
    assert_eq!(it.outbox.webhooks(&PERSON).await.expect("read"), []);
}

#[tokio::test]
async fn an_attempt_that_began_before_a_replay_does_not_undo_it() {
    let it = Alone::new();
    let target = LocalServer::listen().await;
    let id = it.webhook(&target, 1).await;
    it.outbox.record(&it.turn().await, refused()).await.expect("noted");
    it.services.clock.advance_secs(DEACTIVATE_AFTER_SECS);
    for _ in 1..RETRY_DELAYS_SECS.len() {
        it.outbox.record(&it.turn().await, refused()).await.expect("noted");
    }
    let pending = it.turn().await;
    tokio::join!(it.outbox.clone().deliver(pending), async {
        let waiting = target.request().await;
        it.outbox.retry_failed(&PERSON, id).await.expect("activated");
        waiting.respond(500, "").await;
    });
    let webhook = it.outbox.webhook(&PERSON, id).await.expect("there");
    assert_eq!((webhook.is_active, webhook.failing_since), (true, Some(it.services.clock.now())));
}

#[tokio::test]
async fn pending_deliveries_fail_when_their_webhook_is_deactivated() {
    let it = Alone::new();
    let id = it.webhook(&LocalServer::listen().await, 3).await;
    let first = it.turn().await;
    for _ in 0..=RETRY_DELAYS_SECS.len() {
        it.outbox.record(&first, refused()).await.expect("noted");
    }
    it.services.clock.advance_secs(2 * DEACTIVATE_AFTER_SECS);
    let second = it.turn().await;
    for _ in 0..RETRY_DELAYS_SECS.len() {
        it.outbox.record(&second, refused()).await.expect("noted");
        assert!(it.outbox.webhook(&PERSON, id).await.expect("there").is_active, "it has tries left");
    }
    let (pending, failed) = (DeliveryState::Pending, DeliveryState::Failed);
    assert_eq!(it.states(id).await, [failed, pending, pending]);

    let changed = it.outbox.disabled_webhooks_changed(&PERSON);
    it.outbox.record(&second, refused()).await.expect("noted");
    assert!(changed.has_changed().expect("open"));
    assert!(!it.outbox.webhook(&PERSON, id).await.expect("there").is_active);
    assert_eq!(it.states(id).await, [failed; 3]);
    let newest = it
        .outbox
        .deliveries(&PERSON, id, DeliveryFilter::default(), 1)
        .await
        .expect("deliveries")
        .pop()
        .expect("there");
    assert_eq!(newest.last_error.as_deref(), Some(DEACTIVATED));
    assert_eq!(it.outbox.retry_failed(&PERSON, id).await.expect("replayed"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_not_sent_again_while_the_disk_refuses_its_outcome() {
    let it = Alone::new();
    let id = it.webhook(&LocalServer::listen().await, 1).await;
    let pending = it.turn().await;
    // A try that needs no network, for the clock's sake.
    it.services.keychain.delete(&Key::Webhook(id)).await.expect("removed");
    it.services.set_writable(false).await;
    let mut delivering = std::pin::pin!(it.outbox.clone().deliver(pending));
    tokio::select! {
        () = &mut delivering => panic!("it gave up, to be tried again"),
        () = async {
            // The store answers in turn: each of these lets the delivery make a step.
            for _ in 0..10 {
                it.turn().await;
            }
        } => {}
    }
    it.services.set_writable(true).await;
    delivering.await;
    assert_eq!(it.outbox.deliveries(&PERSON, id, DeliveryFilter::default(), 1).await.expect("deliveries")[0].tries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_keychain_that_refused_is_not_called_again_immediately() {
    let it = Alone::new();
    let id = it.webhook(&LocalServer::listen().await, 1).await;
    let pending = it.turn().await;
    it.services.backend.refuse(KeychainError::Other("it is out of sorts".into()));
    let began = Instant::now();
    it.outbox.clone().deliver(pending).await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(it.states(id).await, [DeliveryState::Pending], "nothing was tried");
}

#[tokio::test]
async fn an_unreadable_signing_secret_is_a_failed_attempt_with_a_reason() {
    let it = Alone::new();
    let id = it.webhook(&LocalServer::listen().await, 1).await;
    for (error, words) in [
        (
            KeychainError::Damaged { what: "a part of it is gone" },
            "the signing secret can't be read: The keychain item can't",
        ),
        (
            KeychainError::Newer { version: 9 },
            "the signing secret can't be read: The keychain item was created by a newer",
        ),
    ] {
        it.services.backend.refuse(error);
        it.outbox.clone().deliver(it.turn().await).await;
        let delivery = it
            .outbox
            .deliveries(&PERSON, id, DeliveryFilter::default(), 1)
            .await
            .expect("deliveries")
            .pop()
            .expect("there");
        assert!(delivery.last_error.as_deref().is_some_and(|error| error.starts_with(words)), "{delivery:?}");
    }
    it.services.backend.recover();
    it.services.keychain.delete(&Key::Webhook(id)).await.expect("removed");
    it.outbox.clone().deliver(it.turn().await).await;
    let delivery = it
        .outbox
        .deliveries(&PERSON, id, DeliveryFilter::default(), 1)
        .await
        .expect("deliveries")
        .pop()
        .expect("there");
    assert_eq!(delivery.last_error.as_deref(), Some("the signing secret is gone from the keychain"));
    assert_eq!((delivery.tries, delivery.state), (3, DeliveryState::Pending));
}

#[tokio::test]
async fn nothing_is_sent_to_a_private_address_without_consent() {
    let it = Alone::new();
    let id = it.webhook(&LocalServer::listen().await, 1).await;
    let withdrawn = "UPDATE webhook SET allow_private = 0";
    it.services.store.write(|tx| Ok(tx.execute_batch(withdrawn)?)).await.expect("withdrawn");
    it.outbox.clone().deliver(it.turn().await).await;
    let delivery = it
        .outbox
        .deliveries(&PERSON, id, DeliveryFilter::default(), 1)
        .await
        .expect("deliveries")
        .pop()
        .expect("there");
    assert!(delivery.last_error.as_deref().is_some_and(|error| error.contains("private")), "{delivery:?}");
}

#[tokio::test]
async fn a_webhook_that_waits_for_a_free_slot_gets_the_next_one() {
    let it = Alone::new();
    let (crowd, last) = (LocalServer::listen().await, LocalServer::listen().await);
    for _ in 0..MAX_IN_FLIGHT {
        it.webhook(&crowd, 1).await;
    }
    it.webhook(&last, 1).await;
    it.outbox.start();
    let mut waiting = Vec::new();
    for _ in 0..MAX_IN_FLIGHT {
        waiting.push(crowd.request().await);
    }
    waiting.pop().expect("one of them").respond(200, "").await;
    let delivered = tokio::time::timeout(WAIT_TIMEOUT, last.request()).await.expect("the place that came free");
    delivered.respond(200, "").await;
}

#[tokio::test]
async fn pending_deliveries_that_could_not_be_read_are_read_again() {
    let it = Alone::new();
    let target = LocalServer::listen().await;
    let id = it.webhook(&target, 1).await.to_string();
    // An id that is none can't be read.
    let unreadable = "unreadable".to_owned();
    it.rename_webhook(id.clone(), unreadable.clone()).await;
    it.services.store.read(webhooks::all_next_due).await.expect_err("unreadable");
    it.outbox.start();
    // By then the loop's first read has failed.
    for _ in 0..50 {
        it.services.store.read(|_| Ok(())).await.expect("read");
    }
    it.rename_webhook(unreadable, id).await;
    let delivered = tokio::time::timeout(WAIT_TIMEOUT, target.request()).await.expect("read again");
    delivered.respond(200, "").await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_holds_no_delivery_until_the_old_future() {
    let it = Alone::new();
    let server = LocalServer::listen().await;
    let webhook = Webhook { failing_since: Some(NOW), ..webhook(&server.origin()) };
    let (id, retry) = (webhook.id, NOW.plus_secs(4));
    let write = move |tx: &rusqlite::Transaction<'_>| {
        webhooks::insert(tx, &webhook)?;
        let payload = Payload::of(&serde_json::json!({}))?;
        let delivery = outbox::enqueue_event_for(tx, &id.to_string(), EventKind::Test, &payload, NOW, NOW)?;
        let attempted =
            Attempted { state: DeliveryState::Pending, next_try: retry, status: Some(500), error: Some("no".into()) };
        webhooks::record_attempt(tx, delivery, &attempted, NOW)
    };
    it.services.store.write(write).await.expect("stored");
    it.services.clock.advance_secs(-3 * 86_400);
    it.outbox.bring_retries_forward().await;
    let now = it.services.clock.now();
    let due = it.services.store.read(webhooks::all_next_due).await.expect("read");
    assert_eq!(due, [(id, now.plus_secs(8))]);
    let webhook = it.services.store.read(move |c| webhooks::get(c, id)).await.expect("read").expect("there");
    assert_eq!(webhook.failing_since, Some(now));
}

#[tokio::test]
async fn the_loop_retries_soon_after_the_clock_was_set_back() {
    let it = Alone::new();
    let server = LocalServer::listen().await;
    let id = it.webhook(&server, 1).await;
    it.outbox.start();
    server.request().await.respond(500, "").await;
    let next_retry =
        async || it.services.store.read(webhooks::all_next_due).await.expect("read").pop().map(|(_, at)| at);
    it.services.eventually(async || next_retry().await.filter(|at| *at > NOW)).await;
    it.services.clock.advance_secs(-3 * 86_400);
    let now = it.services.clock.now();
    it.services.eventually(async || next_retry().await.filter(|at| *at <= now.plus_secs(8))).await;
    it.services.clock.advance_secs(8);
    server.request().await.respond(200, "").await;
    it.services.eventually(async || (it.states(id).await == [DeliveryState::Delivered]).then_some(())).await;
}
