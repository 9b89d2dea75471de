//! Authorization responses (RFC 6749 §4.1.2), whether they arrive by deep link, loopback or paste.

use std::sync::Arc;

use relink_contract::connect::{self, FlowStep};
use relink_domain::{
    FlowId, Secret,
    callback::{Callback, CallbackError, CallbackResult},
    caller::Caller,
    failure::ProviderError,
    provider_text::HIDDEN,
};

use super::{
    Connections,
    flow::{AuthorizationRequest, Flow, Phase},
    refusals::{
        CONTRADICTORY, ISSUER_MISMATCH, ISSUER_MISSING, REDIRECT_MISMATCH, Refusal, STATE_EXPIRED,
        STATE_OF_ANOTHER_FLOW, STATE_USED, UNKNOWN_STATE,
    },
    returned::TakenCallback,
    view::FlowFailure,
};
use crate::{
    error::{Error, Result},
    random::{hash_of, random_token},
    sync::lock,
};

impl Connections {
    /// The caller of a callback that a browser delivers: the one that began the flow with its `state`. A callback
    /// without a flow is refused here; its timeline entry has no caller.
    pub async fn callback_caller(&self, url: &str) -> Result<Caller> {
        let (flow, _) = self.flow_of_callback(None, url).await?;
        Ok(flow.caller.clone())
    }

    /// Accepts a callback. Returns the flow that it belongs to.
    pub async fn callback(&self, caller: &Caller, url: &str) -> Result<TakenCallback> {
        let (flow, callback) = self.flow_of_callback(Some(caller), url).await?;
        let result = match callback.result(flow.code_param()) {
            Ok(result) => self.without_secrets(&flow, &callback, result).await,
            Err(CallbackError::Contradictory) => {
                return Err(self.refuse(Some(caller), Some(&flow), CONTRADICTORY).await);
            }
            Err(error) => return Err(error.into()),
        };
        let return_key = if flow.needs_return_key { Some(random_token()?) } else { None };
        match self.take_callback(&flow, &callback, result, return_key.as_ref()) {
            Ok(None) => Ok(TakenCallback { flow: flow.id, return_key }),
            Ok(Some(error)) => {
                self.note_failure(caller, &flow, &error).await;
                Ok(TakenCallback { flow: flow.id, return_key: None })
            }
            Err(refusal) => Err(self.refuse(Some(caller), Some(&flow), refusal).await),
        }
    }

    async fn flow_of_callback(&self, caller: Option<&Caller>, url: &str) -> Result<(Arc<Flow>, Callback)> {
        let callback = self.read_callback(caller, url, None).await?;
        match self.0.flows.of_state(&callback.state) {
            Some(flow) => Ok((flow, callback)),
            None => Err(self.refuse(caller, None, UNKNOWN_STATE).await),
        }
    }

    /// Hides secrets in what the provider says in a callback.
    async fn without_secrets(&self, flow: &Flow, callback: &Callback, result: CallbackResult) -> CallbackResult {
        let CallbackResult::Error { code, description } = result else { return result };
        let known = self.known_secrets(flow).await.and([&callback.state]);
        let verifier = match &*lock(&flow.phase) {
            Phase::Waiting(request) => request.verifier.clone(),
            _ => None,
        };
        let said = ProviderError { code: Some(code), message: description }.cleaned(&known.filter(&verifier));
        let code = said.code.unwrap_or_else(|| HIDDEN.to_owned());
        CallbackResult::Error { code, description: said.message }
    }

    /// Parses a callback. Malformed input isn't recorded. A well-formed callback that contradicts itself is deliberate,
    /// so the timeline records it.
    async fn read_callback(&self, caller: Option<&Caller>, url: &str, flow: Option<&Flow>) -> Result<Callback> {
        match Callback::parse_at(url, self.link_settings_now().public_address.as_deref()) {
            Err(CallbackError::Contradictory) => Err(self.refuse(caller, flow, CONTRADICTORY).await),
            read => Ok(read?),
        }
    }

    /// Stores the provider's response in its flow, or returns why it is refused. Contains no await, so a `state` is
    /// used once.
    fn take_callback(
        &self,
        flow: &Flow,
        callback: &Callback,
        result: CallbackResult,
        return_key: Option<&Secret>,
    ) -> std::result::Result<Option<FlowFailure>, Refusal> {
        let mut phase = lock(&flow.phase);
        let request = match &*phase {
            Phase::Waiting(request) if !self.is_late(flow) => request,
            Phase::Waiting(_) => return Err(STATE_EXPIRED),
            // The page that follows the flow has already ended it.
            Phase::Failed(error) if error.is_expired() => return Err(STATE_EXPIRED),
            Phase::Returned { .. }
            | Phase::Working(_)
            | Phase::Asking { .. }
            | Phase::Succeeded(_)
            | Phase::Failed(_) => return Err(STATE_USED),
        };
        if request.redirect_uri != callback.redirect_uri {
            return Err(REDIRECT_MISMATCH);
        }
        if let Some(oauth2) = flow.provider.definition.oauth2() {
            match (oauth2.issuer.as_deref(), callback.issuer.as_deref()) {
                (Some(expected), Some(actual)) if expected != actual => return Err(ISSUER_MISMATCH),
                (Some(_), None) if oauth2.requires_iss => return Err(ISSUER_MISSING),
                (Some(_) | None, _) => {}
            }
        }
        let (next, error) = match result {
            CallbackResult::Code(code) => {
                let return_key = return_key.map(|key| hash_of(key.expose()));
                let request = AuthorizationRequest { kept: flow.kept_of(callback), ..request.clone() };
                (Phase::Returned { request, code, return_key }, None)
            }
            CallbackResult::Error { code, description } => {
                let error = FlowFailure::refused_at_provider(
                    &code,
                    description.as_deref(),
                    flow.provider.label(),
                    Some(&request.redirect_uri),
                );
                (Phase::Failed(error.clone()), Some(error))
            }
        };
        *phase = next;
        drop(phase);
        flow.announce();
        Ok(error)
    }

    /// Accepts a URL that the person pasted into this flow's page, and claims the flow: whoever pastes it has seen it.
    pub async fn paste_callback(&self, caller: &Caller, id: FlowId, key: &str, url: &str) -> Result<connect::Flow> {
        let flow = self.flow_of(id, key)?;
        let callback = self.read_callback(Some(caller), url, Some(&flow)).await?;
        let own = self.0.flows.of_state(&callback.state).map(|flow| flow.id);
        if own != Some(flow.id) {
            return Err(self.refuse(Some(caller), Some(&flow), STATE_OF_ANOTHER_FLOW).await);
        }
        let taken = self.callback(caller, url).await?;
        self.claim_flow(caller, id, key, taken.return_key.as_ref().map(Secret::expose)).await
    }

    /// Claims the code and begins the exchange. Requires the flow's key and, unless the flow was begun in the app, the key
    /// that the callback was delivered with.
    pub async fn claim_flow(
        &self,
        caller: &Caller,
        id: FlowId,
        key: &str,
        return_key: Option<&str>,
    ) -> Result<connect::Flow> {
        let flow = self.flow_of(id, key)?;
        self.expire(caller, &flow).await;
        if !flow.may_be_claimed_with(return_key) {
            return Err(Error::conflict(
                "sign_in_returned_elsewhere",
                "The provider returned to another page. Continue on that page.",
            ));
        }
        self.claim(&flow);
        Ok(flow.view())
    }

    /// Begins the exchange if the flow has an unclaimed code.
    pub(super) fn claim(&self, flow: &Arc<Flow>) {
        let claimed = {
            let mut phase = lock(&flow.phase);
            match std::mem::replace(&mut *phase, Phase::Working(FlowStep::Exchanging)) {
                Phase::Returned { request, code, .. } => Some((request, code)),
                other => {
                    *phase = other;
                    None
                }
            }
        };
        if let Some((request, code)) = claimed {
            flow.announce();
            let (connections, flow) = (self.clone(), Arc::clone(flow));
            self.0.uses.tasks.spawn(async move { connections.complete_oauth(&flow, &request, &code).await });
        }
    }
}
