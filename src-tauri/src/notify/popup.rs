//! One notification on the desktop: how each system draws it, and how it is taken down.

use notify_rust::{Notification, NotificationHandle, NotificationResponse};
use relink_domain::notice::{Button, Notice};

/// What the person did with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    /// The button that leads to the provider's page.
    Reauthorize,
    /// The button that puts it off.
    Later,
    /// A click on the notification itself.
    Open,
    /// Dismissed it, or let it run out.
    Nothing,
}

const REAUTHORIZE: &str = "reauthorize";
const LATER: &str = "later";
/// The action of a click on the notification itself (Desktop Notifications Specification, "default").
const DEFAULT: &str = "default";

/// Who shows it, said once per run.
pub(super) fn introduce() {
    #[cfg(target_os = "macos")]
    {
        // A program in a build folder is no bundle that macOS knows: another one's name has to do there.
        let bundle = if cfg!(debug_assertions) { "com.apple.Terminal" } else { "app.relink.desktop" };
        if let Err(error) = notify_rust::set_application(bundle) {
            tracing::warn!("notifications come under another name: {error}");
        }
    }
}

/// One of words alone.
pub(super) fn plain(title: &str, body: &str) -> Notification {
    let mut shown = Notification::new();
    shown.appname("Relink").summary(title).body(&escaped(body)).icon("relink");
    // Toasts belong to an installed program's id; one in a build folder has none, and would show nothing under it.
    #[cfg(all(windows, not(debug_assertions)))]
    shown.app_id("app.relink.desktop");
    shown
}

/// The policy's, with its buttons. `number` is the one in whose place it comes; `alert`: it brings news.
pub(super) fn of(notice: &Notice, number: Option<u32>, alert: bool) -> Notification {
    let mut shown = plain(&notice.title, &notice.body);
    // Elsewhere a click needs no action, and would get a button.
    if cfg!(target_os = "linux") {
        shown.action(DEFAULT, "Open");
    }
    for button in &notice.buttons {
        let action = match button {
            Button::Reauthorize(_) => REAUTHORIZE,
            Button::RemindLater => LATER,
        };
        shown.action(action, button.label());
    }
    if let Some(number) = number {
        shown.id(number);
    }
    stays(&mut shown, alert);
    shown
}

/// It waits for its person, and makes no noise where it brings no news.
#[cfg(target_os = "linux")]
fn stays(shown: &mut Notification, alert: bool) {
    use notify_rust::{Hint, Timeout};
    shown.timeout(Timeout::Never).hint(Hint::DesktopEntry("relink-desktop".into())).hint(Hint::SuppressSound(!alert));
}

/// A toast stays only as a reminder, which is what this library makes of an urgent one.
#[cfg(windows)]
fn stays(shown: &mut Notification, _: bool) {
    shown.urgency(notify_rust::Urgency::Critical);
}

/// macOS leaves that to the person's settings.
#[cfg(not(any(target_os = "linux", windows)))]
fn stays(_: &mut Notification, _: bool) {}

/// Under which number the desktop knows it, where it says so.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
pub(super) fn number(handle: &NotificationHandle) -> Option<u32> {
    Some(handle.id())
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn number(_: &NotificationHandle) -> Option<u32> {
    None
}

/// Waits for what the person does: on macOS it is shown only by that.
pub(super) fn wait(handle: NotificationHandle, then: impl FnOnce(Did)) {
    let waited = handle.wait_for_response(|response: &NotificationResponse| {
        then(match response {
            NotificationResponse::Default => Did::Open,
            NotificationResponse::Action(action) => match action.as_str() {
                REAUTHORIZE => Did::Reauthorize,
                LATER => Did::Later,
                DEFAULT => Did::Open,
                _ => Did::Nothing,
            },
            NotificationResponse::Reply(_) | NotificationResponse::Closed(_) => Did::Nothing,
        });
    });
    if let Err(error) = waited {
        tracing::warn!("the notification's buttons don't work: {error}");
    }
}

/// The service reads a little markup in the body (Desktop Notifications Specification, "Markup").
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
    /// Taking one down is a courtesy, at the program's end too.
    const COURTESY: Duration = Duration::from_secs(2);

    /// Takes these down.
    pub(in crate::notify) fn take_down(numbers: &[u32]) {
        let closed = bus::connect_for(COURTESY).and_then(|bus| {
            numbers.iter().try_for_each(|number| {
                bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "CloseNotification", &(number,)).map(drop)
            })
        });
        if let Err(error) = closed {
            tracing::debug!("a notification could not be taken down: {error}");
        }
    }

    /// Whether somebody shows notifications here, or why not.
    pub(in crate::notify) fn is_there() -> Result<(), String> {
        bus::connect()
            .and_then(|bus| bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "GetServerInformation", &()))
            .map(drop)
            .map_err(|error| format!("This desktop can’t show notifications ({error})."))
    }
}

#[cfg(not(target_os = "linux"))]
mod service {
    /// What was put up there can't be taken down again through this library.
    pub(in crate::notify) const fn take_down(_: &[u32]) {}

    /// These systems always have somebody.
    pub(in crate::notify) const fn is_there() -> Result<(), String> {
        Ok(())
    }
}

pub(super) use service::{is_there, take_down};
