//! Webhooks, as the window shows and changes them.

use relink_domain::{Secret, WebhookId, event::EventKind};
use relink_engine::DeliveryState;

use crate::{
    App, Result, error_view, refused,
    types::{Delivery, NewWebhook, Webhook},
};

/// Deliveries that are shown.
const SHOWN: usize = 50;

impl App {
    /// All webhooks.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>> {
        Ok(self.0.engine.webhooks().await.map_err(error_view)?.into_iter().map(webhook).collect())
    }

    /// The events that a webhook can want.
    pub fn event_types(&self) -> Vec<String> {
        EventKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()
    }

    /// Makes a webhook. Its signing secret is for the clipboard, this once.
    pub async fn add_webhook(&self, new: NewWebhook) -> Result<(Webhook, Secret)> {
        let event_types = new
            .event_types
            .filter(|names| !names.is_empty())
            .map(|names| names.iter().map(|name| name.parse::<EventKind>()).collect::<Result<Vec<_>, _>>())
            .transpose()
            .map_err(|unknown| refused("event_types", &unknown.to_string()))?;
        let new = relink_engine::NewWebhook {
            target_url: new.target_url,
            is_active: true,
            event_types,
            allow_private: new.allow_private,
        };
        let (made, secret) = self.0.engine.create_webhook(new).await.map_err(error_view)?;
        Ok((webhook(made), secret))
    }

    /// Removes a webhook.
    pub async fn remove_webhook(&self, id: WebhookId) -> Result<()> {
        self.0.engine.delete_webhook(id).await.map_err(error_view)
    }

    /// Sends it the event `test`.
    pub async fn test_webhook(&self, id: WebhookId) -> Result<()> {
        self.0.engine.test_webhook(id).await.map_err(error_view)
    }

    /// Retries the failed deliveries. Gives their number.
    pub async fn replay_webhook(&self, id: WebhookId) -> Result<usize> {
        self.0.engine.replay_webhook(id).await.map_err(error_view)
    }

    /// Its latest deliveries, newest first.
    pub async fn deliveries(&self, id: WebhookId) -> Result<Vec<Delivery>> {
        let found = self.0.engine.deliveries(id, SHOWN).await.map_err(error_view)?;
        let delivery = |it: relink_engine::Delivery| Delivery {
            id: it.id,
            event: it.event,
            state: it.state.as_str(),
            tries: it.tries,
            next_try: (it.state == DeliveryState::Pending).then_some(it.next_try),
            last_status: it.last_status,
            last_error: it.last_error,
            updated_at: it.updated_at,
        };
        Ok(found.into_iter().map(delivery).collect())
    }
}

fn webhook(webhook: relink_engine::Webhook) -> Webhook {
    let names = |kinds: Vec<EventKind>| kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    Webhook {
        id: webhook.id,
        target_url: webhook.target_url,
        is_active: webhook.is_active,
        event_types: webhook.event_types.map(names),
        failing_since: webhook.failing_since,
        created_at: webhook.created_at,
    }
}
