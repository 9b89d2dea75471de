//! What was shown to the person is kept: the policy's memory, and the notifications under Activity.

use relink_domain::{
    AccountId, Timestamp,
    notice::{DesktopSignal, NoticeHistory, Opens},
};

use crate::{
    App, Result, error_view,
    types::{Changed, NoticeRecord},
};

const SHOWN: &str = "shown";
const NOTICES: &str = "notices";
/// Notifications that are kept.
const KEPT: usize = 200;

/// Tomorrow, as long as a person means by it.
const TOMORROW_SECS: i64 = 24 * 60 * 60;

impl App {
    pub(crate) async fn shown(&self) -> Result<NoticeHistory> {
        Ok(self.0.engine.document(SHOWN).await.map_err(error_view)?.unwrap_or_default())
    }

    pub(crate) async fn keep_shown(&self, shown: NoticeHistory) -> Result<()> {
        self.0.engine.keep_document(SHOWN, shown).await.map_err(error_view)
    }

    /// The notifications that were shown, newest first.
    pub async fn notices(&self) -> Result<Vec<NoticeRecord>> {
        Ok(self.0.engine.document(NOTICES).await.map_err(error_view)?.unwrap_or_default())
    }

    pub(crate) async fn change_notices(&self, change: impl FnOnce(&mut Vec<NoticeRecord>)) -> Result<()> {
        let mut notices = self.notices().await?;
        change(&mut notices);
        notices.truncate(KEPT);
        self.0.engine.keep_document(NOTICES, notices).await.map_err(error_view)?;
        self.publish(Changed::Notices);
        Ok(())
    }

    /// The person wants to be left alone about this account until tomorrow, or until the machine is next unlocked.
    pub async fn remind_later(&self, id: AccountId) -> Result<()> {
        let view = self.0.engine.account(id).await.map_err(error_view)?;
        let about = relink_domain::notice::FailingAccount::of(&view.account, &view.label);
        let about = about.map(|troubled| troubled.episode()).into_iter().collect();
        self.hear(DesktopSignal::RemindLater { about, until: self.tomorrow() }).await;
        Ok(())
    }

    /// Until when "Remind me later" holds at most.
    pub fn tomorrow(&self) -> Timestamp {
        self.0.engine.now().plus_secs(TOMORROW_SECS)
    }

    /// What the person did on the desktop. The policy takes it in, in its turn.
    pub async fn hear(&self, received: DesktopSignal) {
        // The loop that hears ends with the process.
        let _ = self.0.received.send(received).await;
    }
}

/// The account that a notification leads to, if it is about one.
pub(crate) const fn account_of(opens: Opens) -> Option<AccountId> {
    match opens {
        Opens::Account(id) => Some(id),
        Opens::Accounts => None,
    }
}
