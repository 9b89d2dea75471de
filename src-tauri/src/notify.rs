//! Desktop notifications: carries the policy's orders out, and hears what the person does with them.
//!
//! Everything that speaks to the desktop's service is on threads of its own: a service that hangs holds nobody up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use notify_rust::Notification;
use relink_desk::{Ended, Way, attention::Order, types::Show};
use relink_domain::{
    AccountId,
    notice::{Button, Heard, Notice, NoticeId, Opens},
};
use tauri::{AppHandle, async_runtime};
use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::{desk, windows};

/// Under which number the desktop knows each of ours.
type Up = Arc<Mutex<HashMap<u32, NoticeId>>>;

const REAUTHORIZE: &str = "reauthorize";
const LATER: &str = "later";
/// The action of a click on the notification itself (Desktop Notifications Specification, "default").
const DEFAULT: &str = "default";
/// What the library says when it was closed without an action.
const CLOSED: &str = "__closed";

/// Carries orders out, one after the other.
pub(crate) fn start(app: &AppHandle, mut orders: mpsc::Receiver<Order>) {
    let app = app.clone();
    let up = Up::default();
    let spawned = thread::Builder::new().name("notifications".into()).spawn(move || {
        while let Some(order) = orders.blocking_recv() {
            match order {
                Order::Show { notice, replaces, alert, taken } => {
                    let shown = show(&app, &up, &notice, replaces, alert);
                    // Whoever asked may have stopped waiting; the notification is up all the same.
                    let _ = taken.send(shown);
                }
                Order::Withdraw(id) => withdraw(&up, id),
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!("notifications can't be shown: {error}");
    }
}

fn held(up: &Up) -> std::sync::MutexGuard<'_, HashMap<u32, NoticeId>> {
    up.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number_of(up: &Up, id: NoticeId) -> Option<u32> {
    held(up).iter().find(|(_, notice)| **notice == id).map(|(number, _)| *number)
}

/// The service reads a little markup in the body (Desktop Notifications Specification, "Markup").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn show(app: &AppHandle, up: &Up, notice: &Notice, replaces: Option<NoticeId>, alert: bool) -> Result<(), String> {
    let mut shown = Notification::new();
    shown.appname("Relink").summary(&notice.title).body(&escaped(&notice.body)).icon("relink").action(DEFAULT, "Open");
    for button in &notice.buttons {
        let action = match button {
            Button::Reauthorize(_) => REAUTHORIZE,
            Button::RemindLater => LATER,
        };
        shown.action(action, button.label());
    }
    if let Some(number) = replaces.and_then(|id| number_of(up, id)) {
        shown.id(number);
    }
    stays(&mut shown, alert);
    let handle = shown.show().map_err(|error| format!("This desktop shows no notifications ({error})."))?;
    up_as(app, up, notice, handle);
    Ok(())
}

/// It waits for its person, and makes no noise where it brings no news.
#[cfg(target_os = "linux")]
fn stays(shown: &mut Notification, alert: bool) {
    use notify_rust::{Hint, Timeout};
    shown.timeout(Timeout::Never).hint(Hint::DesktopEntry("relink-desktop".into())).hint(Hint::SuppressSound(!alert));
}

#[cfg(not(target_os = "linux"))]
fn stays(_: &mut Notification, _: bool) {}

/// Waits, on a thread of its own, for what the person does.
#[cfg(target_os = "linux")]
fn up_as(app: &AppHandle, up: &Up, notice: &Notice, handle: notify_rust::NotificationHandle) {
    let number = handle.id();
    held(up).insert(number, notice.id);
    let (app, up, notice) = (app.clone(), Arc::clone(up), notice.clone());
    let waits = thread::Builder::new().name("notification".into()).spawn(move || {
        handle.wait_for_action(|action| {
            // Its place may have been taken by another one under the same number: that one's thread hears it too.
            if held(&up).get(&number) != Some(&notice.id) {
                return;
            }
            held(&up).remove(&number);
            if action != CLOSED {
                // Most services take it down by themselves then, some don't.
                take_down(number);
            }
            heard(&app, &notice, action);
        });
    });
    if let Err(error) = waits {
        tracing::warn!("the notification's buttons don't work: {error}");
    }
}

/// macOS and Windows give no buttons through this library; a click brings the app to the front by itself.
#[cfg(not(target_os = "linux"))]
fn up_as(_: &AppHandle, _: &Up, _: &Notice, _: notify_rust::NotificationHandle) {}

fn heard(app: &AppHandle, notice: &Notice, action: &str) {
    let desk = desk(app);
    let later = || Heard::RemindLater { about: notice.about.clone(), until: desk.tomorrow() };
    match action {
        REAUTHORIZE => {
            for button in &notice.buttons {
                if let Button::Reauthorize(id) = button {
                    reauthorize(app, *id);
                }
            }
        }
        LATER => async_runtime::block_on(desk.hear(later())),
        DEFAULT => windows::show_main_at(
            app,
            match notice.opens {
                Opens::Account(id) => Show::Account(id),
                Opens::Accounts => Show::Accounts,
            },
        ),
        // Dismissed, or run out.
        _ => {}
    }
    async_runtime::block_on(desk.hear(Heard::Closed(notice.id)));
}

#[cfg(target_os = "linux")]
fn withdraw(up: &Up, id: NoticeId) {
    let Some(number) = number_of(up, id) else { return };
    held(up).remove(&number);
    take_down(number);
}

#[cfg(target_os = "linux")]
fn take_down(number: u32) {
    const SERVICE: &str = "org.freedesktop.Notifications";
    let closed = zbus::blocking::Connection::session().and_then(|bus| {
        bus.call_method(Some(SERVICE), "/org/freedesktop/Notifications", Some(SERVICE), "CloseNotification", &(number,))
    });
    if let Err(error) = closed {
        tracing::debug!("a notification could not be taken down: {error}");
    }
}

/// What was put up there can't be taken down again through this library.
#[cfg(not(target_os = "linux"))]
fn withdraw(up: &Up, id: NoticeId) {
    if let Some(number) = number_of(up, id) {
        held(up).remove(&number);
    }
}

/// One click: straight to the provider's page. When the sign-in has ended otherwise than well, the account's page says why.
pub(crate) fn reauthorize(app: &AppHandle, id: AccountId) {
    let app = app.clone();
    async_runtime::spawn(async move {
        let desk = desk(&app);
        match desk.reauthorize(id).await {
            Ok(Way::Provider(url, sign_in)) => {
                if let Ok(url) = Url::parse(&url) {
                    windows::open_in_browser(&app, &url);
                }
                if desk.finish(sign_in).await == Ended::NotMended {
                    windows::show_main_at(&app, Show::Account(id));
                }
            }
            Ok(Way::Page(link)) => {
                let opened = Url::parse(link.expose()).ok().map(|link| windows::open_connect(&app, &link));
                if let Some(Err(error)) = opened {
                    tracing::warn!("the connect page could not be opened: {error}");
                }
            }
            Err(trouble) => {
                tracing::warn!(code = trouble.code, "the sign-in could not be begun: {}", trouble.message);
                windows::show_main_at(&app, Show::Account(id));
            }
        }
    });
}

/// Shows a notification that nothing hangs on.
pub(crate) async fn say(app: &AppHandle, title: &str, body: &str) {
    let shown = plain(title, body).await;
    let trouble = shown.err();
    if let Some(why) = &trouble {
        tracing::info!("not shown: {why}");
    }
    desk(app).desktop_is(|desktop| desktop.notifications_trouble = trouble);
}

/// Shows one, to see whether this desktop does.
pub(crate) async fn test(app: &AppHandle) -> Result<(), String> {
    let shown = plain("Relink’s notifications work", "This is how Relink tells you that an account needs you.").await;
    desk(app).desktop_is(|desktop| desktop.notifications_trouble = shown.clone().err());
    shown
}

async fn plain(title: &str, body: &str) -> Result<(), String> {
    let (title, body) = (title.to_owned(), escaped(body));
    let (done, ends) = oneshot::channel();
    thread::spawn(move || {
        let shown = Notification::new().appname("Relink").summary(&title).body(&body).icon("relink").show();
        let _ = done.send(shown.map(drop).map_err(|error| format!("This desktop shows no notifications ({error}).")));
    });
    match tokio::time::timeout(std::time::Duration::from_secs(10), ends).await {
        Ok(Ok(shown)) => shown,
        _ => Err("The desktop’s notification service doesn’t answer.".to_owned()),
    }
}
