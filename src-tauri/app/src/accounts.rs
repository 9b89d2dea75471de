//! Accounts, as the window shows and changes them.

use jiff::tz::TimeZone;
use relink_domain::{
    AccountId, Timestamp,
    account::{self, Credential, Fixed, FixedKind, Renewal, Renewing, SeenFailure, Status, TimelineEvent},
    failure::Failure,
    health::{self, SLOT_MILLIS, SLOTS},
};
use relink_engine::{AccountView, Filter, Pages};

use crate::{
    App, Result, error_view,
    types::{Account, Checked, Entry, EntryPage, Fact, Health, Problem},
};

/// Entries of a timeline that are shown at a time.
const PAGE: usize = 50;

impl App {
    /// All accounts.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let views = self.0.engine.accounts(Filter::default(), None, None).await.map_err(error_view)?;
        let shown = self.shown().await?;
        Ok(views.iter().map(|view| account(view, shown.remind_at(view.account.id()))).collect())
    }

    /// One account.
    pub async fn account(&self, id: AccountId) -> Result<Account> {
        let view = self.0.engine.account(id).await.map_err(error_view)?;
        self.seen(&view).await
    }

    async fn seen(&self, view: &AccountView) -> Result<Account> {
        Ok(account(view, self.shown().await?.remind_at(view.account.id())))
    }

    /// An account's last days at a glance.
    pub async fn health(&self, id: AccountId) -> Result<Health> {
        let now = self.0.engine.now();
        let begins = now.plus_millis(-SLOT_MILLIS * i64::try_from(SLOTS).unwrap_or(i64::MAX));
        let mut entries = Vec::new();
        let mut before = None;
        // Back to the first page that reaches beyond the strip's beginning: it says how those days began.
        loop {
            let page = self.0.engine.timeline(Some(id), before, 500).await.map_err(error_view)?;
            let Some(oldest) = page.last() else { break };
            before = Some(oldest.seq);
            let reaches = oldest.at < begins;
            entries.extend(page);
            if reaches {
                break;
            }
        }
        let story = entries.iter().rev().map(|entry| (entry.at, &entry.event));
        let health = health::health(story, now, &TimeZone::system());
        Ok(Health { slots: health.slots, sentence: health.sentence })
    }

    /// What happened to an account, or at all, newest first, before a place; or what of it went wrong.
    pub async fn timeline(&self, pages: Pages) -> Result<EntryPage> {
        let engine = &self.0.engine;
        let page = engine.timeline_page(pages, PAGE).await.map_err(error_view)?;
        let who = page.entries.iter().filter_map(|entry| entry.account_id).collect();
        let known = engine.names(who).await.map_err(error_view)?;
        let entry = |entry: relink_engine::store::timeline::Entry| {
            let named = entry.account_id.and_then(|id| known.get(&id));
            let provider = named.and_then(|named| named.label.as_deref());
            let (title, detail) = entry.event.describe(provider.unwrap_or("The provider"));
            Entry {
                seq: entry.seq,
                account_id: entry.account_id,
                account_name: named.map(|named| named.name.clone()),
                account_gone: named.is_none_or(|named| named.label.is_none()),
                at: entry.at,
                kind: kind(&entry.event),
                tone: entry.event.tone(),
                title,
                detail,
                facts: facts(&entry.event),
            }
        };
        Ok(EntryPage { entries: page.entries.into_iter().map(entry).collect(), next: page.next })
    }

    /// One call at the provider: does the account work?
    pub async fn check(&self, id: AccountId) -> Result<Checked> {
        let report = self.0.engine.check(id).await.map_err(error_view)?;
        Ok(Checked { outcome: report.outcome, account: self.seen(&report.account).await? })
    }

    /// Refreshes now.
    pub async fn refresh(&self, id: AccountId) -> Result<Account> {
        let view = self.0.engine.refresh(id).await.map_err(error_view)?;
        self.seen(&view).await
    }

    /// Renames.
    pub async fn rename(&self, id: AccountId, name: String) -> Result<Account> {
        let view = self.0.engine.rename(id, name).await.map_err(error_view)?;
        self.seen(&view).await
    }

    /// Deletes, with what is in the keychain; revokes at the provider where it offers that.
    pub async fn delete_account(&self, id: AccountId) -> Result<()> {
        self.0.engine.delete_account(id).await.map_err(error_view)
    }
}

fn account(view: &AccountView, remind_at: Option<Timestamp>) -> Account {
    let account = &view.account;
    let profile = &account.profile;
    let trouble = account.state.trouble();
    let connected = account.status() != Status::Connecting;
    let (refreshed_at, expires_at) = match account.state.credential() {
        Credential::Renewing(renewing) => (Some(renewing.lifetime.issued_at), renewing.lifetime.expires_at),
        Credential::Fixed(fixed) => (None, fixed.expires_at),
    };
    let color = view.installed.integration.document.pointer("/config/relink/color").and_then(|color| color.as_str());
    Account {
        id: profile.id,
        name: profile.name.clone(),
        integration: profile.integration.clone(),
        integration_label: view.label.clone(),
        color: color.map(str::to_owned),
        tenant_id: profile.tenant_id.clone(),
        identity: profile.identity.as_ref().map(|identity| identity.label.clone()),
        status: account.status(),
        method: account.method(),
        method_label: method_label(account.state.credential()).to_owned(),
        scopes: profile.scopes.clone(),
        is_sandbox: profile.is_sandbox,
        verdict: trouble.map(relink_domain::account::Trouble::verdict),
        trouble_since: trouble.map(|trouble| trouble.since),
        problem: profile
            .last_error
            .as_ref()
            .filter(|_| account.status() != Status::Active)
            .map(|seen| problem(account, seen, &view.label)),
        next_try: trouble.and_then(|trouble| trouble.next_try),
        remind_at,
        refreshed_at: refreshed_at.filter(|_| connected),
        expires_at: expires_at.filter(|_| connected),
        next_action_at: view.due,
        last_used_at: view.last_used_at,
        created_at: profile.created_at,
    }
}

/// How it signs in, in words.
const fn method_label(credential: &Credential) -> &'static str {
    match credential {
        Credential::Renewing(Renewing { by: Renewal::RefreshToken, .. }) => "OAuth 2.0, refresh token",
        Credential::Renewing(Renewing { by: Renewal::ClientCredentials, .. }) => "OAuth 2.0, client credentials",
        Credential::Fixed(Fixed { kind: FixedKind::AccessToken, .. }) => "OAuth 2.0, no refresh token",
        Credential::Fixed(Fixed { kind: FixedKind::ApiKey, .. }) => "API key",
    }
}

fn problem(account: &account::Account, seen: &SeenFailure, provider: &str) -> Problem {
    let Failure { cause, http_status, provider_code, provider_message, .. } = &seen.failure;
    let words = account.explain(seen, provider);
    Problem {
        code: cause.code().to_owned(),
        title: words.title,
        message: words.message,
        hint: words.hint,
        http_status: *http_status,
        provider_code: provider_code.clone(),
        provider_message: provider_message.clone(),
        occurred_at: seen.at,
    }
}

/// The stored name of a moment's kind.
fn kind(timeline_event: &TimelineEvent) -> String {
    let written = serde_json::to_value(timeline_event).unwrap_or_default();
    written["kind"].as_str().unwrap_or_default().to_owned()
}

/// What stands behind "Details".
fn facts(timeline_event: &TimelineEvent) -> Vec<Fact> {
    let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
    match timeline_event {
        TimelineEvent::StepFailed { failure, .. }
        | TimelineEvent::RefreshFailed { failure, .. }
        | TimelineEvent::CheckInconclusive { failure }
        | TimelineEvent::Unauthorized { failure }
        | TimelineEvent::CredentialGone { failure } => {
            let mut facts = vec![fact("Code", failure.cause.code())];
            facts.extend(failure.http_status.map(|status| fact("HTTP status", &status.to_string())));
            facts.extend(failure.provider_code.as_deref().map(|code| fact("Provider code", code)));
            facts.extend(failure.provider_message.as_deref().map(|words| fact("Provider message", words)));
            facts
        }
        TimelineEvent::FlowFailed { code, .. } | TimelineEvent::CallbackRefused { code, .. } => {
            vec![fact("Code", code)]
        }
        TimelineEvent::Connected { .. }
        | TimelineEvent::Activated
        | TimelineEvent::Refreshed { .. }
        | TimelineEvent::Deferred { .. }
        | TimelineEvent::Resumed
        | TimelineEvent::Checked
        | TimelineEvent::Forbidden
        | TimelineEvent::Reactivated
        | TimelineEvent::Reauthorized { .. }
        | TimelineEvent::KeptOld { .. }
        | TimelineEvent::LinkCreated { .. }
        | TimelineEvent::Renamed { .. }
        | TimelineEvent::ContextChanged
        | TimelineEvent::Deleted { .. } => Vec::new(),
    }
}
