//! Shows and withdraws notifications, one at a time, and adds them to the list under Activity.

use std::time::Duration;

use relink_domain::notice::{Action, Notice, NoticeId};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Request;
use crate::{App, Result};

/// How long the desktop may take to accept a notification.
const DESKTOP_TIMEOUT: Duration = Duration::from_secs(10);
const NOT_RESPONDING: &str = "The desktop’s notification service isn’t responding.";

pub(super) async fn run(app: App, requests: mpsc::Sender<Request>, mut actions: mpsc::Receiver<Action>) {
    while let Some(action) = actions.recv().await {
        match action {
            Action::Show { notice, replaces, alert } => show(&app, &requests, notice, replaces, alert).await,
            Action::Withdraw(id) => {
                // If the shell no longer receives requests, no notification is visible either.
                let _ = requests.try_send(Request::Withdraw(id));
            }
        }
    }
}

async fn show(app: &App, requests: &mpsc::Sender<Request>, notice: Notice, replaces: Option<NoticeId>, alert: bool) {
    let (accepted, answer) = oneshot::channel();
    let shown = Request::Show { notice: notice.clone(), replaces, alert, accepted };
    let outcome = request(requests, shown, answer).await;
    if let Err(reason) = &outcome {
        tracing::warn!(notice = notice.id.0, "a notification was not shown: {reason}");
    }
    app.update_desktop_status(|status| status.notifications_trouble = outcome.as_ref().err().cloned());
    if let Err(error) = app.log_notice(&notice, outcome.is_ok()).await {
        tracing::warn!(code = error.code, "a notification is missing under Activity: {}", error.message);
    }
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
