//! `relink webhook`.

use relink_contract::webhook::{CreatedWebhook, Delivery, DeliveryState, NewConsentedWebhook, NewWebhook, Webhook};

use crate::{
    api_client::ApiClient,
    args::Webhooks,
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Tone},
};

pub(super) fn run(client: &ApiClient, command: Webhooks, output: Output) -> Result<(), CliError> {
    match command {
        Webhooks::Add { url, events, allow_private } => {
            let event_types = Some(events).filter(|events| !events.is_empty());
            let webhook = NewWebhook { target_url: url, is_active: None, event_types };
            output.text(&client.create_webhook(&NewConsentedWebhook { webhook, allow_private })?, describe_created)
        }
        Webhooks::List => output.table(&client.webhooks()?, |webhooks| webhooks.result.iter().map(row).collect()),
        Webhooks::Remove { id } => output.text(&client.delete_webhook(&id)?, |_| "The webhook was removed.".to_owned()),
        Webhooks::Test { id } => output.text(&client.test_webhook(id)?, |_| "The test event is being sent.".to_owned()),
        Webhooks::Deliveries { id } => {
            output.table(&client.webhook_deliveries(&id)?, |list| list.result.iter().map(delivery_row).collect())
        }
        Webhooks::Replay { id } => output.text(&client.replay_webhook(&id)?, |result| {
            format!("Failed deliveries that will be retried: {}", result.replayed)
        }),
    }
}

fn describe_created(created: &CreatedWebhook) -> String {
    format!(
        "ID              {}\nSigning secret  {}\nYou won't be able to see the secret again.",
        created.webhook.id,
        created.secret.expose()
    )
}

fn row(webhook: &Webhook) -> [Cell; 3] {
    let state = match (webhook.is_active, webhook.failing_since) {
        (true, None) => Cell::new("active", Tone::Good),
        (true, Some(since)) => Cell::new(&format!("failing (started {})", relative_time(Some(since))), Tone::Bad),
        (false, _) => Cell::new("inactive", Tone::Warning),
    };
    [webhook.id.to_string().into(), webhook.target_url.as_str().into(), state]
}

fn delivery_row(delivery: &Delivery) -> [Cell; 5] {
    let state = match delivery.state {
        DeliveryState::Pending => Cell::new("pending", Tone::Warning),
        DeliveryState::Delivered => Cell::new("delivered", Tone::Good),
        DeliveryState::Failed => Cell::new("failed", Tone::Bad),
    };
    let status = delivery.last_status.map(|status| status.to_string());
    [
        relative_time(Some(delivery.updated_at)).into(),
        delivery.event.as_str().into(),
        state,
        format!("tries: {}", delivery.tries).into(),
        delivery.last_error.clone().or(status).unwrap_or_default().into(),
    ]
}
