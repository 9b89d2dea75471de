//! Locks that are never held across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, even a poisoned one. The critical sections only insert, remove or copy, so a panic inside one can't
/// leave the data inconsistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
