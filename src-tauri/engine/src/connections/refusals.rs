//! Reports refused callbacks and failed flows in the timeline and as events.

use relink_contract::event::ConnectionError;
use relink_domain::{account::TimelineEvent, caller::Caller, event::EventKind, link::Purpose};

use super::{
    Connections,
    entry_limit::{Source, Verdict},
    flow::Flow,
    view::FlowFailure,
};
use crate::{
    error::{Error, Result},
    store::{
        outbox::{self, Payload},
        timeline::{self, NewEntry},
    },
};

/// Why a callback is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    code: &'static str,
    message: &'static str,
}

pub(super) const UNKNOWN_STATE: Refusal = Refusal {
    code: "state_unknown",
    message: "Relink didn't request this sign-in, or was restarted meanwhile. Nothing was changed. Start over from the link.",
};
pub(super) const CONTRADICTORY: Refusal = Refusal {
    code: "callback_contradictory",
    message: "This URL is contradictory, so it doesn't come from the provider. Nothing was changed.",
};
pub(super) const STATE_USED: Refusal =
    Refusal { code: "state_used", message: "This sign-in was already completed. Nothing was changed." };
pub(super) const STATE_EXPIRED: Refusal = Refusal {
    code: "state_expired",
    message: "This sign-in took longer than ten minutes. Nothing was changed. Start over from the link.",
};
pub(super) const REDIRECT_MISMATCH: Refusal = Refusal {
    code: "redirect_mismatch",
    message: "This sign-in returned to a different redirect URI than it was started with. Nothing was changed.",
};
pub(super) const ISSUER_MISMATCH: Refusal = Refusal {
    code: "issuer_mismatch",
    message: "This sign-in was answered by a different provider than it was started at. Nothing was changed.",
};
pub(super) const ISSUER_MISSING: Refusal = Refusal {
    code: "issuer_missing",
    message: "This sign-in doesn't say which provider answered it (iss), so another one could have. Nothing was changed. If this provider \
              never says it, set authorization_response_iss_parameter_supported to false in the integration's relink section.",
};
pub(super) const STATE_OF_ANOTHER_FLOW: Refusal = Refusal {
    code: "state_of_another_flow",
    message: "This URL belongs to another sign-in. Copy the one that the browser shows after this sign-in.",
};

const LAST_FOR_NOW: &str = "More like this within the next hour aren't listed.";

impl Connections {
    /// Adds one timeline entry for a refused callback, and changes nothing else. `caller` delivered it, if known. A page could
    /// send any number of them, so the entries are limited.
    pub(super) async fn refuse(&self, caller: Option<&Caller>, flow: Option<&Flow>, refusal: Refusal) -> Error {
        let account = flow.and_then(Flow::account_to_reauthorize);
        let refused = Error::CallbackRefused { code: refusal.code, message: refusal.message };
        let source = flow.map_or(Source::NoFlow, |flow| Source::Flow(flow.id));
        let message = match self.0.entry_limit.count(source, self.now()) {
            Verdict::Add => refusal.message.to_owned(),
            Verdict::AddLast => format!("{} {LAST_FOR_NOW}", refusal.message),
            Verdict::Skip => return refused,
        };
        let event = TimelineEvent::CallbackRefused { code: refusal.code.into(), message };
        let noted = async {
            let entry = NewEntry::of(account, self.now(), &event, caller)?;
            self.0.uses.store.write(move |tx| timeline::add(tx, &entry)).await
        };
        if let Err(error) = noted.await {
            tracing::warn!("a refused callback could not be recorded: {error}");
        }
        refused
    }

    /// Records that a flow failed. The event is sent only if the provider or the network is the cause.
    pub(super) async fn note_failure(&self, caller: &Caller, flow: &Flow, error: &FlowFailure) {
        let account = flow.account_to_reauthorize();
        let message = format!("{}. {}", error.shown.title, error.shown.message);
        // The event is always sent: programs decide by it.
        // A program that gave the credentials has the answer already.
        let Some(link) = flow.link else { return };
        let message = match self.0.entry_limit.count(Source::Link(link), self.now()) {
            Verdict::Add => Some(message),
            Verdict::AddLast => Some(format!("{message} {LAST_FOR_NOW}")),
            Verdict::Skip => None,
        };
        let event = message.map(|message| TimelineEvent::FlowFailed {
            code: error.shown.code.clone(),
            message,
            provider_code: error.shown.provider_code.clone(),
            provider_message: error.shown.provider_message.clone(),
        });
        let payload = error.at_provider.then(|| ConnectionError {
            integration: flow.provider.name().to_owned(),
            integrated_account_id: account,
            tenant_id: match &flow.purpose {
                Purpose::Connect { tenant_id } => Some(tenant_id.clone()),
                Purpose::Reauthorize { .. } => None,
            },
            error: error.shown.title.clone(),
            error_type: error.error_type(account),
            code: error.shown.code.clone(),
            hint: error.shown.hint.clone(),
            provider_code: error.shown.provider_code.clone(),
            provider_message: error.shown.provider_message.clone(),
        });
        if let Err(error) = self.record_failure(caller, flow, event, payload).await {
            tracing::warn!("a failed sign-in could not be recorded: {error}");
        }
    }

    async fn record_failure(
        &self,
        caller: &Caller,
        flow: &Flow,
        event: Option<TimelineEvent>,
        payload: Option<ConnectionError>,
    ) -> Result<()> {
        let (account, now) = (flow.account_to_reauthorize(), self.now());
        let entry = event.map(|event| NewEntry::of(account, now, &event, Some(caller))).transpose()?;
        let payload = payload.map(|payload| Payload::of(&payload)).transpose()?;
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if let Some(entry) = entry {
                timeline::add(tx, &entry)?;
            }
            let Some(payload) = payload else { return Ok(()) };
            let subject = account.map(|id| id.to_string());
            outbox::enqueue_event(tx, EventKind::LinkTokenConnectionError, subject.as_deref(), &payload, now).map(drop)
        };
        Ok(self.0.uses.store.write(write).await?)
    }
}
