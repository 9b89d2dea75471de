//! Runs the notification policy of [`relink_domain::notice`]. After each relevant change it decides what to show or withdraw,
//! and passes the decision to the [`presenter`]. It also updates the list of accounts that the tray shows.
//!
//! **Invariant:** a decision is stored before it is carried out. Deciding never waits for the desktop, so that a
//! notification service that hangs delays neither the tray nor the user's actions.

mod presenter;

use std::{collections::BTreeSet, time::Duration};

use relink_domain::{
    Timestamp,
    caller::Caller,
    notice::{Action, DesktopSignal, FailingAccount, Network, Notice, NoticeHistory, NoticeId, Situation, decide},
};
use relink_engine::Changes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{App, Result, tray::accounts_in_need};

/// A request to the shell to show or withdraw a notification.
#[derive(Debug)]
pub enum Request {
    Show {
        notice: Notice,
        /// The notification that it replaces.
        replaces: Option<NoticeId>,
        /// Whether it makes a sound.
        alert: bool,
        /// Receives whether the desktop accepted it, or why not.
        accepted: oneshot::Sender<Result<(), String>>,
    },
    Withdraw(NoticeId),
}

/// The policy decides at least this often, because timers stop while the machine sleeps.
const MAX_DECISION_INTERVAL: Duration = Duration::from_secs(30);
/// How long to wait for the network after the machine has woken up.
const WAKE_SETTLE_SECS: i64 = 20;
/// The machine was asleep if the wall clock advanced this much more than the monotonic clock.
const MIN_SLEEP_MILLIS: i64 = 60_000;
/// How many decisions may wait for the desktop. If there are more, its notification service hangs.
const MAX_WAITING_DECISIONS: usize = 64;

pub(crate) async fn run(app: App, requests: mpsc::Sender<Request>, mut signals: mpsc::Receiver<DesktopSignal>) {
    let (decisions, decided) = mpsc::channel(MAX_WAITING_DECISIONS);
    tokio::spawn(presenter::run(app.clone(), requests, decided));
    let mut engine_changes = app.0.engine.changes(&Caller::Internal);
    let mut waits = app.0.engine.accounts().waits_changed(&Caller::Internal);
    let mut disabled = app.0.engine.outbox().disabled_webhooks_changed(&Caller::Internal);
    let mut preferences = app.follow_preferences();
    let mut wake_detector = WakeDetector::new(app.0.engine.now());
    // Notifications that were visible when the program last exited are gone.
    let mut received = vec![DesktopSignal::Lost];
    loop {
        // The decision that follows reads all changes so far.
        engine_changes.take();
        waits.borrow_and_update();
        disabled.borrow_and_update();
        let paused = preferences.borrow_and_update().notifications_paused;
        let network = wake_detector.network(app.0.engine.now(), app.0.engine.is_online(&Caller::Person));
        let next_decision = match decide_once(&app, &decisions, &received, network, paused).await {
            Ok(next) => {
                received.clear();
                next
            }
            // The signals are kept for the next decision.
            Err(error) => {
                tracing::warn!(code = error.code, "notifications wait: {}", error.message);
                None
            }
        };
        let wait = next_decision.map_or(MAX_DECISION_INTERVAL, |at| {
            let millis = at.millis_since(app.0.engine.now());
            Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(MAX_DECISION_INTERVAL)
        });
        tokio::select! {
            open = accounts_changed(&mut engine_changes) => if !open { return },
            changed = waits.changed() => if changed.is_err() { return },
            changed = disabled.changed() => if changed.is_err() { return },
            changed = preferences.changed() => if changed.is_err() { return },
            signal = signals.recv() => match signal {
                Some(signal) => received.push(signal),
                None => return,
            },
            () = tokio::time::sleep(wait) => {}
        }
        while let Ok(signal) = signals.try_recv() {
            received.push(signal);
        }
    }
}

/// Waits until an account or a timeline has changed. Returns false if the engine has stopped.
async fn accounts_changed(changes: &mut Changes) -> bool {
    while let Some(set) = changes.next().await {
        if !set.accounts.is_empty() || set.timeline {
            return true;
        }
    }
    false
}

/// Detects that the machine was asleep: meanwhile, the wall clock advances and the monotonic clock doesn't.
struct WakeDetector {
    last: (Timestamp, Instant),
    settled_at: Option<Timestamp>,
}

impl WakeDetector {
    fn new(now: Timestamp) -> Self {
        Self { last: (now, Instant::now()), settled_at: None }
    }

    fn network(&mut self, now: Timestamp, is_online: bool) -> Network {
        let (last, instant) = self.last;
        let elapsed = i64::try_from(instant.elapsed().as_millis()).unwrap_or(i64::MAX);
        if now.millis_since(last) - elapsed > MIN_SLEEP_MILLIS {
            self.settled_at = Some(now.plus_secs(WAKE_SETTLE_SECS));
        }
        self.last = (now, Instant::now());
        match self.settled_at {
            _ if !is_online => Network::Offline,
            Some(settled_at) if settled_at > now => Network::JustWoken { settled_at },
            _ => Network::Online,
        }
    }
}

/// Applies the signals, decides, stores the decision and passes it to the presenter. Returns when to decide again at the
/// latest.
async fn decide_once(
    app: &App,
    decisions: &mpsc::Sender<Action>,
    received: &[DesktopSignal],
    network: Network,
    paused: bool,
) -> Result<Option<Timestamp>> {
    let failing = app.failing_accounts().await?;
    let in_need = accounts_in_need(&failing);
    app.0.accounts_in_need.send_if_modified(|shown| std::mem::replace(shown, in_need.clone()) != in_need);

    let before = app.shown().await?;
    let shown = received.iter().cloned().fold(before.clone(), NoticeHistory::receive);
    let disabled_webhooks = app.disabled_webhooks().await?;
    let situation = Situation { failing, disabled_webhooks, network, paused };
    let decision = decide(&shown, &situation, app.0.engine.now());
    if decision.next != before {
        app.store_shown(decision.next.clone()).await?;
        publish_reminders(app, &situation.failing, &before, &decision.next).await;
    }
    for action in decision.actions {
        if decisions.try_send(action).is_err() {
            tracing::warn!("a decision about a notification was dropped: the desktop's notification service hangs");
        }
    }
    Ok(decision.next_decision_at)
}

/// Publishes the accounts whose reminder time has changed, because the window shows it.
async fn publish_reminders(app: &App, failing: &[FailingAccount], before: &NoticeHistory, after: &NoticeHistory) {
    let ids = failing.iter().map(|account| account.id);
    let changed: BTreeSet<_> = ids.filter(|id| before.remind_at(*id) != after.remind_at(*id)).collect();
    if !changed.is_empty() {
        app.publish_accounts(&changed).await;
    }
}
