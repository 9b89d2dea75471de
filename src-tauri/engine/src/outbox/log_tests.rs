use relink_domain::webhook::SignatureFormat;

use super::*;
use crate::{
    NewWebhook, WebhookChange,
    keychain::KeychainError,
    outbox::tests::Alone,
    store::webhooks::DeliveryState,
    testing::{LocalServer, PERSON, START},
};

const SAID: &str = "no such\u{1b}[2J route";

async fn webhook(it: &Alone, target: &LocalServer, is_active: bool) -> WebhookId {
    let target_url = format!("{}/hook", target.origin());
    let new = NewWebhook { target_url, is_active, ..NewWebhook::default() };
    it.outbox.create_webhook(&PERSON, new).await.expect("made").0.id
}

#[tokio::test]
async fn a_test_waits_for_the_response_and_repeats_what_the_target_said() {
    let (it, target) = (Alone::new(), LocalServer::listen().await);
    let id = webhook(&it, &target, true).await;
    for (status, is_good) in [(204, true), (404, false), (302, false)] {
        let (tested, ()) = tokio::join!(it.outbox.test_webhook(&PERSON, id), async {
            let request = target.request().await;
            let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
            assert_eq!((&body["event"], &body["payload"]), (&"test".into(), &serde_json::json!({ "foo": "bar" })));
            request.respond(status, SAID).await;
        });
        assert_eq!(tested.is_ok(), is_good, "{status}");
        let said = tested.err().map(|error| (error.code(), error.to_string()));
        if let Some((code, text)) = said {
            assert_eq!(code, "undelivered");
            let start = format!("The webhook's target answered with {status}");
            assert!(text.starts_with(&start) && text.ends_with("and said: no such route."), "{text}");
        }
    }
    assert_eq!(it.states(id).await, [DeliveryState::Delivered, DeliveryState::Pending, DeliveryState::Pending]);
}

#[tokio::test]
async fn a_test_without_a_response_fails() {
    let it = Alone::new();
    // Its port is closed when the test is sent.
    let id = webhook(&it, &LocalServer::listen().await, true).await;
    let error = it.outbox.test_webhook(&PERSON, id).await.expect_err("nobody is there");
    assert_eq!((error.code(), error.category()), ("undelivered", crate::Category::Provider));
    assert!(error.to_string().contains("target"), "{error}");
    assert_eq!(it.states(id).await, [DeliveryState::Pending]);
}

#[tokio::test]
async fn a_test_of_an_inactive_webhook_is_sent_once() {
    let (it, target) = (Alone::new(), LocalServer::listen().await);
    let id = webhook(&it, &target, false).await;
    let (tested, ()) = tokio::join!(it.outbox.test_webhook(&PERSON, id), async {
        target.request().await.respond(500, "").await;
    });
    tested.expect_err("refused");
    assert_eq!(it.states(id).await, [DeliveryState::Failed]);
}

#[tokio::test]
async fn a_test_that_nothing_was_sent_of_says_why_and_is_left_to_the_loop() {
    let (it, target) = (Alone::new(), LocalServer::listen().await);
    let id = webhook(&it, &target, true).await;
    it.services.backend.refuse(KeychainError::Locked);
    let error = it.outbox.test_webhook(&PERSON, id).await.expect_err("the keychain is locked");
    assert_eq!(error.code(), "keychain_locked");
    let pending = it.turn().await;
    assert_eq!((pending.tries, pending.next_try), (0, START.plus_secs(TEST_LEFT_TO_LOOP_SECS)));
}

#[tokio::test]
async fn the_log_shows_what_was_sent_and_what_came_back() {
    let (it, target) = (Alone::new(), LocalServer::listen().await);
    let target_url = format!("{}/hook", target.origin());
    let new = NewWebhook { target_url: target_url.clone(), is_active: true, ..NewWebhook::default() };
    let (made, secret) = it.outbox.create_webhook(&PERSON, new).await.expect("made");
    let mut sent = Vec::new();
    for format in [SignatureFormat::Base64, SignatureFormat::Hex] {
        let change = WebhookChange { signature_format: Some(format), ..WebhookChange::default() };
        it.outbox.change_webhook(&PERSON, made.id, change).await.expect("changed");
        let (tested, request) = tokio::join!(it.outbox.test_webhook(&PERSON, made.id), async {
            let request = target.request().await;
            let seen = (request.head.clone(), request.body.clone());
            request.respond(418, &format!("your key is {}", secret.expose())).await;
            seen
        });
        tested.expect_err("refused");
        sent.push(request);
    }
    let all = it.outbox.deliveries(&PERSON, made.id, DeliveryFilter::default(), 10).await.expect("deliveries");
    for (delivery, (head, body)) in all.iter().rev().zip(&sent) {
        let details = it.outbox.delivery(&PERSON, made.id, delivery.id).await.expect("there");
        assert_eq!((&details.delivery, &details.request_body), (delivery, body));
        let [attempt] = details.attempts.as_slice() else { panic!("one: {details:?}") };
        assert_eq!((attempt.at, attempt.target_url.as_str()), (START, target_url.as_str()));
        for (name, value) in &attempt.request_headers {
            assert!(
                head.contains(&format!("{name}: {value}\r\n")) || head.ends_with(value.as_str()),
                "{name}: {value}"
            );
        }
        let response = attempt.response.as_ref().expect("a response");
        assert_eq!((response.status, response.headers["content-type"].as_str()), (418, "application/json"));
        assert!(!format!("{details:?}").contains(secret.expose()), "{details:?}");
    }
    let signature = |index: usize| sent[index].0.lines().find_map(|line| line.split_once(",v=")).expect("signed").1;
    assert_eq!((signature(0).len(), signature(1).len()), (44, 64));
}

#[tokio::test]
async fn deliveries_are_listed_by_state_and_page() {
    let it = Alone::new();
    let id = it.webhook(&LocalServer::listen().await, 5).await;
    let list = async |filter| it.outbox.deliveries(&PERSON, id, filter, 2).await.expect("deliveries");
    let first = list(DeliveryFilter::default()).await;
    let second = list(DeliveryFilter { before: Some(first[1].outbox_seq), ..DeliveryFilter::default() }).await;
    let seqs: Vec<_> = first.iter().chain(&second).map(|delivery| delivery.outbox_seq).collect();
    assert_eq!(seqs, [5, 4, 3, 2]);
    let failed = DeliveryFilter { state: Some(DeliveryState::Failed), before: None };
    assert_eq!(list(failed).await, []);
    it.services.store.write(move |tx| webhooks::fail_pending(tx, id, "no", START)).await.expect("failed");
    assert_eq!(list(failed).await.len(), 2);
}
