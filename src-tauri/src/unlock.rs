//! Hears when the person unlocks the machine: what they wanted to be reminded of is said again then.

use tauri::AppHandle;

/// Listens for as long as the app runs. Where nobody says it, reminders come the next day.
#[cfg(target_os = "linux")]
pub(crate) fn listen(app: &AppHandle) {
    let app = app.clone();
    let listening = std::thread::Builder::new().name("unlock".into()).spawn(move || {
        if let Err(error) = hear(&app) {
            tracing::info!("unlocking can't be received: {error}");
        }
    });
    if let Err(error) = listening {
        tracing::info!("unlocking can't be received: {error}");
    }
}

/// GNOME's and KDE's screen savers, and those that follow freedesktop's, say `ActiveChanged` when they come and go.
#[cfg(target_os = "linux")]
fn hear(app: &AppHandle) -> zbus::Result<()> {
    use relink_domain::notice::DesktopSignal;
    use zbus::{MatchRule, blocking::MessageIterator, message::Type};

    let bus = zbus::blocking::Connection::session()?;
    let rule = MatchRule::builder().msg_type(Type::Signal).member("ActiveChanged")?.build();
    for message in MessageIterator::for_match_rule(rule, &bus, Some(16))? {
        let message = message?;
        let header = message.header();
        let from_saver = header.interface().is_some_and(|name| name.as_str().ends_with(".ScreenSaver"));
        if from_saver && matches!(message.body().deserialize::<bool>(), Ok(false)) {
            tauri::async_runtime::block_on(crate::logic(app).hear(DesktopSignal::Unlocked));
        }
    }
    Ok(())
}

/// Not received yet on macOS and Windows: reminders come the next day.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn listen(_: &AppHandle) {}
