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
    secrets: Vec<Secret>,
}

impl Withheld {
    pub(crate) fn of(account: &impl Account) -> Self {
        let names = account.query().iter().map(|(name, _)| name.clone()).collect();
        Self { names, secrets: account.secrets().cloned().collect() }
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
        for _ in 0..MAX_ENCODINGS {
            if self.secrets.iter().any(|secret| secret.is_in(&text)) {
                return true;
            }
            if !text.contains(['%', '+']) {
                return false;
            }
            let with_spaces = text.replace('+', " ");
            text = percent_decode_str(&with_spaces).decode_utf8_lossy().into_owned().into();
        }
        self.secrets.iter().any(|secret| secret.is_in(&text))
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
        Self { names: vec![name.to_owned()], secrets: vec![Secret::new(secret)] }
    }
}
