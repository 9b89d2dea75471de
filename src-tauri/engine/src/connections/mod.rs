//! Connect and reauthorize flows, link tokens and callbacks.
//!
//! Invariants:
//! - A flow exists only in memory: its PKCE verifier, its code and its new tokens are lost when the process ends.
//! - A callback only stores a code in its flow. The exchange begins when a page claims it that has both the flow's key and
//!   the key of the return, or when the person confirms: the same person begins and completes a flow (session fixation).
//!   Only a flow that was begun in the app needs no key of the return.
//! - A `state` is used once. A late, repeated or foreign callback is refused, changes nothing, and adds one timeline
//!   entry.
//! - Working credentials are not touched before the new ones have passed identity, scopes and probe.

mod begin;
mod callback;
mod complete;
mod entry_limit;
mod flow;
mod forms;
mod given;
mod issued;
mod links;
mod openings;
mod redirect_uri;
mod refusals;
mod removed;
mod returned;
mod save;
mod session;
mod settings;
mod shown;
mod staged;
mod tokens;
mod view;

use std::{sync::Arc, time::Duration};

use relink_contract::{
    connect::{self, IdentityChoice},
    link::LinkSettings,
};
use relink_domain::{FlowId, Timestamp, caller::Caller};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

pub use begin::{BeginFlow, BegunFlow};
pub use forms::FormGrant;
pub use given::Import;
pub use links::NewLink;
pub use openings::OpenedIn;
pub use returned::TakenCallback;
pub(crate) use settings::stored as stored_settings;

use crate::{
    access_tokens::AccessTokens,
    accounts::Accounts,
    address::ApiAddress,
    clock::Clock,
    error::{Error, Result},
    keychain::Keychain,
    onboarding::Onboarding,
    organization::Organization,
    orphans::Orphans,
    outbound::Outbound,
    provider::Providers,
    random::hash_of,
    store::Store,
    sync::lock,
    tasks::Tasks,
    unfinished::Unfinished,
    unified_models::UnifiedModels,
};
use entry_limit::EntryLimit;
use flow::{Flow, Flows, Phase};
use openings::Openings;
use view::FlowFailure;

/// How long to wait for the response to an authorization request, in seconds (the lifetime of `state`).
const STATE_LIFETIME_SECS: i64 = 10 * 60;

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
    pub(crate) onboarding: Onboarding,
    pub(crate) address: ApiAddress,
    pub(crate) organization: Organization,
    pub(crate) unified_models: UnifiedModels,
    /// Whether this process is the system's handler for deep links.
    pub(crate) takes_deep_links: bool,
}

/// Connects and reauthorizes accounts. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    flows: Flows,
    openings: Openings,
    entry_limit: EntryLimit,
    /// Where links work, as it is stored.
    settings: watch::Sender<LinkSettings>,
}

impl Connections {
    pub(crate) fn new(uses: Dependencies, settings: LinkSettings) -> Self {
        let (flows, openings, entry_limit) = (Flows::default(), Openings::default(), EntryLimit::default());
        let settings = watch::Sender::new(settings);
        Self(Arc::new(Inner { uses, flows, openings, entry_limit, settings }))
    }

    fn now(&self) -> Timestamp {
        self.0.uses.clock.now()
    }

    /// The flow with this ID. With a wrong key, it counts as unknown.
    fn flow_of(&self, id: FlowId, key: &str) -> Result<Arc<Flow>> {
        let unknown = || Error::not_found("sign-in", &id);
        let flow = self.0.flows.get(id).ok_or_else(unknown)?;
        let key = hash_of(key);
        let mut is_right = flow.key_hash.ct_eq(&key);
        if let Some(confirmed) = flow.confirmed_key.get() {
            is_right |= confirmed.ct_eq(&key);
        }
        if bool::from(is_right) { Ok(flow) } else { Err(unknown()) }
    }

    /// The caller that began the flow. Requires the flow's key.
    pub fn flow_caller(&self, id: FlowId, key: &str) -> Result<Caller> {
        Ok(self.flow_of(id, key)?.caller.clone())
    }

    /// The flow's current view: at once if it has changed since version `after`, otherwise when it changes or after
    /// `wait`.
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
            // The current view is returned whether or not the flow has changed.
            let _ = tokio::time::timeout(wait, version.wait_for(|version| *version > after)).await;
        }
        self.expire(caller, &flow).await;
        Ok(flow.view())
    }

    /// Whether the lifetime of the flow's `state` is over.
    fn is_late(&self, flow: &Flow) -> bool {
        self.now().millis_since(flow.began_at) >= STATE_LIFETIME_SECS * 1000
    }

    /// Fails a flow that wasn't claimed in time, with one timeline entry.
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

    /// Answers the question that a flow asks when the identity differs.
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
            // If the flow has just ended, the answer is dropped, and the view shows that.
            let _ = sender.send(answer);
        }
        Ok(flow.view())
    }

    /// Removes a flow that the person gave up. The account doesn't change.
    pub fn abandon_flow(&self, _caller: &Caller, id: FlowId, key: &str) -> Result<()> {
        let flow = self.flow_of(id, key)?;
        {
            let mut phase = lock(&flow.phase);
            match &*phase {
                // Its code can no longer be claimed.
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
mod definition_tests;
#[cfg(test)]
mod optional_tests;
#[cfg(test)]
mod tests;
