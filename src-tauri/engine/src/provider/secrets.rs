//! Secrets of an installed integration: its client's, and its secret environment variables.
//!
//! **Invariant:** what is in the keychain is in force only together with what was committed for it. A change writes the new secrets
//! to the keychain with the next generation and keeps the former ones beside them; the transaction that commits the rest of
//! the change counts `secrets_generation` up, and with it the new ones are in force. So no secret is ever sent to an address that
//! it wasn't given for, whenever the process ends.

use std::collections::BTreeMap;

use relink_domain::Secret;
use serde_json::Value;

use super::SECRET_VARIABLES;
use crate::{keychain::Item, store::integrations::Installed};

/// Name of the client secret in an installed integration's keychain item.
pub(crate) const CLIENT_SECRET: &str = "client_secret";
/// Before the names of secret variables.
const VARIABLE: &str = "variable:";
/// Before the names of what is in force until a change is committed.
const FORMER: &str = "former:";

/// What changes of an installed integration's secrets.
#[derive(Debug, Default)]
pub(crate) struct NewSecrets {
    /// `None`: the stored one stays.
    pub(crate) client: Option<Secret>,
    /// All secret variables; `None`: they stay. One without a value keeps the stored one.
    pub(crate) variables: Option<BTreeMap<String, Option<Secret>>>,
}

impl NewSecrets {
    pub(crate) const fn is_empty(&self) -> bool {
        self.client.is_none() && self.variables.is_none()
    }

    fn apply(self, secrets: &mut BTreeMap<String, Secret>) {
        if let Some(secret) = self.client {
            secrets.insert(CLIENT_SECRET.to_owned(), secret);
        }
        let Some(variables) = self.variables else { return };
        secrets.retain(|name, _| name.strip_prefix(VARIABLE).is_none_or(|name| variables.contains_key(name)));
        let new = variables.into_iter().filter_map(|(name, secret)| Some((format!("{VARIABLE}{name}"), secret?)));
        secrets.extend(new);
    }
}

/// Whether an integration's override has secret variables.
pub(super) fn has_variables(installed: &Installed) -> bool {
    let names = installed.r#override.get(SECRET_VARIABLES).and_then(Value::as_object);
    names.is_some_and(|names| !names.is_empty())
}

/// The secrets that are in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntegrationSecrets(BTreeMap<String, Secret>);

impl IntegrationSecrets {
    /// Those of the keychain's item that were committed as this generation. None if it has none of them, because the keychain or
    /// the database was restored to another state.
    pub(crate) fn in_force(item: &Item, generation: u64) -> Self {
        let is_former = |name: &str| name.starts_with(FORMER);
        let secrets = item.secrets.iter();
        Self(match item.generation {
            staged if staged > generation => {
                let former = secrets.filter_map(|(name, secret)| Some((name.strip_prefix(FORMER)?, secret)));
                former.map(|(name, secret)| (name.to_owned(), secret.clone())).collect()
            }
            current if current == generation => {
                let current = secrets.filter(|(name, _)| !is_former(name));
                current.map(|(name, secret)| (name.clone(), secret.clone())).collect()
            }
            _ => BTreeMap::new(),
        })
    }

    /// The keychain's item while a change isn't committed yet.
    pub(crate) fn staged(&self, new: NewSecrets, generation: u64) -> Item {
        let mut secrets = self.0.clone();
        new.apply(&mut secrets);
        secrets.extend(self.0.iter().map(|(name, secret)| (format!("{FORMER}{name}"), secret.clone())));
        Item { generation, secrets, ..Item::default() }
    }

    /// The keychain's item when its change has been committed.
    pub(crate) fn settled(mut staged: Item) -> Item {
        staged.secrets.retain(|name, _| !name.starts_with(FORMER));
        staged
    }

    /// All of them.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }

    pub(crate) fn client(&self) -> Option<&Secret> {
        self.0.get(CLIENT_SECRET)
    }

    /// The secret environment variables by name (contract section 4.1).
    pub(crate) fn variables(&self) -> BTreeMap<String, Secret> {
        let variables = self.0.iter().filter_map(|(name, secret)| Some((name.strip_prefix(VARIABLE)?, secret)));
        variables.map(|(name, secret)| (name.to_owned(), secret.clone())).collect()
    }
}
