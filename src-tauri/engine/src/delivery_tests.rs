use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::*;
use crate::{
    NewWebhook,
    keychain::Keychain,
    testing::{START as NOW, Started},
};

const REFUSED: Outcome = Err((Some(500), String::new()));

#[test]
fn a_delivery_fails_after_three_retries() {
    let failed = Err((Some(500), "answered with 500".to_owned()));
    let steps: Vec<_> = (0..4)
        .map(|tries| {
            let tried = tried(&failed, tries, true, NOW);
            (tried.state, tried.next_try.millis_since(NOW) / 1000)
        })
        .collect();
    let again = DeliveryState::Pending;
    assert_eq!(steps, [(again, 2), (again, 4), (again, 8), (DeliveryState::Failed, 0)]);
}

#[test]
fn a_webhook_that_fails_for_a_day_is_set_inactive_and_a_success_forgives() {
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
    assert_eq!(after(failing.clone(), failed, NOW.plus_secs(PATIENCE_SECS - 1)), None);
    assert_eq!(after(failing.clone(), pending, NOW.plus_secs(PATIENCE_SECS)), None, "it has tries left");
    assert!(!after(failing.clone(), failed, NOW.plus_secs(PATIENCE_SECS)).expect("it changes").is_active);
    assert_eq!(after(failing, DeliveryState::Delivered, NOW).expect("it changes").failing_since, None);
}

#[test]
fn the_signature_is_the_one_of_the_rfc() {
    // RFC 4231 §4.3, in base64.
    let signed = sign(&Secret::new("Jefe"), &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(signed, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
}

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

impl Started {
    /// A webhook, and so many deliveries to it.
    async fn webhook(&self, target: &Target, deliveries: usize) -> WebhookId {
        let target_url = format!("http://{}/hook", target.0.local_addr().expect("bound"));
        let new = NewWebhook { target_url, is_active: true, event_types: None, allow_private: false };
        let id = self.engine.create_webhook(new).await.expect("made").0.id;
        for _ in 0..deliveries {
            self.engine.test_webhook(id).await.expect("on its way");
        }
        id
    }

    async fn turn(&self) -> Pending {
        self.engine.0.store.read(|c| webhooks::turns(c, 1)).await.expect("read").pop().expect("one waits")
    }

    /// The states of all deliveries, oldest first.
    async fn states(&self, id: WebhookId) -> Vec<DeliveryState> {
        let found = self.engine.deliveries(id, 100).await.expect("deliveries");
        found.iter().rev().map(|delivery| delivery.state).collect()
    }
}

#[tokio::test]
async fn a_webhook_that_is_deleted_while_it_is_being_told_stays_deleted() {
    let it = Started::new().await;
    let target = Target::listens().await;
    let id = it.webhook(&target, 1).await;
    let pending = it.turn().await;
    tokio::join!(it.engine.clone().deliver(pending), async {
        let waiting = target.hears().await;
        it.engine.delete_webhook(id).await.expect("deleted");
        Target::answers(waiting, 500).await;
    });
    assert_eq!(it.engine.webhooks().await.expect("read"), []);
}

#[tokio::test]
async fn a_try_that_began_before_a_replay_undoes_nothing_of_it() {
    let it = Started::new().await;
    let target = Target::listens().await;
    let id = it.webhook(&target, 1).await;
    it.engine.note(&it.turn().await, REFUSED).await.expect("noted");
    it.clock.advance_secs(PATIENCE_SECS);
    for _ in 1..PAUSES_SECS.len() {
        it.engine.note(&it.turn().await, REFUSED).await.expect("noted");
    }
    let pending = it.turn().await;
    tokio::join!(it.engine.clone().deliver(pending), async {
        let waiting = target.hears().await;
        it.engine.replay_webhook(id).await.expect("activated");
        Target::answers(waiting, 500).await;
    });
    let webhook = it.engine.webhook(id).await.expect("there");
    assert_eq!((webhook.is_active, webhook.failing_since), (true, Some(it.engine.now())));
}

#[tokio::test]
async fn pending_deliveries_of_a_webhook_that_failed_for_a_day_fail_too() {
    let it = Started::new().await;
    let id = it.webhook(&Target::listens().await, 3).await;
    let first = it.turn().await;
    for _ in 0..=PAUSES_SECS.len() {
        it.engine.note(&first, REFUSED).await.expect("noted");
    }
    it.clock.advance_secs(2 * PATIENCE_SECS);
    let second = it.turn().await;
    for _ in 0..PAUSES_SECS.len() {
        it.engine.note(&second, REFUSED).await.expect("noted");
        assert!(it.engine.webhook(id).await.expect("there").is_active, "it has tries left");
    }
    let (pending, failed) = (DeliveryState::Pending, DeliveryState::Failed);
    assert_eq!(it.states(id).await, [failed, pending, pending]);

    it.engine.note(&second, REFUSED).await.expect("noted");
    assert!(!it.engine.webhook(id).await.expect("there").is_active);
    assert_eq!(it.states(id).await, [failed; 3]);
    let newest = it.engine.deliveries(id, 1).await.expect("deliveries").pop().expect("there");
    assert_eq!(newest.last_error.as_deref(), Some(SET_INACTIVE));
    assert_eq!(it.engine.replay_webhook(id).await.expect("replayed"), 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_tried_is_not_tried_again_before_the_disk_takes_what_became_of_it() {
    let it = Started::new().await;
    let id = it.webhook(&Target::listens().await, 1).await;
    let pending = it.turn().await;
    // A try that needs no network, for the clock's sake.
    Keychain::memory(it.keychain.clone()).delete(&Key::Webhook(id)).await.expect("removed");
    it.takes_writes(false).await;
    let mut delivering = std::pin::pin!(it.engine.clone().deliver(pending));
    tokio::select! {
        () = &mut delivering => panic!("it gave up, to be tried again"),
        () = async {
            // The writer answers in turn: each of these lets the delivery make a step.
            for _ in 0..10 {
                it.engine.0.store.writer_is_idle().await.expect("open");
            }
        } => {}
    }
    it.takes_writes(true).await;
    delivering.await;
    assert_eq!(it.engine.deliveries(id, 1).await.expect("deliveries")[0].tries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_keychain_that_fails_in_a_way_of_its_own_is_not_asked_again_at_once() {
    let it = Started::new().await;
    let id = it.webhook(&Target::listens().await, 1).await;
    let pending = it.turn().await;
    it.keychain.refuse(KeychainError::Other("it is out of sorts".into()));
    let began = Instant::now();
    it.engine.clone().deliver(pending).await;
    assert!(began.elapsed() >= LEAST_PAUSE, "{:?}", began.elapsed());
    assert_eq!(it.states(id).await, [DeliveryState::Pending], "nothing was tried");
}

#[tokio::test]
async fn a_signing_secret_that_cannot_be_read_is_a_failed_try_with_words() {
    let it = Started::new().await;
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
        it.engine.clone().deliver(it.turn().await).await;
        let delivery = it.engine.deliveries(id, 1).await.expect("deliveries").pop().expect("there");
        assert!(delivery.last_error.as_deref().is_some_and(|error| error.starts_with(words)), "{delivery:?}");
    }
    it.keychain.recover();
    Keychain::memory(it.keychain.clone()).delete(&Key::Webhook(id)).await.expect("removed");
    it.engine.clone().deliver(it.turn().await).await;
    let delivery = it.engine.deliveries(id, 1).await.expect("deliveries").pop().expect("there");
    assert_eq!(delivery.last_error.as_deref(), Some("its signing secret is gone from the keychain"));
    assert_eq!((delivery.tries, delivery.state), (3, DeliveryState::Pending));
}

#[tokio::test]
async fn nothing_is_sent_to_a_private_address_without_consent_whatever_led_there() {
    let it = Started::new().await;
    let id = it.webhook(&Target::listens().await, 1).await;
    let withdrawn = "UPDATE webhook SET allow_private = 0";
    it.engine.0.store.write(|tx| Ok(tx.execute_batch(withdrawn)?)).await.expect("withdrawn");
    it.engine.clone().deliver(it.turn().await).await;
    let delivery = it.engine.deliveries(id, 1).await.expect("deliveries").pop().expect("there");
    assert!(delivery.last_error.as_deref().is_some_and(|error| error.contains("private")), "{delivery:?}");
}
