//! The API's TCP port. If another program uses it, the API doesn't move to another one: programs would send their tokens to
//! whoever has the port that they know.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch};

use crate::{
    bind::{PortProblem, bind},
    second_listener::SecondListener,
};

/// The API's default port.
pub const PORT: u16 = 7417;
/// The delay before a port that was taken is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Where the API listens, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortState {
    pub port: u16,
    /// The base URL, without a trailing slash.
    pub base_url: Arc<str>,
    /// Why it doesn't listen there; `None` while it does.
    pub problem: Option<PortProblem>,
}

impl PortState {
    fn new(port: u16, problem: Option<PortProblem>) -> Self {
        Self { port, base_url: format!("http://127.0.0.1:{port}").into(), problem }
    }
}

/// A handle on the API's port. Clones share the same state.
#[derive(Debug, Clone)]
pub struct ApiPort {
    state: watch::Sender<PortState>,
    /// The port to try next.
    wanted: watch::Sender<u16>,
    second_listener: SecondListener,
}

impl ApiPort {
    pub(crate) fn new(port: u16, problem: Option<PortProblem>) -> Self {
        let state = watch::Sender::new(PortState::new(port, problem));
        Self { state, wanted: watch::Sender::new(port), second_listener: SecondListener::new(false) }
    }

    pub(crate) fn with_second_listener(self, second_listener: SecondListener) -> Self {
        Self { second_listener, ..self }
    }

    /// Where the connect UI is besides.
    pub const fn second_listener(&self) -> &SecondListener {
        &self.second_listener
    }

    pub fn state(&self) -> PortState {
        self.state.borrow().clone()
    }

    /// The base URL, without a trailing slash.
    pub fn base_url(&self) -> Arc<str> {
        Arc::clone(&self.state.borrow().base_url)
    }

    pub fn changes(&self) -> watch::Receiver<PortState> {
        self.state.subscribe()
    }

    /// Tries this port at once and from now on, if the API doesn't listen yet. Otherwise nothing changes until the next start.
    pub fn choose(&self, port: u16) {
        self.wanted.send_replace(port);
    }

    /// Waits until the API's port, or another one that is chosen meanwhile, is free. Calls `changed` before each change is announced.
    pub(crate) async fn wait_until_free(&self, changed: impl Fn(&PortState)) -> TcpListener {
        let mut wanted = self.wanted.subscribe();
        loop {
            tokio::select! {
                // `self` has the sender, so it never ends.
                _ = wanted.changed() => {}
                () = tokio::time::sleep(RETRY_DELAY) => {}
            }
            let port = *wanted.borrow_and_update();
            let (state, listener) = match bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
                Ok((listener, port)) => (PortState::new(port, None), Some(listener)),
                Err(problem) => (PortState::new(port, Some(problem)), None),
            };
            // Nothing else changes it.
            if *self.state.borrow() != state {
                changed(&state);
                self.state.send_replace(state.clone());
            }
            if let Some(listener) = listener {
                tracing::info!("the API now listens at {}", state.base_url);
                return listener;
            }
        }
    }
}
