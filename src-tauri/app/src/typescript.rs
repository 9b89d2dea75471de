//! The window's types as TypeScript, from the ones here.

use ts_rs::{Config, TS};

use crate::types::{
    Account, Added, ApiToken, Appearance, Changed, Checked, Delivery, Entry, EntryPage, ErrorView, Fact, Health,
    Integration, Keychain, LinkFor, MagicLink, NewIntegration, NewWebhook, NoticeRecord, OpenIn, Overview, Preferences,
    Problem, RedirectUri, Rehearse, SandboxSettings, Show, Webhook,
};

/// The whole of `ui/host/types.ts`.
pub fn typescript() -> String {
    let config = Config::default();
    let mut text = String::from(
        "// Generated from src-tauri/app/src/types.rs by `make types`: don't edit. A test proves that it is current.\n",
    );
    macro_rules! declare {
        ($($name:ident),+ $(,)?) => {$(
            text.push('\n');
            text.push_str(&$name::docs().unwrap_or_default());
            text.push_str("export ");
            text.push_str(&$name::decl(&config));
            text.push('\n');
        )+};
    }
    declare!(
        ErrorView,
        Overview,
        Keychain,
        Account,
        Problem,
        Health,
        Entry,
        EntryPage,
        Fact,
        Checked,
        MagicLink,
        LinkFor,
        OpenIn,
        Integration,
        RedirectUri,
        NewIntegration,
        Added,
        Webhook,
        NewWebhook,
        Delivery,
        ApiToken,
        Appearance,
        Preferences,
        NoticeRecord,
        SandboxSettings,
        Rehearse,
        Changed,
        Show,
    );
    text
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    #[test]
    fn the_windows_types_are_current() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/host/types.ts");
        let text = super::typescript();
        // `make types`
        if env::var_os("RELINK_WRITE_TYPES").is_some() {
            fs::write(&file, &text).expect("written");
        }
        let kept = fs::read_to_string(&file).expect("ui/host/types.ts is there");
        assert!(kept == text, "ui/host/types.ts is out of date: run make types");
    }
}
