//! Whether the main window's page is ready to be shown. Until then its window stays hidden: it would be black.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{App, Result};

/// Waits for the page of a window that is about to be opened.
#[derive(Debug)]
pub struct PageReady(watch::Receiver<u64>);

impl PageReady {
    /// Returns when the page is ready, at the latest after this time: a page that is broken must be seen, too.
    pub async fn wait(mut self, at_most: Duration) {
        // Both a timeout and the end of the app end the wait.
        let _ = timeout(at_most, self.0.changed()).await;
    }
}

impl App {
    /// Must be called before the window is opened.
    pub fn next_page(&self) -> PageReady {
        PageReady(self.0.ready_pages.subscribe())
    }

    pub fn page_ready(&self) -> Ready<Result<()>> {
        self.0.ready_pages.send_modify(|count| *count += 1);
        ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_window_is_shown_when_its_page_is_ready_or_after_a_while() {
        let pages = watch::Sender::new(0_u64);
        pages.send_modify(|count| *count += 1);
        let next = PageReady(pages.subscribe());
        // The page of an earlier window doesn't count.
        let mut waiting = Box::pin(next.wait(Duration::MAX));
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        pages.send_modify(|count| *count += 1);
        waiting.await;

        PageReady(pages.subscribe()).wait(Duration::ZERO).await;
    }
}
