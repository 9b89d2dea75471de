//! Passes calls to the keychain's thread one after the other, and abandons calls that hang.
//!
//! A call hangs when the daemon is stopped or a prompt isn't answered. Its thread can't be interrupted, so after the
//! deadline the dispatcher abandons the thread with its connection and starts another. At most [`MAX_ABANDONED`]
//! threads are abandoned at a time, and while there is one, calls are made only if a check that can't prompt finds the
//! keychain available.
//!
//! An abandoned write may still be carried out. Until its thread returns, calls for the same item are refused, so that
//! it can't overwrite a newer value.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    KeychainError, KeychainOptions, KeychainState,
    worker::{Open, Outcome, Work, Worker},
};

/// With so many abandoned threads, no call is made until one of them returns.
const MAX_ABANDONED: usize = 3;
/// The maximum number of queued calls. Further callers wait.
const QUEUE_LENGTH: usize = 64;

pub(super) struct Request {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// Starts the dispatcher on the current runtime. It ends when the last sender is dropped.
pub(super) fn start(
    open: Arc<Open>,
    options: KeychainOptions,
) -> (mpsc::Sender<Request>, watch::Receiver<KeychainState>) {
    let (sender, requests) = mpsc::channel(QUEUE_LENGTH);
    let (state, states) = watch::channel(KeychainState::Unknown);
    tokio::spawn(Dispatcher { open, options, worker: None, abandoned: Vec::new(), state }.run(requests));
    (sender, states)
}

struct Dispatcher {
    open: Arc<Open>,
    options: KeychainOptions,
    worker: Option<Worker>,
    abandoned: Vec<Abandoned>,
    state: watch::Sender<KeychainState>,
}

/// A call that was answered with [`KeychainError::Slow`] and whose thread has not returned.
struct Abandoned {
    writes_to: Option<String>,
    answer: oneshot::Receiver<Outcome>,
}

impl Dispatcher {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        self.check_access().await;
        loop {
            let available = *self.state.borrow() == KeychainState::Available;
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.serve(request).await,
                    None => return,
                },
                // An available keychain is not polled.
                () = tokio::time::sleep(self.options.poll_interval), if !available => self.check_access().await,
            }
        }
    }

    async fn serve(&mut self, Request { work, reply }: Request) {
        let outcome = match (&work, self.refusal(&work)) {
            (Work::CheckAccess, _) => {
                self.check_access().await;
                Ok(None)
            }
            (_, Some(refusal)) => Err(refusal),
            (_, None) => match self.perform(work, self.options.deadline).await {
                Err(slow @ KeychainError::Slow { .. }) => {
                    // Most often the keychain was locked between the check and the call, and a prompt appeared.
                    self.check_access().await;
                    Err(if *self.state.borrow() == KeychainState::Locked { KeychainError::Locked } else { slow })
                }
                outcome => outcome,
            },
        };
        let _ = reply.send(outcome);
    }

    /// Why the call can't be made while abandoned calls may still be carried out.
    fn refusal(&mut self, work: &Work) -> Option<KeychainError> {
        self.remove_returned();
        if self.abandoned.is_empty() {
            return None;
        }
        let slow = KeychainError::Slow { after: self.options.deadline };
        match &*self.state.borrow() {
            KeychainState::Available => self
                .abandoned
                .iter()
                .any(|call| call.writes_to.is_some() && call.writes_to.as_deref() == work.item())
                .then_some(slow),
            KeychainState::Locked => Some(KeychainError::Locked),
            KeychainState::Absent { reason } => Some(KeychainError::Absent { reason: reason.clone() }),
            KeychainState::Unknown | KeychainState::Slow => Some(slow),
        }
    }

    /// Updates the state, without a prompt.
    async fn check_access(&mut self) {
        self.remove_returned();
        if self.abandoned.len() < MAX_ABANDONED {
            let _ = self.perform(Work::CheckAccess, self.options.deadline.min(self.options.check_deadline)).await;
        }
    }

    fn remove_returned(&mut self) {
        self.abandoned.retain_mut(|call| matches!(call.answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
    }

    async fn perform(&mut self, work: Work, deadline: Duration) -> Outcome {
        let outcome = self.attempt(work, deadline).await;
        let state = match &outcome {
            Ok(_) => Some(KeychainState::Available),
            Err(error) => KeychainState::after(error),
        };
        if let Some(state) = state {
            self.state.send_if_modified(|known| {
                let changed = *known != state;
                *known = state;
                changed
            });
        }
        outcome
    }

    async fn attempt(&mut self, work: Work, deadline: Duration) -> Outcome {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.open.clone(), self.options.limit)
                .map_err(|error| KeychainError::Other(format!("no thread can be started ({error})")))?,
        };
        let writes_to = work.writes_to().map(str::to_owned);
        let mut answer = worker.submit(work);
        match timeout(deadline, &mut answer).await {
            Ok(Ok(outcome)) => {
                self.worker = Some(worker);
                outcome
            }
            Ok(Err(_)) => Err(KeychainError::Other("its library failed".to_owned())),
            Err(_) => {
                self.abandoned.push(Abandoned { writes_to, answer });
                Err(KeychainError::Slow { after: deadline })
            }
        }
    }
}
