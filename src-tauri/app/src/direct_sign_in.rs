//! Reauthorizing with one click on a notification or in the tray: opens the provider's page, without the connect UI.

use std::{collections::BTreeMap, time::Duration};

use relink_contract::connect::{Flow, FlowPhase, IdentityChoice};
use relink_domain::{
    AccountId, Secret,
    account::AuthenticationMethod,
    caller::Caller,
    link::{LinkOptions, Purpose},
};
use relink_engine::{BeginFlow, OpenedIn};
use url::Url;

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
    /// The person signed in with another identity and decided otherwise, on the page that asks.
    DecidedOtherwise,
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
            let page = self.link_page(&link.token, OpenedIn::Window, None).await?;
            return Ok(SignInRoute::ConnectPage(Secret::new(page.as_str())));
        }
        let begin = BeginFlow {
            integration: view.account.profile.integration.clone(),
            format: AuthenticationMethod::Oauth2,
            redirect: None,
            fields: BTreeMap::new(),
            skips_form: true,
        };
        let started =
            engine.connections().begin_flow(&Caller::Person, link.token.expose(), begin).await.map_err(error_view)?;
        let url = started.flow.authorize_url.clone().unwrap_or_default();
        Ok(SignInRoute::Provider(url, Box::new(SignIn { flow: started.flow, key: started.key })))
    }

    /// Waits until the sign-in ends, and claims its callback, because the user who clicked is at this desktop. If the user
    /// signed in with another identity, a window asks what to do.
    pub async fn finish(&self, sign_in: Box<SignIn>) -> SignInOutcome {
        let SignIn { mut flow, key } = *sign_in;
        let engine = &self.0.engine;
        let mut is_asked = false;
        loop {
            let next = match flow.phase {
                FlowPhase::Succeeded => {
                    let is_reauthorized = flow.outcome.is_none_or(|outcome| outcome.reauthorized && !outcome.kept_old);
                    return if is_reauthorized { SignInOutcome::Reauthorized } else { SignInOutcome::DecidedOtherwise };
                }
                FlowPhase::Failed => return SignInOutcome::Failed,
                FlowPhase::Returned => {
                    engine.connections().claim_flow(&Caller::Person, flow.id, key.expose(), None).await
                }
                FlowPhase::Question if !is_asked && self.ask(&flow, &key) => {
                    is_asked = true;
                    continue;
                }
                FlowPhase::Question if !is_asked => {
                    if let Err(error) =
                        engine.connections().answer_flow(&Caller::Person, flow.id, key.expose(), IdentityChoice::Keep)
                    {
                        tracing::warn!(code = error.code(), "the question of another user was not answered: {error}");
                    }
                    return SignInOutcome::Failed;
                }
                FlowPhase::Waiting | FlowPhase::Working | FlowPhase::Question => {
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

    /// Opens the question about another identity in a window. Returns whether it is open.
    fn ask(&self, flow: &Flow, key: &Secret) -> bool {
        let page = self.return_page(flow.id, "key", key).ok().and_then(|page| Url::parse(page.expose()).ok());
        let Some(page) = page else { return false };
        self.0.desktop.open_connect_window(&page).inspect_err(|error| tracing::warn!("{error}")).is_ok()
    }
}
