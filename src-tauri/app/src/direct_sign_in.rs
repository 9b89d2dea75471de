//! Reauthorizing with one click on a notification or in the tray: opens the provider's page, without the connect UI.

use std::{collections::BTreeMap, time::Duration};

use relink_contract::connect::{Flow, FlowPhase, IdentityChoice};
use relink_domain::{
    AccountId, Secret,
    account::AuthenticationMethod,
    caller::Caller,
    link::{LinkOptions, Purpose},
};
use relink_engine::BeginFlow;

use crate::{App, Result, error_view};

/// How long one request for the flow's state waits for a change.
pub(crate) const FLOW_POLL_TIMEOUT: Duration = Duration::from_secs(25);

/// Where the person signs in.
#[derive(Debug)]
pub enum SignInRoute {
    /// On the provider's page, in the browser. Give the second part to [`App::finish`].
    Provider(String, Box<SignIn>),
    /// In the connect UI, because credentials have to be entered.
    ConnectPage(Secret),
}

/// A sign-in that was started without the connect UI.
#[derive(Debug)]
pub struct SignIn {
    pub(crate) flow: Flow,
    pub(crate) key: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInOutcome {
    /// The account works again.
    Reauthorized,
    /// It doesn't; its page shows the error.
    Failed,
}

impl App {
    /// Begins to reauthorize this account.
    pub async fn reauthorize(&self, id: AccountId) -> Result<SignInRoute> {
        let engine = &self.0.engine;
        let view = engine.accounts().get(&Caller::Person, id).await.map_err(error_view)?;
        let purpose = Purpose::Reauthorize { account_id: id };
        let link = engine
            .connections()
            .create_link(&Caller::Person, purpose, LinkOptions::default())
            .await
            .map_err(error_view)?;
        if view.account.method() != AuthenticationMethod::Oauth2 {
            return Ok(SignInRoute::ConnectPage(Secret::new(self.connect_page(link.token.expose())?)));
        }
        let begin = BeginFlow {
            integration: view.account.profile.integration.clone(),
            format: AuthenticationMethod::Oauth2,
            redirect: None,
            fields: BTreeMap::new(),
        };
        let started =
            engine.connections().begin_flow(&Caller::Person, link.token.expose(), begin).await.map_err(error_view)?;
        let url = started.flow.authorize_url.clone().unwrap_or_default();
        Ok(SignInRoute::Provider(url, Box::new(SignIn { flow: started.flow, key: started.key })))
    }

    /// Waits until the sign-in ends, and claims its callback, because the user who clicked is at this desktop. If the user
    /// signed in with another identity, the account stays unchanged; its page offers the link that asks what to do.
    pub async fn finish(&self, sign_in: Box<SignIn>) -> SignInOutcome {
        let SignIn { mut flow, key } = *sign_in;
        let engine = &self.0.engine;
        loop {
            let next = match flow.phase {
                FlowPhase::Succeeded => return SignInOutcome::Reauthorized,
                FlowPhase::Failed => return SignInOutcome::Failed,
                FlowPhase::Returned => engine.connections().claim_flow(&Caller::Person, flow.id, key.expose()).await,
                FlowPhase::Question => {
                    if let Err(error) =
                        engine.connections().answer_flow(&Caller::Person, flow.id, key.expose(), IdentityChoice::Keep)
                    {
                        tracing::warn!(code = error.code(), "the question of another user was not answered: {error}");
                    }
                    return SignInOutcome::Failed;
                }
                FlowPhase::Waiting | FlowPhase::Working => {
                    engine
                        .connections()
                        .flow(&Caller::Person, flow.id, key.expose(), Some(flow.version), FLOW_POLL_TIMEOUT)
                        .await
                }
            };
            match next {
                Ok(next) => flow = next,
                Err(error) => {
                    tracing::info!(code = error.code(), "the sign-in was not finished: {error}");
                    return SignInOutcome::Failed;
                }
            }
        }
    }
}
