//! Desktop notifications: shows and withdraws what the policy requests, and reports the user's responses.
//!
//! Calls to the desktop's notification service run on threads of their own with a timeout, so that a service that hangs
//! delays nothing else.

mod popup;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::sync_channel,
    },
    thread,
    time::Duration,
};

use notify_rust::{Notification, NotificationHandle};
use relink_app::{SignInOutcome, SignInRoute, notifications::Request};
use relink_contract::window::Destination;
use relink_domain::{
    AccountId,
    notice::{Button, DesktopSignal, Notice, NoticeId, Opens},
};
use tauri::{AppHandle, Manager, async_runtime};
use tokio::sync::mpsc;
use url::Url;

use crate::{app, windows};
use popup::Response;

/// How long the desktop may take to show a notification. The policy's own timeout is a little longer.
const SHOW_TIMEOUT: Duration = Duration::from_secs(5);
/// Threads that may wait for a service that hangs.
const MAX_HANGING_THREADS: usize = 4;
const NOT_RESPONDING: &str = "The desktop’s notification service isn’t responding.";

/// The notifications that should be visible, each with the number that the desktop's service assigned, if it has.
#[derive(Debug, Clone, Default)]
struct Active(Arc<Mutex<BTreeMap<NoticeId, Option<u32>>>>);

impl Active {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NoticeId, Option<u32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the number of a notification that was shown. False: it was withdrawn in the meantime.
    fn set_number(&self, id: NoticeId, number: Option<u32>) -> bool {
        self.lock().get_mut(&id).map(|known| *known = number).is_some()
    }

    fn withdraw(&self, id: NoticeId) {
        let number = self.lock().remove(&id).flatten();
        if let Some(number) = number {
            popup::close(&[number]);
        }
    }
}

/// Performs the requests, one at a time.
pub(crate) fn start(handle: &AppHandle, mut requests: mpsc::Receiver<Request>) {
    let active = Active::default();
    handle.manage(active.clone());
    let handle = handle.clone();
    let spawned = thread::Builder::new().name("notifications".into()).spawn(move || {
        popup::set_application();
        // Checked before the first notification, so that the window can warn that none will be shown.
        let trouble = popup::is_available().err();
        app(&handle).update_desktop_status(|status| status.notifications_trouble = trouble);
        while let Some(request) = requests.blocking_recv() {
            match request {
                Request::Show { notice, replaces, alert, accepted } => {
                    let shown = show(&handle, &active, notice, replaces, alert);
                    // Sending fails if the policy's timeout has passed. The notification stays visible.
                    let _ = accepted.send(shown);
                }
                Request::Withdraw(id) => active.withdraw(id),
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!("notifications can't be shown: {error}");
    }
}

/// Closes the visible notifications, because their buttons do nothing after the program has exited. The policy isn't
/// notified, so it shows them again after the next start.
pub(crate) fn stop(handle: &AppHandle) {
    let Some(active) = handle.try_state::<Active>() else { return };
    let numbers: Vec<u32> = std::mem::take(&mut *active.lock()).into_values().flatten().collect();
    if !numbers.is_empty() {
        popup::close(&numbers);
    }
}

fn show(
    handle: &AppHandle,
    active: &Active,
    notice: Notice,
    replaces: Option<NoticeId>,
    alert: bool,
) -> Result<(), String> {
    let replaced_number = {
        let mut active = active.lock();
        let number = replaces.and_then(|id| active.remove(&id)).flatten();
        active.insert(notice.id, None);
        number
    };
    let (handle, active) = (handle.clone(), active.clone());
    show_on_thread(popup::notification(&notice, replaced_number, alert), move |shown| {
        let number = popup::number(&shown);
        if !active.set_number(notice.id, number) {
            // It was withdrawn before the service had shown it.
            return popup::close(number.as_slice());
        }
        popup::wait(shown, |response| {
            // A notification that replaced it has the same number, and its thread also receives the response.
            if active.lock().remove(&notice.id).is_none() {
                return;
            }
            if response != Response::Dismissed {
                // Not every service closes it by itself.
                popup::close(number.as_slice());
            }
            respond(&handle, &notice, response);
        });
    })
}

/// Shows a notification on a separate thread, which then runs `then`. Returns whether it was shown in time.
fn show_on_thread(
    notification: Notification,
    then: impl FnOnce(NotificationHandle) + Send + 'static,
) -> Result<(), String> {
    static HANGING: AtomicUsize = AtomicUsize::new(0);
    if HANGING.load(Ordering::SeqCst) >= MAX_HANGING_THREADS {
        return Err(NOT_RESPONDING.to_owned());
    }
    let (done, result) = sync_channel(1);
    let spawned = thread::Builder::new().name("notification".into()).spawn(move || {
        HANGING.fetch_add(1, Ordering::SeqCst);
        let shown = notification.show();
        HANGING.fetch_sub(1, Ordering::SeqCst);
        // Sending fails if the timeout has passed.
        match shown {
            Ok(shown) => {
                let _ = done.send(Ok(()));
                then(shown);
            }
            Err(error) => {
                let _ = done.send(Err(format!("This desktop can’t show notifications ({error}).")));
            }
        }
    });
    spawned.map_err(|error| format!("Notifications can’t be shown ({error})."))?;
    result.recv_timeout(SHOW_TIMEOUT).unwrap_or_else(|_| Err(NOT_RESPONDING.to_owned()))
}

fn respond(handle: &AppHandle, notice: &Notice, response: Response) {
    let app = app(handle);
    match response {
        Response::Reauthorize => {
            for button in &notice.buttons {
                if let Button::Reauthorize(id) = button {
                    reauthorize(handle, *id);
                }
            }
        }
        Response::RemindLater => async_runtime::block_on(app.remind_of_episodes_later(notice.episodes())),
        Response::Open => windows::show_main_at(
            handle,
            match notice.opens {
                Opens::Account(id) => Destination::Account(id),
                Opens::Accounts => Destination::Accounts,
                Opens::Webhooks => Destination::Webhooks,
            },
        ),
        Response::Dismissed => {}
    }
    async_runtime::block_on(app.signal(DesktopSignal::Closed(notice.id)));
}

/// Begins a sign-in on the provider's page. If that fails, opens the account's page, which shows the error.
pub(crate) fn reauthorize(handle: &AppHandle, id: AccountId) {
    let handle = handle.clone();
    async_runtime::spawn(async move {
        if !sign_in(&handle, id).await {
            windows::show_main_at(&handle, Destination::Account(id));
        }
    });
}

/// Returns false if the account's page should be shown.
async fn sign_in(handle: &AppHandle, id: AccountId) -> bool {
    let app = app(handle);
    match app.reauthorize(id).await {
        Ok(SignInRoute::Provider(url, sign_in)) => {
            let Ok(url) = Url::parse(&url) else { return false };
            if windows::open_in_browser(handle, &url).await.is_err() {
                return false;
            }
            match app.finish(sign_in).await {
                SignInOutcome::Reauthorized => {
                    windows::focus_main(handle);
                    show_success(handle, id).await;
                }
                // The window that asked shows the result.
                SignInOutcome::DecidedOtherwise => {}
                SignInOutcome::Failed => return false,
            }
            true
        }
        Ok(SignInRoute::ConnectPage(link)) => {
            match Url::parse(link.expose()).map(|link| windows::open_connect(handle, &link)) {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::warn!("the connect page could not be opened: {error}");
                    false
                }
                Err(_) => false,
            }
        }
        Err(error) => {
            tracing::warn!(code = error.code, "the sign-in could not be started: {}", error.message);
            false
        }
    }
}

/// Notifies of a successful sign-in. The user is in the browser and may see no window of Relink.
async fn show_success(handle: &AppHandle, id: AccountId) {
    let app = app(handle);
    if app.current_preferences().notifications_paused {
        return;
    }
    if let Ok(account) = app.account(id).await {
        let body = format!("{} is connected again. You can close the browser tab.", account.name);
        // If it can't be shown, the tray and the window show the success.
        let _ = show_plain(handle, "Connection successful", &body).await;
    }
}

/// Shows a notification without buttons. The error says why it could not be shown.
pub(crate) async fn show_plain(handle: &AppHandle, title: &str, body: &str) -> Result<(), String> {
    let notification = popup::plain(title, body);
    // Nothing waits for a response, so the handle is dropped.
    let shown = async_runtime::spawn_blocking(move || show_on_thread(notification, drop)).await;
    let shown = shown.unwrap_or_else(|error| Err(error.to_string()));
    if let Err(reason) = &shown {
        tracing::info!("a notification was not shown: {reason}");
    }
    app(handle).update_desktop_status(|status| status.notifications_trouble = shown.clone().err());
    shown
}

/// Shows a test notification.
pub(crate) async fn test(handle: &AppHandle) -> Result<(), String> {
    show_plain(handle, "Notifications work", "Relink notifies you like this when an account needs attention.").await
}
