//! The tray: an icon that says whether somebody is needed, and a menu that leads there. Never the only way in.

#[cfg(target_os = "linux")]
mod host;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use relink_app::{attention::Needs, types::Show};
use relink_domain::AccountId;
use tauri::{
    AppHandle, Manager, Wry, async_runtime,
    image::Image,
    menu::{CheckMenuItem, IsMenuItem, Menu, MenuEvent, MenuItem, PredefinedMenuItem},
    tray::TrayIconBuilder,
};
use tokio::{sync::watch, time::timeout};

use crate::{core::NeedsYou, logic, notify, quit, windows};

const ID: &str = "relink";
/// Accounts that the menu names; the rest are in the window.
const MOST: usize = 8;
const CALM: &[u8] = include_bytes!("../../icons/tray.png");
const ATTENTION: &[u8] = include_bytes!("../../icons/tray-attention.png");

/// At login the panel may come after Relink.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether an icon was put up, and somebody shows it.
#[derive(Debug, Default)]
struct Tray {
    shown: watch::Sender<bool>,
}

/// Puts the icon up as soon as the desktop has a place for it.
pub(crate) fn start(app: &AppHandle) {
    app.manage(Tray::default());
    let app = app.clone();
    follow_host(move |there| {
        let handle = app.clone();
        if let Err(error) = app.run_on_main_thread(move || host_is(&handle, there)) {
            tracing::debug!("the tray was not looked after: {error}");
        }
    });
}

/// Whether there is a tray to stay in.
pub(crate) fn is_there(app: &AppHandle) -> bool {
    app.try_state::<Tray>().is_some_and(|tray| *tray.shown.borrow())
}

/// Whether there is one, or comes soon.
pub(crate) async fn comes(app: &AppHandle) -> bool {
    let mut shown = app.state::<Tray>().shown.subscribe();
    timeout(PATIENCE, shown.wait_for(|shown| *shown)).await.is_ok_and(|shown| shown.is_ok())
}

#[cfg(target_os = "linux")]
use host::follow as follow_host;

/// These systems always have one.
#[cfg(not(target_os = "linux"))]
fn follow_host(says: impl Fn(bool) + Send + 'static) {
    says(true);
}

/// The icon stays up when its host goes: it shows again by itself with the next one.
fn host_is(app: &AppHandle, there: bool) {
    let shown = there && (app.tray_by_id(ID).is_some() || comes_up(app));
    app.state::<Tray>().shown.send_replace(shown);
    logic(app).desktop_is(|desktop| desktop.tray = shown);
}

fn comes_up(app: &AppHandle) -> bool {
    // The library behind it panics where the system's part is missing.
    match catch_unwind(AssertUnwindSafe(|| put_up(app))) {
        Ok(Ok(())) => {
            async_runtime::spawn(follow(app.clone()));
            true
        }
        Ok(Err(error)) => {
            tracing::warn!("the tray icon could not be put up: {error}");
            false
        }
        Err(_) => {
            tracing::warn!("the tray icon could not be put up: the appindicator library is missing");
            false
        }
    }
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
    let mut preferences = logic(&app).follow_preferences();
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
        0 => "All accounts are working".to_owned(),
        1 => "1 account needs attention".to_owned(),
        many => format!("{many} accounts need attention"),
    }
}

fn menu(app: &AppHandle, needs: &[Needs]) -> tauri::Result<Menu<Wry>> {
    let item = |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
    let line = || PredefinedMenuItem::separator(app);
    let paused = logic(app).preferences().notifications_paused;
    let mut items: Vec<Box<dyn IsMenuItem<Wry>>> =
        vec![Box::new(item("headline", &headline(needs.len()), false)?), Box::new(line()?)];
    for one in needs.iter().take(MOST) {
        let verb = if one.reauthorize { "Reauthorize" } else { "Show" };
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
        let logic = logic(&app);
        let mut preferences = logic.preferences();
        preferences.notifications_paused = !preferences.notifications_paused;
        if let Err(trouble) = logic.set_preferences(preferences).await {
            tracing::warn!("notifications were not paused: {}", trouble.message);
        }
    });
}
