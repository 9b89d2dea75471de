//! The app's windows: the main one, with its commands, and the connect UI's, without any.

use std::sync::Mutex;

use relink_desk::types::Show;
use tauri::{AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindowBuilder, webview::NewWindowResponse};
use tauri_plugin_opener::OpenerExt;

use crate::core;

/// The main window's label; the one to which the capability is given.
pub(crate) const MAIN: &str = "main";
/// The connect UI's label. No capability names it.
pub(crate) const CONNECT: &str = "connect";

/// Opens the main window.
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
    if !core::runs(app) {
        return;
    }
    let shown = match app.get_webview_window(MAIN) {
        Some(window) => window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus()),
        None => open_main(app),
    };
    if let Err(error) = shown {
        tracing::error!("the window can't be shown: {error}");
    }
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
    if app.get_webview_window(MAIN).is_none() {
        app.state::<Arrival>().set(place);
        return show_main(app);
    }
    show_main(app);
    if let Err(error) = app.emit_to(MAIN, "show", place) {
        tracing::warn!("the window was not sent there: {error}");
    }
}

/// The connect UI opens the provider's page when Relink has answered: too late for WebKit, which takes that for a pop-up.
/// Navigated to instead, the address is handed to the browser, and the page stays.
const OPEN_BY_NAVIGATING: &str = "window.open = (url) => (window.location.assign(url), null);";

/// Opens the connect UI in a window of its own: a page of the local API, without any command.
pub(crate) fn open_connect(app: &AppHandle, link: &Url) -> tauri::Result<()> {
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
                open_in_browser(&leaver, url);
            }
            stays
        })
        .on_new_window(move |url, _| {
            open_in_browser(&opener, &url);
            NewWindowResponse::Deny
        })
        .build()?;
    window.set_focus()
}

/// Opens an address in the person's browser: https, or http on this machine, and nothing else.
pub(crate) fn open_in_browser(app: &AppHandle, url: &Url) {
    if !may_be_opened(url) {
        tracing::warn!("an address was not opened: it is neither https nor on this machine");
        return;
    }
    if let Err(error) = app.opener().open_url(url.as_str(), None::<&str>) {
        tracing::warn!("the browser could not be opened: {error}");
    }
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
