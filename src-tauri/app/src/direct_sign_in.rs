//! Straight to the provider's page: one click on a notification or in the tray, without the connect UI in between.

use std::{collections::BTreeMap, time::Duration};

use relink_domain::{
    AccountId, Secret,
    account::AuthenticationMethod,
    link::{LinkOptions, Purpose},
};
use relink_engine::connect::{BeginFlow, FlowView, IdentityChoice, PhaseName};

use crate::{App, Result, error_view};

/// How long one question about the flow waits for it to move.
const PATIENCE: Duration = Duration::from_secs(25);

/// Where the person goes.
#[derive(Debug)]
pub enum SignInRoute {
    /// The provider's page, in the browser. The second part ends when the sign-in has.
    Provider(String, Box<SignIn>),
    /// The connect UI: what has to be typed is typed there.
    Page(Secret),
}

/// A sign-in that was begun without a page. Drive it with [`App::finish`].
#[derive(Debug)]
pub struct SignIn {
    flow: FlowView,
    key: Secret,
}

/// How a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInOutcome {
    /// The account works again.
    Reauthorized,
    /// It does not; its page says why.
    Failed,
}

impl App {
    /// Begins to mend this account.
    pub async fn reauthorize(&self, id: AccountId) -> Result<SignInRoute> {
        let engine = &self.0.engine;
        let view = engine.account(id).await.map_err(error_view)?;
        let purpose = Purpose::Reauthorize { account_id: id };
        let link = engine.create_link(purpose, LinkOptions::default()).await.map_err(error_view)?;
        if view.account.method() != AuthenticationMethod::Oauth2 {
            let page = format!("{}/connect-account?link_token={}", self.base_url(), link.token.expose());
            return Ok(SignInRoute::Page(Secret::new(page)));
        }
        let begin = BeginFlow {
            integration: view.account.profile.integration.clone(),
            format: AuthenticationMethod::Oauth2,
            redirect: None,
            fields: BTreeMap::new(),
        };
        let started = engine.begin_flow(link.token.expose(), begin).await.map_err(error_view)?;
        let url = started.flow.authorize_url.clone().unwrap_or_default();
        Ok(SignInRoute::Provider(url, Box::new(SignIn { flow: started.flow, key: started.key })))
    }

    /// Sees a sign-in through: claims its callback, since the person who began it is at this desktop. Somebody else's
    /// sign-in changes nothing here; the account's page leads to the link that asks what to do.
    pub async fn finish(&self, sign_in: Box<SignIn>) -> SignInOutcome {
        let SignIn { mut flow, key } = *sign_in;
        loop {
            let next = match flow.phase {
                PhaseName::Succeeded => return SignInOutcome::Reauthorized,
                PhaseName::Failed => return SignInOutcome::Failed,
                PhaseName::Returned => self.0.engine.claim_flow(flow.id, key.expose()).await,
                PhaseName::Question => {
                    let kept = self.0.engine.answer_flow(flow.id, key.expose(), IdentityChoice::Keep);
                    if let Err(error) = kept {
                        tracing::warn!(code = error.code(), "the question was not answered: {error}");
                    }
                    return SignInOutcome::Failed;
                }
                PhaseName::Waiting | PhaseName::Working => {
                    self.0.engine.flow(flow.id, key.expose(), Some(flow.version), PATIENCE).await
                }
            };
            match next {
                Ok(moved) => flow = moved,
                Err(error) => {
                    tracing::info!(code = error.code(), "the sign-in was not finished: {error}");
                    return SignInOutcome::Failed;
                }
            }
        }
    }
}
