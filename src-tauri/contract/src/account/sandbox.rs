//! Sandbox accounts, with which programs can only read (contract section 3).

use relink_domain::{AccountId, Timestamp, account::Account};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::IntegratedAccount;

/// An integrated account that is marked as a sandbox account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SandboxIntegratedAccount {
    /// The account's own: Truto makes a copy of the account, Relink marks the account itself.
    pub id: AccountId,
    pub integrated_account: IntegratedAccount,
    /// When it was marked. Of an integration that is a sandbox: when the account was created.
    pub created_at: Timestamp,
    /// When the account was changed last.
    pub updated_at: Timestamp,
}

impl SandboxIntegratedAccount {
    /// `None` for an account that isn't a sandbox account. `integrated_account`: the same account on the wire.
    pub fn new(account: &Account, integrated_account: IntegratedAccount) -> Option<Self> {
        let profile = &account.profile;
        Some(Self {
            id: profile.id,
            integrated_account,
            created_at: profile.sandbox_since()?,
            updated_at: profile.updated_at,
        })
    }
}
