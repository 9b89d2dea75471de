//! A keychain in memory, for tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{KeychainError, KeychainState, backend::KeychainBackend};

/// A keychain in memory. It can be locked, lost, and made to fail after any number of steps.
#[derive(Debug, Clone, Default)]
pub struct MemoryKeychain(Arc<Mutex<Memory>>);

#[derive(Debug)]
struct Memory {
    items: BTreeMap<String, Stored>,
    trouble: Option<KeychainError>,
    steps_left: Option<usize>,
    stuck: Option<String>,
    late: Late,
    state: watch::Sender<KeychainState>,
}

/// A write that is reported as too slow and carried out later.
#[derive(Debug, Default)]
enum Late {
    #[default]
    Never,
    Next,
    Delayed(String, Stored),
}

struct Stored {
    label: String,
    text: Zeroizing<String>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            trouble: None,
            steps_left: None,
            stuck: None,
            late: Late::Never,
            state: watch::Sender::new(KeychainState::Available),
        }
    }
}

impl MemoryKeychain {
    /// From now on every call fails with this error.
    pub fn refuse(&self, error: KeychainError) {
        let mut memory = self.memory();
        if let Some(state) = KeychainState::after(&error) {
            memory.state.send_replace(state);
        }
        memory.trouble = Some(error);
    }

    /// The next `steps` writes and removals succeed and all later ones fail, as after a crash.
    pub fn fail_after(&self, steps: usize) {
        self.memory().steps_left = Some(steps);
    }

    /// From now on the item with this name can't be removed.
    pub fn keep(&self, name: &str) {
        self.memory().stuck = Some(name.to_owned());
    }

    /// The next write and every later call are reported as too slow. [`recover`](Self::recover) carries that write out.
    pub fn stall_next_write(&self) {
        self.memory().late = Late::Next;
    }

    /// Ends [`refuse`](Self::refuse), [`fail_after`](Self::fail_after) and
    /// [`stall_next_write`](Self::stall_next_write).
    pub fn recover(&self) {
        let mut memory = self.memory();
        if let Late::Delayed(name, stored) = std::mem::take(&mut memory.late) {
            memory.items.insert(name, stored);
        }
        memory.trouble = None;
        memory.steps_left = None;
        memory.state.send_replace(KeychainState::Available);
    }

    pub fn names(&self) -> Vec<String> {
        self.memory().items.keys().cloned().collect()
    }

    pub fn label(&self, name: &str) -> Option<String> {
        self.memory().items.get(name).map(|stored| stored.label.clone())
    }

    pub(super) fn state(&self) -> watch::Receiver<KeychainState> {
        self.memory().state.subscribe()
    }

    #[cfg(test)]
    pub(super) fn texts(&self) -> Vec<String> {
        self.memory().items.values().map(|stored| stored.text.to_string()).collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Memory>, KeychainError> {
        let memory = self.memory();
        match &memory.trouble {
            Some(error) => Err(error.clone()),
            None => Ok(memory),
        }
    }

    fn stepping(&self) -> Result<MutexGuard<'_, Memory>, KeychainError> {
        let mut memory = self.working()?;
        match &mut memory.steps_left {
            None => {}
            Some(0) => return Err(KeychainError::Other("stopped by the test".to_owned())),
            Some(left) => *left -= 1,
        }
        Ok(memory)
    }
}

impl KeychainBackend for MemoryKeychain {
    fn access(&mut self) -> Result<(), KeychainError> {
        self.working().map(drop)
    }

    fn read(&mut self, name: &str) -> Result<Option<Zeroizing<String>>, KeychainError> {
        Ok(self.working()?.items.get(name).map(|stored| stored.text.clone()))
    }

    fn write(&mut self, name: &str, label: &str, text: &str) -> Result<(), KeychainError> {
        let stored = Stored { label: label.to_owned(), text: Zeroizing::new(text.to_owned()) };
        let mut memory = self.stepping()?;
        if matches!(memory.late, Late::Next) {
            let slow = KeychainError::Slow { after: Duration::from_secs(10) };
            memory.late = Late::Delayed(name.to_owned(), stored);
            memory.trouble = Some(slow.clone());
            memory.state.send_replace(KeychainState::Slow);
            return Err(slow);
        }
        memory.items.insert(name.to_owned(), stored);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), KeychainError> {
        let mut memory = self.stepping()?;
        if memory.stuck.as_deref() == Some(name) {
            return Err(KeychainError::Other("kept by the test".to_owned()));
        }
        memory.items.remove(name);
        Ok(())
    }

    fn unlock(&mut self) -> Result<(), KeychainError> {
        if self.memory().trouble == Some(KeychainError::Locked) {
            self.recover();
        }
        self.access()
    }
}
