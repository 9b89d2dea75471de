//! The connect UI at `http://localhost:5173`: Truto's Link SDK takes an iframe's messages from that origin (contract section 2.1).
//!
//! It is off unless the person switches it on, and serves the connect UI alone.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use relink_contract::link::LinkSettings;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    bind::{PortProblem, bind},
    connection_threads::ConnectionThreads,
    listener::{Entrance, Listener},
    peer::Peer,
    server::{self, Answers, Bounds},
};

const PORT: u16 = 5173;
/// The origin of its pages.
pub(crate) const ORIGIN: &str = "http://localhost:5173";
/// The delay before a port that was taken is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// How long a change of the setting waits to see its effect.
const EFFECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of the second listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    wanted: bool,
    problem: Option<PortProblem>,
}

/// A handle on the second listener. Clones share the same state.
#[derive(Debug, Clone)]
pub struct SecondListener {
    state: watch::Sender<State>,
    /// Whatever the setting says: the command line asked for it.
    always: bool,
}

impl SecondListener {
    pub(crate) fn new(always: bool) -> Self {
        Self { state: watch::Sender::default(), always }
    }

    fn is_wanted(&self, settings: &LinkSettings) -> bool {
        self.always || settings.also_listen
    }

    /// Why it doesn't listen, although these settings or the command line want it. Waits until a change has taken effect.
    pub async fn problem(&self, settings: &LinkSettings) -> Option<String> {
        let wanted = self.is_wanted(settings);
        let mut state = self.state.subscribe();
        let settled = tokio::time::timeout(EFFECT_TIMEOUT, state.wait_for(|state| state.wanted == wanted));
        let problem = settled.await.ok()?.ok()?.problem.clone()?;
        Some(format!("{problem} Stop it, and Relink takes the port within seconds. Nothing else is affected."))
    }

    /// Listens while it is wanted. A port that is taken is tried again.
    pub(crate) async fn run(
        self,
        mut settings: watch::Receiver<LinkSettings>,
        threads: ConnectionThreads,
        service: impl Answers,
        stopping: CancellationToken,
    ) {
        while !stopping.is_cancelled() {
            let wanted = self.is_wanted(&settings.borrow_and_update());
            let bound = if wanted { Some(bind_both().await) } else { None };
            let (listeners, problem) = match bound {
                Some(Ok(listeners)) => (listeners, None),
                Some(Err(problem)) => (Vec::new(), Some(problem)),
                None => (Vec::new(), None),
            };
            let state = State { wanted, problem };
            if *self.state.borrow() != state {
                match &state {
                    State { problem: Some(problem), .. } => {
                        tracing::warn!("the connect UI isn't at {ORIGIN}: {problem}");
                    }
                    State { wanted: true, .. } => {
                        tracing::info!("the connect UI is at {ORIGIN}, too");
                    }
                    State { .. } => {
                        tracing::info!("the connect UI is no longer at {ORIGIN}");
                    }
                }
                self.state.send_replace(state);
            }
            let retries = wanted && listeners.is_empty();
            let stop = stopping.child_token();
            let mut servers: JoinSet<()> = listeners
                .into_iter()
                .map(|listener| {
                    let (threads, service) = (threads.clone(), service.clone());
                    server::run(listener, threads, service, stop.clone(), Bounds::of_few_clients())
                })
                .collect();
            tokio::select! {
                () = stopping.cancelled() => {}
                changed = settings.wait_for(|settings| self.is_wanted(settings) != wanted) => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(RETRY_DELAY), if retries => {}
            }
            stop.cancel();
            while servers.join_next().await.is_some() {}
        }
    }
}

/// Listens on both loopback addresses, as far as the machine has them.
async fn bind_both() -> Result<Vec<AtLocalhost>, PortProblem> {
    let (ipv4, _) = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))).await?;
    // Browsers try `::1` first: another program there would get the page's requests.
    match bind(SocketAddr::from((Ipv6Addr::LOCALHOST, PORT))).await {
        Ok((ipv6, _)) => Ok(vec![AtLocalhost(ipv4), AtLocalhost(ipv6)]),
        Err(PortProblem::Refused { .. }) => Ok(vec![AtLocalhost(ipv4)]),
        Err(taken) => Err(taken),
    }
}

struct AtLocalhost(TcpListener);

impl Listener for AtLocalhost {
    type Accepted = <TcpListener as Listener>::Accepted;
    type Stream = TcpStream;
    const ENTRANCE: Entrance = Entrance::SecondListener;

    async fn accept(&self) -> io::Result<Self::Accepted> {
        Listener::accept(&self.0).await
    }

    async fn open(accepted: Self::Accepted) -> io::Result<(TcpStream, Peer)> {
        <TcpListener as Listener>::open(accepted).await
    }
}
