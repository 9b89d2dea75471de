//! "Remind me later", and the other signals that the notification policy receives from the desktop.

use relink_domain::{
    AccountId,
    caller::Caller,
    notice::{DesktopSignal, Episode, FailingAccount},
};

use crate::{App, Result, error_view};

/// How long "Remind me later" lasts, unless the machine is unlocked earlier.
const REMIND_AFTER_SECS: i64 = 24 * 60 * 60;

impl App {
    pub async fn remind_later(&self, id: AccountId) -> Result<()> {
        let view = self.0.engine.accounts().get(&Caller::Person, id).await.map_err(error_view)?;
        let episode = FailingAccount::of(&view.account, &view.label).map(|account| account.episode());
        self.remind_of_episodes_later(episode.into_iter().collect()).await;
        Ok(())
    }

    pub async fn remind_of_episodes_later(&self, about: Vec<Episode>) {
        let until = self.0.engine.now().plus_secs(REMIND_AFTER_SECS);
        self.signal(DesktopSignal::RemindLater { about, until }).await;
    }

    /// Sends a signal to the notification policy, which processes them in order.
    pub async fn signal(&self, signal: DesktopSignal) {
        // Sending can't fail: the policy's task runs until the process exits.
        let _ = self.0.signals.send(signal).await;
    }
}
