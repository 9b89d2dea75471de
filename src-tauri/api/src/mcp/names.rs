//! Names of tools: each is unique in its server, and short enough for every client.

use std::collections::HashSet;

use relink_domain::AccountId;

/// The longest name that common models take.
const MAX_NAME: usize = 64;
/// The longest part of a name that says which account it is for.
const MAX_ACCOUNT: usize = 24;

/// So many of the last digits of an account's id are in its name if another account's would be the same.
const ID_DIGITS: usize = 6;

/// Makes names unique, in the order in which they are asked for.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A tool's name, with the account's behind it if the server has tools of several.
    pub(super) fn take(&mut self, tool: &str, account: Option<&str>) -> String {
        let suffix = account.map(|name| format!("__{name}")).unwrap_or_default();
        let mut name = joined(tool, &suffix);
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            name = joined(tool, &format!("_{number}{suffix}"));
            number += 1;
        }
        name
    }
}

/// The names of accounts as parts of tools' names. An account's is never another's, whichever accounts come and go: those with like
/// names differ by their ids.
pub(super) fn of_accounts(accounts: &[(AccountId, &str)]) -> Vec<String> {
    let slugs: Vec<_> = accounts.iter().map(|(_, name)| slug(name)).collect();
    let unique = |(slug, (id, _)): (&String, &(AccountId, &str))| {
        if slugs.iter().filter(|other| *other == slug).count() == 1 {
            return slug.clone();
        }
        let id = id.to_string();
        format!("{slug}_{}", id.get(id.len().saturating_sub(ID_DIGITS)..).unwrap_or(&id))
    };
    slugs.iter().zip(accounts).map(unique).collect()
}

/// All of the suffix, and as much of the name as fits. Both are ASCII.
fn joined(name: &str, suffix: &str) -> String {
    let length = name.len().min(MAX_NAME.saturating_sub(suffix.len()));
    format!("{}{suffix}", name.get(..length).unwrap_or(name))
}

/// `jane@acme.com` is `jane_acme_com`.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
        if slug.len() == MAX_ACCOUNT {
            break;
        }
    }
    let slug = slug.trim_end_matches('_');
    if slug.is_empty() { "account".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn names(accounts: &[(u128, &str)]) -> Vec<String> {
        let accounts: Vec<_> =
            accounts.iter().map(|(id, name)| (AccountId::from_uuid(Uuid::from_u128(*id)), *name)).collect();
        of_accounts(&accounts)
    }

    #[test]
    fn accounts_with_like_names_have_their_ids_in_them() {
        let found = names(&[(0xa1_b2c3, "jane@acme.com"), (2, "Ada"), (3, "Jane ACME com"), (4, "\u{65e5}\u{672c}")]);
        assert_eq!(found, ["jane_acme_com_a1b2c3", "ada", "jane_acme_com_000003", "account"]);
        assert_eq!(names(&[(3, "Jane ACME com")]), ["jane_acme_com"], "no other account ever had this one's");
    }

    #[test]
    fn a_name_says_which_account_it_is_for_if_there_are_several() {
        let mut names = Names::default();
        assert_eq!(names.take("list_all_github_issues", None), "list_all_github_issues");
        assert_eq!(names.take("list_all_github_issues", Some("ada")), "list_all_github_issues__ada");
        assert_eq!(names.take("list_all_github_issues", Some("ada")), "list_all_github_issues_2__ada");
    }

    #[test]
    fn a_long_name_is_cut_before_the_account_and_stays_unique() {
        let (mut names, long) = (Names::default(), "x".repeat(80));
        let account = slug("an account with a very long name indeed");
        let name = names.take(&long, Some(&account));
        assert_eq!((name.len(), name.ends_with("__an_account_with_a_very_l")), (64, true), "{name}");
        let second = names.take(&long, Some(&account));
        assert_eq!((second.len(), second.contains("x_2__an")), (64, true), "{second}");
        assert_ne!(names.take(&long, None), names.take(&long, None));
    }
}
