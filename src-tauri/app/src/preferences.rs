//! What the person has chosen.

use serde::Deserialize;
use tokio::sync::watch;

use crate::{
    App, Result, error_view, refused,
    types::{Appearance, Changed, Preferences},
};

/// The document that they are kept in.
pub(crate) const NAME: &str = "preferences";

/// [`Preferences`] as the window sends them: what was typed for a number may be any.
#[derive(Debug, Clone, Deserialize)]
pub struct PreferenceUpdate {
    appearance: Appearance,
    notifications_paused: bool,
    start_at_login: bool,
    port: Option<f64>,
}

impl PreferenceUpdate {
    /// The same as preferences, if they can be kept.
    pub fn read(self) -> Result<Preferences> {
        let Self { appearance, notifications_paused, start_at_login, port } = self;
        let port = port.map(port_of).transpose()?;
        Ok(Preferences { appearance, notifications_paused, start_at_login, port })
    }
}

fn port_of(typed: f64) -> Result<u16> {
    // A port that it can't be would be another one after rounding.
    let exact = (1024..=u16::MAX).find(|port| f64::from(*port).total_cmp(&typed).is_eq());
    exact.ok_or_else(|| refused("port", "The port must be a whole number from 1024 to 65535."))
}

impl App {
    /// What the person has chosen.
    pub fn preferences(&self) -> Preferences {
        self.0.preferences.borrow().clone()
    }

    /// The same, as it changes.
    pub fn follow_preferences(&self) -> watch::Receiver<Preferences> {
        self.0.preferences.subscribe()
    }

    /// Keeps what the person has chosen.
    pub async fn set_preferences(&self, preferences: Preferences) -> Result<Preferences> {
        self.0.engine.keep_document(NAME, preferences.clone()).await.map_err(error_view)?;
        self.0.preferences.send_replace(preferences.clone());
        self.publish(Changed::Preferences);
        Ok(preferences)
    }
}
