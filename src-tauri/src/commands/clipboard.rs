//! What goes to the clipboard, without the page.

use relink_app::{Result, types::ErrorView};
use relink_domain::Secret;
use tauri::AppHandle;
use tauri_plugin_clipboard_manager::ClipboardExt;

use super::own;

/// Puts a text into the clipboard.
pub(super) fn copy(app: &AppHandle, text: &Secret) -> Result<()> {
    app.clipboard().write_text(text.expose()).map_err(|error| own("clipboard", &error.to_string()))
}

/// What is shown this once and could not be copied would be lost for good: then it is as if it had never been made.
pub(super) async fn copied_or_undone(
    copied: Result<()>,
    undo: impl Future<Output = Result<()>>,
    title: &str,
) -> Result<()> {
    let Err(trouble) = copied else { return Ok(()) };
    undo.await?;
    let message = format!("Its secret can only be copied once, and copying failed: {}", trouble.message);
    Err(ErrorView { title: title.to_owned(), message, ..trouble })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_could_not_be_copied_is_undone_and_said() {
        let undone = Cell::new(0);
        let undo = || async {
            undone.set(undone.get() + 1);
            Ok(())
        };
        let tried = |copied| tauri::async_runtime::block_on(copied_or_undone(copied, undo(), "It was not created"));
        assert!(tried(Ok(())).is_ok());
        assert_eq!(undone.get(), 0);
        let said = tried(Err(own("clipboard", "no clipboard"))).expect_err("said");
        assert_eq!((undone.get(), said.title.as_str()), (1, "It was not created"));
        assert!(said.message.ends_with("no clipboard"), "{}", said.message);
    }
}
