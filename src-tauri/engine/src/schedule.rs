//! When each account is due, and which accounts are deferred.

use std::{collections::HashMap, sync::Mutex};

use relink_domain::{
    AccountId, Timestamp,
    account::{Account, DeferReason},
};

use crate::{
    random::jitter,
    scheduler::{Scheduler, Taken},
    sync::lock,
};

/// The minimum number of seconds over which many refreshes that became due together are spread.
const SPREAD_SECS: i64 = 20;
/// The maximum number of refreshes that begin per second after they became due together.
const SPREAD_PER_SEC: usize = 20;

/// When each account is refreshed or checked next, and why others are deferred. An account is never
/// in both: moving one requires the lock on `deferred`.
#[derive(Debug, Default)]
pub(crate) struct RefreshSchedule {
    due: Scheduler<AccountId>,
    deferred: Mutex<HashMap<AccountId, DeferReason>>,
}

impl RefreshSchedule {
    /// Schedules the account for `at`, or removes it from the schedule. Ends a deferral.
    pub(crate) fn set(&self, account: AccountId, at: Option<Timestamp>) {
        let mut deferred = lock(&self.deferred);
        deferred.remove(&account);
        if let Some(at) = at {
            self.due.set(account, at);
        } else {
            self.due.remove(account);
            self.due.wake();
        }
    }

    /// Schedules what the account's state requires.
    pub(crate) fn plan(&self, account: &Account, now: Timestamp) {
        self.set(account.id(), account.due_by(now, jitter()).map(relink_domain::account::Due::at));
    }

    /// Schedules an account that is neither scheduled nor deferred.
    pub(crate) fn set_if_absent(&self, account: AccountId, at: Timestamp) {
        let deferred = lock(&self.deferred);
        if !deferred.contains_key(&account) {
            self.due.set_if_absent(account, at);
        }
    }

    /// Removes a deleted account.
    pub(crate) fn remove(&self, account: AccountId) {
        let mut deferred = lock(&self.deferred);
        deferred.remove(&account);
        self.due.remove(account);
    }

    /// Defers the account until the reason is over.
    pub(crate) fn defer(&self, account: AccountId, reason: DeferReason) {
        let mut deferred = lock(&self.deferred);
        deferred.insert(account, reason);
        self.due.remove(account);
        self.due.wake();
    }

    /// Schedules the accounts whose deferral is over, spread from `from` on.
    pub(crate) fn resume(&self, is_over: impl Fn(DeferReason) -> bool, from: Timestamp) {
        let mut deferred = lock(&self.deferred);
        let resumed: Vec<_> =
            deferred.iter().filter(|(_, reason)| is_over(**reason)).map(|(account, _)| *account).collect();
        let span = spread_secs(resumed.len());
        for account in resumed {
            deferred.remove(&account);
            self.due.set(account, jitter().within(from, span));
        }
    }

    /// Takes the accounts that are due by now.
    pub(crate) fn take_due(&self, now: Timestamp) -> Taken<AccountId> {
        self.due.take_due(now)
    }

    pub(crate) fn waits_for_network(&self) -> bool {
        self.waits_for(|reason| matches!(reason, DeferReason::Offline | DeferReason::JustWoken))
    }

    pub(crate) fn waits_for_keychain(&self) -> bool {
        self.waits_for(|reason| matches!(reason, DeferReason::KeychainLocked | DeferReason::KeychainAbsent))
    }

    fn waits_for(&self, matches: impl Fn(DeferReason) -> bool) -> bool {
        lock(&self.deferred).values().any(|reason| matches(*reason))
    }

    /// Returns when the schedule has changed since the last call.
    pub(crate) async fn changed(&self) {
        self.due.changed().await;
    }
}

/// The number of seconds over which this many refreshes are spread.
pub(crate) fn spread_secs(count: usize) -> i64 {
    let at_this_rate = i64::try_from(count / SPREAD_PER_SEC).unwrap_or(SPREAD_SECS);
    match count {
        0 | 1 => 1,
        _ => at_this_rate.max(SPREAD_SECS.min(i64::try_from(count).unwrap_or(SPREAD_SECS))),
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::schedule::Jitter;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn account(n: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn a_deferred_account_is_resumed_when_its_reason_is_over_and_not_before() {
        let schedule = RefreshSchedule::default();
        schedule.set(account(1), Some(NOW.plus_secs(-1)));
        schedule.defer(account(1), DeferReason::KeychainLocked);
        assert_eq!(schedule.take_due(NOW.plus_secs(600)).due, []);
        schedule.resume(|reason| reason == DeferReason::Offline, NOW);
        assert_eq!(schedule.take_due(NOW.plus_secs(600)).due, []);
        schedule.resume(|reason| reason == DeferReason::KeychainLocked, NOW);
        assert_eq!(schedule.take_due(NOW.plus_secs(600)).due.len(), 1);
    }

    #[test]
    fn a_deferred_account_is_scheduled_only_when_its_reason_is_over() {
        let schedule = RefreshSchedule::default();
        schedule.defer(account(1), DeferReason::Offline);
        schedule.set_if_absent(account(1), NOW);
        assert_eq!(schedule.take_due(NOW).due, []);
        assert!(schedule.waits_for_network() && !schedule.waits_for_keychain());
        schedule.remove(account(1));
        assert!(!schedule.waits_for_network());
    }

    #[test]
    fn many_refreshes_are_spread_further_than_few() {
        assert_eq!([1, 2, 20, 10_000].map(spread_secs), [1, 2, 20, 500]);
        assert_eq!(Jitter::NONE.within(NOW, 10), NOW);
    }
}
