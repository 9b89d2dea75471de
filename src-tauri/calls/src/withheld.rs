//! What no caller gets of the links in a provider's answer: providers repeat in them what a request was signed with. Whoever
//! follows one through Relink has it added again.

use relink_domain::Secret;

use crate::{account::Account, target::without_parameters};

/// Parameters that are taken out of links: those that the definition adds, by their names, and whatever has a secret of the account in
/// its value.
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
            self.names.iter().any(|withheld| withheld == name) || self.secrets.iter().any(|secret| secret.is_in(value))
        })
    }

    #[cfg(test)]
    pub(crate) fn new(name: &str, secret: &str) -> Self {
        Self { names: vec![name.to_owned()], secrets: vec![Secret::new(secret)] }
    }
}
