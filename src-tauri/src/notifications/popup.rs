//! A single notification on the desktop: how each system shows and closes it.

use notify_rust::{Notification, NotificationHandle, NotificationResponse};
use relink_domain::notice::{Button, Notice};

/// The user's response to a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Response {
    /// The button with this name was clicked.
    Reauthorize,
    /// The button with this name was clicked.
    RemindLater,
    /// The notification itself was clicked.
    Open,
    /// Dismissed or expired.
    Dismissed,
}

const REAUTHORIZE: &str = "reauthorize";
const REMIND_LATER: &str = "later";
/// The action of a click on the notification itself (Desktop Notifications Specification, "default").
const DEFAULT: &str = "default";

/// Names the application that shows notifications, once per run.
pub(super) fn set_application() {
    #[cfg(target_os = "macos")]
    {
        // A program in a build folder has no bundle on macOS, so a debug build uses another application's name.
        let bundle = if cfg!(debug_assertions) { "com.apple.Terminal" } else { "app.relink.desktop" };
        if let Err(error) = notify_rust::set_application(bundle) {
            tracing::warn!("notifications appear under another application's name: {error}");
        }
    }
}

/// A notification without buttons.
pub(super) fn plain(title: &str, body: &str) -> Notification {
    let mut shown = Notification::new();
    shown.appname("Relink").summary(title).body(&escaped(body)).icon("relink");
    // Toasts belong to the id of an installed program. One in a build folder has none, and its toasts would not show.
    #[cfg(all(windows, not(debug_assertions)))]
    shown.app_id("app.relink.desktop");
    shown
}

/// A notification of the policy, with its buttons. `replaced`: the number of the notification that it replaces. `alert`:
/// whether it makes a sound.
pub(super) fn notification(notice: &Notice, replaced: Option<u32>, alert: bool) -> Notification {
    let mut shown = plain(&notice.title, &notice.body);
    // On other systems a click is reported without an action, and an action would appear as a button.
    if cfg!(target_os = "linux") {
        shown.action(DEFAULT, "Open");
    }
    for button in &notice.buttons {
        let action = match button {
            Button::Reauthorize(_) => REAUTHORIZE,
            Button::RemindLater => REMIND_LATER,
        };
        shown.action(action, button.label());
    }
    if let Some(number) = replaced {
        shown.id(number);
    }
    make_persistent(&mut shown, alert);
    shown
}

/// Keeps the notification visible until the user responds, and silent unless it is an alert.
#[cfg(target_os = "linux")]
fn make_persistent(shown: &mut Notification, alert: bool) {
    use notify_rust::{Hint, Timeout};
    shown.timeout(Timeout::Never).hint(Hint::DesktopEntry("relink-desktop".into())).hint(Hint::SuppressSound(!alert));
}

/// Only a reminder toast stays visible. The library turns a critical notification into one.
#[cfg(windows)]
fn make_persistent(shown: &mut Notification, _: bool) {
    shown.urgency(notify_rust::Urgency::Critical);
}

/// On macOS the user's settings decide.
#[cfg(not(any(target_os = "linux", windows)))]
fn make_persistent(_: &mut Notification, _: bool) {}

/// The number that the desktop's service assigned to the notification, on Linux.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no number")]
pub(super) fn number(handle: &NotificationHandle) -> Option<u32> {
    Some(handle.id())
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn number(_: &NotificationHandle) -> Option<u32> {
    None
}

/// Blocks until the user has responded. On macOS this also shows the notification.
pub(super) fn wait(handle: NotificationHandle, then: impl FnOnce(Response)) {
    let waited = handle.wait_for_response(|response: &NotificationResponse| {
        then(match response {
            NotificationResponse::Default => Response::Open,
            NotificationResponse::Action(action) => match action.as_str() {
                REAUTHORIZE => Response::Reauthorize,
                REMIND_LATER => Response::RemindLater,
                DEFAULT => Response::Open,
                _ => Response::Dismissed,
            },
            NotificationResponse::Reply(_) | NotificationResponse::Closed(_) => Response::Dismissed,
        });
    });
    if let Err(error) = waited {
        tracing::warn!("a notification's buttons don't work: {error}");
    }
}

/// On Linux the body may contain markup (Desktop Notifications Specification, "Markup").
fn escaped(text: &str) -> String {
    if cfg!(target_os = "linux") {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    } else {
        text.to_owned()
    }
}

#[cfg(target_os = "linux")]
mod service {
    use std::time::Duration;

    use crate::bus;

    const SERVICE: &str = "org.freedesktop.Notifications";
    const PATH: &str = "/org/freedesktop/Notifications";
    /// Short, because the program's exit also waits for it.
    const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

    pub(in crate::notifications) fn close(numbers: &[u32]) {
        let closed = bus::connect_with_timeout(CLOSE_TIMEOUT).and_then(|bus| {
            numbers.iter().try_for_each(|number| {
                bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "CloseNotification", &(number,)).map(drop)
            })
        });
        if let Err(error) = closed {
            tracing::debug!("a notification could not be closed: {error}");
        }
    }

    /// Whether a notification service is running; the error says why not.
    pub(in crate::notifications) fn is_available() -> Result<(), String> {
        bus::connect()
            .and_then(|bus| bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "GetServerInformation", &()))
            .map(drop)
            .map_err(|error| format!("This desktop can’t show notifications ({error})."))
    }
}

#[cfg(not(target_os = "linux"))]
mod service {
    /// The library can't close notifications on these systems.
    pub(in crate::notifications) const fn close(_: &[u32]) {}

    /// These systems always show notifications.
    pub(in crate::notifications) const fn is_available() -> Result<(), String> {
        Ok(())
    }
}

pub(super) use service::{close, is_available};
