//! The user's preferences.

use std::future::{Ready, ready};

use relink_contract::window::{Change, PreferenceUpdate, Preferences};
use relink_domain::caller::Caller;
use relink_engine::Engine;
use tokio::sync::watch;

use crate::{
    App, Result,
    error::{desktop_error, invalid_field},
    error_view,
};

/// The name of the stored document.
const DOCUMENT: &str = "preferences";

/// The stored preferences; the defaults if none are stored.
pub(crate) async fn load(engine: &Engine) -> Result<Preferences> {
    Ok(engine.documents().get(&Caller::Internal, DOCUMENT).await.map_err(error_view)?.unwrap_or_default())
}

/// The preferred port of the API, if one is set and the preferences can be read.
pub async fn preferred_port(engine: &Engine) -> Option<u16> {
    load(engine).await.ok().and_then(|preferences| preferences.port)
}

impl App {
    pub fn preferences(&self) -> Ready<Result<Preferences>> {
        ready(Ok(self.current_preferences()))
    }

    pub fn current_preferences(&self) -> Preferences {
        self.0.preferences.borrow().clone()
    }

    pub fn follow_preferences(&self) -> watch::Receiver<Preferences> {
        self.0.preferences.subscribe()
    }

    pub async fn set_preferences(&self, update: PreferenceUpdate) -> Result<Preferences> {
        let preferences = checked(&update)?;
        if preferences.start_at_login != self.current_preferences().start_at_login {
            let set = self.0.desktop.set_start_at_login(preferences.start_at_login);
            set.map_err(|reason| desktop_error("start_at_login", &reason))?;
        }
        let is_new_port = preferences.port != self.current_preferences().port;
        self.store_preferences(preferences.clone()).await?;
        if is_new_port {
            self.choose_port(preferences.port);
        }
        Ok(preferences)
    }

    pub async fn toggle_notifications(&self) -> Result<()> {
        let mut preferences = self.current_preferences();
        preferences.notifications_paused = !preferences.notifications_paused;
        self.store_preferences(preferences).await
    }

    async fn store_preferences(&self, preferences: Preferences) -> Result<()> {
        self.0.engine.documents().set(&Caller::Person, DOCUMENT, preferences.clone()).await.map_err(error_view)?;
        self.0.preferences.send_replace(preferences);
        self.publish(Change::Preferences);
        Ok(())
    }
}

fn checked(update: &PreferenceUpdate) -> Result<Preferences> {
    let PreferenceUpdate { appearance, notifications_paused, start_at_login, port } = *update;
    let port = port.map(port_from).transpose()?;
    Ok(Preferences { appearance, notifications_paused, start_at_login, port })
}

fn port_from(number: f64) -> Result<u16> {
    // Rounding would turn an impossible port into another one.
    let port = (1024..=u16::MAX).find(|port| f64::from(*port).total_cmp(&number).is_eq());
    port.ok_or_else(|| invalid_field("port", "The port must be a whole number from 1024 to 65535."))
}
