//! Shows and withdraws notifications, one at a time, and records the results under Activity.

use std::time::Duration;

use relink_contract::window::NoticeRecord;
use relink_domain::{
    AccountId,
    notice::{Action, Notice, NoticeId, Opens},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Request;
use crate::{App, Result};

/// How long the desktop may take to accept a notification.
const DESKTOP_TIMEOUT: Duration = Duration::from_secs(10);
const NOT_RESPONDING: &str = "The desktop’s notification service isn’t responding.";

#[derive(Debug)]
pub(super) enum Decision {
    Act(Action),
    /// This notification is no longer visible, although the policy didn't withdraw it.
    Lost(NoticeId),
}

pub(super) async fn run(app: App, requests: mpsc::Sender<Request>, mut decisions: mpsc::Receiver<Decision>) {
    while let Some(decision) = decisions.recv().await {
        let recorded = match decision {
            Decision::Act(Action::Show { notice, replaces, alert }) => {
                show(&app, &requests, notice, replaces, alert).await
            }
            Decision::Act(Action::Withdraw(id)) => {
                // If the shell no longer receives requests, no notification is visible either.
                let _ = requests.try_send(Request::Withdraw(id));
                record(&app, Some(id), None).await
            }
            Decision::Lost(id) => record(&app, Some(id), None).await,
        };
        if let Err(error) = recorded {
            tracing::warn!(code = error.code, "a notification is missing under Activity: {}", error.message);
        }
    }
}

async fn show(
    app: &App,
    requests: &mpsc::Sender<Request>,
    notice: Notice,
    replaces: Option<NoticeId>,
    alert: bool,
) -> Result<()> {
    let mut shown = NoticeRecord {
        id: notice.id.0,
        at: app.0.engine.now(),
        title: notice.title.clone(),
        body: notice.body.clone(),
        account_id: account_of(notice.opens),
        withdrawn_at: None,
        delivered: false,
    };
    let (accepted, answer) = oneshot::channel();
    let outcome = request(requests, Request::Show { notice, replaces, alert, accepted }, answer).await;
    if let Err(reason) = &outcome {
        tracing::warn!(notice = shown.id, "a notification was not shown: {reason}");
    }
    app.update_desktop_status(|status| status.notifications_trouble = outcome.as_ref().err().cloned());
    shown.delivered = outcome.is_ok();
    record(app, replaces, Some(shown)).await
}

async fn request(
    requests: &mpsc::Sender<Request>,
    request: Request,
    answer: oneshot::Receiver<Result<(), String>>,
) -> Result<(), String> {
    if requests.try_send(request).is_err() {
        return Err(NOT_RESPONDING.to_owned());
    }
    match timeout(DESKTOP_TIMEOUT, answer).await {
        Ok(Ok(outcome)) => outcome,
        _ => Err(NOT_RESPONDING.to_owned()),
    }
}

async fn record(app: &App, withdrawn: Option<NoticeId>, shown: Option<NoticeRecord>) -> Result<()> {
    let now = app.0.engine.now();
    app.change_notices(|notices| {
        if let Some(notice) = notices.iter_mut().find(|notice| Some(NoticeId(notice.id)) == withdrawn) {
            notice.withdrawn_at = Some(now);
        }
        if let Some(notice) = shown {
            notices.insert(0, notice);
        }
    })
    .await
}

const fn account_of(opens: Opens) -> Option<AccountId> {
    match opens {
        Opens::Account(id) => Some(id),
        Opens::Accounts => None,
    }
}
