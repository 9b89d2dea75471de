//! The app's windows: the main one, with its commands, and the connect UI's, without any.

use std::sync::{Mutex, PoisonError};

use relink_app::types::Show;
use tauri::{
    AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, async_runtime,
    webview::NewWindowResponse,
};
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};
use tauri_plugin_opener::OpenerExt;

use crate::core;

/// The main window's label; the one to which the capability is given.
pub(crate) const MAIN: &str = "main";
/// The connect UI's label. No capability names it.
pub(crate) const CONNECT: &str = "connect";

/// Two that open the same window at once would open it twice.
static OPENING: Mutex<()> = Mutex::new(());

/// Does this on a thread of its own: on Windows a window that is built in an event handler waits for itself for ever
/// (tauri, `WebviewWindowBuilder::new`).
fn off_the_main_thread(app: &AppHandle, opens: impl FnOnce(&AppHandle) -> tauri::Result<()> + Send + 'static) {
    let app = app.clone();
    async_runtime::spawn_blocking(move || {
        let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = opens(&app) {
            tracing::error!("the window can't be shown: {error}");
        }
    });
}

/// Opens the main window. Not from an event handler: see [`show_main`].
pub(crate) fn open_main(app: &AppHandle) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App("index.html".into()))
        .title("Relink")
        .inner_size(1120.0, 720.0)
        .min_inner_size(720.0, 480.0)
        .center()
        .on_navigation(is_our_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    window.set_focus()
}

/// The page that is compiled in, and nothing else.
fn is_our_own_page(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => true,
        // Windows serves it so.
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

/// Brings the main window to the front; opens it if it is closed.
pub(crate) fn show_main(app: &AppHandle) {
    if core::runs(app) {
        off_the_main_thread(app, |app| match app.get_webview_window(MAIN) {
            Some(window) => to_front(&window),
            None => open_main(app),
        });
    }
}

fn to_front(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus())
}

/// Where a window that is being opened should go, until its page asks.
#[derive(Debug, Default)]
pub(crate) struct Arrival(Mutex<Option<Show>>);

impl Arrival {
    /// Where to; asked once.
    pub(crate) fn take(&self) -> Option<Show> {
        self.0.lock().ok().and_then(|mut place| place.take())
    }

    fn set(&self, place: Show) {
        if let Ok(mut waiting) = self.0.lock() {
            *waiting = Some(place);
        }
    }
}

/// Brings the main window to the front, and sends it somewhere.
pub(crate) fn show_main_at(app: &AppHandle, place: Show) {
    if !core::runs(app) {
        return;
    }
    off_the_main_thread(app, move |app| {
        if let Some(window) = app.get_webview_window(MAIN) {
            to_front(&window)?;
            return app.emit_to(MAIN, "show", place);
        }
        app.state::<Arrival>().set(place);
        open_main(app)
    });
}

/// A sign-in has come back: whoever waits for it in the connect window sees it.
pub(crate) fn focus_connect(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(CONNECT)
        && let Err(error) = to_front(&window)
    {
        tracing::debug!("the connect window stays behind: {error}");
    }
}

/// The connect UI opens the provider's page when Relink has answered: too late for WebKit, which takes that for a pop-up.
/// Navigated to instead, the address is handed to the browser, and the page stays.
const OPEN_BY_NAVIGATING: &str = "window.open = (url) => (window.location.assign(url), null);";

/// Opens the connect UI in a window of its own: a page of the local API, without any command. Not from an event handler: see
/// [`show_main`].
pub(crate) fn open_connect(app: &AppHandle, link: &Url) -> tauri::Result<()> {
    let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(open) = app.get_webview_window(CONNECT) {
        open.navigate(link.clone())?;
        open.show()?;
        return open.set_focus();
    }
    let origin = link.origin();
    let (leaver, opener) = (app.clone(), app.clone());
    let window = WebviewWindowBuilder::new(app, CONNECT, WebviewUrl::External(link.clone()))
        .title("Connect – Relink")
        .inner_size(560.0, 720.0)
        .min_inner_size(420.0, 480.0)
        .center()
        .initialization_script(OPEN_BY_NAVIGATING)
        // The provider's page belongs into the person's own browser, where their sessions are (RFC 8252 §6).
        .on_navigation(move |url| {
            let stays = url.origin() == origin;
            if !stays {
                leave_for_browser(&leaver, url.clone());
            }
            stays
        })
        .on_new_window(move |url, _| {
            leave_for_browser(&opener, url);
            NewWindowResponse::Deny
        })
        .build()?;
    window.set_focus()
}

/// Why an address was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    /// It leads where Relink sends nobody.
    #[error("The URL is neither https nor on this machine.")]
    Refused,
    /// The system's part.
    #[error("The browser couldn’t be opened ({0}).")]
    Failed(String),
}

/// Opens an address in the person's browser: https, or http on this machine, and nothing else.
pub(crate) async fn open_in_browser(app: &AppHandle, url: &Url) -> Result<(), NotOpened> {
    if !may_be_opened(url) {
        tracing::warn!("an address was not opened: it is neither https nor on this machine");
        return Err(NotOpened::Refused);
    }
    let (app, url) = (app.clone(), url.clone());
    // It waits a moment to see whether the system's launcher gives up.
    let opened = async_runtime::spawn_blocking(move || app.opener().open_url(url.as_str(), None::<&str>)).await;
    let failed = match opened {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!("the browser could not be opened: {failed}");
    Err(NotOpened::Failed(failed))
}

/// From the connect window, whose page can't be told.
fn leave_for_browser(app: &AppHandle, url: Url) {
    let app = app.clone();
    async_runtime::spawn(async move {
        if let Err(failed @ NotOpened::Failed(_)) = open_in_browser(&app, &url).await {
            let said = app.dialog().message(failed.to_string()).title("The sign-in page can’t be shown");
            let said = said.kind(MessageDialogKind::Error);
            let said = match app.get_webview_window(CONNECT) {
                Some(window) => said.parent(&window),
                None => said,
            };
            said.show(|_| ());
        }
    });
}

/// What decides is where an address leads; its query is the provider's own.
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
        Url::parse(text).expect("an address")
    }

    #[test]
    fn the_browser_is_given_web_addresses_only() {
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
        assert!(is_our_own_page(&url("tauri://localhost/index.html")));
        for elsewhere in ["https://example.com/", "http://127.0.0.1:7417/connect-account", "file:///etc/passwd"] {
            assert!(!is_our_own_page(&url(elsewhere)), "{elsewhere}");
        }
    }
}
