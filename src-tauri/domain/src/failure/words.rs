//! A failure as one text.

use std::fmt;

use super::Failure;

impl Failure {
    /// The provider's code and message as one text.
    pub fn provider_words(&self) -> Option<String> {
        provider_words(self.provider_code.as_deref(), self.provider_message.as_deref())
    }
}

/// A provider's error code and message as one text.
pub fn provider_words(code: Option<&str>, message: Option<&str>) -> Option<String> {
    match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (words, None) | (None, words) => words.map(str::to_owned),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.code())?;
        if let Some(status) = self.http_status {
            write!(f, ", HTTP {status}")?;
        }
        if let Some(code) = &self.provider_code {
            write!(f, ", {code}")?;
        }
        if let Some(message) = &self.provider_message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}
