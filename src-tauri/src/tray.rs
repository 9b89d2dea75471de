//! The tray icon and its menu. Their texts come from [`relink_app::tray`]. Everything in the menu can be done in the window
//! too, because not every desktop shows a tray.

#[cfg(target_os = "linux")]
mod host;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use relink_app::tray::{self, AccountInNeed, TrayMenu};
use relink_contract::window::Destination;
use tauri::{
    AppHandle, Manager, Wry, async_runtime,
    image::Image,
    menu::{CheckMenuItem, IsMenuItem, Menu, MenuEvent, MenuItem, PredefinedMenuItem},
    tray::TrayIconBuilder,
};
use tokio::{sync::watch, time::timeout};

use crate::{app, notifications, quit, windows};

const ICON_ID: &str = "relink";
const ICON: &[u8] = include_bytes!("../../icons/tray.png");
const ATTENTION_ICON: &[u8] = include_bytes!("../../icons/tray-attention.png");

/// How long the desktop's panel may take to start at login.
const HOST_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether the icon was created and the desktop shows it.
#[derive(Debug, Default)]
struct Tray {
    shown: watch::Sender<bool>,
}

/// Creates the icon as soon as the desktop has a host for it.
pub(crate) fn start(handle: &AppHandle) {
    handle.manage(Tray::default());
    let handle = handle.clone();
    follow_host(move |present| {
        let updating = handle.clone();
        if let Err(error) = handle.run_on_main_thread(move || host_changed(&updating, present)) {
            tracing::debug!("the tray could not be updated: {error}");
        }
    });
}

/// Whether the desktop shows the icon, so that Relink can run without a window.
pub(crate) fn is_shown(handle: &AppHandle) -> bool {
    handle.try_state::<Tray>().is_some_and(|tray| *tray.shown.borrow())
}

/// Waits until the desktop shows the icon; false if it doesn't in time.
pub(crate) async fn appears(handle: &AppHandle) -> bool {
    let mut shown = handle.state::<Tray>().shown.subscribe();
    timeout(HOST_TIMEOUT, shown.wait_for(|shown| *shown)).await.is_ok_and(|shown| shown.is_ok())
}

#[cfg(target_os = "linux")]
use host::follow as follow_host;

/// Other systems always have a tray.
#[cfg(not(target_os = "linux"))]
fn follow_host(report: impl Fn(bool) + Send + 'static) {
    report(true);
}

/// Keeps the icon when its host exits: the next host shows it again.
fn host_changed(handle: &AppHandle, present: bool) {
    let shown = present && (handle.tray_by_id(ICON_ID).is_some() || create(handle));
    handle.state::<Tray>().shown.send_replace(shown);
    app(handle).update_desktop_status(|status| status.tray = shown);
}

fn create(handle: &AppHandle) -> bool {
    // The library behind it panics where libappindicator is missing.
    match catch_unwind(AssertUnwindSafe(|| build(handle))) {
        Ok(Ok(())) => {
            async_runtime::spawn(keep_current(handle.clone()));
            true
        }
        Ok(Err(error)) => {
            tracing::warn!("the tray icon could not be created: {error}");
            false
        }
        Err(_) => {
            tracing::warn!("the tray icon could not be created: the appindicator library is missing");
            false
        }
    }
}

fn build(handle: &AppHandle) -> tauri::Result<()> {
    let content = TrayMenu::new(&[], app(handle).current_preferences().notifications_paused);
    TrayIconBuilder::with_id(ICON_ID)
        .icon(Image::from_bytes(ICON)?)
        .tooltip(tray::FIRST_TOOLTIP)
        .menu(&menu(handle, &content)?)
        .on_menu_event(|handle, event| on_menu_event(handle, &event))
        .build(handle)
        .map(drop)
}

async fn keep_current(handle: AppHandle) {
    let app = app(&handle);
    let mut accounts = app.follow_accounts_in_need();
    let mut preferences = app.follow_preferences();
    loop {
        let in_need: Vec<AccountInNeed> = accounts.borrow_and_update().clone();
        let content = TrayMenu::new(&in_need, preferences.borrow_and_update().notifications_paused);
        let drawing = handle.clone();
        let scheduled = handle.run_on_main_thread(move || {
            if let Err(error) = draw(&drawing, &content) {
                tracing::warn!("the tray could not be drawn: {error}");
            }
        });
        if scheduled.is_err() {
            return;
        }
        tokio::select! {
            changed = accounts.changed() => if changed.is_err() { return },
            changed = preferences.changed() => if changed.is_err() { return },
        }
    }
}

fn draw(handle: &AppHandle, content: &TrayMenu) -> tauri::Result<()> {
    let Some(tray) = handle.tray_by_id(ICON_ID) else { return Ok(()) };
    tray.set_icon(Some(Image::from_bytes(if content.needs_attention { ATTENTION_ICON } else { ICON })?))?;
    tray.set_tooltip(Some(&content.headline))?;
    // Linux and macOS show it beside the icon; Windows has only the tooltip.
    tray.set_title(content.count.as_deref())?;
    tray.set_menu(Some(menu(handle, content)?))
}

fn menu(handle: &AppHandle, content: &TrayMenu) -> tauri::Result<Menu<Wry>> {
    let item = |id: &str, text: &str, enabled| MenuItem::with_id(handle, id, text, enabled, None::<&str>);
    let separator = || PredefinedMenuItem::separator(handle);
    let mut items: Vec<Box<dyn IsMenuItem<Wry>>> =
        vec![Box::new(item("headline", &content.headline, false)?), Box::new(separator()?)];
    for account in &content.accounts {
        let action = if account.reauthorize { "reauthorize" } else { "show" };
        items.push(Box::new(item(&format!("{action}:{}", account.id), &escaped(&account.text), true)?));
    }
    if !content.accounts.is_empty() {
        items.push(Box::new(separator()?));
    }
    let paused = content.notifications_paused;
    items.push(Box::new(item("open", tray::OPEN, true)?));
    items.push(Box::new(CheckMenuItem::with_id(handle, "pause", tray::PAUSE, true, paused, None::<&str>)?));
    items.push(Box::new(item("quit", tray::QUIT, true)?));
    let items: Vec<&dyn IsMenuItem<Wry>> = items.iter().map(AsRef::as_ref).collect();
    Menu::with_items(handle, &items)
}

/// Escapes `&`, which marks the access key in a menu item's text.
fn escaped(text: &str) -> String {
    text.replace('&', "&&")
}

fn on_menu_event(handle: &AppHandle, event: &MenuEvent) {
    let id = event.id().as_ref();
    match id.split_once(':') {
        Some(("reauthorize", account)) => {
            if let Ok(account) = account.parse() {
                notifications::reauthorize(handle, account);
            }
        }
        Some(("show", account)) => {
            if let Ok(account) = account.parse() {
                windows::show_main_at(handle, Destination::Account(account));
            }
        }
        _ => match id {
            "open" => windows::show_main(handle),
            "pause" => toggle_notifications(handle.clone()),
            "quit" => quit::quit(handle),
            _ => {}
        },
    }
}

fn toggle_notifications(handle: AppHandle) {
    async_runtime::spawn(async move {
        if let Err(error) = app(&handle).toggle_notifications().await {
            tracing::warn!("notifications were not paused or resumed: {}", error.message);
        }
    });
}
