use relink_domain::Secret;
use serde::{Deserialize, Deserializer};
use ts_rs::TS;

/// A secret that was entered in the window. It has no `Serialize`, so it can't be sent back.
#[derive(Debug, Clone, TS)]
#[ts(type = "string")]
pub struct SecretInput(Secret);

impl SecretInput {
    /// The secret, unless the field was left empty.
    pub fn into_secret(self) -> Option<Secret> {
        Some(self.0).filter(|secret| !secret.is_empty())
    }
}

impl From<Secret> for SecretInput {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

impl<'de> Deserialize<'de> for SecretInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}
