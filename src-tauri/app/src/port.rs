//! The API's port. While another program uses it, the API and the connect pages are off, and the window says so.

use std::sync::Arc;

use relink_api::{ApiPort, PORT, PortProblem};
use relink_contract::window::{Change, ErrorView};

use crate::{App, Result};

impl App {
    /// Where browsers reach the API. An error, for the place where the person asked for a page, while they don't.
    pub fn open_base_url(&self) -> Result<Arc<str>> {
        let state = self.api_port().state();
        match state.problem {
            None => Ok(state.base_url),
            Some(problem) => Err(port_error(&problem)),
        }
    }

    /// Where the API listens, or would if no other program did.
    pub(crate) fn base_url(&self) -> Arc<str> {
        self.api_port().base_url()
    }

    pub(crate) fn api_port(&self) -> &ApiPort {
        &self.0.runtime_info.api_port
    }

    /// Tries the preferred port at once, if the API doesn't listen yet.
    pub(crate) fn choose_port(&self, preferred: Option<u16>) {
        self.api_port().choose(preferred.unwrap_or(PORT));
    }

    pub(crate) async fn publish_port_changes(self) {
        let mut changes = self.api_port().changes();
        while changes.changed().await.is_ok() {
            self.publish(Change::Overview);
        }
    }
}

fn port_error(problem: &PortProblem) -> ErrorView {
    ErrorView {
        code: "port_taken".to_owned(),
        title: "The connect pages are off".to_owned(),
        message: problem.to_string(),
        hint: Some("Free the port, or choose another one in Settings.".to_owned()),
        field: None,
    }
}
