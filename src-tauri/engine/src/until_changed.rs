//! What was made of an account, until the account changes.
//!
//! Whatever changes an account removes its entry, so an entry that a read began with and that is still there shows that nothing
//! has changed since.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
};

use relink_domain::AccountId;

use crate::sync::lock;

/// One value of each account, in memory. Clones share the same state.
#[derive(Debug)]
pub(crate) struct UntilChanged<T>(Arc<Mutex<Entries<T>>>);

#[derive(Debug)]
struct Entries<T> {
    entries: HashMap<AccountId, State<T>>,
    /// The number of reads so far.
    reads: u64,
}

#[derive(Debug)]
enum State<T> {
    /// By reads with this number. Nothing has changed since the first of them began.
    BeingRead(u64),
    /// As the first read with this number gave it.
    Known(u64, T),
}

impl<T> Default for UntilChanged<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Entries { entries: HashMap::new(), reads: 0 })))
    }
}

impl<T> Clone for UntilChanged<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> UntilChanged<T> {
    /// The account's value, if it was read since the account last changed.
    pub(crate) fn get(&self, account: AccountId) -> Option<T> {
        match lock(&self.0).entries.get(&account)? {
            State::Known(_, value) => Some(value.clone()),
            State::BeingRead(_) => None,
        }
    }
}

impl<T> UntilChanged<T> {
    /// Begins a read, or joins those that have begun. Begin it before anything of the account is read.
    pub(crate) fn begin(&self, account: AccountId) -> Read<T> {
        let mut state = lock(&self.0);
        let number = if let Some(State::BeingRead(number)) = state.entries.get(&account) {
            *number
        } else {
            state.reads += 1;
            state.reads
        };
        state.entries.insert(account, State::BeingRead(number));
        Read { values: self.clone(), account, number }
    }

    /// Drops the account's value, because the account has changed.
    pub(crate) fn remove(&self, account: AccountId) {
        lock(&self.0).entries.remove(&account);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).entries.is_empty()
    }
}

/// A read of an account's value that has begun.
#[derive(Debug)]
pub(crate) struct Read<T> {
    values: UntilChanged<T>,
    account: AccountId,
    number: u64,
}

impl<T: Clone> Read<T> {
    /// Keeps what was read in memory, unless the account has changed since the read began. Gives what counts: where several reads
    /// have joined, what the first of them gave.
    pub(crate) fn keep(self, value: T) -> T {
        if let Some(entry) = lock(&self.values.0).entries.get_mut(&self.account) {
            match entry {
                State::BeingRead(number) if *number == self.number => *entry = State::Known(self.number, value.clone()),
                State::Known(number, first) if *number == self.number => return first.clone(),
                State::BeingRead(_) | State::Known(..) => {}
            }
        }
        value
    }
}

impl<T> Drop for Read<T> {
    fn drop(&mut self) {
        if let Entry::Occupied(entry) = lock(&self.values.0).entries.entry(self.account)
            && matches!(entry.get(), State::BeingRead(number) if *number == self.number)
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn account() -> AccountId {
        AccountId::from_uuid(Uuid::nil())
    }

    #[test]
    fn a_value_is_kept_until_its_account_changes() {
        let values = UntilChanged::default();
        values.begin(account()).keep("first");
        assert_eq!(values.get(account()), Some("first"));
        values.remove(account());
        assert_eq!(values.get(account()), None);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let values = UntilChanged::default();
        let before = values.begin(account());
        values.remove(account());
        before.keep("old");
        assert_eq!(values.get(account()), None);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_taken_for_a_read_after_it() {
        let values = UntilChanged::default();
        let before = values.begin(account());
        values.remove(account());
        let after = values.begin(account());
        before.keep("old");
        assert_eq!(values.get(account()), None);
        after.keep("new");
        assert_eq!(values.get(account()), Some("new"));
    }

    #[test]
    fn reads_at_the_same_time_give_what_the_first_of_them_found() {
        let values = UntilChanged::default();
        let (first, second, third) = (values.begin(account()), values.begin(account()), values.begin(account()));
        assert_eq!(second.keep("second"), "second");
        assert_eq!(first.keep("first"), "second");
        assert_eq!(values.get(account()), Some("second"));
        values.remove(account());
        assert_eq!(third.keep("third"), "third", "as it was read");
        assert_eq!(values.get(account()), None);
    }

    #[test]
    fn a_read_that_found_nothing_leaves_nothing_behind() {
        let values = UntilChanged::<&str>::default();
        drop(values.begin(account()));
        assert!(values.is_empty());
    }
}
