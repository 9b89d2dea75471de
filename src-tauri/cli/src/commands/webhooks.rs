//! `relink webhook`.

use std::{collections::BTreeMap, fmt::Write};

use relink_contract::{
    Results,
    webhook::{
        ConsentedWebhookChange, CreatedWebhook, Delivery, DeliveryAttempt, DeliveryDetails, DeliveryState,
        NewConsentedWebhook, NewWebhook, Webhook, WebhookChange,
    },
};
use relink_domain::event::EventKind;
use serde::Serialize;

use crate::{
    api_client::ApiClient,
    args::{WebhookChanges, Webhooks},
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Tone},
};

pub(super) fn run(client: &ApiClient, command: Webhooks, output: Output) -> Result<(), CliError> {
    match command {
        Webhooks::Add { url, events, signature, allow_private } => {
            let event_types = Some(events).filter(|events| !events.is_empty());
            let signature_format = signature.map(Into::into);
            let webhook = NewWebhook { target_url: url, is_active: None, event_types, signature_format };
            output.text(&client.create_webhook(&NewConsentedWebhook { webhook, allow_private })?, describe_created)
        }
        Webhooks::Events => output.table(&Results { result: event_types() }, |events| {
            events.result.iter().map(|event| [event.event.into(), event.description.into()]).collect()
        }),
        Webhooks::List => output.list(
            &client.webhooks()?,
            |webhooks| webhooks.result.iter().map(row).collect(),
            "No webhooks yet. To add one: relink webhook add URL",
        ),
        Webhooks::Change(changes) if changes.is_empty() => {
            let message = "Nothing was changed, because no option says what to change: relink webhook change --help";
            Err(CliError::new(message))
        }
        Webhooks::Change(changes) => {
            let (id, change) = change(changes);
            output.text(&client.change_webhook(&id, &change)?, |_| "The webhook was changed.".to_owned())
        }
        Webhooks::Pause { id } => output.text(&set_active(client, &id, false)?, |_| {
            "The webhook is paused. Events that happen meanwhile aren't kept for it.".to_owned()
        }),
        Webhooks::Resume { id } => {
            output.text(&set_active(client, &id, true)?, |_| "The webhook is active.".to_owned())
        }
        Webhooks::Remove { id } => output.text(&client.delete_webhook(&id)?, |_| "The webhook was removed.".to_owned()),
        Webhooks::Test { id } => {
            output.text(&client.test_webhook(id)?, |_| "The target accepted the test event.".to_owned())
        }
        Webhooks::Deliveries { id, state } => output
            .table(&client.webhook_deliveries(&id, state.map(Into::into))?, |list| {
                list.result.iter().map(delivery_row).collect()
            }),
        Webhooks::Delivery { id, delivery } => output.text(&client.webhook_delivery(&id, &delivery)?, describe),
        Webhooks::Replay { id, delivery: None } => output.text(&client.replay_webhook(&id)?, |result| {
            format!("Failed deliveries that will be retried: {}", result.replayed)
        }),
        Webhooks::Replay { id, delivery: Some(delivery) } => {
            output.text(&client.replay_delivery(&id, &delivery)?, |_| "The delivery will be sent again.".to_owned())
        }
    }
}

/// An event that a webhook can receive.
#[derive(Serialize)]
struct EventType {
    event: &'static str,
    description: &'static str,
}

fn event_types() -> Vec<EventType> {
    EventKind::ALL.iter().map(|kind| EventType { event: kind.as_str(), description: kind.description() }).collect()
}

fn change(changes: WebhookChanges) -> (String, ConsentedWebhookChange) {
    let WebhookChanges { id, url, events, all_events, signature, allow_private } = changes;
    let event_types =
        if all_events { Some(None) } else { Some(Some(events).filter(|it| !it.is_empty())).filter(Option::is_some) };
    let signature_format = signature.map(Into::into);
    let change = WebhookChange { target_url: url, is_active: None, event_types, signature_format };
    (id, ConsentedWebhookChange { change, allow_private })
}

fn set_active(client: &ApiClient, id: &str, is_active: bool) -> Result<Webhook, CliError> {
    let change = WebhookChange { is_active: Some(is_active), ..WebhookChange::default() };
    client.change_webhook(id, &ConsentedWebhookChange { change, allow_private: false })
}

fn describe_created(created: &CreatedWebhook) -> String {
    format!(
        "ID              {}\nSigning secret  {}\nYou won't be able to see the secret again.",
        created.webhook.id,
        created.secret.expose()
    )
}

fn row(webhook: &Webhook) -> [Cell; 3] {
    let started = |since| format!("failing (started {})", relative_time(Some(since)));
    let state = match (webhook.is_active, webhook.failing_since, webhook.disabled_at) {
        (true, None, _) => Cell::new("active", Tone::Good),
        (true, Some(since), _) => Cell::new(&started(since), Tone::Bad),
        (false, _, Some(at)) => Cell::new(&format!("disabled {}", relative_time(Some(at))), Tone::Bad),
        (false, _, None) => Cell::new("paused", Tone::Warning),
    };
    [webhook.id.to_string().into(), webhook.target_url.as_str().into(), state]
}

const fn state_name(state: DeliveryState) -> (&'static str, Tone) {
    match state {
        DeliveryState::Pending => ("pending", Tone::Warning),
        DeliveryState::Delivered => ("delivered", Tone::Good),
        DeliveryState::Failed => ("failed", Tone::Bad),
    }
}

fn delivery_row(delivery: &Delivery) -> [Cell; 6] {
    let (state, tone) = state_name(delivery.state);
    let status = delivery.last_status.map(|status| status.to_string());
    [
        delivery.id.to_string().into(),
        relative_time(Some(delivery.updated_at)).into(),
        delivery.event.as_str().into(),
        Cell::new(state, tone),
        format!("tries: {}", delivery.tries).into(),
        delivery.last_error.clone().or(status).unwrap_or_default().into(),
    ]
}

fn describe(details: &DeliveryDetails) -> String {
    let DeliveryDetails { delivery, request_body, attempts } = details;
    let mut text = format!("{}  {}", delivery.event, state_name(delivery.state).0);
    if let Some(next_try) = delivery.next_try {
        write_to(&mut text, format_args!("\nNext try  {}", relative_time(Some(next_try))));
    }
    write_to(&mut text, format_args!("\n\nBody\n{request_body}"));
    for attempt in attempts {
        describe_attempt(&mut text, attempt);
    }
    text
}

fn describe_attempt(text: &mut String, attempt: &DeliveryAttempt) {
    let DeliveryAttempt { at, duration_ms, target_url, request_headers, response, error } = attempt;
    write_to(text, format_args!("\n\nAttempt {at}, {duration_ms} ms\nPOST {target_url}"));
    headers(text, request_headers);
    if let Some(response) = response {
        write_to(text, format_args!("\n\nResponse {}", response.status));
        headers(text, &response.headers);
        let more = if response.is_truncated { "\n(only the beginning is kept)" } else { "" };
        write_to(text, format_args!("\n\n{}{more}", response.body));
    }
    if let Some(error) = error {
        write_to(text, format_args!("\n\nError: {error}"));
    }
}

fn headers(text: &mut String, headers: &BTreeMap<String, String>) {
    for (name, value) in headers {
        write_to(text, format_args!("\n{name}: {value}"));
    }
}

fn write_to(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing into a string can't fail.
    let _ = text.write_fmt(what);
}
