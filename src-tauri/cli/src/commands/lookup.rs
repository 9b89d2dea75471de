//! Finds what a command refers to: by its ID, the beginning of its ID, or its exact name.

use relink_contract::account::AccountRow;

use crate::{api_client::ApiClient, exit::CliError};

/// The minimum length of an ID's beginning. Shorter ones could easily match something else.
const MIN_PREFIX_LEN: usize = 4;

/// What can be referred to.
pub(super) trait Listed {
    /// What one is called.
    const ONE: &str;
    /// What several are called.
    const SEVERAL: &str;
    /// The command that lists all.
    const LIST: &str;

    fn id(&self) -> String;
    fn name(&self) -> &str;
    /// How it is listed where a name matches several.
    fn description(&self) -> String;
}

impl Listed for AccountRow {
    const ONE: &str = "account";
    const SEVERAL: &str = "accounts";
    const LIST: &str = "relink accounts";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> String {
        let Self { id, name, integration_label, tenant_id, .. } = self;
        format!("{id}  {name} ({integration_label}, tenant {tenant_id})")
    }
}

pub(super) fn find_account(client: &ApiClient, named: &str) -> Result<AccountRow, CliError> {
    if is_complete_id(named) {
        return client.account(named);
    }
    choose(client.accounts()?.result, named)
}

/// A complete ID is returned as it is, which saves a request. The server knows whether it exists.
pub(super) fn find_account_id(client: &ApiClient, named: &str) -> Result<String, CliError> {
    if is_complete_id(named) { Ok(named.to_owned()) } else { Ok(find_account(client, named)?.id.to_string()) }
}

/// Whether the text has the form of a UUID (RFC 9562 §4).
pub(super) fn is_complete_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

pub(super) fn choose<T: Listed>(mut all: Vec<T>, named: &str) -> Result<T, CliError> {
    if all.iter().any(|it| it.name() == named) {
        all.retain(|it| it.name() == named);
    } else {
        all.retain(|it| named.len() >= MIN_PREFIX_LEN && it.id().starts_with(named));
    }
    match all.len() {
        0 => Err(CliError::new(format!("No {} matches {named}. To list all {}: {}", T::ONE, T::SEVERAL, T::LIST))),
        1 => Ok(all.remove(0)),
        _ => {
            let candidates: Vec<_> = all.iter().map(|it| format!("  {}", it.description())).collect();
            let candidates = candidates.join("\n");
            Err(CliError::new(format!("{named} matches several {}. Pass the ID of one:\n{candidates}", T::SEVERAL)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::accounts::tests::account;

    fn named(id: &str, name: &str) -> AccountRow {
        AccountRow { id: id.parse().expect("an ID"), name: name.into(), ..account() }
    }

    #[test]
    fn an_account_is_found_by_id_prefix_or_name() {
        let accounts = [
            named("0190aaaa-0000-7000-8000-000000000001", "Acme"),
            named("0190aaaa-0000-7000-8000-000000000002", "Acme"),
            named("0190bbbb-0000-7000-8000-000000000003", "Other"),
        ];
        let found = |named| choose(accounts.to_vec(), named).map(|account| account.id);
        assert_eq!(found("0190aaaa-0000-7000-8000-000000000002"), Ok(accounts[1].id));
        assert_eq!(found("0190b"), Ok(accounts[2].id));
        assert_eq!(found("Other"), Ok(accounts[2].id));
        for (ambiguous, matches) in [("Acme", 2), ("0190aaaa", 2), ("0190", 3)] {
            let message = found(ambiguous).expect_err(ambiguous).to_string();
            assert_eq!(message.lines().count(), 1 + matches, "{message}");
            assert!(message.contains(&accounts[0].id.to_string()) && message.contains("tenant acme-1"), "{message}");
        }
        assert!(found("019").is_err(), "too short");
        assert!(found("nobody").is_err());
    }

    #[test]
    fn a_complete_id_is_recognized_by_its_form() {
        assert!(is_complete_id("01a209c1-ba50-7323-ac96-f440c8b78de9"));
        for other in
            ["01a209c1-ba50", "01a209c1-ba50-7323-ac96-f440c8b78dez", "01a209c1xba50-7323-ac96-f440c8b78de9", ""]
        {
            assert!(!is_complete_id(other), "{other}");
        }
    }
}
