//! What no caller gets of the links in a provider's answer: providers repeat in them what a request was signed with. Whoever
//! follows one through Relink has it added again.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use relink_domain::Secret;
use serde_json::Value;

use crate::{account::Account, target::without_parameters};

/// How often a text may be percent-encoded, one encoding within the other, for a secret to be found in it.
const MAX_ENCODINGS: usize = 3;

/// Parameters that are taken out of links: those that the definition adds, by their names, and whatever has a secret of the account in
/// it. A secret that is anywhere else can't be taken out of a link or a cursor; [`Withheld::finds`] and [`Withheld::finds_in`] find it.
#[derive(Debug, Clone, Default)]
pub struct Withheld {
    names: Vec<String>,
    /// With spaces in place of pluses.
    secrets: Vec<Secret>,
}

impl Withheld {
    pub(crate) fn of(account: &impl Account) -> Self {
        let names = account.query().iter().map(|(name, _)| name.clone()).collect();
        Self { names, secrets: account.secrets().map(spaced).collect() }
    }

    /// And the parameters with these names.
    pub(crate) fn and(mut self, names: &[&str]) -> Self {
        self.names.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// The query without them.
    pub(crate) fn take_out(&self, query: &str) -> String {
        without_parameters(query, |name, value| {
            self.names.iter().any(|withheld| withheld == name) || self.finds(name) || self.finds(value)
        })
    }

    /// Whether a text has a secret of the account in it, as it is or percent-encoded.
    pub(crate) fn finds(&self, text: &str) -> bool {
        let mut text = Cow::Borrowed(text);
        for _ in 0..=MAX_ENCODINGS {
            let spaced = with_spaces(&text);
            if self.secrets.iter().any(|secret| secret.is_in(&spaced)) {
                return true;
            }
            if !text.contains('%') {
                return false;
            }
            text = percent_decode_str(&text).decode_utf8_lossy().into_owned().into();
        }
        false
    }

    /// Whether a text within a value has one.
    pub(crate) fn finds_in(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => self.finds(&number.to_string()),
            Value::String(text) => self.finds(text),
            Value::Array(items) => items.iter().any(|item| self.finds_in(item)),
            Value::Object(members) => members.iter().any(|(name, value)| self.finds(name) || self.finds_in(value)),
        }
    }

    #[cfg(test)]
    pub(crate) fn new(name: &str, secret: &str) -> Self {
        Self { names: vec![name.to_owned()], secrets: vec![spaced(&Secret::new(secret))] }
    }
}

fn spaced(secret: &Secret) -> Secret {
    Secret::new(with_spaces(secret.expose()))
}

/// A plus is a space in a query, and a plus elsewhere.
fn with_spaces(text: &str) -> String {
    text.replace('+', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_encoded() {
        let withheld = Withheld::new("key", "ab+cd/ef==1234");
        for text in [
            "ab+cd/ef==1234",
            "/files/ab+cd%2Fef%3D%3D1234/x",
            "ab%2Bcd/ef%3d=1234",
            "ab%252Bcd%252Fef==1234",
            "to=https%3A%2F%2Fa%3Fk%3Dab%25252Bcd%25252Fef%25253D%25253D1234",
        ] {
            assert!(withheld.finds(text), "{text}");
        }
        for text in ["", "ab+cd/ef==123", "ab-cd/ef==1234", "100%", "%zz"] {
            assert!(!withheld.finds(text), "{text}");
        }
    }
}
