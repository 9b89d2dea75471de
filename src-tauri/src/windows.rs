//! The app's windows: the main one, which may call commands, and the connect UI's, which may call none.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use relink_contract::window::{Appearance, Destination, SHOW_EVENT};
use tauri::{
    AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, async_runtime,
    webview::NewWindowResponse, window::Color,
};
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};
use tauri_plugin_opener::OpenerExt;

use crate::{app, concealment::set_concealed, is_running, web_data};

/// The label of the main window, to which the capability is given.
pub(crate) const MAIN: &str = "main";
/// The label of the connect UI's window. No capability names it.
pub(crate) const CONNECT: &str = "connect";
/// The label of the window for a sign-in that has returned and needs an answer, so that it doesn't replace a page in use.
const RETURNED: &str = "returned";

/// Held from looking for a window until it is open, so that it isn't opened twice.
static OPENING: Mutex<()> = Mutex::new(());

/// Opens a window on a thread of its own: on Windows, building one in an event handler deadlocks (see
/// `WebviewWindowBuilder::new` in Tauri's documentation).
fn open_on_thread(handle: &AppHandle, open: impl FnOnce(&AppHandle) -> tauri::Result<()> + Send + 'static) {
    let handle = handle.clone();
    async_runtime::spawn_blocking(move || {
        let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = open(&handle) {
            tracing::error!("the window can't be shown: {error}");
        }
    });
}

/// How long a new window waits for its page's data. Then it is shown as it is.
const READY_TIMEOUT: Duration = Duration::from_secs(3);
/// How long it then waits until its page is painted.
const PAINT_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens the main window, and shows it when its page has its data and is painted: until then, it would be blank. An event handler
/// must call [`show_main`] instead.
pub(crate) fn open_main(handle: &AppHandle) -> tauri::Result<()> {
    let page = app(handle).next_page();
    let appearance = app(handle).current_preferences().appearance;
    let mut builder = WebviewWindowBuilder::new(handle, MAIN, WebviewUrl::App("index.html".into()))
        .title("Relink")
        .inner_size(1120.0, 720.0)
        .min_inner_size(720.0, 480.0)
        .center()
        .data_directory(web_data::folder(handle))
        .visible(false)
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny);
    if let Some(color) = background(appearance) {
        builder = builder.background_color(color);
    }
    let window = builder.build()?;
    // At once, because somebody may ask for the window while its page loads.
    set_concealed(&window, true);
    async_runtime::spawn(async move {
        page.ready.wait(READY_TIMEOUT).await;
        if let Err(error) = bring_to_front(&window) {
            tracing::debug!("the window was closed before it was shown: {error}");
        }
        page.painted.wait(PAINT_TIMEOUT).await;
        set_concealed(&window, false);
    });
    Ok(())
}

/// The page's background (`ui/tokens.css`), which is seen until the page is painted. By default it follows the system.
const fn background(appearance: Appearance) -> Option<Color> {
    match appearance {
        Appearance::System => None,
        Appearance::Light => Some(Color(0xf6, 0xf6, 0xf4, 0xff)),
        Appearance::Dark => Some(Color(0x16, 0x16, 0x17, 0xff)),
    }
}

/// Whether a URL leads to the page that is compiled in.
fn is_own_page(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => true,
        // The page's origin on Windows.
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

/// Brings the main window to the front; opens it if it is closed.
pub(crate) fn show_main(handle: &AppHandle) {
    if is_running(handle) {
        open_on_thread(handle, |handle| match handle.get_webview_window(MAIN) {
            Some(window) => bring_to_front(&window),
            None => open_main(handle),
        });
    }
}

fn bring_to_front(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus())
}

/// Brings the main window to the front, at this destination.
pub(crate) fn show_main_at(handle: &AppHandle, destination: Destination) {
    if !is_running(handle) {
        return;
    }
    open_on_thread(handle, move |handle| {
        if let Some(window) = handle.get_webview_window(MAIN) {
            bring_to_front(&window)?;
            return handle.emit_to(MAIN, SHOW_EVENT, destination);
        }
        // The page isn't loaded yet. It reads the destination when it is.
        app(handle).set_initial_destination(destination);
        open_main(handle)
    });
}

/// Brings the connect window to the front, if it is open: a sign-in has returned to it.
pub(crate) fn focus_connect(handle: &AppHandle) {
    focus(handle, CONNECT);
}

/// Brings the main window to the front, if it is open: a sign-in has ended.
pub(crate) fn focus_main(handle: &AppHandle) {
    focus(handle, MAIN);
}

fn focus(handle: &AppHandle, label: &str) {
    if let Some(window) = handle.get_webview_window(label)
        && let Err(error) = bring_to_front(&window)
    {
        tracing::debug!("the {label} window could not be brought to the front: {error}");
    }
}

/// The connect UI opens the provider's page after a response from Relink, which WebKit blocks as a pop-up. A navigation isn't
/// blocked: it is cancelled, and its URL is opened in the browser.
///
/// A page that is done asks for the closing of its window by a navigation, too: it may call no commands.
const NAVIGATION_BRIDGE: &str = "window.open = (url) => (window.location.assign(url), null);
    window.closeRelinkWindow = () => window.location.assign('/connect-account/close');";
/// The path of that navigation. Nothing is there.
const CLOSE_PATH: &str = "/connect-account/close";

/// Opens the connect UI, which the local API serves, in a window of its own. Must not be called from an event handler: see
/// [`open_on_thread`].
pub(crate) fn open_connect(handle: &AppHandle, link: &Url) -> tauri::Result<()> {
    let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let label = if link.path() == "/connect-account/return" { RETURNED } else { CONNECT };
    if let Some(open) = handle.get_webview_window(label) {
        open.navigate(link.clone())?;
        open.show()?;
        return open.set_focus();
    }
    let origin = link.origin();
    let (navigating, opening) = (handle.clone(), handle.clone());
    let window = WebviewWindowBuilder::new(handle, label, WebviewUrl::External(link.clone()))
        .title("Connect – Relink")
        .inner_size(560.0, 720.0)
        .min_inner_size(420.0, 480.0)
        .center()
        .data_directory(web_data::folder(handle))
        .initialization_script(NAVIGATION_BRIDGE)
        // The provider's page opens in the user's own browser (RFC 8252 §6), where they may be signed in already.
        .on_navigation(move |url| {
            if url.origin() != origin {
                open_or_report(&navigating, url.clone());
                return false;
            }
            if url.path() == CLOSE_PATH {
                close(&navigating, label);
                return false;
            }
            true
        })
        .on_new_window(move |url, _| {
            open_or_report(&opening, url);
            NewWindowResponse::Deny
        })
        .build()?;
    window.set_focus()
}

/// Closes a window of the connect UI, which is done, and brings the main one to the front.
fn close(handle: &AppHandle, label: &'static str) {
    let handle = handle.clone();
    async_runtime::spawn(async move {
        if let Some(Err(error)) = handle.get_webview_window(label).map(|window| window.close()) {
            tracing::debug!("the {label} window could not be closed: {error}");
        }
        focus_main(&handle);
    });
}

/// Why a URL was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error("The URL is neither https nor on this machine.")]
    Refused,
    #[error("The browser couldn’t be opened ({0}).")]
    Failed(String),
}

/// Opens a URL in the user's browser, if it is https, or http on this machine.
pub(crate) async fn open_in_browser(handle: &AppHandle, url: &Url) -> Result<(), NotOpened> {
    if !may_be_opened(url) {
        tracing::warn!("a URL was not opened: it is neither https nor on this machine");
        return Err(NotOpened::Refused);
    }
    let (handle, url) = (handle.clone(), url.clone());
    // The plugin blocks briefly, until it knows whether the system's launcher failed.
    let opened = async_runtime::spawn_blocking(move || handle.opener().open_url(url.as_str(), None::<&str>)).await;
    let failed = match opened {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!("the browser could not be opened: {failed}");
    Err(NotOpened::Failed(failed))
}

/// Opens a URL for the connect window. Its page can't detect a failure, so a dialog reports it.
fn open_or_report(handle: &AppHandle, url: Url) {
    let handle = handle.clone();
    async_runtime::spawn(async move {
        if let Err(failed @ NotOpened::Failed(_)) = open_in_browser(&handle, &url).await {
            let dialog = handle.dialog().message(failed.to_string()).title("The sign-in page can’t be shown");
            let dialog = dialog.kind(MessageDialogKind::Error);
            let dialog = match handle.get_webview_window(CONNECT) {
                Some(window) => dialog.parent(&window),
                None => dialog,
            };
            dialog.show(|_| ());
        }
    });
}

/// Checks a URL by its origin and path. The query may contain anything.
fn may_be_opened(url: &Url) -> bool {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    relink_domain::integration::WebUrl::parse(bare.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn the_browser_opens_only_web_urls() {
        for good in ["https://github.com/login/oauth/authorize?state=a b", "http://127.0.0.1:7418/authorize?x={{y}}"] {
            assert!(may_be_opened(&url(good)), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "http://example.com/",
            "https://user:pass@example.com/",
            "https://169.254.169.254/latest",
            "app.relink.desktop:/oauth/callback/x",
            "ssh://example.com",
        ] {
            assert!(!may_be_opened(&url(bad)), "{bad}");
        }
    }

    #[test]
    fn the_main_window_stays_on_its_own_page() {
        assert!(is_own_page(&url("tauri://localhost/index.html")));
        for elsewhere in ["https://example.com/", "http://127.0.0.1:7417/connect-account", "file:///etc/passwd"] {
            assert!(!is_own_page(&url(elsewhere)), "{elsewhere}");
        }
    }
}
