//! What the main window's page has reported. Its window is hidden until the page has its data, and transparent until the page
//! is painted: it would be blank.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{App, Result};

/// The reports of the page of a window that is about to be opened.
#[derive(Debug)]
pub struct NextPage {
    /// It has its data.
    pub ready: PageReport,
    /// It is painted, which it can be only while its window is shown.
    pub painted: PageReport,
}

/// Waits for a report.
#[derive(Debug)]
pub struct PageReport(watch::Receiver<u64>);

impl PageReport {
    /// Returns after the report, at the latest after this time: a page that is broken must be seen, too.
    pub async fn wait(mut self, at_most: Duration) {
        // Both a timeout and the end of the app end the wait.
        let _ = timeout(at_most, self.0.changed()).await;
    }
}

/// How many pages have sent each report.
#[derive(Debug, Default)]
pub(crate) struct PageReports {
    ready: watch::Sender<u64>,
    painted: watch::Sender<u64>,
}

impl PageReports {
    fn next(&self) -> NextPage {
        NextPage { ready: PageReport(self.ready.subscribe()), painted: PageReport(self.painted.subscribe()) }
    }
}

impl App {
    /// Must be called before the window is opened.
    pub fn next_page(&self) -> NextPage {
        self.0.page_reports.next()
    }

    pub fn page_ready(&self) -> Ready<Result<()>> {
        self.0.page_reports.ready.send_modify(|count| *count += 1);
        ready(Ok(()))
    }

    pub fn page_painted(&self) -> Ready<Result<()>> {
        self.0.page_reports.painted.send_modify(|count| *count += 1);
        ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_window_waits_for_its_own_page_but_not_for_ever() {
        let reports = PageReports::default();
        reports.ready.send_modify(|count| *count += 1);
        let next = reports.next();
        // The page of an earlier window doesn't count, and neither does the other report.
        let mut waiting = Box::pin(next.ready.wait(Duration::MAX));
        reports.painted.send_modify(|count| *count += 1);
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        reports.ready.send_modify(|count| *count += 1);
        waiting.await;

        reports.next().painted.wait(Duration::ZERO).await;
    }
}
