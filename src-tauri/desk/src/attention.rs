//! The person's attention: runs the notification policy, and says who needs them.
//!
//! Invariant: what was decided is kept before it is carried out, so that a restart tells nothing twice.

use std::time::Duration;

use relink_domain::{
    AccountId,
    account::Verdict,
    notice::{Action, Heard, Network, Notice, NoticeId, Situation, Troubled, decide},
};
use relink_engine::network;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Desk, Result,
    notices::account_of,
    types::{Changed, NoticeRecord},
};

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
/// How long the desktop may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) async fn run(desk: Desk, notifier: Notifier, mut desktop: mpsc::Receiver<Heard>) {
    let mut told = desk.0.engine.changes();
    let mut preferences = desk.follow_preferences();
    let mut woken_until = None;
    let mut looked = (desk.0.engine.now(), tokio::time::Instant::now());
    let mut heard = Vec::new();
    loop {
        let accounts = told.borrow_and_update().accounts;
        let paused = preferences.borrow_and_update().notifications_paused;
        let now = desk.0.engine.now();
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
        let next = match look(&desk, &notifier, std::mem::take(&mut heard), network, paused).await {
            Ok(next) => next,
            Err(trouble) => {
                tracing::warn!(code = trouble.code, "notifications wait: {}", trouble.message);
                None
            }
        };
        let until = next.map_or(LOOK, |at| {
            Duration::from_millis(u64::try_from(at.millis_since(desk.0.engine.now())).unwrap_or(0)).min(LOOK)
        });
        tokio::select! {
            changed = told.wait_for(|written| written.accounts != accounts) => if changed.is_err() { return },
            changed = preferences.changed() => if changed.is_err() { return },
            more = desktop.recv() => match more {
                Some(more) => heard.push(more),
                None => return,
            },
            () = tokio::time::sleep(until) => {}
        }
        while let Ok(more) = desktop.try_recv() {
            heard.push(more);
        }
    }
}

/// Looks once: takes in what the person did, decides, keeps, carries out. When to look again at the latest.
async fn look(
    desk: &Desk,
    notifier: &Notifier,
    heard: Vec<Heard>,
    network: Network,
    paused: bool,
) -> Result<Option<relink_domain::Timestamp>> {
    let troubled = desk.troubled().await?;
    notifier.needs.send_if_modified(|needs| {
        let new = needing(&troubled);
        std::mem::replace(needs, new.clone()) != new
    });

    let before = desk.shown().await?;
    let shown = heard.into_iter().fold(before.clone(), relink_domain::notice::Shown::hear);
    let decision = decide(&shown, &Situation { troubled, network, paused }, desk.0.engine.now());
    if decision.next != before {
        desk.keep_shown(decision.next).await?;
        desk.tell(Changed::Accounts);
    }
    for action in decision.actions {
        carry_out(desk, notifier, action).await?;
    }
    Ok(decision.next_look)
}

fn needing(troubled: &[Troubled]) -> Vec<Needs> {
    let needs = troubled.iter().filter(|one| one.trouble.verdict() != Verdict::TryingAgain);
    needs
        .map(|one| Needs {
            id: one.id,
            name: one.name.clone(),
            integration: one.integration.clone(),
            reauthorize: one.trouble.verdict() == Verdict::NeedsPerson,
        })
        .collect()
}

async fn carry_out(desk: &Desk, notifier: &Notifier, action: Action) -> Result<()> {
    let now = desk.0.engine.now();
    match action {
        Action::Show { notice, replaces, alert } => {
            let record = NoticeRecord {
                id: notice.id.0,
                at: now,
                title: notice.title.clone(),
                body: notice.body.clone(),
                account_id: account_of(notice.opens),
                withdrawn_at: None,
                delivered: false,
            };
            let id = notice.id.0;
            let (taken, answer) = oneshot::channel();
            let sent = notifier.orders.send(Order::Show { notice, replaces, alert, taken }).await;
            let outcome = match (sent, tokio::time::timeout(DEADLINE, answer).await) {
                (Ok(()), Ok(Ok(outcome))) => outcome,
                _ => Err("the desktop’s notification service doesn’t answer".to_owned()),
            };
            if let Err(why) = &outcome {
                tracing::warn!(notice = id, "a notification was not shown: {why}");
            }
            desk.desktop_is(|desktop| desktop.notifications_trouble = outcome.as_ref().err().cloned());
            desk.change_notices(|notices| {
                if let Some(old) = notices.iter_mut().find(|old| Some(NoticeId(old.id)) == replaces) {
                    old.withdrawn_at = Some(now);
                }
                notices.insert(0, NoticeRecord { delivered: outcome.is_ok(), ..record });
            })
            .await
        }
        Action::Withdraw(id) => {
            // Nobody carries it out: then nothing is up either.
            let _ = notifier.orders.send(Order::Withdraw(id)).await;
            desk.change_notices(|notices| {
                if let Some(old) = notices.iter_mut().find(|old| old.id == id.0) {
                    old.withdrawn_at = Some(now);
                }
            })
            .await
        }
    }
}
