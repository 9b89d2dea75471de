//! Regular expressions for what a person types.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Serialize, Serializer};

use super::error::quoted;

/// Longest pattern that is taken.
const LONGEST_PATTERN: usize = 512;
/// Most memory that one compiled pattern may take. The engine behind it runs in linear time.
const LARGEST_PATTERN: usize = 256 * 1024;

/// A regular expression that the whole value must match, as in HTML's `pattern`.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    whole: Regex,
}

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Too long.
    #[error("the pattern is longer than {LONGEST_PATTERN} characters")]
    TooLong,
    /// Not an expression that is understood.
    #[error(
        "{0} is not a regular expression that Relink understands (it knows no look-around and no back-references); \
         such as \"[a-z0-9]+\""
    )]
    Unknown(String),
}

impl Pattern {
    /// Reads an expression.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        if source.len() > LONGEST_PATTERN {
            return Err(PatternError::TooLong);
        }
        let build = |source: &str| RegexBuilder::new(source).size_limit(LARGEST_PATTERN).build();
        // Alone first: `a)(b` must not become valid by the group put around it.
        let whole = build(source).and_then(|_| build(&format!(r"\A(?:{source})\z")));
        let whole = whole.map_err(|_| PatternError::Unknown(quoted(source)))?;
        Ok(Self { source: source.to_owned(), whole })
    }

    /// Whether the whole value matches.
    pub fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }

    /// The expression as written.
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
    fn a_pattern_is_about_the_whole_value() {
        let pattern = Pattern::parse("a|b").expect("a pattern");
        assert!(pattern.matches("a") && pattern.matches("b"));
        assert!(!pattern.matches("ab") && !pattern.matches("xa") && !pattern.matches("a\n"));
    }

    #[test]
    fn patterns_that_are_no_patterns_are_refused() {
        assert!(matches!(Pattern::parse("a)(b"), Err(PatternError::Unknown(_))));
        assert!(matches!(Pattern::parse("(?=x)"), Err(PatternError::Unknown(_))));
        assert!(matches!(Pattern::parse("(a{1000}){1000}"), Err(PatternError::Unknown(_))));
        assert_eq!(Pattern::parse(&"a".repeat(513)).expect_err("too long"), PatternError::TooLong);
    }
}
