//! Calls that were recorded and are still to be written.

use std::collections::HashMap;

use relink_domain::{
    AccountId,
    call::{Call, Day, Usage},
};

use super::CALLS_OF_ACCOUNT;
use crate::store::calls::DayOfProgram;

/// As many accounts are kept. Calls of further ones are dropped until the next write.
pub(super) const MAX_ACCOUNTS: usize = 20_000;
/// As many single calls are kept, of all accounts. Further ones are only counted.
pub(super) const MAX_CALLS: usize = 20_000;

/// What was recorded since the last write. Its size is bounded, however many calls there are.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    accounts: HashMap<AccountId, OfAccount>,
    /// The number of single calls in `accounts`.
    kept: usize,
}

#[derive(Debug, Default)]
struct OfAccount {
    /// The last calls. When it is full, `next` is the place of the oldest.
    calls: Vec<Call>,
    next: usize,
    /// Of each day and program: few.
    days: Vec<DayOfProgram>,
}

/// What is to be written of an account.
pub(super) struct ToSave {
    /// Oldest first.
    pub(super) calls: Vec<Call>,
    pub(super) days: Vec<DayOfProgram>,
}

impl Unsaved {
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The number of calls that were counted.
    pub(super) fn calls(&self) -> u64 {
        self.accounts.values().flat_map(|it| &it.days).map(|day| day.usage.calls).sum()
    }

    /// Adds a call. Returns whether it is the first one, and how many records were dropped.
    pub(super) fn add(&mut self, account: AccountId, call: Call) -> (bool, u64) {
        let is_first = self.accounts.is_empty();
        if self.accounts.len() >= MAX_ACCOUNTS && !self.accounts.contains_key(&account) {
            return (false, 1);
        }
        let of_account = self.accounts.entry(account).or_default();
        of_account.count(&call);
        if of_account.calls.len() == CALLS_OF_ACCOUNT {
            // It takes the place of one that would not be kept anyway.
            of_account.calls[of_account.next] = call;
            of_account.next = (of_account.next + 1) % CALLS_OF_ACCOUNT;
        } else if self.kept < MAX_CALLS {
            of_account.calls.push(call);
            self.kept += 1;
        } else {
            return (is_first, 1);
        }
        (is_first, 0)
    }

    pub(super) fn into_accounts(self) -> impl Iterator<Item = (AccountId, ToSave)> {
        self.accounts.into_iter().map(|(id, mut of_account)| {
            of_account.calls.rotate_left(of_account.next);
            (id, ToSave { calls: of_account.calls, days: of_account.days })
        })
    }
}

impl OfAccount {
    fn count(&mut self, call: &Call) {
        let day = Day::of(call.at);
        if let Some(known) = self.days.iter_mut().find(|known| known.day == day && known.program.is(&call.program)) {
            known.usage.add(call);
            return;
        }
        let mut usage = Usage::default();
        usage.add(call);
        self.days.push(DayOfProgram { day, program: call.program.clone(), usage });
    }
}
