//! Told by webhook: tried again, parked, replayed, in order, once, and never where it may not go.

use std::sync::{Arc, Mutex, PoisonError};

use relink_domain::WebhookId;
use relink_engine::{Delivery, DeliveryState, NewWebhook};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

use crate::world::World;

/// A webhook's other end, which answers with the status in its hand, as soon as it may.
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
        let says = Arc::clone(&status);
        let answers = watch::Sender::new(true);
        let answering = answers.subscribe();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (sender, says, mut answering) = (sender.clone(), Arc::clone(&says), answering.clone());
                tokio::spawn(async move {
                    let body = body_of(&mut stream).await;
                    sender.send_modify(|seen| seen.push(body));
                    answering.wait_for(|answers| *answers).await.expect("the test goes on");
                    let status = *says.lock().unwrap_or_else(PoisonError::into_inner);
                    let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.expect("answered");
                });
            }
        });
        Self { url, status, answers, seen }
    }

    fn now_says(&self, status: u16) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Waits until so many have come; gives them.
    async fn hears(&mut self, count: usize) -> Vec<Value> {
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
                return serde_json::from_str(body).unwrap_or(Value::Null);
            }
        }
        assert!(stream.read_buf(&mut bytes).await.expect("a request") > 0, "cut short: {text}");
    }
}

async fn webhook(world: &World, target_url: &str) -> WebhookId {
    let new = NewWebhook { target_url: target_url.into(), is_active: true, event_types: None, allow_private: false };
    world.engine.create_webhook(new).await.expect("made").0.id
}

/// Waits until the newest delivery has been tried so often.
async fn tried(world: &World, id: WebhookId, tries: u32) -> Delivery {
    loop {
        let newest = world.engine.deliveries(id, 1).await.expect("deliveries").pop();
        if let Some(delivery) = newest.filter(|delivery| delivery.tries >= tries) {
            return delivery;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_delivery_is_tried_four_times_then_parked_and_replayed_under_the_same_id() {
    let world = World::new().await;
    let mut receiver = Receiver::start(500).await;
    let id = webhook(&world, &receiver.url).await;
    world.engine.test_webhook(id).await.expect("on its way");
    for (tries, pause) in [(1, 2), (2, 4), (3, 8)] {
        let delivery = tried(&world, id, tries).await;
        assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Pending, Some(500)));
        assert_eq!(delivery.next_try.millis_since(world.engine.now()), pause * 1000);
        world.clock.advance_secs(pause);
        // Nobody waits here for the true time: whatever wakes the loop lets it look at the clock.
        world.engine.replay_webhook(id).await.expect("nothing is parked");
    }
    let parked = tried(&world, id, 4).await;
    assert_eq!(parked.state, DeliveryState::Parked);
    assert_eq!(parked.last_error.as_deref(), Some("answered with 500 Internal Server Error"));
    assert!(world.engine.webhook(id).await.expect("there").failing_since.is_some());

    receiver.now_says(204);
    assert_eq!(world.engine.replay_webhook(id).await.expect("replayed"), 1);
    let seen = receiver.hears(5).await;
    assert_eq!(tried(&world, id, 1).await.state, DeliveryState::Delivered);
    assert!(seen.iter().all(|body| body["id"] == seen[0]["id"]), "a receiver can tell that it is the same");
    assert_eq!(world.engine.webhook(id).await.expect("there").failing_since, None);
}

#[tokio::test]
async fn what_happens_to_an_account_is_told_in_its_order() {
    let world = World::new().await;
    let mut receiver = Receiver::start(200).await;
    webhook(&world, &receiver.url).await;
    let account = world.connected().await;
    world.fault("invalid_grant", 1).await;
    world.engine.refresh(account).await.expect_err("refused");
    world.engine.refresh(account).await.expect("it works again");
    let names = ["created", "active", "authentication_error", "reactivated"];
    let expected = names.map(|name| format!("integrated_account:{name}"));
    let seen = receiver.hears(names.len()).await;
    let heard: Vec<_> = seen.iter().filter_map(|body| body["event"].as_str()).collect();
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_target_at_a_private_address_is_refused_without_consent() {
    let world = World::new().await;
    let target_url = "https://10.1.2.3/".to_owned();
    let new = NewWebhook { target_url, is_active: true, event_types: None, allow_private: false };
    let error = world.engine.create_webhook(new).await.expect_err("refused");
    assert_eq!(error.code(), "target_url_private");
    assert_eq!(world.engine.webhooks().await.expect("read"), []);
    assert!(world.keychain.names().is_empty());
}

#[tokio::test]
async fn a_webhook_that_hangs_keeps_nobody_else_waiting() {
    let world = World::new().await;
    let mut hanging = Receiver::start(200).await;
    hanging.answers.send_replace(false);
    webhook(&world, &hanging.url).await;
    // Each is a subject of its own: all of them have their turn at once.
    for n in 0..20 {
        world.engine.create_api_token(format!("agent {n}"), None).await.expect("made");
    }
    hanging.hears(4).await;
    let mut prompt = Receiver::start(200).await;
    let id = webhook(&world, &prompt.url).await;
    world.engine.test_webhook(id).await.expect("on its way");
    prompt.hears(1).await;
    assert_eq!(hanging.seen.borrow().len(), 4, "it has its places and no more");
    hanging.answers.send_replace(true);
    hanging.hears(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_is_not_delivered_again() {
    let world = World::new().await;
    let mut receiver = Receiver::start(200).await;
    let id = webhook(&world, &receiver.url).await;
    for n in 0..300 {
        // Each wakes the loop while others are under way.
        world.engine.create_api_token(format!("agent {n}"), None).await.expect("made");
    }
    receiver.hears(300).await;
    loop {
        let all = world.engine.deliveries(id, 1000).await.expect("deliveries");
        if all.iter().all(|delivery| delivery.state == DeliveryState::Delivered) {
            assert!(all.iter().all(|delivery| delivery.tries == 1), "something was sent twice");
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.seen.borrow().len(), 300);
}
