//! Regular expressions for the values of fields.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Serialize, Serializer};

use super::error::quoted;

const MAX_PATTERN_BYTES: usize = 512;
/// Of the compiled pattern. Matching takes linear time.
const MAX_COMPILED_BYTES: usize = 256 * 1024;

/// A regular expression that must match the whole value, as HTML's `pattern`.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    whole: Regex,
}

/// Why a text is not a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the pattern is longer than {MAX_PATTERN_BYTES} characters")]
    TooLong,
    #[error(
        "{0} is not a regular expression that Relink understands (without look-around and backreferences), such as \
         \"[a-z0-9]+\""
    )]
    Unknown(String),
}

impl Pattern {
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        if source.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let build = |source: &str| RegexBuilder::new(source).size_limit(MAX_COMPILED_BYTES).build();
        // First without the group: it would make `a)(b` valid.
        let whole = build(source).and_then(|_| build(&format!(r"\A(?:{source})\z")));
        let whole = whole.map_err(|_| PatternError::Unknown(quoted(source)))?;
        Ok(Self { source: source.to_owned(), whole })
    }

    pub fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }

    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_value() {
        let pattern = Pattern::parse("a|b").expect("a pattern");
        assert!(pattern.matches("a") && pattern.matches("b"));
        assert!(!pattern.matches("ab") && !pattern.matches("xa") && !pattern.matches("a\n"));
    }

    #[test]
    fn invalid_patterns_are_refused() {
        assert!(matches!(Pattern::parse("a)(b"), Err(PatternError::Unknown(_))));
        assert!(matches!(Pattern::parse("(?=x)"), Err(PatternError::Unknown(_))));
        assert!(matches!(Pattern::parse("(a{1000}){1000}"), Err(PatternError::Unknown(_))));
        assert_eq!(Pattern::parse(&"a".repeat(513)).expect_err("too long"), PatternError::TooLong);
    }
}
