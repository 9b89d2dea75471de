//! The deep link: the system hands the provider's redirect over as an address of our scheme.
//!
//! Invariant: of a start's arguments exactly one is read, as a callback. Garbage changes nothing.

use std::{fs, path::Path, sync::Mutex, time::Duration};

use relink_api::ReturnTest;
use tauri::{AppHandle, Manager, Url, async_runtime};
use tauri_plugin_deep_link::DeepLinkExt;
use tokio::sync::oneshot;

use crate::{HIDDEN, logic, windows};

const SCHEME: &str = "app.relink.desktop";
/// How long the way back may take: the browser may have to start, and to ask its person first.
const PATIENCE: Duration = Duration::from_mins(1);

/// A test of the way that is under way: what it waits for, and who waits.
#[derive(Default)]
struct Probe(Mutex<Option<(String, oneshot::Sender<()>)>>);

/// Takes callbacks from now on, and the one that this program was started with.
pub(crate) fn listen(app: &AppHandle) {
    app.manage(Probe::default());
    // The system's own programs do that, one after the other; nothing that the person sees waits for them.
    let registers = app.clone();
    async_runtime::spawn_blocking(move || register(&registers));
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
    let Ok(program) = std::env::current_exe() else { return };
    let links = app.deep_link();
    let done = if program.starts_with("/usr") {
        if !has_left_over(app, &program) {
            return;
        }
        links.unregister(SCHEME)
    } else if cfg!(any(target_os = "linux", windows)) {
        links.register_all()
    } else {
        return;
    };
    if let Err(error) = done {
        tracing::warn!(
            "the deep link could not be registered; sign-ins can come back by the loopback address: {error}"
        );
    }
}

/// Whether a run from a build folder has put itself in the installed one's place: the plugin's entry, by the program's name.
fn has_left_over(app: &AppHandle, program: &Path) -> bool {
    let Some(name) = program.file_name().map(|name| format!("{}-handler.desktop", name.to_string_lossy())) else {
        return false;
    };
    let entry =
        app.path().data_dir().and_then(|folder| Ok(fs::read_to_string(folder.join("applications").join(name))?));
    entry.is_ok_and(|entry| leads_elsewhere(&entry, program))
}

fn leads_elsewhere(entry: &str, program: &Path) -> bool {
    let ours = format!("Exec=\"{}\" %u", program.display());
    let mut lines = entry.lines();
    lines.clone().any(|line| line.starts_with("Exec=")) && !lines.any(|line| line == ours)
}

fn take(app: &AppHandle, url: &str) {
    if is_probe(app, url) {
        return;
    }
    let (app, url) = (app.clone(), url.to_owned());
    async_runtime::spawn(async move {
        match logic(&app).callback(&url).await {
            // The person is in their browser still.
            Ok(()) => windows::focus_connect(&app),
            // The address may hold a code: it is never logged.
            Err(trouble) => tracing::info!(code = trouble.code, "a callback was refused: {}", trouble.message),
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
    // At login, a Relink that runs already has nothing to show.
    let is_hidden = arguments.iter().skip(1).any(|argument| argument == HIDDEN);
    if !brings_callback && !is_hidden {
        windows::show_main(app);
    }
}

/// Walks the way that a sign-in takes back: a page in the person's browser sends it to an address of our scheme, and the system
/// hands that over.
pub(crate) async fn test(app: &AppHandle) -> Result<String, String> {
    let walk = app.state::<ReturnTest>().begin(SCHEME).ok_or("The system’s random number generator failed.")?;
    let page = Url::parse(&format!("{}{}", logic(app).base_url(), walk.page)).map_err(|error| error.to_string())?;
    let (arrived, waits) = oneshot::channel();
    if let Ok(mut probe) = app.state::<Probe>().0.lock() {
        *probe = Some((walk.back, arrived));
    }
    windows::open_in_browser(app, &page).await.map_err(|error| error.to_string())?;
    match tokio::time::timeout(PATIENCE, waits).await {
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
    fn an_entry_that_leads_elsewhere_is_told_from_our_own() {
        let entry = |program: &str| format!("[Desktop Entry]\nExec=\"{program}\" %u\nMimeType=x-scheme-handler/x;\n");
        let installed = Path::new("/usr/bin/relink-desktop");
        assert!(leads_elsewhere(&entry("/home/ada/relink/target/debug/relink-desktop"), installed));
        assert!(!leads_elsewhere(&entry("/usr/bin/relink-desktop"), installed));
        assert!(!leads_elsewhere("", installed), "there is none");
    }
}
