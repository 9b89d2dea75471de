//! How deliveries to webhooks are signed.

use serde::{Deserialize, Serialize};

/// The encoding of the signature in `X-Truto-Signature` (contract section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
pub enum SignatureFormat {
    /// Base64 with padding (RFC 4648 §4), as handlers of Truto's customers decode it.
    #[default]
    Base64,
    /// Lowercase hexadecimal digits, as Truto's documentation has it.
    Hex,
}

impl SignatureFormat {
    /// Its name on the wire, and as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }
}
