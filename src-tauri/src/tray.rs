//! The tray: an icon that says whether somebody is needed, and a menu that leads there. Never the only way in.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use relink_desk::{attention::Needs, types::Show};
use relink_domain::AccountId;
use tauri::{
    AppHandle, Manager, Wry, async_runtime,
    image::Image,
    menu::{CheckMenuItem, IsMenuItem, Menu, MenuEvent, MenuItem, PredefinedMenuItem},
    tray::TrayIconBuilder,
};

use crate::{core::NeedsYou, desk, notify, quit, windows};

const ID: &str = "relink";
/// Accounts that the menu names; the rest are in the window.
const MOST: usize = 8;
const CALM: &[u8] = include_bytes!("../../icons/tray.png");
const ATTENTION: &[u8] = include_bytes!("../../icons/tray-attention.png");

/// Whether an icon was put up, and somebody shows it.
#[derive(Debug, Default)]
struct Tray {
    shown: AtomicBool,
}

/// Puts the icon up, where the desktop has a place for it.
pub(crate) fn start(app: &AppHandle) {
    app.manage(Tray::default());
    let app = app.clone();
    if !host_is_there() {
        tracing::info!("this desktop has no tray");
        return;
    }
    // The library behind it panics where the system's part is missing.
    let put_up = catch_unwind(AssertUnwindSafe(|| put_up(&app)));
    match put_up {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return tracing::warn!("the tray icon could not be put up: {error}"),
        Err(_) => return tracing::warn!("the tray icon could not be put up: the appindicator library is missing"),
    }
    app.state::<Tray>().shown.store(true, Ordering::SeqCst);
    desk(&app).desktop_is(|desktop| desktop.tray = true);
    async_runtime::spawn(follow(app));
}

/// Whether there is a tray to stay in.
pub(crate) fn is_there(app: &AppHandle) -> bool {
    app.try_state::<Tray>().is_some_and(|tray| tray.shown.load(Ordering::SeqCst))
}

fn put_up(app: &AppHandle) -> tauri::Result<()> {
    TrayIconBuilder::with_id(ID)
        .icon(Image::from_bytes(CALM)?)
        .tooltip("Relink")
        .menu(&menu(app, &[])?)
        .on_menu_event(|app, event| chosen(app, &event))
        .build(app)
        .map(drop)
}

async fn follow(app: AppHandle) {
    let mut needs = app.state::<NeedsYou>().0.clone();
    let mut preferences = desk(&app).follow_preferences();
    loop {
        let present = needs.borrow_and_update().clone();
        preferences.borrow_and_update();
        let handle = app.clone();
        let drawn = app.run_on_main_thread(move || {
            if let Err(error) = draw(&handle, &present) {
                tracing::warn!("the tray could not be drawn: {error}");
            }
        });
        if drawn.is_err() {
            return;
        }
        tokio::select! {
            changed = needs.changed() => if changed.is_err() { return },
            changed = preferences.changed() => if changed.is_err() { return },
        }
    }
}

fn draw(app: &AppHandle, needs: &[Needs]) -> tauri::Result<()> {
    let Some(tray) = app.tray_by_id(ID) else { return Ok(()) };
    tray.set_icon(Some(Image::from_bytes(if needs.is_empty() { CALM } else { ATTENTION })?))?;
    tray.set_tooltip(Some(headline(needs.len())))?;
    tray.set_menu(Some(menu(app, needs)?))
}

fn headline(needs: usize) -> String {
    match needs {
        0 => "Relink: all is well".to_owned(),
        1 => "1 account needs you".to_owned(),
        many => format!("{many} accounts need you"),
    }
}

fn menu(app: &AppHandle, needs: &[Needs]) -> tauri::Result<Menu<Wry>> {
    let item = |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
    let line = || PredefinedMenuItem::separator(app);
    let paused = desk(app).preferences().notifications_paused;
    let mut items: Vec<Box<dyn IsMenuItem<Wry>>> =
        vec![Box::new(item("headline", &headline(needs.len()), false)?), Box::new(line()?)];
    for one in needs.iter().take(MOST) {
        let verb = if one.reauthorize { "Reauthorize" } else { "Look at" };
        let text = format!("{verb} {} ({})", escaped(&one.name), escaped(&one.integration));
        items.push(Box::new(item(
            &format!("{}:{}", if one.reauthorize { "mend" } else { "show" }, one.id),
            &text,
            true,
        )?));
    }
    if !needs.is_empty() {
        items.push(Box::new(line()?));
    }
    items.push(Box::new(item("open", "Open Relink", true)?));
    items.push(Box::new(CheckMenuItem::with_id(app, "pause", "Pause notifications", true, paused, None::<&str>)?));
    items.push(Box::new(item("quit", "Quit", true)?));
    let items: Vec<&dyn IsMenuItem<Wry>> = items.iter().map(AsRef::as_ref).collect();
    Menu::with_items(app, &items)
}

/// In a menu's text & marks a key.
fn escaped(name: &str) -> String {
    name.replace('&', "&&")
}

fn chosen(app: &AppHandle, event: &MenuEvent) {
    match event.id().as_ref().split_once(':') {
        Some(("mend", id)) => account(id, |id| notify::reauthorize(app, id)),
        Some(("show", id)) => account(id, |id| windows::show_main_at(app, Show::Account(id))),
        _ => match event.id().as_ref() {
            "open" => windows::show_main(app),
            "pause" => pause(app.clone()),
            "quit" => quit::quit(app),
            _ => {}
        },
    }
}

fn account(id: &str, go: impl FnOnce(AccountId)) {
    if let Ok(id) = id.parse() {
        go(id);
    }
}

fn pause(app: AppHandle) {
    async_runtime::spawn(async move {
        let desk = desk(&app);
        let mut preferences = desk.preferences();
        preferences.notifications_paused = !preferences.notifications_paused;
        if let Err(trouble) = desk.set_preferences(preferences).await {
            tracing::warn!("notifications were not paused: {}", trouble.message);
        }
    });
}

/// Whether somebody shows tray icons: the `StatusNotifierItem` specification's watcher, with a host.
#[cfg(target_os = "linux")]
fn host_is_there() -> bool {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let asked = zbus::blocking::Connection::session().and_then(|bus| {
        let proxy = zbus::blocking::Proxy::new(&bus, WATCHER, "/StatusNotifierWatcher", WATCHER)?;
        proxy.get_property::<bool>("IsStatusNotifierHostRegistered")
    });
    asked.unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
const fn host_is_there() -> bool {
    true
}
