//! The unlock prompt: one at a time, on a separate thread.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use super::{KeychainError, worker::Open};

type Outcome = Result<(), KeychainError>;

/// Callers share an open prompt.
#[derive(Clone)]
pub(super) struct UnlockPrompt {
    open: Arc<Open>,
    deadline: Duration,
    prompt: Arc<Mutex<Option<watch::Receiver<Option<Outcome>>>>>,
}

impl UnlockPrompt {
    pub(super) fn new(open: Arc<Open>, deadline: Duration) -> Self {
        Self { open, deadline, prompt: Arc::default() }
    }

    pub(super) async fn answer(&self) -> Outcome {
        let mut outcome = self.join_or_open()?;
        match timeout(self.deadline, outcome.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Err(KeychainError::Locked)),
            Ok(Err(_)) => Err(KeychainError::Other("its library failed".to_owned())),
            // The prompt stays open. If the user unlocks later, the next check finds the keychain available.
            Err(_) => Err(KeychainError::Locked),
        }
    }

    fn join_or_open(&self) -> Result<watch::Receiver<Option<Outcome>>, KeychainError> {
        let mut prompt = self.prompt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = prompt.as_ref().filter(|open| open.borrow().is_none() && open.has_changed().is_ok()) {
            return Ok(open.clone());
        }
        let (sender, receiver) = watch::channel(None);
        let open = self.open.clone();
        thread::Builder::new()
            .name("relink-unlock".to_owned())
            .spawn(move || {
                let outcome = open().and_then(|mut store| store.unlock());
                sender.send_replace(Some(outcome));
            })
            .map_err(|error| KeychainError::Other(format!("no thread can be started ({error})")))?;
        Ok(prompt.insert(receiver).clone())
    }
}
