//! The deep link: the system delivers the provider's redirect as a URL of Relink's own scheme.
//!
//! **Invariant:** a callback is accepted only from a start with exactly one argument. A URL that is not the callback of a
//! flow in progress changes nothing.

use std::{fs, path::Path, sync::Mutex, time::Duration};

use relink_api::RedirectTest;
use relink_domain::Secret;
use tauri::{AppHandle, Manager, Url, async_runtime};
use tauri_plugin_deep_link::DeepLinkExt;
use tokio::sync::oneshot;

use crate::{HIDDEN, app, windows};

const SCHEME: &str = "app.relink.desktop";
/// How long the test's redirect may take: the browser may have to start, and to ask the user first.
const TEST_TIMEOUT: Duration = Duration::from_mins(1);

/// The test in progress: the URL that it waits for, and what to notify.
#[derive(Default)]
struct PendingRedirectTest(Mutex<Option<(String, oneshot::Sender<()>)>>);

/// Receives callbacks from now on, and the one that this program was started with.
pub(crate) fn listen(handle: &AppHandle) {
    handle.manage(PendingRedirectTest::default());
    // Registering runs several programs of the system, so it happens in the background.
    let registering = handle.clone();
    async_runtime::spawn_blocking(move || register(&registering));
    let links = handle.deep_link();
    let listening = handle.clone();
    links.on_open_url(move |event| {
        // On Linux and Windows the plugin reports only a lone argument; macOS may report several URLs at once.
        if let [url] = event.urls().as_slice() {
            receive(&listening, url.as_str());
        }
    });
    match links.get_current() {
        Ok(Some(urls)) => {
            if let [url] = urls.as_slice() {
                receive(handle, url.as_str());
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!("the URL that Relink was started with can't be read: {error}"),
    }
}

/// Registers a Relink that runs from a build folder. An installed one was registered by its package.
fn register(handle: &AppHandle) {
    let Ok(program) = std::env::current_exe() else { return };
    let links = handle.deep_link();
    let registered = if program.starts_with("/usr") {
        if !is_overridden(handle, &program) {
            return;
        }
        links.unregister(SCHEME)
    } else if cfg!(any(target_os = "linux", windows)) {
        links.register_all()
    } else {
        return;
    };
    if let Err(error) = registered {
        tracing::warn!("the deep link could not be registered; sign-ins can use the loopback redirect URI: {error}");
    }
}

/// Whether the user has a desktop entry, left by a run from a build folder, that opens another program than the installed one.
/// The plugin names the entry after the program.
fn is_overridden(handle: &AppHandle, program: &Path) -> bool {
    let Some(name) = program.file_name().map(|name| format!("{}-handler.desktop", name.to_string_lossy())) else {
        return false;
    };
    let entry =
        handle.path().data_dir().and_then(|folder| Ok(fs::read_to_string(folder.join("applications").join(name))?));
    entry.is_ok_and(|entry| opens_another_program(&entry, program))
}

fn opens_another_program(entry: &str, program: &Path) -> bool {
    let exec = format!("Exec=\"{}\" %u", program.display());
    let mut lines = entry.lines();
    lines.clone().any(|line| line.starts_with("Exec=")) && !lines.any(|line| line == exec)
}

fn receive(handle: &AppHandle, url: &str) {
    if completes_test(handle, url) {
        return;
    }
    let (handle, url) = (handle.clone(), url.to_owned());
    async_runtime::spawn(async move {
        match app(&handle).callback(&url).await {
            // The browser still has the focus.
            Ok(None) => windows::focus_connect(&handle),
            Ok(Some(page)) => confirm(&handle, &page),
            // The URL is not logged, because it may hold an authorization code.
            Err(error) => tracing::info!(code = error.code, "a callback was refused: {}", error.message),
        }
    });
}

/// Opens the page on which the person confirms for whom they signed in.
fn confirm(handle: &AppHandle, page: &Secret) {
    let opened = Url::parse(page.expose()).map(|page| windows::open_connect(handle, &page));
    if !matches!(opened, Ok(Ok(()))) {
        tracing::error!("the window that asks to confirm the sign-in can't be shown");
    }
}

fn completes_test(handle: &AppHandle, url: &str) -> bool {
    let Some(pending) = handle.try_state::<PendingRedirectTest>() else { return false };
    let Ok(mut pending) = pending.0.lock() else { return false };
    match pending.take() {
        Some((expected, arrived)) if expected == url => {
            // It fails if the test has timed out.
            let _ = arrived.send(());
            true
        }
        other => {
            *pending = other;
            false
        }
    }
}

/// Handles a second start of the program: it brings this one's window to the front, unless it delivers a callback, which the
/// deep-link plugin has taken, or is the hidden start at login.
pub(crate) fn second_start(handle: &AppHandle, arguments: &[String]) {
    let delivers_callback = matches!(arguments, [_, only] if only.starts_with(&format!("{SCHEME}:")));
    let is_hidden = arguments.iter().skip(1).any(|argument| argument == HIDDEN);
    if !delivers_callback && !is_hidden {
        windows::show_main(handle);
    }
}

/// Tests the redirect of a sign-in: opens a page in the browser that redirects to a deep link, and waits for the system to
/// deliver that.
pub(crate) async fn test(handle: &AppHandle) -> Result<String, String> {
    let test = handle.state::<RedirectTest>().begin(SCHEME).ok_or("The system’s random number generator failed.")?;
    let base_url = app(handle).open_base_url().map_err(|error| error.message)?;
    let page = Url::parse(&format!("{base_url}{}", test.page)).map_err(|error| error.to_string())?;
    let (arrived, arrival) = oneshot::channel();
    if let Ok(mut pending) = handle.state::<PendingRedirectTest>().0.lock() {
        *pending = Some((test.deep_link, arrived));
    }
    windows::open_in_browser(handle, &page).await.map_err(|error| error.to_string())?;
    match tokio::time::timeout(TEST_TIMEOUT, arrival).await {
        Ok(Ok(())) => {
            Ok("It works: your browser returned to Relink.".to_owned())
        }
        _ => Err("Your browser didn’t return to Relink. You can still sign in: the connect page offers other ways to finish."
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desktop_entry_of_another_program_is_recognized() {
        let entry = |program: &str| format!("[Desktop Entry]\nExec=\"{program}\" %u\nMimeType=x-scheme-handler/x;\n");
        let installed = Path::new("/usr/bin/relink-desktop");
        assert!(opens_another_program(&entry("/home/ada/relink/target/debug/relink-desktop"), installed));
        assert!(!opens_another_program(&entry("/usr/bin/relink-desktop"), installed));
        assert!(!opens_another_program("", installed), "there is no entry");
    }
}
