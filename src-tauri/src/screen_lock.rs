//! Notices when the person unlocks the machine, which ends "Remind me later".

use tauri::AppHandle;

/// Listens for as long as the app runs. Where unlocking can't be noticed, reminders come back the next day.
#[cfg(target_os = "linux")]
pub(crate) fn listen(handle: &AppHandle) {
    let handle = handle.clone();
    let spawned = std::thread::Builder::new().name("screen-lock".into()).spawn(move || {
        if let Err(error) = receive(&handle) {
            tracing::info!("unlocking can't be noticed: {error}");
        }
    });
    if let Err(error) = spawned {
        tracing::info!("unlocking can't be noticed: {error}");
    }
}

/// The screen savers of GNOME, KDE and freedesktop.org emit `ActiveChanged` on their D-Bus interfaces.
#[cfg(target_os = "linux")]
fn receive(handle: &AppHandle) -> zbus::Result<()> {
    use relink_domain::notice::DesktopSignal;
    use zbus::{MatchRule, blocking::MessageIterator, message::Type};

    let bus = zbus::blocking::Connection::session()?;
    let rule = MatchRule::builder().msg_type(Type::Signal).member("ActiveChanged")?.build();
    for message in MessageIterator::for_match_rule(rule, &bus, Some(16))? {
        let message = message?;
        let header = message.header();
        let from_saver = header.interface().is_some_and(|name| name.as_str().ends_with(".ScreenSaver"));
        if from_saver && matches!(message.body().deserialize::<bool>(), Ok(false)) {
            tauri::async_runtime::block_on(crate::app(handle).signal(DesktopSignal::Unlocked));
        }
    }
    Ok(())
}

/// Not implemented on macOS and Windows: reminders come back the next day.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn listen(_: &AppHandle) {}
