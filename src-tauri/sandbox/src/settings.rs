//! The provider's settings.

use serde::{Deserialize, Serialize};

use crate::{grants::Rotation, scenario::Scenario};

/// The provider's behavior.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Lifetime of an access token, in seconds.
    pub token_lifetime_secs: i64,
    /// What happens to a refresh token when it is used.
    pub rotation: Rotation,
    /// How long a replaced refresh token is still accepted under [`Rotation::Grace`], in seconds.
    pub grace_secs: i64,
    /// How far the provider's clock is ahead, in seconds.
    pub clock_skew_secs: i64,
    /// How long the token endpoint waits before it responds, in milliseconds.
    pub delay_millis: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_lifetime_secs: 300,
            rotation: Rotation::Grace,
            grace_secs: 30,
            clock_skew_secs: 0,
            delay_millis: 0,
        }
    }
}

impl Settings {
    /// Those of a provider that is played.
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let token = &scenario.oauth.token;
        Self {
            token_lifetime_secs: token.lifetime_secs,
            rotation: token.rotation,
            grace_secs: token.grace_secs,
            ..Self::default()
        }
    }
}

/// A partial update of [`Settings`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_lifetime_secs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_secs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_secs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_millis: Option<u64>,
}
