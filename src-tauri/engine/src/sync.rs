//! Locks that are never held over an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock. The critical sections only insert, remove or copy, so a panic inside one cannot leave the data half-changed
/// and a poisoned lock is taken all the same.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
