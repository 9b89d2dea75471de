//! Has the desktop do what the policy decided, one thing after the other, and notes what became of it.

use std::time::Duration;

use relink_domain::notice::{Action, NoticeId};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Order;
use crate::{App, Result, notices::account_of, types::NoticeRecord};

/// How long the desktop may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
const SILENT: &str = "The desktop’s notification service isn’t responding.";

/// What the policy came to.
#[derive(Debug)]
pub(super) enum Decided {
    /// This is to be done.
    Do(Action),
    /// This one is up no more; nobody took it down.
    Gone(NoticeId),
}

pub(super) async fn run(app: App, orders: mpsc::Sender<Order>, mut decided: mpsc::Receiver<Decided>) {
    while let Some(next) = decided.recv().await {
        let noted = match next {
            Decided::Do(Action::Show { notice, replaces, alert }) => {
                let now = app.0.engine.now();
                let record = NoticeRecord {
                    id: notice.id.0,
                    at: now,
                    title: notice.title.clone(),
                    body: notice.body.clone(),
                    account_id: account_of(notice.opens),
                    withdrawn_at: None,
                    delivered: false,
                };
                let (taken, answer) = oneshot::channel();
                let outcome = taken_by(&orders, Order::Show { notice, replaces, alert, taken }, answer).await;
                if let Err(why) = &outcome {
                    tracing::warn!(notice = record.id, "a notification was not shown: {why}");
                }
                app.desktop_is(|desktop| desktop.notifications_trouble = outcome.as_ref().err().cloned());
                let record = NoticeRecord { delivered: outcome.is_ok(), ..record };
                change(&app, replaces, Some(record)).await
            }
            Decided::Do(Action::Withdraw(id)) => {
                // Nobody carries it out: then nothing is up either.
                let _ = orders.try_send(Order::Withdraw(id));
                change(&app, Some(id), None).await
            }
            Decided::Gone(id) => change(&app, Some(id), None).await,
        };
        if let Err(trouble) = noted {
            tracing::warn!(code = trouble.code, "a notification is not under Activity: {}", trouble.message);
        }
    }
}

/// Whether the desktop took it, in time.
async fn taken_by(
    orders: &mpsc::Sender<Order>,
    order: Order,
    answer: oneshot::Receiver<Result<(), String>>,
) -> Result<(), String> {
    if orders.try_send(order).is_err() {
        return Err(SILENT.to_owned());
    }
    match timeout(DEADLINE, answer).await {
        Ok(Ok(outcome)) => outcome,
        _ => Err(SILENT.to_owned()),
    }
}

/// One that is up no more, and one that came.
async fn change(app: &App, gone: Option<NoticeId>, came: Option<NoticeRecord>) -> Result<()> {
    let now = app.0.engine.now();
    app.change_notices(|notices| {
        if let Some(old) = notices.iter_mut().find(|old| Some(NoticeId(old.id)) == gone) {
            old.withdrawn_at = Some(now);
        }
        if let Some(new) = came {
            notices.insert(0, new);
        }
    })
    .await
}
