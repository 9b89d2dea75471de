//! Limits on each client's connections and long polls, so that no client blocks another.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use relink_domain::{AccountId, ApiTokenId, FlowId, LinkTokenId, McpTokenId, caller::Caller};

use crate::{connection_threads::CountedConnection, error::ApiError};

/// One client may use half of the connections at a time: a thousand concurrent requests of one program work.
const SHARES: usize = 2;
/// The maximum number of concurrent long polls of one client.
const MAX_LONG_POLLS: usize = 64;
/// `Retry-After` of a refusal, in seconds.
const RETRY_AFTER_SECS: u32 = 1;

/// The client that connections and long polls are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The window or the command line, with the run's own token.
    Person,
    ApiToken(ApiTokenId),
    AccountToken(AccountId),
    McpToken(McpTokenId),
    Link(LinkTokenId),
    /// A page of the connect UI.
    Flow(FlowId),
    Internal,
}

impl Client {
    pub(crate) const fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Person => Self::Person,
            Caller::ApiToken { id, .. } => Self::ApiToken(*id),
            Caller::AccountToken { account_id, .. } => Self::AccountToken(*account_id),
            Caller::McpToken { id, .. } => Self::McpToken(*id),
            Caller::Link { id } => Self::Link(*id),
            Caller::SyncJob { .. } | Caller::Internal => Self::Internal,
        }
    }
}

/// The number of connections and of concurrent long polls of each client.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    max_connections: usize,
    connections: Arc<Counter>,
    long_polls: Arc<Counter>,
}

impl Limits {
    /// The limits of a server with at most `max_connections`.
    pub(crate) fn new(max_connections: usize) -> Self {
        Self { max_connections: max_connections / SHARES, connections: Arc::default(), long_polls: Arc::default() }
    }

    /// Counts a connection for the client that uses it now, until it ends or another client uses it.
    pub(crate) fn use_connection(&self, connection: &Connection, client: Client) -> Result<(), ApiError> {
        let mut user = connection.lock();
        if user.as_ref().is_some_and(|user| user.client == client) {
            return Ok(());
        }
        let ticket = self.connections.take(client, self.max_connections).ok_or_else(|| {
            let message = format!("This client already uses {} connections.", self.max_connections);
            ApiError::too_many_requests("too_many_requests", &message, RETRY_AFTER_SECS)
        })?;
        *user = Some(ticket);
        Ok(())
    }

    /// How many long polls wait now.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.long_polls.lock().values().sum()
    }

    /// Counts a long poll until the ticket is dropped.
    pub(crate) fn long_poll(&self, client: Client) -> Result<Ticket, ApiError> {
        self.long_polls.take(client, MAX_LONG_POLLS).ok_or_else(|| {
            let message = format!("This client already has {MAX_LONG_POLLS} waiting requests.");
            ApiError::too_many_requests("too_many_long_polls", &message, RETRY_AFTER_SECS)
        })
    }
}

/// A program used one of the connections that are reserved for sign-ins (see `server`).
pub(crate) fn too_many_connections() -> ApiError {
    let message = "Too many connections are open. The remaining ones are reserved for sign-ins.";
    ApiError::too_many_requests("too_many_connections", message, RETRY_AFTER_SECS)
}

/// A connection, for as long as it lasts: also when it has changed to another protocol.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// For the client that it is counted for: none before the first accepted request.
    ticket: Mutex<Option<Ticket>>,
    _on_thread: CountedConnection,
}

impl Connection {
    pub(crate) fn new(on_thread: CountedConnection) -> Self {
        Self(Arc::new(Counted { ticket: Mutex::default(), _on_thread: on_thread }))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ticket>> {
        self.0.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Counter(Mutex<HashMap<Client, usize>>);

impl Counter {
    fn take(self: &Arc<Self>, client: Client, max: usize) -> Option<Ticket> {
        let mut counts = self.lock();
        let count = counts.entry(client).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Ticket { counter: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection or long poll of a client.
#[derive(Debug)]
pub(crate) struct Ticket {
    counter: Arc<Counter>,
    client: Client,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.counter.lock().entry(self.client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use relink_domain::caller::TokenLevel;

    use super::*;

    #[test]
    fn a_client_at_its_limit_is_refused_and_others_are_not() {
        let limits = Limits::new(2048);
        let flow = Client::Flow(FlowId::from_uuid(uuid::Uuid::nil()));
        let mut tickets: Vec<_> =
            (0..MAX_LONG_POLLS).map(|_| limits.long_poll(Client::Person).expect("room")).collect();
        limits.long_poll(Client::Person).expect_err("at its limit");
        limits.long_poll(flow).expect("another client");
        limits.use_connection(&Connection::default(), Client::Person).expect("an ordinary request");
        tickets.pop();
        limits.long_poll(Client::Person).expect("a place came free");
        drop(tickets);
        assert!(limits.long_polls.lock().is_empty(), "clients without requests are forgotten");
    }

    #[test]
    fn each_caller_is_a_client_of_its_own() {
        let id = uuid::Uuid::nil();
        let account_id = AccountId::from_uuid(id);
        let callers = [
            Caller::Person,
            Caller::api_token(ApiTokenId::from_uuid(id), "my-agent", TokenLevel::Program),
            Caller::AccountToken { account_id, grant: std::sync::Arc::default() },
            Caller::McpToken { id: McpTokenId::from_uuid(id), name: String::new(), account_id },
            Caller::Link { id: LinkTokenId::from_uuid(id) },
            Caller::Internal,
        ];
        let clients: HashSet<_> = callers.iter().map(Client::of).collect();
        assert_eq!(clients.len(), callers.len(), "{clients:?}");
    }

    #[test]
    fn a_client_has_a_share_of_the_connections_and_no_more() {
        let limits = Limits::new(8);
        let flow = Client::Flow(FlowId::from_uuid(uuid::Uuid::nil()));
        let mut connections: Vec<_> = (0..4).map(|_| Connection::default()).collect();
        for connection in &connections {
            limits.use_connection(connection, Client::Person).expect("room");
        }
        let fifth = Connection::default();
        limits.use_connection(&fifth, Client::Person).expect_err("at its limit");
        limits.use_connection(&connections[0], Client::Person).expect("a connection it has");
        limits.use_connection(&fifth, flow).expect("another client");
        connections.pop();
        limits.use_connection(&Connection::default(), Client::Person).expect("one was closed");
    }

    #[test]
    fn a_connection_counts_for_the_client_that_uses_it_now() {
        let limits = Limits::new(2);
        let flow = Client::Flow(FlowId::from_uuid(uuid::Uuid::nil()));
        let shared = Connection::default();
        limits.use_connection(&shared, Client::Person).expect("room");
        limits.use_connection(&shared, flow).expect("room");
        limits.use_connection(&Connection::default(), flow).expect_err("at its limit");
        limits.use_connection(&Connection::default(), Client::Person).expect("it uses none any more");
        drop(shared);
        assert!(limits.connections.lock().is_empty(), "clients without connections are forgotten");
    }
}
