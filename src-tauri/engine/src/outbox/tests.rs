use relink_contract::event::TestPayload;
use relink_domain::event::EventKind;

use super::*;
use crate::{
    store::{
        outbox::Payload,
        webhooks::{self, DeliveryFilter, DeliveryState, Pending},
    },
    testing::{LocalServer, PERSON, START, Services},
};

/// An outbox that was built alone.
pub(super) struct Alone {
    pub(super) services: Services,
    pub(super) outbox: Outbox,
}

impl Alone {
    pub(super) fn new() -> Self {
        let services = Services::new();
        let outbox = Outbox::new(Dependencies {
            store: services.store.clone(),
            keychain: services.keychain.clone(),
            clock: services.clock.clone(),
            outbound: Services::outbound(),
            tasks: services.tasks.clone(),
            orphans: services.orphans.clone(),
            environment: services.ids.environment,
        });
        Self { services, outbox }
    }

    /// A webhook, and so many deliveries to it.
    pub(super) async fn webhook(&self, target: &LocalServer, deliveries: usize) -> WebhookId {
        let target_url = format!("{}/hook", target.origin());
        let new = NewWebhook { target_url, is_active: true, ..NewWebhook::default() };
        let id = self.outbox.create_webhook(&PERSON, new).await.expect("made").0.id;
        let payload = Payload::of(&TestPayload::default()).expect("serialized");
        let enqueue = move |tx: &rusqlite::Transaction<'_>| {
            for _ in 0..deliveries {
                outbox::enqueue_event_for(tx, &id.to_string(), EventKind::ApiTokenCreated, &payload, START, START)?;
            }
            Ok(())
        };
        self.services.store.write(enqueue).await.expect("on their way");
        id
    }

    /// A delivery that may be tried, now or later.
    pub(super) async fn turn(&self) -> Pending {
        let now = relink_domain::Timestamp::from_millis(i64::MAX);
        let due = move |c: &rusqlite::Connection| match webhooks::list(c)?.first() {
            Some(webhook) => webhooks::due(c, webhook.id, now, Some(1)),
            None => Ok(Vec::new()),
        };
        self.services.store.read(due).await.expect("read").pop().expect("one is pending")
    }

    /// The states of all deliveries, oldest first.
    pub(super) async fn states(&self, id: WebhookId) -> Vec<DeliveryState> {
        let found = self.outbox.deliveries(&PERSON, id, DeliveryFilter::default(), 100).await.expect("deliveries");
        found.iter().rev().map(|delivery| delivery.state).collect()
    }
}

#[tokio::test]
async fn an_event_reaches_whoever_follows_and_every_webhook() {
    let (it, target) = (Alone::new(), LocalServer::listen().await);
    let id = it.webhook(&target, 0).await;
    let mut latest = it.outbox.latest_seq(&PERSON);
    let payload = Payload::of(&TestPayload::default()).expect("serialized");
    let enqueue = move |tx: &rusqlite::Transaction<'_>| {
        outbox::enqueue_event(tx, EventKind::ApiTokenDeleted, Some("subject"), &payload, START)
    };
    let seq = it.services.store.write(enqueue).await.expect("committed");
    assert!(latest.has_changed().expect("open"));
    assert_eq!(*latest.borrow_and_update(), seq);
    let events = it.outbox.events_after(&PERSON, seq - 1, 10).await.expect("read");
    assert_eq!(
        events.iter().map(|event| (event.seq, event.kind.as_str())).collect::<Vec<_>>(),
        [(seq, "api_token:deleted")]
    );
    assert_eq!(it.states(id).await, [DeliveryState::Pending]);

    it.outbox.start();
    let request = target.request().await;
    let body: relink_contract::webhook::DeliveryBody = serde_json::from_str(&request.body).expect("a delivery");
    assert_eq!((body.id, body.webhook_id), (events[0].id, id));
    assert_eq!((body.environment_id, &body.payload), (it.services.ids.environment, &events[0].payload));
    request.respond(200, "").await;
    it.services.eventually(async || (it.states(id).await == [DeliveryState::Delivered]).then_some(())).await;
}
