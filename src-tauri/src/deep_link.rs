//! The deep link: the system hands the provider's redirect over as an address of our scheme.
//!
//! Invariant: of a start's arguments exactly one is read, as a callback. Garbage changes nothing.

use std::{sync::Mutex, time::Duration};

use tauri::{AppHandle, Manager, async_runtime};
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_plugin_opener::OpenerExt;
use tokio::sync::oneshot;

use crate::{desk, windows};

const SCHEME: &str = "app.relink.desktop";
/// How long the system may take to hand an address over.
const PATIENCE: Duration = Duration::from_secs(15);

/// A test of the way that is under way: what it waits for, and who waits.
#[derive(Default)]
struct Probe(Mutex<Option<(String, oneshot::Sender<()>)>>);

/// Takes callbacks from now on, and the one that this program was started with.
pub(crate) fn listen(app: &AppHandle) {
    app.manage(Probe::default());
    register(app);
    let links = app.deep_link();
    let handle = app.clone();
    links.on_open_url(move |event| {
        // The plugin gives none but a lone argument on Linux and Windows; macOS may join several.
        if let [url] = event.urls().as_slice() {
            take(&handle, url.as_str());
        }
    });
    match links.get_current() {
        Ok(Some(urls)) => {
            if let [url] = urls.as_slice() {
                take(app, url.as_str());
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!("the address that Relink was started with can't be read: {error}"),
    }
}

/// An installed Relink was registered by its package; one that runs from a build folder registers itself.
fn register(app: &AppHandle) {
    let is_installed = std::env::current_exe().is_ok_and(|program| program.starts_with("/usr"));
    if cfg!(any(target_os = "linux", windows))
        && !is_installed
        && let Err(error) = app.deep_link().register_all()
    {
        tracing::warn!(
            "the deep link could not be registered; sign-ins can come back by the loopback address: {error}"
        );
    }
}

fn take(app: &AppHandle, url: &str) {
    if is_probe(app, url) {
        return;
    }
    let (desk, url) = (desk(app), url.to_owned());
    async_runtime::spawn(async move {
        // The address may hold a code: it is never logged.
        if let Err(trouble) = desk.callback(&url).await {
            tracing::info!(code = trouble.code, "a callback was refused: {}", trouble.message);
        }
    });
}

fn is_probe(app: &AppHandle, url: &str) -> bool {
    let Some(probe) = app.try_state::<Probe>() else { return false };
    let Ok(mut probe) = probe.0.lock() else { return false };
    match probe.take() {
        Some((wanted, arrived)) if wanted == url => {
            // Whoever waited may have given up.
            let _ = arrived.send(());
            true
        }
        other => {
            *probe = other;
            false
        }
    }
}

/// A second start: its address was taken by the deep-link plugin before; without one, the first window comes to the front.
pub(crate) fn second_start(app: &AppHandle, arguments: &[String]) {
    let brings_callback = matches!(arguments, [_, only] if only.starts_with(&format!("{SCHEME}:")));
    if !brings_callback {
        windows::show_main(app);
    }
}

/// Asks the system to open an address of our scheme, as a browser does after a sign-in, and sees whether it comes here.
pub(crate) async fn test(app: &AppHandle) -> Result<String, String> {
    let (arrived, waits) = oneshot::channel();
    let url = format!("{SCHEME}:/oauth/test/{}", desk(app).tomorrow().as_millis());
    if let Ok(mut probe) = app.state::<Probe>().0.lock() {
        *probe = Some((url.clone(), arrived));
    }
    app.opener()
        .open_url(&url, None::<&str>)
        .map_err(|error| format!("The system can’t open Relink’s addresses: {error}"))?;
    match tokio::time::timeout(PATIENCE, waits).await {
        Ok(Ok(())) => {
            Ok("The system handed a test address back to Relink. Sign-ins come back by themselves.".to_owned())
        }
        _ => Err("Nothing came back. Sign-ins still work: the connect page offers the loopback address, or pasting."
            .to_owned()),
    }
}
