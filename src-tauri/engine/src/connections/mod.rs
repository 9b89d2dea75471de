//! Connect and reauthorize flows, link tokens and callbacks.
//!
//! Invariants:
//! - A flow is in memory only: its PKCE verifier, its code and its fresh tokens end with the process.
//! - A callback only puts a code into its flow. The exchange begins when the page that began the flow claims it, so the person
//!   who began is the person who completes (session fixation).
//! - A `state` is used once. Whatever arrives later, twice or from elsewhere is refused, changes nothing, and leaves one entry
//!   in a timeline.
//! - Nothing that works is touched before the new credentials have passed identity, scopes and probe.

mod begin;
mod callback;
mod complete;
mod flow;
mod links;
mod redirect_uri;
mod refusals;
mod save;
mod session;
mod view;

use std::{sync::Arc, time::Duration};

use relink_contract::connect::{self, IdentityChoice};
use relink_domain::{FlowId, Timestamp, caller::Caller};
use subtle::ConstantTimeEq;

pub use begin::{BeginFlow, BegunFlow};
pub use links::NewLink;

use crate::{
    access_tokens::AccessTokens,
    accounts::Accounts,
    address::ApiAddress,
    clock::Clock,
    error::{Error, Result},
    keychain::Keychain,
    orphans::Orphans,
    outbound::Outbound,
    provider::Providers,
    random::hash_of,
    store::Store,
    sync::lock,
    tasks::Tasks,
    unfinished::Unfinished,
};
use flow::{Flow, Flows, Phase};
use view::FlowFailure;

/// For how many seconds an authorization request is waited for (the lifetime of `state`).
const STATE_LIFETIME_SECS: i64 = 10 * 60;

/// The services that [`Connections`] uses.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) outbound: Outbound,
    pub(crate) tasks: Tasks,
    pub(crate) providers: Providers,
    pub(crate) accounts: Accounts,
    pub(crate) orphans: Orphans,
    pub(crate) unfinished: Unfinished,
    pub(crate) tokens: AccessTokens,
    pub(crate) address: ApiAddress,
    /// Whether this process is the system's handler of the deep link.
    pub(crate) takes_deep_links: bool,
}

/// Connects and reauthorizes accounts. A clone is a handle on the same one.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    flows: Flows,
}

impl Connections {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, flows: Flows::default() }))
    }

    fn now(&self) -> Timestamp {
        self.0.uses.clock.now()
    }

    /// The flow, for whoever holds its key.
    fn flow_of(&self, id: FlowId, key: &str) -> Result<Arc<Flow>> {
        let unknown = || Error::not_found("sign-in", &id);
        let flow = self.0.flows.get(id).ok_or_else(unknown)?;
        if bool::from(flow.key_hash.ct_eq(&hash_of(key))) { Ok(flow) } else { Err(unknown()) }
    }

    /// The caller that a flow was begun by, for whoever holds its key.
    pub fn flow_caller(&self, id: FlowId, key: &str) -> Result<Caller> {
        Ok(self.flow_of(id, key)?.caller.clone())
    }

    /// How a flow stands: at once if it has changed since `after`, else when it changes or `wait` is over.
    pub async fn flow(
        &self,
        caller: &Caller,
        id: FlowId,
        key: &str,
        after: Option<u64>,
        wait: Duration,
    ) -> Result<connect::Flow> {
        let flow = self.flow_of(id, key)?;
        if let Some(after) = after {
            let mut version = flow.version.subscribe();
            // The answer is how it stands, whether it changed or the time is over.
            let _ = tokio::time::timeout(wait, version.wait_for(|version| *version > after)).await;
        }
        self.expire(caller, &flow).await;
        Ok(flow.view())
    }

    /// Whether an authorization request has been waited for long enough.
    fn is_late(&self, flow: &Flow) -> bool {
        self.now().millis_since(flow.began_at) >= STATE_LIFETIME_SECS * 1000
    }

    /// Ends an authorization request that nobody came back from in time, with one entry in the timeline.
    async fn expire(&self, caller: &Caller, flow: &Flow) {
        let expired = FlowFailure::expired();
        {
            let mut phase = lock(&flow.phase);
            if !self.is_late(flow) || !matches!(&*phase, Phase::Waiting(_) | Phase::Returned { .. }) {
                return;
            }
            *phase = Phase::Failed(expired.clone());
        }
        flow.announce();
        self.note_failure(caller, flow, &expired).await;
    }

    /// Answers the question that a flow asks when somebody else signed in.
    pub fn answer_flow(
        &self,
        _caller: &Caller,
        id: FlowId,
        key: &str,
        answer: IdentityChoice,
    ) -> Result<connect::Flow> {
        let flow = self.flow_of(id, key)?;
        let sender = match &mut *lock(&flow.phase) {
            Phase::Asking { answer, .. } => answer.take(),
            Phase::Waiting(_) | Phase::Returned { .. } | Phase::Working(_) | Phase::Succeeded(_) | Phase::Failed(_) => {
                None
            }
        };
        if let Some(sender) = sender {
            // If the flow has just ended, nobody waits for the answer, and the view says so.
            let _ = sender.send(answer);
        }
        Ok(flow.view())
    }

    /// The person gave up. The account stays as it is.
    pub fn abandon_flow(&self, _caller: &Caller, id: FlowId, key: &str) -> Result<()> {
        let flow = self.flow_of(id, key)?;
        {
            let mut phase = lock(&flow.phase);
            match &*phase {
                // Nothing can be claimed of it any more.
                Phase::Waiting(_) | Phase::Returned { .. } => *phase = Phase::Failed(FlowFailure::expired()),
                Phase::Succeeded(_) | Phase::Failed(_) => {}
                Phase::Asking { .. } | Phase::Working(_) => return Ok(()),
            }
        }
        self.0.flows.remove(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
