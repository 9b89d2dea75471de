//! Passes calls to the keychain's thread one after another, and gives up on a call, never on the keychain.
//!
//! A call can hang: a stopped daemon, or a prompt nobody answers. Its thread can't be interrupted, so after the deadline
//! it is left behind with its connection and a new one takes over. Threads left behind are few ([`MOST_ABANDONED`]), and
//! while one hangs the others only go on if a look that can't prompt says that the keychain is open.
//!
//! A write that was given up may still land. Until its thread has returned, its item is refused, so that it can never
//! overwrite a newer one.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    KeychainError, KeychainOptions, KeychainState,
    worker::{Open, Outcome, Work, Worker},
};

/// Threads that may hang at once before the keychain isn't asked any more until one of them returns.
const MOST_ABANDONED: usize = 3;
/// A look takes a millisecond; one that takes longer than this says that the service is stuck.
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// Callers that may wait in the queue before the next one waits to get into it.
const QUEUE: usize = 64;

/// A call that waits for its turn.
pub(super) struct Request {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// Starts the dispatcher on the current runtime; it ends when the last sender is dropped.
pub(super) fn start(
    open: Arc<Open>,
    options: KeychainOptions,
) -> (mpsc::Sender<Request>, watch::Receiver<KeychainState>) {
    let (sender, requests) = mpsc::channel(QUEUE);
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

/// A call whose caller was told that it was too slow.
struct Abandoned {
    changes: Option<String>,
    answer: oneshot::Receiver<Outcome>,
}

impl Dispatcher {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        self.look().await;
        loop {
            let open = *self.state.borrow() == KeychainState::Available;
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.serve(request).await,
                    None => return,
                },
                // Nothing is asked on a timer while all is well.
                () = tokio::time::sleep(self.options.poll), if !open => self.look().await,
            }
        }
    }

    async fn serve(&mut self, Request { work, reply }: Request) {
        let outcome = match (&work, self.refusal(&work)) {
            (Work::Look, _) => {
                self.look().await;
                Ok(None)
            }
            (_, Some(refusal)) => Err(refusal),
            (_, None) => match self.perform(work, self.options.deadline).await {
                Err(slow @ KeychainError::Slow { .. }) => {
                    // Most often a prompt that came up between the look and the call: then say so.
                    self.look().await;
                    Err(if *self.state.borrow() == KeychainState::Locked { KeychainError::Locked } else { slow })
                }
                outcome => outcome,
            },
        };
        let _ = reply.send(outcome);
    }

    /// The answer that is known without asking.
    fn refusal(&mut self, work: &Work) -> Option<KeychainError> {
        self.forget_returned();
        if self.abandoned.is_empty() {
            return None;
        }
        let slow = KeychainError::Slow { after: self.options.deadline };
        match &*self.state.borrow() {
            KeychainState::Available => self
                .abandoned
                .iter()
                .any(|call| call.changes.is_some() && call.changes.as_deref() == work.item())
                .then_some(slow),
            KeychainState::Locked => Some(KeychainError::Locked),
            KeychainState::Absent { reason } => Some(KeychainError::Absent { reason: reason.clone() }),
            KeychainState::Unknown | KeychainState::Slow => Some(slow),
        }
    }

    /// Sees whether the keychain is open, and notes it.
    async fn look(&mut self) {
        self.forget_returned();
        if self.abandoned.len() < MOST_ABANDONED {
            let _ = self.perform(Work::Look, self.options.deadline.min(LONGEST_LOOK)).await;
        }
    }

    fn forget_returned(&mut self) {
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
                let news = *known != state;
                *known = state;
                news
            });
        }
        outcome
    }

    async fn attempt(&mut self, work: Work, deadline: Duration) -> Outcome {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.open.clone(), self.options.limit)
                .map_err(|error| KeychainError::Other(format!("no thread for it ({error})")))?,
        };
        let changes = work.changes().map(str::to_owned);
        let mut answer = worker.hand_over(work);
        match timeout(deadline, &mut answer).await {
            Ok(Ok(outcome)) => {
                self.worker = Some(worker);
                outcome
            }
            Ok(Err(_)) => Err(KeychainError::Other("its library failed".to_owned())),
            Err(_) => {
                self.abandoned.push(Abandoned { changes, answer });
                Err(KeychainError::Slow { after: deadline })
            }
        }
    }
}
