//! How much one client may have under way at a time, so that none keeps another waiting.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use relink_domain::{ApiTokenId, FlowId, caller::Caller};

use crate::error::ApiError;

/// Requests of one client at a time.
const MAX_REQUESTS: usize = 1024;
/// Long polls of one client at a time.
const MAX_LONG_POLLS: usize = 64;
/// What a refusal asks for, in seconds: a place comes free with every answer.
const RETRY_AFTER_SECS: u32 = 1;

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The window's or the command line's: the run's own token.
    Person,
    ApiToken(ApiTokenId),
    /// A page of the connect UI.
    Flow(FlowId),
}

impl Client {
    /// The client behind a caller that a bearer token has let in.
    pub(crate) const fn of(caller: &Caller) -> Self {
        match caller {
            Caller::ApiToken { id, .. } => Self::ApiToken(*id),
            Caller::Person
            | Caller::AccountToken { .. }
            | Caller::McpToken { .. }
            | Caller::Link { .. }
            | Caller::Internal => Self::Person,
        }
    }
}

/// What every client has under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    requests: Arc<Counter>,
    long_polls: Arc<Counter>,
}

impl Limits {
    /// A request begins; it ends when the ticket is dropped.
    pub(crate) fn request(&self, client: Client) -> Result<Ticket, ApiError> {
        self.requests.take(client, MAX_REQUESTS).ok_or_else(|| {
            let message = format!("This client has {MAX_REQUESTS} requests under way already.");
            ApiError::too_many_requests("too_many_requests", &message, RETRY_AFTER_SECS)
        })
    }

    /// A request begins to wait for something to happen; it ends when the ticket is dropped.
    pub(crate) fn long_poll(&self, client: Client) -> Result<Ticket, ApiError> {
        self.long_polls.take(client, MAX_LONG_POLLS).ok_or_else(|| {
            let message = format!("This client waits with {MAX_LONG_POLLS} requests already.");
            ApiError::too_many_requests("too_many_long_polls", &message, RETRY_AFTER_SECS)
        })
    }
}

/// A program's request came on one of the connections that are kept for people (see `server`).
pub(crate) fn too_many_connections() -> ApiError {
    let message = "Too many connections are open. The last ones are kept for people who are signing in.";
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

/// One of a client's places.
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
    use super::*;

    #[test]
    fn a_client_at_its_limit_is_refused_and_others_are_not() {
        let limits = Limits::default();
        let flow = Client::Flow(FlowId::from_uuid(uuid::Uuid::nil()));
        let mut tickets: Vec<_> =
            (0..MAX_LONG_POLLS).map(|_| limits.long_poll(Client::Person).expect("room")).collect();
        limits.long_poll(Client::Person).expect_err("at its limit");
        limits.long_poll(flow).expect("another client");
        limits.request(Client::Person).expect("an ordinary request");
        tickets.pop();
        limits.long_poll(Client::Person).expect("a place came free");
        drop(tickets);
        assert!(limits.long_polls.lock().is_empty(), "nothing is kept of clients that have gone");
    }
}
