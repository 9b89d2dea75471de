//! Timelines, and the health strip that is computed from them.

use jiff::tz::TimeZone;
use relink_contract::window::{Fact, Health, TimelineEntry, TimelinePage};
use relink_domain::{
    AccountId,
    account::{Status, TimelineEvent},
    caller::Caller,
    health::{self, Condition, SLOT_MILLIS, SLOTS},
};
use relink_engine::{TimelineEntry as Entry, TimelineQuery};

use crate::{App, Result, error_view};

const ENTRIES_PER_PAGE: usize = 50;
/// How many entries are read at a time for the health strip.
const HEALTH_BATCH: usize = 500;

impl App {
    pub async fn health(&self, id: AccountId) -> Result<Health> {
        let now = self.0.engine.now();
        let view = self.0.engine.accounts().get(&Caller::Person, id).await.map_err(error_view)?;
        if view.is_unchecked && view.account.status() == Status::Active {
            let sentence = "Not checked: the integration defines no test request.".to_owned();
            return Ok(Health { slots: vec![Condition::NoData; SLOTS], sentence });
        }
        let strip_begins = now.plus_millis(-SLOT_MILLIS * i64::try_from(SLOTS).unwrap_or(i64::MAX));
        let mut entries = Vec::new();
        let mut before = None;
        // Read back to the first batch that begins before the strip: it contains the state at the strip's beginning.
        loop {
            let batch = self
                .0
                .engine
                .accounts()
                .timeline(&Caller::Person, Some(id), before, HEALTH_BATCH)
                .await
                .map_err(error_view)?;
            let Some(oldest) = batch.last() else { break };
            before = Some(oldest.seq);
            let begins_earlier = oldest.at < strip_begins;
            entries.extend(batch);
            if begins_earlier {
                break;
            }
        }
        let history = entries.iter().rev().map(|entry| (entry.at, &entry.event));
        let health = health::health(history, now, &TimeZone::system());
        Ok(Health { slots: health.slots, sentence: health.sentence })
    }

    /// A page of one account's timeline, or of all accounts', newest first.
    pub async fn timeline(
        &self,
        account: Option<AccountId>,
        before: Option<i64>,
        problems_only: bool,
    ) -> Result<TimelinePage> {
        let engine = &self.0.engine;
        let query = TimelineQuery { account, before, problems_only };
        let page =
            engine.accounts().timeline_page(&Caller::Person, query, ENTRIES_PER_PAGE).await.map_err(error_view)?;
        let ids = page.entries.iter().filter_map(|entry| entry.account_id).collect();
        let names = engine.accounts().names(&Caller::Person, ids).await.map_err(error_view)?;
        let entry = |entry: Entry| {
            let account = entry.account_id.and_then(|id| names.get(&id));
            let provider = account.and_then(|account| account.label.as_deref());
            let (title, detail) = entry.event.describe(provider.unwrap_or("The provider"));
            TimelineEntry {
                seq: entry.seq,
                account_id: entry.account_id,
                account_name: account.map(|account| account.name.clone()),
                account_gone: account.is_none_or(|account| account.label.is_none()),
                at: entry.at,
                kind: kind(&entry.event),
                tone: entry.event.tone(),
                title,
                detail,
                by: entry.caller.as_ref().and_then(Caller::attribution),
                facts: facts(&entry.event),
            }
        };
        Ok(TimelinePage { entries: page.entries.into_iter().map(entry).collect(), next: page.next })
    }
}

fn kind(event: &TimelineEvent) -> String {
    let stored = serde_json::to_value(event).unwrap_or_default();
    stored["kind"].as_str().unwrap_or_default().to_owned()
}

fn facts(event: &TimelineEvent) -> Vec<Fact> {
    let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
    match event {
        TimelineEvent::StepFailed { failure, .. }
        | TimelineEvent::RefreshFailed { failure, .. }
        | TimelineEvent::CheckInconclusive { failure }
        | TimelineEvent::Unauthorized { failure }
        | TimelineEvent::IntegrationUnusable { failure }
        | TimelineEvent::Forbidden { failure: Some(failure) }
        | TimelineEvent::OriginChanged { failure }
        | TimelineEvent::CredentialGone { failure } => {
            let mut facts = vec![fact("Code", failure.cause.code())];
            facts.extend(failure.moved.as_deref().map(|moved| fact("Address", &moved.change())));
            facts.extend(failure.http_status.map(|status| fact("HTTP status", &status.to_string())));
            facts.extend(failure.provider_code.as_deref().map(|code| fact("Provider code", code)));
            facts.extend(failure.provider_message.as_deref().map(|text| fact("Provider message", text)));
            facts
        }
        TimelineEvent::FlowFailed { code, provider_code, provider_message, .. } => {
            let mut facts = vec![fact("Code", code)];
            facts.extend(provider_code.as_deref().map(|code| fact("Provider code", code)));
            facts.extend(provider_message.as_deref().map(|text| fact("Provider message", text)));
            facts
        }
        TimelineEvent::CallbackRefused { code, .. } => vec![fact("Code", code)],
        TimelineEvent::Connected { .. }
        | TimelineEvent::StepsBegun
        | TimelineEvent::Activated
        | TimelineEvent::Refreshed { .. }
        | TimelineEvent::Deferred { .. }
        | TimelineEvent::Resumed
        | TimelineEvent::Checked
        | TimelineEvent::AnsweredAsAnother { .. }
        | TimelineEvent::Forbidden { failure: None }
        | TimelineEvent::Reactivated
        | TimelineEvent::Reauthorized { .. }
        | TimelineEvent::KeptOld { .. }
        | TimelineEvent::IntegrationUsable
        | TimelineEvent::OriginRestored { .. }
        | TimelineEvent::OriginFollowed { .. }
        | TimelineEvent::BuiltInHidden { .. }
        | TimelineEvent::LinkCreated { .. }
        | TimelineEvent::Renamed { .. }
        | TimelineEvent::ContextChanged
        | TimelineEvent::FormSubmitted
        | TimelineEvent::SettingsChanged { .. }
        | TimelineEvent::SandboxMarked { .. }
        | TimelineEvent::RevokedLater { .. }
        | TimelineEvent::Deleted { .. } => Vec::new(),
    }
}
