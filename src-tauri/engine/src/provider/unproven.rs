//! Access tokens that a call still has to prove.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// That a call was refused with an account's access token, and none with a newer one has been accepted since. Clones share the
/// same state.
#[derive(Debug, Clone)]
pub(crate) struct Unproven(Arc<AtomicBool>);

impl Default for Unproven {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Unproven {
    pub(crate) fn is_still(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A call was accepted.
    pub(crate) fn prove(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
