use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use relink_domain::Secret;

use super::{super::send::sign, *};
use crate::{
    NewWebhook,
    keychain::{Key, Keychain, KeychainError},
    testing::{PERSON, START as NOW, TestEngine},
};

const REFUSED: Outcome = Err((Some(500), String::new()));

#[test]
fn a_delivery_fails_after_three_retries() {
    let failed = Err((Some(500), "answered with 500".to_owned()));
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
    let webhook = Webhook {
        id: WebhookId::from_uuid(uuid::Uuid::nil()),
        target_url: "https://example.com".into(),
        is_active: true,
        event_types: None,
        allow_private: false,
        failing_since: None,
        created_at: NOW,
        updated_at: NOW,
    };
    let (pending, failed) = (DeliveryState::Pending, DeliveryState::Failed);
    let failing = after(webhook, pending, NOW).expect("it changes");
    assert_eq!(after(failing.clone(), failed, NOW.plus_secs(DEACTIVATE_AFTER_SECS - 1)), None);
    assert_eq!(after(failing.clone(), pending, NOW.plus_secs(DEACTIVATE_AFTER_SECS)), None, "it has tries left");
    assert!(!after(failing.clone(), failed, NOW.plus_secs(DEACTIVATE_AFTER_SECS)).expect("it changes").is_active);
    assert_eq!(after(failing, DeliveryState::Delivered, NOW).expect("it changes").failing_since, None);
}

#[test]
fn the_signature_matches_rfc_4231() {
    // RFC 4231 §4.3, in base64.
    let signed = sign(&Secret::new("Jefe"), &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(signed, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
}

/// How long a test waits for what must happen. It only bounds a failure.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// A webhook's other end, whose answers the test gives.
struct Target(TcpListener);

impl Target {
    async fn listens() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    /// Waits for a delivery to arrive.
    async fn hears(&self) -> TcpStream {
        let (mut stream, _) = self.0.accept().await.expect("a connection");
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).ends_with("\"}") {
            assert!(stream.read_buf(&mut bytes).await.expect("a request") > 0, "cut short");
        }
        stream
    }

    async fn answers(mut stream: TcpStream, status: u16) {
        let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("answered");
    }
}

impl TestEngine {
    /// A webhook, and so many deliveries to it.
    async fn webhook(&self, target: &Target, deliveries: usize) -> WebhookId {
        let target_url = format!("http://{}/hook", target.0.local_addr().expect("bound"));
        let new = NewWebhook { target_url, is_active: true, event_types: None, allow_private: false };
        let id = self.engine.outbox().create_webhook(&PERSON, new).await.expect("made").0.id;
        for _ in 0..deliveries {
            self.engine.outbox().test_webhook(&PERSON, id).await.expect("on its way");
        }
        id
    }

    async fn turn(&self) -> Pending {
        let now = Timestamp::from_millis(i64::MAX);
        let due = move |c: &rusqlite::Connection| match webhooks::list(c)?.first() {
            Some(webhook) => webhooks::due(c, webhook.id, now, Some(1)),
            None => Ok(Vec::new()),
        };
        self.engine.store().read(due).await.expect("read").pop().expect("one is pending")
    }

    async fn rename_webhook(&self, from: String, to: String) {
        let write = move |tx: &rusqlite::Transaction<'_>| {
            tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
            tx.execute("UPDATE webhook SET id = ?2 WHERE id = ?1", [&from, &to])?;
            tx.execute("UPDATE delivery SET webhook_id = ?2 WHERE webhook_id = ?1", [&from, &to])?;
            Ok(())
        };
        self.engine.store().write(write).await.expect("renamed");
    }

    /// The states of all deliveries, oldest first.
    async fn states(&self, id: WebhookId) -> Vec<DeliveryState> {
        let found = self.engine.outbox().deliveries(&PERSON, id, 100).await.expect("deliveries");
        found.iter().rev().map(|delivery| delivery.state).collect()
    }
}

#[tokio::test]
async fn a_webhook_deleted_during_a_delivery_stays_deleted() {
    let it = TestEngine::start().await;
    let target = Target::listens().await;
    let id = it.webhook(&target, 1).await;
    let pending = it.turn().await;
    tokio::join!(it.engine.outbox().clone().deliver(pending), async {
        let waiting = target.hears().await;
        it.engine.outbox().delete_webhook(&PERSON, id).await.expect("deleted");
        Target::answers(waiting, 500).await;
    });
    assert_eq!(it.engine.outbox().webhooks(&PERSON).await.expect("read"), []);
}

#[tokio::test]
async fn an_attempt_that_began_before_a_replay_does_not_undo_it() {
    let it = TestEngine::start().await;
    let target = Target::listens().await;
    let id = it.webhook(&target, 1).await;
    it.engine.outbox().record(&it.turn().await, REFUSED).await.expect("noted");
    it.clock.advance_secs(DEACTIVATE_AFTER_SECS);
    for _ in 1..RETRY_DELAYS_SECS.len() {
        it.engine.outbox().record(&it.turn().await, REFUSED).await.expect("noted");
    }
    let pending = it.turn().await;
    tokio::join!(it.engine.outbox().clone().deliver(pending), async {
        let waiting = target.hears().await;
        it.engine.outbox().retry_failed(&PERSON, id).await.expect("activated");
        Target::answers(waiting, 500).await;
    });
    let webhook = it.engine.outbox().webhook(&PERSON, id).await.expect("there");
    assert_eq!((webhook.is_active, webhook.failing_since), (true, Some(it.engine.now())));
}

#[tokio::test]
async fn pending_deliveries_fail_when_their_webhook_is_deactivated() {
    let it = TestEngine::start().await;
    let id = it.webhook(&Target::listens().await, 3).await;
    let first = it.turn().await;
    for _ in 0..=RETRY_DELAYS_SECS.len() {
        it.engine.outbox().record(&first, REFUSED).await.expect("noted");
    }
    it.clock.advance_secs(2 * DEACTIVATE_AFTER_SECS);
    let second = it.turn().await;
    for _ in 0..RETRY_DELAYS_SECS.len() {
        it.engine.outbox().record(&second, REFUSED).await.expect("noted");
        assert!(it.engine.outbox().webhook(&PERSON, id).await.expect("there").is_active, "it has tries left");
    }
    let (pending, failed) = (DeliveryState::Pending, DeliveryState::Failed);
    assert_eq!(it.states(id).await, [failed, pending, pending]);

    it.engine.outbox().record(&second, REFUSED).await.expect("noted");
    assert!(!it.engine.outbox().webhook(&PERSON, id).await.expect("there").is_active);
    assert_eq!(it.states(id).await, [failed; 3]);
    let newest = it.engine.outbox().deliveries(&PERSON, id, 1).await.expect("deliveries").pop().expect("there");
    assert_eq!(newest.last_error.as_deref(), Some(DEACTIVATED));
    assert_eq!(it.engine.outbox().retry_failed(&PERSON, id).await.expect("replayed"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_not_sent_again_while_the_disk_refuses_its_outcome() {
    let it = TestEngine::start().await;
    let id = it.webhook(&Target::listens().await, 1).await;
    let pending = it.turn().await;
    // A try that needs no network, for the clock's sake.
    Keychain::memory(it.keychain.clone()).delete(&Key::Webhook(id)).await.expect("removed");
    it.set_writable(false).await;
    let mut delivering = std::pin::pin!(it.engine.outbox().clone().deliver(pending));
    tokio::select! {
        () = &mut delivering => panic!("it gave up, to be tried again"),
        () = async {
            // The store answers in turn: each of these lets the delivery make a step.
            for _ in 0..10 {
                it.turn().await;
            }
        } => {}
    }
    it.set_writable(true).await;
    delivering.await;
    assert_eq!(it.engine.outbox().deliveries(&PERSON, id, 1).await.expect("deliveries")[0].tries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_keychain_that_refused_is_not_called_again_immediately() {
    let it = TestEngine::start().await;
    let id = it.webhook(&Target::listens().await, 1).await;
    let pending = it.turn().await;
    it.keychain.refuse(KeychainError::Other("it is out of sorts".into()));
    let began = Instant::now();
    it.engine.outbox().clone().deliver(pending).await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(it.states(id).await, [DeliveryState::Pending], "nothing was tried");
}

#[tokio::test]
async fn an_unreadable_signing_secret_is_a_failed_attempt_with_a_reason() {
    let it = TestEngine::start().await;
    let id = it.webhook(&Target::listens().await, 1).await;
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
        it.keychain.refuse(error);
        it.engine.outbox().clone().deliver(it.turn().await).await;
        let delivery = it.engine.outbox().deliveries(&PERSON, id, 1).await.expect("deliveries").pop().expect("there");
        assert!(delivery.last_error.as_deref().is_some_and(|error| error.starts_with(words)), "{delivery:?}");
    }
    it.keychain.recover();
    Keychain::memory(it.keychain.clone()).delete(&Key::Webhook(id)).await.expect("removed");
    it.engine.outbox().clone().deliver(it.turn().await).await;
    let delivery = it.engine.outbox().deliveries(&PERSON, id, 1).await.expect("deliveries").pop().expect("there");
    assert_eq!(delivery.last_error.as_deref(), Some("the signing secret is gone from the keychain"));
    assert_eq!((delivery.tries, delivery.state), (3, DeliveryState::Pending));
}

#[tokio::test]
async fn nothing_is_sent_to_a_private_address_without_consent() {
    let it = TestEngine::start().await;
    let id = it.webhook(&Target::listens().await, 1).await;
    let withdrawn = "UPDATE webhook SET allow_private = 0";
    it.engine.store().write(|tx| Ok(tx.execute_batch(withdrawn)?)).await.expect("withdrawn");
    it.engine.outbox().clone().deliver(it.turn().await).await;
    let delivery = it.engine.outbox().deliveries(&PERSON, id, 1).await.expect("deliveries").pop().expect("there");
    assert!(delivery.last_error.as_deref().is_some_and(|error| error.contains("private")), "{delivery:?}");
}

#[tokio::test]
async fn a_webhook_that_waits_for_a_free_slot_gets_the_next_one() {
    let it = TestEngine::start().await;
    let (crowd, last) = (Target::listens().await, Target::listens().await);
    for _ in 0..MAX_IN_FLIGHT {
        it.webhook(&crowd, 1).await;
    }
    it.webhook(&last, 1).await;
    it.engine.outbox().start();
    let mut waiting = Vec::new();
    for _ in 0..MAX_IN_FLIGHT {
        waiting.push(crowd.hears().await);
    }
    Target::answers(waiting.pop().expect("one of them"), 200).await;
    let delivered = tokio::time::timeout(WAIT_TIMEOUT, last.hears()).await.expect("the place that came free");
    Target::answers(delivered, 200).await;
}

#[tokio::test]
async fn pending_deliveries_that_could_not_be_read_are_read_again() {
    let it = TestEngine::start().await;
    let target = Target::listens().await;
    let id = it.webhook(&target, 1).await.to_string();
    // An id that is none can't be read.
    let unreadable = "unreadable".to_owned();
    it.rename_webhook(id.clone(), unreadable.clone()).await;
    it.engine.store().read(webhooks::all_next_due).await.expect_err("unreadable");
    it.engine.outbox().start();
    // By then the loop's first read has failed.
    for _ in 0..50 {
        it.engine.store().read(|_| Ok(())).await.expect("read");
    }
    it.rename_webhook(unreadable, id).await;
    let delivered = tokio::time::timeout(WAIT_TIMEOUT, target.hears()).await.expect("read again");
    Target::answers(delivered, 200).await;
}
