//! The notifications that were shown, as the Activity page lists them, and the policy's history of them.

use relink_contract::window::{Change, NoticeRecord};
use relink_domain::{
    caller::Caller,
    notice::{DisabledWebhook, FailingAccount, LoggedNotice, Notice, NoticeHistory, NoticeLog},
};

use crate::{App, Result, count, error_view};

/// The names of the stored documents.
const SHOWN: &str = "shown";
const NOTICES: &str = "notices";

impl App {
    pub(crate) async fn shown(&self) -> Result<NoticeHistory> {
        Ok(self.0.engine.documents().get(&Caller::Internal, SHOWN).await.map_err(error_view)?.unwrap_or_default())
    }

    pub(crate) async fn store_shown(&self, shown: NoticeHistory) -> Result<()> {
        self.0.engine.documents().set(&Caller::Internal, SHOWN, shown).await.map_err(error_view)
    }

    /// Newest first.
    pub async fn notices(&self) -> Result<Vec<NoticeRecord>> {
        let (log, failing) = (self.notice_log().await?, self.failing_accounts().await?);
        let disabled = self.disabled_webhooks().await?;
        Ok(log.entries().iter().map(|entry| record(entry, &failing, &disabled)).collect())
    }

    async fn notice_log(&self) -> Result<NoticeLog> {
        Ok(self.0.engine.documents().get(&Caller::Internal, NOTICES).await.map_err(error_view)?.unwrap_or_default())
    }

    /// Adds a notification that was shown to the list. Only the presenter calls it, one call at a time.
    pub(crate) async fn log_notice(&self, notice: &Notice, delivered: bool) -> Result<()> {
        let mut log = self.notice_log().await?;
        log.add(notice, self.0.engine.now(), delivered);
        self.0.engine.documents().set(&Caller::Internal, NOTICES, log).await.map_err(error_view)?;
        self.publish(Change::Notices);
        Ok(())
    }

    /// Whether this one-time explanation has been shown.
    pub async fn was_explained(&self, name: &str) -> Result<bool> {
        let explained: Option<bool> =
            self.0.engine.documents().get(&Caller::Internal, name).await.map_err(error_view)?;
        Ok(explained.is_some())
    }

    pub async fn mark_explained(&self, name: &str) -> Result<()> {
        self.0.engine.documents().set(&Caller::Internal, name, true).await.map_err(error_view)
    }
}

fn record(entry: &LoggedNotice, failing: &[FailingAccount], disabled: &[DisabledWebhook]) -> NoticeRecord {
    let (subjects, resolved) = entry.resolved(failing, disabled);
    NoticeRecord {
        id: entry.id.0,
        at: entry.at,
        title: entry.title.clone(),
        body: entry.body.clone(),
        account_id: entry.account_id,
        about_webhooks: !entry.webhooks.is_empty(),
        subjects: count(subjects),
        resolved: count(resolved),
        delivered: entry.delivered,
    }
}
