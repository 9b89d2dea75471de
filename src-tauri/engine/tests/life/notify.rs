//! Webhooks: retried, failed, replayed, in order, exactly once while nothing crashes, and only to allowed targets.

use std::sync::{Arc, Mutex, PoisonError};

use relink_domain::{WebhookId, caller::TokenLevel};
use relink_engine::{Delivery, DeliveryFilter, DeliveryState, NewWebhook, WebhookChange};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

use crate::world::{PERSON, World};

/// A webhook's target. It responds with the current status as soon as `responds` is true.
struct Receiver {
    url: String,
    status: Arc<Mutex<u16>>,
    answers: watch::Sender<bool>,
    seen: watch::Receiver<Vec<Value>>,
}

impl Receiver {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let (sender, seen) = watch::channel(Vec::new());
        let status = Arc::new(Mutex::new(status));
        let response = Arc::clone(&status);
        let answers = watch::Sender::new(true);
        let answering = answers.subscribe();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (sender, response, mut answering) = (sender.clone(), Arc::clone(&response), answering.clone());
                tokio::spawn(async move {
                    let body = body_of(&mut stream).await;
                    sender.send_modify(|seen| seen.push(body));
                    answering.wait_for(|answers| *answers).await.expect("the test goes on");
                    let status = *response.lock().unwrap_or_else(PoisonError::into_inner);
                    let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.expect("answered");
                });
            }
        });
        Self { url, status, answers, seen }
    }

    fn respond_with(&self, status: u16) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Waits until this many requests have arrived, and returns their bodies.
    async fn receives(&mut self, count: usize) -> Vec<Value> {
        self.seen.wait_for(|seen| seen.len() >= count).await.expect("it listens").clone()
    }
}

async fn body_of(stream: &mut tokio::net::TcpStream) -> Value {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                assert!(head.to_lowercase().contains("user-agent: truto\r\n"), "{head}");
                return serde_json::from_str(body).unwrap_or(Value::Null);
            }
        }
        assert!(stream.read_buf(&mut bytes).await.expect("a request") > 0, "cut short: {text}");
    }
}

async fn webhook(world: &World, target_url: &str) -> WebhookId {
    let new = NewWebhook { target_url: target_url.into(), is_active: true, ..NewWebhook::default() };
    world.engine.outbox().create_webhook(&PERSON, new).await.expect("made").0.id
}

/// Makes an API token, which is an event.
async fn create_token(world: &World, number: usize) {
    let made = world.engine.access().create_api_token(&PERSON, format!("agent {number}"), TokenLevel::Program, None);
    made.await.expect("made");
}

/// Waits until the newest delivery has been attempted this many times.
async fn attempted(world: &World, id: WebhookId, attempts: u32) -> Delivery {
    let mut changes = world.engine.changes(&PERSON);
    loop {
        let newest = world
            .engine
            .outbox()
            .deliveries(&PERSON, id, DeliveryFilter::default(), 1)
            .await
            .expect("deliveries")
            .pop();
        if let Some(delivery) = newest.filter(|delivery| delivery.tries >= attempts) {
            return delivery;
        }
        changes.next().await.expect("the engine runs");
    }
}

#[tokio::test]
async fn a_delivery_fails_after_four_attempts_and_is_retried_under_the_same_id() {
    let world = World::new().await;
    let mut receiver = Receiver::start(500).await;
    let id = webhook(&world, &receiver.url).await;
    world.engine.outbox().test_webhook(&PERSON, id).await.expect_err("refused");
    for (attempts, pause) in [(1, 2), (2, 4), (3, 8)] {
        let delivery = attempted(&world, id, attempts).await;
        assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Pending, Some(500)));
        assert_eq!(delivery.next_try.millis_since(world.engine.now()), pause * 1000);
        world.clock.advance_secs(pause);
    }
    let failed = attempted(&world, id, 4).await;
    assert_eq!(failed.state, DeliveryState::Failed);
    assert_eq!(failed.last_error.as_deref(), Some("answered with 500 Internal Server Error"));
    assert!(world.engine.outbox().webhook(&PERSON, id).await.expect("there").failing_since.is_some());

    receiver.respond_with(204);
    assert_eq!(world.engine.outbox().retry_failed(&PERSON, id).await.expect("replayed"), 1);
    let seen = receiver.receives(5).await;
    assert_eq!(attempted(&world, id, 1).await.state, DeliveryState::Delivered);
    assert!(seen.iter().all(|body| body["id"] == seen[0]["id"]), "the id identifies the delivery");
    assert_eq!(world.engine.outbox().webhook(&PERSON, id).await.expect("there").failing_since, None);
}

#[tokio::test]
async fn events_of_an_account_arrive_in_order() {
    let world = World::new().await;
    let mut receiver = Receiver::start(200).await;
    webhook(&world, &receiver.url).await;
    let account = world.connected().await;
    world.fault("invalid_grant", 1).await;
    world.engine.refresher().refresh(&PERSON, account).await.expect_err("refused");
    world.engine.refresher().refresh(&PERSON, account).await.expect("it works again");
    let names = ["created", "active", "authentication_error", "reactivated"];
    let expected = names.map(|name| format!("integrated_account:{name}"));
    let seen = receiver.receives(names.len()).await;
    let names: Vec<_> = seen.iter().filter_map(|body| body["event"].as_str()).collect();
    assert_eq!(names, expected);
    assert!(seen.iter().all(|body| body["event_type"] == body["event"]), "{seen:?}");
}

#[tokio::test]
async fn a_pattern_selects_events_by_the_beginning_of_their_names() {
    let world = World::new().await;
    let mut receiver = Receiver::start(200).await;
    let event_types = Some(vec!["integrated_account:act*".to_owned(), "record:*".to_owned()]);
    let target_url = receiver.url.clone();
    let new = NewWebhook { target_url, is_active: true, event_types, ..NewWebhook::default() };
    world.engine.outbox().create_webhook(&PERSON, new).await.expect("made");
    // Also creates the account, and installs its integration.
    let account = world.connected().await;
    world.fault("invalid_grant", 1).await;
    world.engine.refresher().refresh(&PERSON, account).await.expect_err("refused");
    world.engine.accounts().delete(&PERSON, account).await.expect("deleted");
    world.connected().await;
    let seen = receiver.receives(2).await;
    assert!(seen.iter().all(|body| body["event"] == "integrated_account:active"), "{seen:?}");
}

#[tokio::test]
async fn a_target_at_a_private_address_is_refused_without_consent() {
    let world = World::new().await;
    let target_url = "https://10.1.2.3/".to_owned();
    let new = NewWebhook { target_url, is_active: true, ..NewWebhook::default() };
    let error = world.engine.outbox().create_webhook(&PERSON, new).await.expect_err("refused");
    assert_eq!(error.code(), "target_url_private");
    assert_eq!(world.engine.outbox().webhooks(&PERSON).await.expect("read"), []);
    assert!(world.keychain.names().is_empty());
}

#[tokio::test]
async fn a_webhook_that_hangs_does_not_delay_others() {
    let world = World::new().await;
    let mut hanging = Receiver::start(200).await;
    hanging.answers.send_replace(false);
    webhook(&world, &hanging.url).await;
    // Each event has a subject of its own, so that none waits for another.
    for n in 0..20 {
        create_token(&world, n).await;
    }
    hanging.receives(4).await;
    let mut prompt = Receiver::start(200).await;
    webhook(&world, &prompt.url).await;
    create_token(&world, 20).await;
    prompt.receives(1).await;
    assert_eq!(hanging.seen.borrow().len(), 4, "no more than four at a time");
    hanging.answers.send_replace(true);
    hanging.receives(21).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivered_event_is_not_sent_again() {
    let world = World::new().await;
    let mut receiver = Receiver::start(200).await;
    let id = webhook(&world, &receiver.url).await;
    for n in 0..300 {
        // Each event wakes the loop while others are in flight.
        create_token(&world, n).await;
    }
    receiver.receives(300).await;
    let mut changes = world.engine.changes(&PERSON);
    let mut all =
        world.engine.outbox().deliveries(&PERSON, id, DeliveryFilter::default(), 1000).await.expect("deliveries");
    while all.iter().any(|delivery| delivery.state != DeliveryState::Delivered) {
        changes.next().await.expect("the engine runs");
        all = world.engine.outbox().deliveries(&PERSON, id, DeliveryFilter::default(), 1000).await.expect("deliveries");
    }
    assert!(all.iter().all(|delivery| delivery.tries == 1), "something was sent twice");
    assert_eq!(receiver.seen.borrow().len(), 300);
}

#[tokio::test]
async fn a_paused_webhook_gets_nothing_and_continues_where_it_was() {
    let world = World::new().await;
    let mut receiver = Receiver::start(500).await;
    let id = webhook(&world, &receiver.url).await;
    create_token(&world, 1).await;
    attempted(&world, id, 1).await;
    let set_active = async |is_active| {
        let change = WebhookChange { is_active: Some(is_active), ..WebhookChange::default() };
        world.engine.outbox().change_webhook(&PERSON, id, change).await.expect("changed")
    };
    assert!(!set_active(false).await.is_active);
    receiver.respond_with(200);
    world.clock.advance_secs(60);
    create_token(&world, 2).await;
    // A test is sent all the same, and nothing with it.
    world.engine.outbox().test_webhook(&PERSON, id).await.expect("delivered");
    let seen = receiver.receives(2).await;
    assert_eq!(seen.iter().map(|body| &body["event"]).collect::<Vec<_>>(), ["api_token:created", "test"]);

    assert!(set_active(true).await.is_active);
    create_token(&world, 3).await;
    let seen = receiver.receives(4).await;
    let mut ids: Vec<_> = seen.iter().map(|body| body["payload"]["name"].as_str().unwrap_or_default()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["", "agent 1", "agent 1", "agent 3"], "the second one happened during the pause");
}

#[tokio::test]
async fn a_replayed_delivery_has_the_id_of_its_event() {
    let world = World::new().await;
    let mut receiver = Receiver::start(200).await;
    let id = webhook(&world, &receiver.url).await;
    for n in 1..=2 {
        create_token(&world, n).await;
        receiver.receives(n).await;
        attempted(&world, id, 1).await;
    }
    let all = world.engine.outbox().deliveries(&PERSON, id, DeliveryFilter::default(), 10).await.expect("deliveries");
    world.engine.outbox().replay_delivery(&PERSON, id, all[1].id).await.expect("replayed");
    let seen = receiver.receives(3).await;
    assert_eq!(seen[2], seen[0], "the older one alone is sent again");
    let unknown = relink_domain::DeliveryId::from_uuid(id.as_uuid());
    let error = world.engine.outbox().replay_delivery(&PERSON, id, unknown).await.expect_err("there is none");
    assert_eq!(error.code(), "not_found");
}
