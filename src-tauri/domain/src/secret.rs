//! Text that must stay secret.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A token, key, password or client secret.
///
/// It has no `Serialize`, prints as `<redacted>`, is compared in constant time and is wiped when dropped. Every use of the
/// text goes through [`Secret::expose`], which is easy to search for.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// A secret that is shorter isn't searched for within a text.
const MIN_PART_BYTES: usize = 8;

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the provider, the keychain, or a caller that asked for a token.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text contains it. A short one is too much like a word, and counts only if it is the whole text.
    pub fn is_in(&self, text: &str) -> bool {
        if self.0.len() < MIN_PART_BYTES { !self.is_empty() && *self.0 == text } else { text.contains(&**self.0) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {secret:#?}"), "<redacted> <redacted>");
    }

    #[test]
    fn secrets_with_the_same_text_are_equal() {
        assert_eq!(Secret::new("a"), Secret::new("a"));
        assert_ne!(Secret::new("a"), Secret::new("ab"));
    }

    #[test]
    fn a_secret_is_found_in_a_text_unless_it_is_too_short() {
        for (secret, text, is_found) in [
            ("k-secret-1", "k-secret-1", true),
            ("k-secret-1", "Bearer k-secret-1;", true),
            ("k-secret-1", "k-secret-2", false),
            ("2024", "2024", true),
            ("2024", "2024-01-01", false),
            ("", "", false),
        ] {
            assert_eq!(Secret::new(secret).is_in(text), is_found, "{secret} in {text}");
        }
    }

    #[test]
    fn only_an_empty_secret_is_empty() {
        assert!(Secret::new("").is_empty());
        assert!(!Secret::from(" ".to_owned()).is_empty());
        assert_eq!(Secret::from("a".to_owned()).expose(), "a");
    }
}
