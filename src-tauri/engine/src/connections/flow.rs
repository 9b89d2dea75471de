//! Flows in memory. A flow is one attempt to connect or reauthorize an account.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock},
};

use relink_contract::connect::{FlowOutcome, FlowStep, IdentityChoice, IdentityQuestion};
use relink_domain::{
    AccountId, FlowId, LinkTokenId, Secret, Timestamp,
    account::AuthenticationMethod,
    callback::{self, Callback},
    caller::Caller,
    integration::RedirectKind,
    link::{LinkOptions, Purpose},
};
use tokio::sync::{oneshot, watch};

use super::{staged::EnteredFields, view::FlowFailure};
use crate::{provider::BoundProvider, random::hash_of, sync::lock};

/// How long a flow can still be read after it began, in seconds.
pub(super) const ENDED_FLOW_LIFETIME_SECS: i64 = 60 * 60;
/// The maximum number of flows. If there are more, the oldest are dropped.
pub(super) const MAX_FLOWS: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Flows(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    flows: HashMap<FlowId, Arc<Flow>>,
    /// By the hash of `state`. An entry stays after its use, so that a replay is recognized.
    states: HashMap<[u8; 32], FlowId>,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) id: FlowId,
    pub(super) key_hash: [u8; 32],
    /// The hash of the return key with which the person confirmed the sign-in. It is a second key of the flow.
    pub(super) confirmed_key: OnceLock<[u8; 32]>,
    /// The hash of the page token that began the flow, if one did.
    pub(super) page: Option<[u8; 32]>,
    /// Whether a callback can only be claimed with the return key: the flow wasn't begun in the app.
    pub(super) needs_return_key: bool,
    /// The caller that began the flow.
    pub(super) caller: Caller,
    /// `None`: a program gave the credentials, so there is no page and nobody to ask.
    pub(super) link: Option<LinkTokenId>,
    pub(super) purpose: Purpose,
    pub(super) options: LinkOptions,
    /// Whether no `RapidForm` follows.
    pub(super) skips_form: bool,
    /// As it was when the flow began: its code and its credentials are sent to no other addresses.
    pub(super) provider: BoundProvider,
    pub(super) format: AuthenticationMethod,
    pub(super) began_at: Timestamp,
    pub(super) phase: Mutex<Phase>,
    pub(super) version: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// The person is on the provider's page.
    Waiting(AuthorizationRequest),
    /// The callback has arrived; no page has claimed it yet.
    Returned {
        request: AuthorizationRequest,
        code: Secret,
        /// The hash of the return key, if the claim needs it.
        return_key: Option<[u8; 32]>,
    },
    Working(FlowStep),
    /// The identity differs, and the user is asked what to do.
    Asking {
        question: IdentityQuestion,
        answer: Option<oneshot::Sender<IdentityChoice>>,
    },
    Succeeded(FlowOutcome),
    Failed(FlowFailure),
}

#[derive(Debug, Clone)]
pub(super) struct AuthorizationRequest {
    pub(super) authorize_url: String,
    pub(super) redirect: RedirectKind,
    pub(super) redirect_uri: String,
    /// The PKCE code verifier (RFC 7636 §4.1), unless the provider refuses PKCE.
    pub(super) verifier: Option<Secret>,
    /// What the person entered before the redirect.
    pub(super) entered: EnteredFields,
    /// The callback's parameters that the definition keeps, by their names in the context.
    pub(super) kept: BTreeMap<String, Secret>,
}

impl Flow {
    pub(super) fn set(&self, phase: Phase) {
        *lock(&self.phase) = phase;
        self.announce();
    }

    /// Notifies the flow's followers that its phase has changed.
    pub(super) fn announce(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// The scopes that a sign-in with client credentials requests.
    pub(super) fn client_scopes(&self) -> Vec<String> {
        let default = || self.provider.definition.client_credentials().map(|own| own.scopes.clone());
        self.options.scopes.clone().or_else(default).unwrap_or_default()
    }

    /// The callback's parameter with the code.
    pub(super) fn code_param(&self) -> &str {
        self.provider.definition.oauth2().map_or(callback::DEFAULT_CODE_PARAM, |oauth2| &oauth2.code_param)
    }

    /// The callback's parameters that the definition keeps.
    pub(super) fn kept_of(&self, callback: &Callback) -> BTreeMap<String, Secret> {
        let kept = self.provider.definition.oauth2().into_iter().flat_map(|oauth2| &oauth2.keep_from_callback);
        kept.filter_map(|kept| Some((kept.name.clone(), callback.param(&kept.path)?.clone()))).collect()
    }

    pub(super) fn account_to_reauthorize(&self) -> Option<AccountId> {
        account_to_reauthorize(&self.purpose)
    }
}

pub(super) const fn account_to_reauthorize(purpose: &Purpose) -> Option<AccountId> {
    match purpose {
        Purpose::Reauthorize { account_id } => Some(*account_id),
        Purpose::Connect { .. } => None,
    }
}

impl Flows {
    pub(super) fn insert(&self, flow: Arc<Flow>, state: Option<&Secret>) {
        let mut table = lock(&self.0);
        let now = flow.began_at;
        table.flows.retain(|_, other| now.millis_since(other.began_at) <= ENDED_FLOW_LIFETIME_SECS * 1000);
        let surplus = (table.flows.len() + 1).saturating_sub(MAX_FLOWS);
        let mut oldest: Vec<_> = table.flows.values().map(|other| (other.began_at, other.id)).collect();
        oldest.sort_unstable();
        for (_, id) in oldest.into_iter().take(surplus) {
            table.flows.remove(&id);
        }
        let Table { flows, states } = &mut *table;
        states.retain(|_, id| flows.contains_key(id));
        if let Some(state) = state {
            states.insert(hash_of(state.expose()), flow.id);
        }
        flows.insert(flow.id, flow);
    }

    pub(super) fn of_state(&self, state: &Secret) -> Option<Arc<Flow>> {
        let table = lock(&self.0);
        table.states.get(&hash_of(state.expose())).and_then(|id| table.flows.get(id)).map(Arc::clone)
    }

    pub(super) fn get(&self, id: FlowId) -> Option<Arc<Flow>> {
        lock(&self.0).flows.get(&id).map(Arc::clone)
    }

    pub(super) fn all(&self) -> Vec<Arc<Flow>> {
        lock(&self.0).flows.values().map(Arc::clone).collect()
    }

    /// The flows that the page with this token began.
    pub(super) fn begun_by(&self, page: [u8; 32]) -> Vec<Arc<Flow>> {
        lock(&self.0).flows.values().filter(|flow| flow.page == Some(page)).map(Arc::clone).collect()
    }

    pub(super) fn remove(&self, id: FlowId) {
        lock(&self.0).flows.remove(&id);
    }
}
