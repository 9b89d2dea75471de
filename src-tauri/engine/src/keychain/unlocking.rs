//! The prompt that a person has asked for: one at a time, on a thread of its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use super::{KeychainError, worker::Open};

type Outcome = Result<(), KeychainError>;

/// Whoever asks while a prompt is open waits for the same one.
#[derive(Clone)]
pub(super) struct Unlocking {
    open: Arc<Open>,
    deadline: Duration,
    prompt: Arc<Mutex<Option<watch::Receiver<Option<Outcome>>>>>,
}

impl Unlocking {
    pub(super) fn new(open: Arc<Open>, deadline: Duration) -> Self {
        Self { open, deadline, prompt: Arc::default() }
    }

    pub(super) async fn wait(&self) -> Outcome {
        let mut outcome = self.prompt()?;
        match timeout(self.deadline, outcome.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Err(KeychainError::Locked)),
            Ok(Err(_)) => Err(KeychainError::Other("its library failed".to_owned())),
            // The prompt stays open: answered later, the keychain is found open by the next look.
            Err(_) => Err(KeychainError::Locked),
        }
    }

    fn prompt(&self) -> Result<watch::Receiver<Option<Outcome>>, KeychainError> {
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
            .map_err(|error| KeychainError::Other(format!("no thread for it ({error})")))?;
        Ok(prompt.insert(receiver).clone())
    }
}
