//! The person's attention: runs the notification policy, and says who needs them.
//!
//! Invariants: what was decided is kept before it is carried out. Deciding never waits for the desktop: the tray's count comes
//! from here too.

mod carry;

use std::time::Duration;

use relink_domain::{
    AccountId,
    account::Verdict,
    notice::{DesktopSignal, FailingAccount, Network, Notice, NoticeId, Situation, decide},
};
use relink_engine::{Changes, network};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{App, Result, error_view, types::Changed};

/// What the desktop is asked to do.
#[derive(Debug)]
pub enum Order {
    /// Put a notification up. The answer: whether the desktop took it, or why not.
    Show {
        /// What.
        notice: Notice,
        /// The one whose place it takes.
        replaces: Option<NoticeId>,
        /// Whether it brings news.
        alert: bool,
        /// Where the answer goes.
        taken: oneshot::Sender<Result<(), String>>,
    },
    /// Take it down.
    Withdraw(NoticeId),
}

/// The desktop's end: it carries orders out, and draws who needs the person.
#[derive(Debug)]
pub struct Notifier {
    /// Orders for the desktop.
    pub orders: mpsc::Sender<Order>,
    /// Who needs the person, for the tray.
    pub needs: watch::Sender<Vec<Needs>>,
}

/// An account that needs its person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Its id.
    pub id: AccountId,
    /// What the person calls it.
    pub name: String,
    /// What the person calls its integration.
    pub integration: String,
    /// Whether reauthorizing mends it; else its integration's client is wrong.
    pub reauthorize: bool,
}

/// The longest that the situation isn't looked at: timers stand still while the machine sleeps.
const LOOK: Duration = Duration::from_secs(30);
/// After a wake the network is given this long.
const SETTLE_SECS: i64 = 20;
/// The wall clock ran so much further than the loop slept: the machine was asleep.
const SLEPT_MILLIS: i64 = 60_000;
/// Decisions that wait for the desktop. More means that it hangs.
const WAITING: usize = 64;

pub(crate) async fn run(app: App, notifier: Notifier, mut desktop: mpsc::Receiver<DesktopSignal>) {
    let Notifier { orders, needs } = notifier;
    let (actions, decided) = mpsc::channel(WAITING);
    tokio::spawn(carry::run(app.clone(), orders, decided));
    let mut store_changes = app.0.engine.changes();
    let mut preferences = app.follow_preferences();
    let mut woken_until = None;
    let mut looked = (app.0.engine.now(), tokio::time::Instant::now());
    // Whatever was up when the program last ended went with it.
    let mut received = vec![DesktopSignal::Lost];
    loop {
        // This look sees what has changed so far.
        store_changes.take();
        let paused = preferences.borrow_and_update().notifications_paused;
        let now = app.0.engine.now();
        let slept = i64::try_from(looked.1.elapsed().as_millis()).unwrap_or(i64::MAX);
        if now.millis_since(looked.0) - slept > SLEPT_MILLIS {
            woken_until = Some(now.plus_secs(SETTLE_SECS));
        }
        looked = (now, tokio::time::Instant::now());
        let network = match woken_until {
            _ if !network::is_online() => Network::Offline,
            Some(settled_at) if settled_at > now => Network::JustWoken { settled_at },
            _ => Network::Online,
        };
        let next = match look(&app, &needs, &actions, &received, network, paused).await {
            Ok(next) => {
                received.clear();
                next
            }
            // What was received is taken in at the next look.
            Err(trouble) => {
                tracing::warn!(code = trouble.code, "notifications wait: {}", trouble.message);
                None
            }
        };
        let until = next.map_or(LOOK, |at| {
            Duration::from_millis(u64::try_from(at.millis_since(app.0.engine.now())).unwrap_or(0)).min(LOOK)
        });
        tokio::select! {
            open = accounts_changed(&mut store_changes) => if !open { return },
            changed = preferences.changed() => if changed.is_err() { return },
            more = desktop.recv() => match more {
                Some(more) => received.push(more),
                None => return,
            },
            () = tokio::time::sleep(until) => {}
        }
        while let Ok(more) = desktop.try_recv() {
            received.push(more);
        }
    }
}

/// Waits until an account or a timeline has changed. False: the engine is gone.
async fn accounts_changed(changes: &mut Changes) -> bool {
    while let Some(set) = changes.next().await {
        if !set.accounts.is_empty() || set.timeline {
            return true;
        }
    }
    false
}

/// Looks once: takes in what the person did, decides, keeps, has it carried out. When to look again at the latest.
async fn look(
    app: &App,
    needs: &watch::Sender<Vec<Needs>>,
    actions: &mpsc::Sender<carry::Decided>,
    received: &[DesktopSignal],
    network: Network,
    paused: bool,
) -> Result<Option<relink_domain::Timestamp>> {
    let troubled = app.troubled().await?;
    needs.send_if_modified(|needs| {
        let new = needing(&troubled);
        std::mem::replace(needs, new.clone()) != new
    });

    let before = app.shown().await?;
    let shown = received.iter().cloned().fold(before.clone(), relink_domain::notice::NoticeHistory::receive);
    let lost = before.displayed().filter(|_| received.contains(&DesktopSignal::Lost));
    let decision = decide(&shown, &Situation { failing: troubled, network, paused }, app.0.engine.now());
    if decision.next != before {
        app.keep_shown(decision.next).await?;
        app.publish(Changed::Accounts);
    }
    for decided in
        lost.map(carry::Decided::Gone).into_iter().chain(decision.actions.into_iter().map(carry::Decided::Do))
    {
        if actions.try_send(decided).is_err() {
            tracing::warn!("a decision about a notification was not carried out: the desktop hangs");
        }
    }
    Ok(decision.next_decision_at)
}

fn needing(troubled: &[FailingAccount]) -> Vec<Needs> {
    let needs = troubled.iter().filter(|one| one.trouble.verdict() != Verdict::Retrying);
    needs
        .map(|one| Needs {
            id: one.id,
            name: one.name.clone(),
            integration: one.integration.clone(),
            reauthorize: one.trouble.verdict() == Verdict::NeedsPerson,
        })
        .collect()
}

impl App {
    /// Whether the person was told of something that is explained once.
    pub async fn was_shown_once(&self, what: &str) -> Result<bool> {
        let known: Option<bool> = self.0.engine.document(what).await.map_err(error_view)?;
        Ok(known.is_some())
    }

    /// They were told: they have seen it.
    pub async fn note_shown_once(&self, what: &str) -> Result<()> {
        self.0.engine.keep_document(what, true).await.map_err(error_view)
    }
}
