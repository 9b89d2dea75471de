//! Prepares what Tauri compiles into the desktop shell: its configuration, its capabilities and the interface.

use std::{env, error::Error, fs, path::Path};

use tauri_build::{AppManifest, Attributes};

/// The window's commands. Each becomes a permission, `allow-…`, which src-tauri/capabilities gives to the main window alone.
const COMMANDS: &[&str] = &[
    "arrival",
    "overview",
    "accounts",
    "account",
    "health",
    "timeline",
    "check",
    "refresh",
    "rename",
    "delete_account",
    "remind_later",
    "get_connection_link",
    "open_link",
    "copy_link",
    "integrations",
    "install",
    "uninstall",
    "set_client",
    "add_integration",
    "make_integration",
    "webhooks",
    "event_types",
    "add_webhook",
    "remove_webhook",
    "test_webhook",
    "replay_webhook",
    "deliveries",
    "api_tokens",
    "create_api_token",
    "revoke_api_token",
    "preferences",
    "set_preferences",
    "redirect_uris",
    "set_redirect_uris",
    "notices",
    "test_notification",
    "test_sign_in_return",
    "sandbox",
    "rehearse",
    "copy_text",
    "open_data_folder",
    "open_documentation",
];

const INTERFACE: &str = "ui/dist/app";

fn main() -> Result<(), Box<dyn Error>> {
    ensure_interface(Path::new(INTERFACE))?;
    let attributes = Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*.json")
        .app_manifest(AppManifest::new().commands(COMMANDS));
    tauri_build::try_build(attributes)?;
    Ok(())
}

/// Tauri cannot compile without the interface's folder. A debug build of a fresh clone gets a page that says what is
/// missing, so that lints, tests and editors work before npm has run; a release must never ship that page.
fn ensure_interface(folder: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={}", folder.display());
    let page = folder.join("index.html");
    let built = fs::read_to_string(&page).is_ok_and(|html| html != PLACEHOLDER);
    if built {
        return Ok(());
    }
    if env::var("PROFILE").as_deref() == Ok("release") {
        return Err(format!("{INTERFACE} is not built. Run `npm ci && npm run build` in ui/ first.").into());
    }
    if !page.exists() {
        fs::create_dir_all(folder)?;
        fs::write(page, PLACEHOLDER)?;
    }
    Ok(())
}

const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Relink</title>
<p>The interface is not built yet. Run <code>npm ci &amp;&amp; npm run build</code> in <code>ui/</code>, then build again.
";
