//! The connect flow: one walk of a person from a link to a connection.
//!
//! Invariants:
//! - A flow is in memory only: its PKCE verifier, its code and its fresh tokens die with the process.
//! - A callback only puts a code into its flow. The exchange begins when the page that began the flow claims it: who began
//!   is who completes (quality: session fixation).
//! - A `state` is used once. Whatever comes later, twice, or from elsewhere is refused, changes nothing, and leaves one line
//!   in a timeline.
//! - Nothing that works is touched before the new credentials have passed identity, scopes and probe.

mod begin;
mod complete;
mod save;
mod view;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use relink_domain::{
    AccountId, FlowId, Secret, Timestamp, account::AuthenticationMethod, integration::RedirectKind, link::LinkToken,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::sync::{oneshot, watch};

pub use begin::{BeginFlow, Begun};
pub use view::{FlowError, FlowErrorType, FlowView, Outcome, PhaseName, Question, StepName};

use crate::{
    Engine, Error,
    engine::{hash_of, held},
    error::Result,
    provider::Provider,
};

/// How long an authorization request is waited for (`state`'s life).
pub(crate) const STATE_LIFETIME_SECS: i64 = 10 * 60;
/// How long an ended flow can still be looked at.
const AFTERLIFE_SECS: i64 = 60 * 60;
/// Flows at a time; the oldest go first.
const MOST: usize = 500;

/// All flows.
#[derive(Debug, Default)]
pub(crate) struct Flows(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    flows: HashMap<FlowId, Arc<Flow>>,
    /// By the hash of `state`. An entry outlives its use, so that a replay is known as one.
    states: HashMap<[u8; 32], FlowId>,
}

/// One flow.
#[derive(Debug)]
pub(crate) struct Flow {
    id: FlowId,
    key_hash: [u8; 32],
    link: LinkToken,
    provider: Provider,
    format: AuthenticationMethod,
    began_at: Timestamp,
    phase: Mutex<Phase>,
    version: watch::Sender<u64>,
}

/// Where a flow is.
#[derive(Debug)]
enum Phase {
    /// The person is at the provider's.
    Waiting(Waiting),
    /// The callback is here; the page has not claimed it yet.
    Returned { waiting: Waiting, code: Secret },
    /// Something goes on.
    Working(StepName),
    /// Somebody else signed in: the person is asked.
    Asking { question: Question, answer: Option<oneshot::Sender<IdentityChoice>> },
    /// It worked.
    Succeeded(Outcome),
    /// It didn't.
    Failed(FlowError),
}

/// An authorization request under way.
#[derive(Debug, Clone)]
struct Waiting {
    authorize_url: String,
    redirect: RedirectKind,
    redirect_uri: String,
    verifier: Secret,
}

/// What to do when somebody else signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityChoice {
    /// Keep the old credentials.
    Keep,
    /// The new ones take their place.
    Replace,
    /// Add a second account.
    Add,
}

impl Flow {
    fn set(&self, phase: Phase) {
        *held(&self.phase) = phase;
        self.version.send_modify(|version| *version += 1);
    }

    fn has_ended(&self) -> bool {
        matches!(&*held(&self.phase), Phase::Succeeded(_) | Phase::Failed(_))
    }
}

impl Flows {
    fn insert(&self, flow: Arc<Flow>, state: Option<&Secret>) {
        let mut table = held(&self.0);
        let now = flow.began_at;
        let old: Vec<_> = table
            .flows
            .values()
            .filter(|other| now.millis_since(other.began_at) > AFTERLIFE_SECS * 1000)
            .map(|other| other.id)
            .collect();
        let surplus = (table.flows.len() + 1).saturating_sub(MOST + old.len());
        let mut oldest: Vec<_> = table.flows.values().map(|other| (other.began_at, other.id)).collect();
        oldest.sort_unstable();
        for id in old.into_iter().chain(oldest.into_iter().take(surplus).map(|(_, id)| id)) {
            table.flows.remove(&id);
        }
        let Table { flows, states } = &mut *table;
        states.retain(|_, id| flows.contains_key(id));
        if let Some(state) = state {
            states.insert(hash_of(state.expose()), flow.id);
        }
        flows.insert(flow.id, flow);
    }

    fn of_state(&self, state: &Secret) -> Option<Arc<Flow>> {
        let table = held(&self.0);
        table.states.get(&hash_of(state.expose())).and_then(|id| table.flows.get(id)).map(Arc::clone)
    }

    fn get(&self, id: FlowId) -> Option<Arc<Flow>> {
        held(&self.0).flows.get(&id).map(Arc::clone)
    }

    fn remove(&self, id: FlowId) {
        held(&self.0).flows.remove(&id);
    }
}

impl Engine {
    /// The flow, for whoever holds its key.
    fn flow_of(&self, id: FlowId, key: &str) -> Result<Arc<Flow>> {
        let unknown = || Error::not_found("sign-in", &id);
        let flow = self.0.flows.get(id).ok_or_else(unknown)?;
        if bool::from(flow.key_hash.ct_eq(&hash_of(key))) { Ok(flow) } else { Err(unknown()) }
    }

    /// How a flow stands: at once if it has changed since `after`, else when it changes or `wait` is over.
    pub async fn flow(&self, id: FlowId, key: &str, after: Option<u64>, wait: Duration) -> Result<FlowView> {
        let flow = self.flow_of(id, key)?;
        if let Some(after) = after {
            let mut version = flow.version.subscribe();
            // The answer is how it stands, whether it changed or the time is over.
            let _ = tokio::time::timeout(wait, version.wait_for(|version| *version > after)).await;
        }
        self.expire(&flow).await;
        Ok(flow.view())
    }

    /// Whether an authorization request has been waited for long enough.
    fn is_late(&self, flow: &Flow) -> bool {
        self.now().millis_since(flow.began_at) >= STATE_LIFETIME_SECS * 1000
    }

    /// An authorization request that nobody came back from in time ends, with one line in the timeline.
    async fn expire(&self, flow: &Flow) {
        let expired = FlowError::expired();
        {
            let mut phase = held(&flow.phase);
            if !self.is_late(flow) || !matches!(&*phase, Phase::Waiting(_) | Phase::Returned { .. }) {
                return;
            }
            *phase = Phase::Failed(expired.clone());
        }
        flow.version.send_modify(|version| *version += 1);
        self.note_failure(flow, &expired).await;
    }

    /// Answers the question who is to be signed in.
    pub fn answer_flow(&self, id: FlowId, key: &str, answer: IdentityChoice) -> Result<FlowView> {
        let flow = self.flow_of(id, key)?;
        let sender = match &mut *held(&flow.phase) {
            Phase::Asking { answer, .. } => answer.take(),
            Phase::Waiting(_) | Phase::Returned { .. } | Phase::Working(_) | Phase::Succeeded(_) | Phase::Failed(_) => {
                None
            }
        };
        if let Some(sender) = sender {
            // Nobody waits any more: the flow has just ended, which its view says.
            let _ = sender.send(answer);
        }
        Ok(flow.view())
    }

    /// The person gave up. What had been signed in with stays as it is.
    pub fn abandon_flow(&self, id: FlowId, key: &str) -> Result<()> {
        let flow = self.flow_of(id, key)?;
        let waits = matches!(&*held(&flow.phase), Phase::Waiting(_) | Phase::Returned { .. });
        if waits || flow.has_ended() {
            self.0.flows.remove(id);
        }
        Ok(())
    }
}

/// The account that a flow would mend.
fn mends(link: &LinkToken) -> Option<AccountId> {
    match link.purpose {
        relink_domain::link::Purpose::Reauthorize { account_id } => Some(account_id),
        relink_domain::link::Purpose::Connect { .. } => None,
    }
}
