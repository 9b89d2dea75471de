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
    VaultError, VaultOptions, VaultState,
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

/// Starts the desk on the current runtime; it ends when the last sender is dropped.
pub(super) fn start(open: Arc<Open>, options: VaultOptions) -> (mpsc::Sender<Request>, watch::Receiver<VaultState>) {
    let (sender, requests) = mpsc::channel(QUEUE);
    let (state, states) = watch::channel(VaultState::Unknown);
    tokio::spawn(Desk { open, options, worker: None, abandoned: Vec::new(), state }.run(requests));
    (sender, states)
}

struct Desk {
    open: Arc<Open>,
    options: VaultOptions,
    worker: Option<Worker>,
    abandoned: Vec<Abandoned>,
    state: watch::Sender<VaultState>,
}

/// A call whose caller was told that it was too slow.
struct Abandoned {
    changes: Option<String>,
    answer: oneshot::Receiver<Outcome>,
}

impl Desk {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        self.look().await;
        loop {
            let open = *self.state.borrow() == VaultState::Available;
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
                Err(slow @ VaultError::Slow { .. }) => {
                    // Most often a prompt that came up between the look and the call: then say so.
                    self.look().await;
                    Err(if *self.state.borrow() == VaultState::Locked { VaultError::Locked } else { slow })
                }
                outcome => outcome,
            },
        };
        let _ = reply.send(outcome);
    }

    /// The answer that is known without asking.
    fn refusal(&mut self, work: &Work) -> Option<VaultError> {
        self.forget_returned();
        if self.abandoned.is_empty() {
            return None;
        }
        let slow = VaultError::Slow { after: self.options.deadline };
        match &*self.state.borrow() {
            VaultState::Available => self
                .abandoned
                .iter()
                .any(|call| call.changes.is_some() && call.changes.as_deref() == work.item())
                .then_some(slow),
            VaultState::Locked => Some(VaultError::Locked),
            VaultState::Absent { reason } => Some(VaultError::Absent { reason: reason.clone() }),
            VaultState::Unknown | VaultState::Slow => Some(slow),
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
            Ok(_) => Some(VaultState::Available),
            Err(error) => VaultState::after(error),
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
                .map_err(|error| VaultError::Other(format!("no thread for it ({error})")))?,
        };
        let changes = work.changes().map(str::to_owned);
        let mut answer = worker.hand_over(work);
        match timeout(deadline, &mut answer).await {
            Ok(Ok(outcome)) => {
                self.worker = Some(worker);
                outcome
            }
            Ok(Err(_)) => Err(VaultError::Other("its library failed".to_owned())),
            Err(_) => {
                self.abandoned.push(Abandoned { changes, answer });
                Err(VaultError::Slow { after: deadline })
            }
        }
    }
}
