//! Accounts that a caller's token is limited to.

use relink_domain::{AccountId, caller::Caller};

use super::Accounts;
use crate::{
    error::Result,
    store::filter::{AccountText, Condition, Filter},
};

impl Accounts {
    /// Fails if the caller's token is limited to other accounts. The account is read only for such a token.
    pub(crate) async fn require(&self, caller: &Caller, id: AccountId) -> Result<()> {
        if !caller.is_limited_to_accounts() {
            return Ok(());
        }
        let account = self.load(id).await?;
        Ok(caller.require_account(id, &account.profile.integration)?)
    }
}

/// The filter, narrowed to the accounts that the caller's token is limited to.
pub(super) fn narrowed(caller: &Caller, mut filter: Filter) -> Filter {
    if let Some(own) = caller.own_account() {
        filter.ids = Some(filter.ids.map_or(vec![own], |ids| ids.into_iter().filter(|id| *id == own).collect()));
    }
    let Some(limits) = caller.account_limits() else { return filter };
    if let Some(accounts) = &limits.accounts {
        filter.ids = Some(match filter.ids {
            Some(ids) => ids.into_iter().filter(|id| accounts.contains(id)).collect(),
            None => accounts.clone(),
        });
    }
    if let Some(names) = &limits.integrations {
        filter.texts.push((AccountText::Integration, Condition::In(names.clone())));
    }
    filter
}
