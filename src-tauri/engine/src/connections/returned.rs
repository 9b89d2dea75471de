//! Proof that a sign-in returned to whoever began it.
//!
//! Otherwise somebody could begin a flow, let another person sign in on the provider's page, and claim that person's
//! account. The browser or program to which the provider returns gets the return key. Together with the flow's key, which
//! the browser that began the flow has stored, it claims the callback. Without the flow's key, the person confirms on that
//! page for whom they signed in.

use std::sync::Arc;

use relink_contract::connect::{self, LinkPurpose, ReturnedSignIn};
use relink_domain::{FlowId, Secret, caller::Caller, link::Purpose};
use subtle::ConstantTimeEq;

use super::{
    Connections,
    flow::{Flow, Phase},
    session::session_account,
    view::FlowFailure,
};
use crate::{
    error::{Error, Result},
    random::hash_of,
    sync::lock,
};

/// An accepted callback.
#[derive(Debug)]
pub struct TakenCallback {
    pub flow: FlowId,
    /// Give it to the page where the person is. `None` if the flow can be claimed without it, or has failed.
    pub return_key: Option<Secret>,
}

impl Flow {
    /// Whether this is the key that its latest callback was delivered with.
    fn returned_with(&self, return_key: &str) -> bool {
        match &*lock(&self.phase) {
            Phase::Returned { return_key: Some(expected), .. } => expected.ct_eq(&hash_of(return_key)).into(),
            _ => false,
        }
    }

    /// Whether the flow's key and this return key are enough to claim the callback.
    pub(super) fn may_be_claimed_with(&self, return_key: Option<&str>) -> bool {
        let needs_key = matches!(&*lock(&self.phase), Phase::Returned { return_key: Some(_), .. });
        !needs_key || return_key.is_some_and(|return_key| self.returned_with(return_key))
    }
}

impl Connections {
    fn returned_flow(&self, id: FlowId, return_key: &str) -> Result<Arc<Flow>> {
        let flow = self.0.flows.get(id).filter(|flow| flow.returned_with(return_key));
        flow.ok_or_else(|| Error::not_found("sign-in", &id))
    }

    /// The caller that began the flow. Requires the key that its callback was delivered with.
    pub fn return_caller(&self, id: FlowId, return_key: &str) -> Result<Caller> {
        Ok(self.returned_flow(id, return_key)?.caller.clone())
    }

    /// What a person confirms whose browser didn't begin the flow.
    pub async fn returned_sign_in(&self, caller: &Caller, id: FlowId, return_key: &str) -> Result<ReturnedSignIn> {
        let flow = self.returned_flow(id, return_key)?;
        self.expire(caller, &flow).await;
        let definition = &flow.provider.definition;
        let (purpose, tenant_id, account) = match &flow.purpose {
            Purpose::Connect { tenant_id } => (LinkPurpose::Connect, tenant_id.clone(), None),
            Purpose::Reauthorize { account_id } => {
                let account = self.0.uses.accounts.load(*account_id).await?;
                (LinkPurpose::Reauthorize, account.profile.tenant_id.clone(), Some(session_account(&account)))
            }
        };
        Ok(ReturnedSignIn {
            purpose,
            tenant_id,
            account,
            integration_label: flow.provider.label().to_owned(),
            logo: definition.logo().and_then(|logo| logo.embedded()).map(str::to_owned),
            color: definition.color().map(|color| color.as_str().to_owned()),
        })
    }

    /// The person confirmed for whom they signed in. From now on, the return key also follows the flow.
    pub async fn confirm_return(&self, caller: &Caller, id: FlowId, return_key: &str) -> Result<connect::Flow> {
        let flow = self.returned_flow(id, return_key)?;
        self.expire(caller, &flow).await;
        // A second confirmation finds no returned flow, so it is set once.
        let _ = flow.confirmed_key.set(hash_of(return_key));
        self.claim(&flow);
        Ok(flow.view())
    }

    /// The person didn't begin this sign-in. Its code is dropped.
    pub async fn decline_return(&self, caller: &Caller, id: FlowId, return_key: &str) -> Result<()> {
        let flow = self.returned_flow(id, return_key)?;
        let declined = FlowFailure::declined(flow.provider.label());
        {
            let mut phase = lock(&flow.phase);
            if !matches!(&*phase, Phase::Returned { .. }) {
                return Ok(());
            }
            *phase = Phase::Failed(declined.clone());
        }
        flow.announce();
        self.note_failure(caller, &flow, &declined).await;
        Ok(())
    }
}
