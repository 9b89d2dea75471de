//! Tokens that are for one account. They end with it.

use std::sync::{Arc, Mutex, MutexGuard};

use relink_domain::AccountId;

use super::{account_tokens::AccountTokens, mcp_tokens::McpTokens};
use crate::sync::lock;

/// The accounts' own tokens, in memory. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokensOfAccounts(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    account_tokens: Mutex<AccountTokens>,
    mcp_tokens: Mutex<McpTokens>,
}

impl TokensOfAccounts {
    pub(super) fn account_tokens(&self) -> MutexGuard<'_, AccountTokens> {
        lock(&self.0.account_tokens)
    }

    pub(super) fn mcp_tokens(&self) -> MutexGuard<'_, McpTokens> {
        lock(&self.0.mcp_tokens)
    }

    /// Call it with the commit that deletes the account: its tokens authenticate nobody from then on.
    pub(crate) fn forget(&self, account: AccountId) {
        self.account_tokens().forget(account);
        self.mcp_tokens().retain(|_, server| server.account_id != account);
    }
}
