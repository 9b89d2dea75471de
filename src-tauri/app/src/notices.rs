//! The notifications that were shown, as the Activity page lists them, and the policy's history of them.

use relink_contract::window::{Change, NoticeRecord};
use relink_domain::{caller::Caller, notice::NoticeHistory};

use crate::{App, Result, error_view};

/// The names of the stored documents.
const SHOWN: &str = "shown";
const NOTICES: &str = "notices";
const MAX_NOTICES: usize = 200;

impl App {
    pub(crate) async fn shown(&self) -> Result<NoticeHistory> {
        Ok(self.0.engine.documents().get(&Caller::Internal, SHOWN).await.map_err(error_view)?.unwrap_or_default())
    }

    pub(crate) async fn store_shown(&self, shown: NoticeHistory) -> Result<()> {
        self.0.engine.documents().set(&Caller::Internal, SHOWN, shown).await.map_err(error_view)
    }

    /// Newest first.
    pub async fn notices(&self) -> Result<Vec<NoticeRecord>> {
        Ok(self.0.engine.documents().get(&Caller::Person, NOTICES).await.map_err(error_view)?.unwrap_or_default())
    }

    pub(crate) async fn change_notices(&self, change: impl FnOnce(&mut Vec<NoticeRecord>)) -> Result<()> {
        let mut notices = self.notices().await?;
        change(&mut notices);
        notices.truncate(MAX_NOTICES);
        self.0.engine.documents().set(&Caller::Internal, NOTICES, notices).await.map_err(error_view)?;
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
