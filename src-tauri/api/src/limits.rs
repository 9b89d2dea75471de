//! Limits on each client's concurrent requests, so that no client blocks another.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use relink_domain::{AccountId, ApiTokenId, FlowId, LinkTokenId, caller::Caller};

use crate::error::ApiError;

/// One client may use half of the connections at a time: a thousand concurrent requests of one program work. A request occupies
/// its connection until it is answered.
const SHARES: usize = 2;
/// The maximum number of concurrent long polls of one client.
const MAX_LONG_POLLS: usize = 64;
/// `Retry-After` of a refusal, in seconds.
const RETRY_AFTER_SECS: u32 = 1;

/// The client that requests are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The window or the command line, with the run's own token.
    Person,
    ApiToken(ApiTokenId),
    AccountToken(AccountId),
    McpToken(AccountId),
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
            Caller::AccountToken { account_id } => Self::AccountToken(*account_id),
            Caller::McpToken { account_id } => Self::McpToken(*account_id),
            Caller::Link { id } => Self::Link(*id),
            Caller::Internal => Self::Internal,
        }
    }
}

/// The number of concurrent requests of each client.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    max_requests: usize,
    requests: Arc<Counter>,
    long_polls: Arc<Counter>,
}

impl Limits {
    /// The limits of a server with at most `max_connections`.
    pub(crate) fn new(max_connections: usize) -> Self {
        Self { max_requests: max_connections / SHARES, requests: Arc::default(), long_polls: Arc::default() }
    }

    /// Counts a request until the ticket is dropped.
    pub(crate) fn request(&self, client: Client) -> Result<Ticket, ApiError> {
        self.requests.take(client, self.max_requests).ok_or_else(|| {
            let message = format!("This client already has {} requests in progress.", self.max_requests);
            ApiError::too_many_requests("too_many_requests", &message, RETRY_AFTER_SECS)
        })
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

/// One counted request of a client.
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

    use super::*;

    #[test]
    fn a_client_at_its_limit_is_refused_and_others_are_not() {
        let limits = Limits::new(2048);
        let flow = Client::Flow(FlowId::from_uuid(uuid::Uuid::nil()));
        let mut tickets: Vec<_> =
            (0..MAX_LONG_POLLS).map(|_| limits.long_poll(Client::Person).expect("room")).collect();
        limits.long_poll(Client::Person).expect_err("at its limit");
        limits.long_poll(flow).expect("another client");
        limits.request(Client::Person).expect("an ordinary request");
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
            Caller::ApiToken { id: ApiTokenId::from_uuid(id), name: "my-agent".to_owned() },
            Caller::AccountToken { account_id },
            Caller::McpToken { account_id },
            Caller::Link { id: LinkTokenId::from_uuid(id) },
            Caller::Internal,
        ];
        let clients: HashSet<_> = callers.iter().map(Client::of).collect();
        assert_eq!(clients.len(), callers.len(), "{clients:?}");
    }

    #[test]
    fn a_client_has_a_share_of_the_connections_and_no_more() {
        let limits = Limits::new(8);
        let _tickets = [(); 4].map(|()| limits.request(Client::Person).expect("room"));
        limits.request(Client::Person).expect_err("at its limit");
        limits.request(Client::Flow(FlowId::from_uuid(uuid::Uuid::nil()))).expect("another client");
    }
}
