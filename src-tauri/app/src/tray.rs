//! The texts of the tray: its tooltip and its menu. The shell draws them.

use relink_domain::{AccountId, account::Verdict, name::natural_order, notice::FailingAccount};
use tokio::sync::watch;

use crate::App;

/// The maximum number of accounts in the menu. The window lists all.
const MAX_ACCOUNTS: usize = 8;

/// The icon's tooltip before the accounts are known.
pub const FIRST_TOOLTIP: &str = "Relink";
/// The menu item that shows the window.
pub const OPEN: &str = "Open Relink";
/// The menu item that pauses notifications, with a check mark while they are paused.
pub const PAUSE: &str = "Pause notifications";
/// The menu item that ends Relink.
pub const QUIT: &str = "Quit";

/// An account that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountInNeed {
    pub id: AccountId,
    pub name: String,
    /// The label of its integration.
    pub integration: String,
    /// Whether signing in again helps. If not, its integration's OAuth client is wrong.
    pub reauthorize: bool,
}

/// What the tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayMenu {
    /// The first line of the menu, and the icon's tooltip.
    pub headline: String,
    /// The text beside the icon: how many accounts need attention. Linux shows no tooltip.
    pub count: Option<String>,
    /// Whether the icon asks for attention.
    pub needs_attention: bool,
    pub accounts: Vec<TrayAccount>,
    pub notifications_paused: bool,
}

/// A menu item for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayAccount {
    pub id: AccountId,
    pub text: String,
    /// Whether the item starts a sign-in. If not, it opens the account's page.
    pub reauthorize: bool,
}

impl TrayMenu {
    pub fn new(accounts: &[AccountInNeed], notifications_paused: bool) -> Self {
        let item = |account: &AccountInNeed| {
            let verb = if account.reauthorize { "Reauthorize" } else { "Show" };
            TrayAccount {
                id: account.id,
                text: format!("{verb} {} ({})", account.name, account.integration),
                reauthorize: account.reauthorize,
            }
        };
        Self {
            headline: headline(accounts.len()),
            count: (!accounts.is_empty()).then(|| accounts.len().to_string()),
            needs_attention: !accounts.is_empty(),
            accounts: accounts.iter().take(MAX_ACCOUNTS).map(item).collect(),
            notifications_paused,
        }
    }
}

fn headline(in_need: usize) -> String {
    match in_need {
        0 => "All accounts are working".to_owned(),
        1 => "1 account needs attention".to_owned(),
        many => format!("{many} accounts need attention"),
    }
}

/// The accounts that need the user's attention, not only a retry by Relink.
pub(crate) fn accounts_in_need(failing: &[FailingAccount]) -> Vec<AccountInNeed> {
    let mut in_need: Vec<&FailingAccount> =
        failing.iter().filter(|account| account.trouble.verdict() != Verdict::Retrying).collect();
    // As in the window: the newest problem first, then by name.
    in_need.sort_by(|one, other| {
        other.trouble.since.cmp(&one.trouble.since).then_with(|| natural_order(&one.name, &other.name))
    });
    in_need
        .into_iter()
        .map(|account| AccountInNeed {
            id: account.id,
            name: account.name.clone(),
            integration: account.integration.clone(),
            reauthorize: account.trouble.verdict() == Verdict::NeedsPerson,
        })
        .collect()
}

impl App {
    pub fn follow_accounts_in_need(&self) -> watch::Receiver<Vec<AccountInNeed>> {
        self.0.accounts_in_need.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::{
        Timestamp,
        account::Trouble,
        failure::{Cause, Failure},
        schedule::Jitter,
    };

    use super::*;

    fn account(name: &str, reauthorize: bool) -> AccountInNeed {
        let id = "018f0000-0000-7000-8000-000000000001".parse().expect("an id");
        AccountInNeed { id, name: name.to_owned(), integration: "GitHub".to_owned(), reauthorize }
    }

    #[test]
    fn the_headline_counts_all_accounts_and_the_menu_lists_the_first() {
        let accounts: Vec<_> = (0..12).map(|number| account(&format!("Account {number}"), true)).collect();
        let menu = TrayMenu::new(&accounts, false);
        assert_eq!((menu.headline.as_str(), menu.needs_attention), ("12 accounts need attention", true));
        assert_eq!(menu.count.as_deref(), Some("12"));
        assert_eq!(menu.accounts.len(), MAX_ACCOUNTS);
        assert_eq!(TrayMenu::new(&accounts[..1], false).headline, "1 account needs attention");
    }

    #[test]
    fn a_menu_item_names_its_action() {
        let menu = TrayMenu::new(&[account("Acme", true), account("Sales", false)], true);
        let texts: Vec<_> = menu.accounts.iter().map(|account| account.text.as_str()).collect();
        assert_eq!(texts, ["Reauthorize Acme (GitHub)", "Show Sales (GitHub)"]);
    }

    #[test]
    fn the_newest_problem_comes_first_then_the_names_in_their_natural_order() {
        let failing = |name: &str, since: i64| FailingAccount {
            id: "018f0000-0000-7000-8000-000000000001".parse().expect("an id"),
            name: name.to_owned(),
            integration: "GitHub".to_owned(),
            trouble: Trouble::begin(
                Failure::new(Cause::InvalidGrant),
                false,
                Timestamp::from_millis(since),
                Jitter::NONE,
            ),
            access_expires_at: None,
            awaited_by: vec![],
        };
        let names = |failing: &[FailingAccount]| {
            accounts_in_need(failing).into_iter().map(|account| account.name).collect::<Vec<_>>()
        };
        let failing = [failing("Shop 427", 1), failing("shop 59", 1), failing("Zeta", 2), failing("Shop 5", 1)];
        assert_eq!(names(&failing), ["Zeta", "Shop 5", "shop 59", "Shop 427"]);
    }

    #[test]
    fn without_failing_accounts_it_says_that_all_work() {
        let menu = TrayMenu::new(&[], false);
        assert_eq!((menu.headline.as_str(), menu.needs_attention), ("All accounts are working", false));
        assert_eq!(menu.count, None);
    }
}
