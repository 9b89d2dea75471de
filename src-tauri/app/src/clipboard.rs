//! The clipboard. Every program of the user can read it, so secrets don't stay there.

use std::{sync::Arc, time::Duration};

use relink_contract::window::ErrorView;
use relink_domain::Secret;

use crate::{App, Desktop, Result, error::desktop_error, lock};

/// How long a copied secret stays in the clipboard.
const SECRET_LIFETIME: Duration = Duration::from_mins(1);

impl App {
    pub(crate) fn copy_to_clipboard(&self, text: &Secret) -> Result<()> {
        self.0.desktop.copy_to_clipboard(text).map_err(|reason| desktop_error("clipboard", &reason))
    }

    /// Copies a secret. After a minute, the clipboard is cleared if the secret is still there.
    pub(crate) fn copy_secret(&self, secret: &Secret) -> Result<()> {
        self.copy_to_clipboard(secret)?;
        *lock(&self.0.copied_secret) = Some(secret.clone());
        let (app, secret) = (self.clone(), secret.clone());
        tokio::spawn(async move {
            tokio::time::sleep(SECRET_LIFETIME).await;
            let desktop = Arc::clone(&app.0.desktop);
            let cleared = secret.clone();
            // Another program may have the clipboard, and take its time.
            let _ = tokio::task::spawn_blocking(move || clear(&*desktop, &cleared)).await;
            lock(&app.0.copied_secret).take_if(|copied| *copied == secret);
        });
        Ok(())
    }

    /// Clears the clipboard if a secret that was copied in the last minute is still there. Blocks; call it before the app exits.
    pub fn clear_copied_secret(&self) {
        if let Some(secret) = lock(&self.0.copied_secret).take() {
            clear(&*self.0.desktop, &secret);
        }
    }

    /// Copies a secret that was just created and can't be read again. If that fails, undoes the creation, because the secret
    /// could never be used. `title` is the title of that error.
    pub(crate) async fn copy_or_undo(
        &self,
        secret: &Secret,
        title: &str,
        undo: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let Err(error) = self.copy_secret(secret) else { return Ok(()) };
        undo.await?;
        let message = format!("Its secret can only be copied once, and copying failed: {}", error.message);
        Err(ErrorView { title: title.to_owned(), message, ..error })
    }
}

fn clear(desktop: &dyn Desktop, secret: &Secret) {
    if let Err(reason) = desktop.clear_clipboard_of(secret) {
        tracing::warn!("a copied secret could not be removed from the clipboard: {reason}");
    }
}
