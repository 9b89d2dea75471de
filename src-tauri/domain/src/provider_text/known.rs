//! The secrets that a provider's texts must not repeat.

use super::SecretFilter;
use crate::Secret;

/// The secrets of an account and of its client, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct KnownSecrets {
    secrets: Vec<Secret>,
    is_incomplete: bool,
}

impl KnownSecrets {
    /// Some secrets can't be read now. Then nothing that the provider says is kept, because it may repeat one of them.
    #[must_use]
    pub fn incomplete(self) -> Self {
        Self { is_incomplete: true, ..self }
    }

    /// Adds secrets.
    #[must_use]
    pub fn and<'s>(mut self, more: impl IntoIterator<Item = &'s Secret>) -> Self {
        self.secrets.extend(more.into_iter().cloned());
        self
    }

    /// The filter for texts that must not repeat these secrets, nor `more`.
    pub fn filter<'s>(&'s self, more: impl IntoIterator<Item = &'s Secret>) -> SecretFilter {
        if self.is_incomplete {
            SecretFilter::of_everything()
        } else {
            SecretFilter::new(self.secrets.iter().chain(more))
        }
    }
}
