//! Which scopes a call lacked that was answered with 403.

use super::MAX_CODE_CHARS;
use crate::provider_text::{HIDDEN, SecretFilter};

/// No provider's method needs more.
const MAX_SCOPES: usize = 20;

/// What is known of the scopes that a refused call needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NeededScopes {
    /// It needs each of them: `scope` of a Bearer challenge (RFC 6750 §3), or what a definition says of the method.
    pub all_of: Vec<String>,
    /// One of them is enough: GitHub's `X-Accepted-OAuth-Scopes`.
    pub one_of: Vec<String>,
    /// Those that the token has, if the response says so: GitHub's `X-OAuth-Scopes`.
    pub granted: Option<Vec<String>>,
}

impl NeededScopes {
    /// The scopes that the token lacks, without secrets. `granted`: those of the account, for a response that doesn't say.
    pub fn missing(&self, granted: &[String], filter: &SecretFilter) -> Vec<String> {
        let granted = self.granted.as_deref().unwrap_or(granted);
        let lacks = |scope: &&String| !granted.contains(scope);
        let all_of = self.all_of.iter().filter(lacks);
        let has_one = !self.one_of.iter().all(|scope| lacks(&scope));
        let one_of = self.one_of.iter().filter(|_| !has_one);
        let mut missing: Vec<String> = Vec::new();
        for scope in all_of.chain(one_of) {
            let scope = filter.clean(scope, MAX_CODE_CHARS);
            if missing.len() < MAX_SCOPES && !scope.is_empty() && !scope.contains(HIDDEN) && !missing.contains(&scope) {
                missing.push(scope);
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn scopes(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_missing_is_what_is_needed_less_what_is_granted() {
        for (all_of, one_of, said_granted, of_account, missing) in [
            ("", "", None, "a", ""),
            ("a b b", "", None, "", "a b"),
            ("a b", "", None, "a", "b"),
            ("a b", "", None, "a b c", ""),
            // The response knows better than what the account was granted once.
            ("a b", "", Some("a"), "a b", "b"),
            ("", "repo public_repo", None, "user", "repo public_repo"),
            ("", "repo public_repo", Some("public_repo"), "", ""),
            ("", "repo", Some(""), "repo", "repo"),
            ("a", "repo", None, "repo", "a"),
            ("canary-scope-secret-1 c", "", None, "", "c"),
        ] {
            let needed =
                NeededScopes { all_of: scopes(all_of), one_of: scopes(one_of), granted: said_granted.map(scopes) };
            let filter = SecretFilter::new([&Secret::new("canary-scope-secret-1")]);
            assert_eq!(needed.missing(&scopes(of_account), &filter).join(" "), missing, "{needed:?}");
        }
    }

    #[test]
    fn neither_many_nor_long_scopes_are_kept() {
        let needed = NeededScopes {
            all_of: (0..1000).map(|number| format!("{number}{}", "s".repeat(1000))).collect(),
            ..NeededScopes::default()
        };
        let missing = needed.missing(&[], &SecretFilter::default());
        assert_eq!(missing.len(), MAX_SCOPES);
        assert!(missing.iter().all(|scope| scope.chars().count() <= MAX_CODE_CHARS));
    }
}
