//! Environment variables by which web views let other programs inspect and control their pages.

use std::{env, process::Command};

/// `WebKitGTK`'s inspector servers and code that it loads into pages, Tauri's automation, and `WebView2`'s debugging.
const VARIABLES: [&str; 7] = [
    "WEBKIT_INSPECTOR_SERVER",
    "WEBKIT_INSPECTOR_HTTP_SERVER",
    "WEBKIT_INJECTED_BUNDLE_PATH",
    "TAURI_WEBVIEW_AUTOMATION",
    "WEBVIEW2_ADDITIONAL_BROWSER_ARGUMENTS",
    "WEBVIEW2_PIPE_FOR_SCRIPT_DEBUGGER",
    "WEBVIEW2_WAIT_FOR_SCRIPT_DEBUGGER",
];

/// Starts this program anew without those variables, if any is set. Returns only if none is, or if that fails. A process can't
/// safely change its own environment. Debug builds keep the variables, for tests.
pub fn restart_without_it() -> Result<(), String> {
    if cfg!(debug_assertions) {
        return Ok(());
    }
    match command_without(|name| env::var_os(name).is_some()) {
        Some(command) => restart(command?),
        None => Ok(()),
    }
}

fn command_without(is_set: impl Fn(&str) -> bool) -> Option<Result<Command, String>> {
    if !VARIABLES.iter().any(|name| is_set(name)) {
        return None;
    }
    let command = env::current_exe().map_err(|error| error.to_string()).map(|program| {
        let mut command = Command::new(program);
        command.args(env::args_os().skip(1));
        for name in VARIABLES {
            command.env_remove(name);
        }
        command
    });
    Some(command)
}

#[cfg(unix)]
fn restart(mut command: Command) -> Result<(), String> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec().to_string())
}

#[cfg(not(unix))]
fn restart(mut command: Command) -> Result<(), String> {
    let ended = command.status().map_err(|error| error.to_string())?;
    std::process::exit(ended.code().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_leads_to_a_start_without_all_of_them() {
        assert!(command_without(|_| false).is_none());
        assert!(command_without(|name| name == "WEBKIT_DISABLE_COMPOSITING_MODE").is_none());
        for set in VARIABLES {
            let command = command_without(|name| name == set).expect(set).expect("this program has a path");
            let removed: Vec<_> =
                command.get_envs().filter_map(|(name, value)| value.is_none().then_some(name)).collect();
            for name in VARIABLES {
                assert!(removed.iter().any(|removed| *removed == name), "{set}: {name}");
            }
        }
    }
}
