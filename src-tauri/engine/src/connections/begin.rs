//! Starts flows.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use relink_contract::connect::{self, FlowStep};
use relink_domain::{
    FlowId, Secret, account::AuthenticationMethod, caller::Caller, integration::RedirectKind, link::LinkToken,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Connections,
    complete::EnteredFields,
    flow::{AuthorizationRequest, Flow, Phase, account_to_reauthorize},
    openings::{OpenedIn, PresentedLink},
};
use crate::{
    error::{Error, Result},
    keychain::{Key, KeychainError},
    oauth,
    provider::{BoundProvider, Provider, reject_credentials_in_context},
    random::{hash_of, random_token},
};

/// The input of [`Connections::begin_flow`].
#[derive(Debug)]
pub struct BeginFlow {
    /// The integration's name.
    pub integration: String,
    /// How the account will be authenticated.
    pub format: AuthenticationMethod,
    /// The kind of redirect URI; `None`: the best one that works here.
    pub redirect: Option<RedirectKind>,
    /// What the person entered into the integration's form.
    pub fields: BTreeMap<String, Secret>,
}

#[derive(Debug)]
pub struct BegunFlow {
    pub flow: connect::Flow,
    /// Its holder may follow and finish the flow.
    pub key: Secret,
}

impl Connections {
    /// Begins a flow for the link that `token` belongs to.
    pub async fn begin_flow(&self, caller: &Caller, token: &str, begin: BeginFlow) -> Result<BegunFlow> {
        let link = self.usable_link(token).await?;
        let provider = self.provider_for(&link.link, &begin).await?;
        self.ensure_keychain_open(&provider).await?;
        match begin.format {
            AuthenticationMethod::Oauth2 => self.begin_oauth(caller, link, provider, begin.redirect).await,
            AuthenticationMethod::ApiKey | AuthenticationMethod::Oauth2ClientCredentials => {
                self.begin_with_fields(caller, link, provider, &begin)
            }
        }
    }

    async fn provider_for(&self, link: &LinkToken, begin: &BeginFlow) -> Result<Arc<Provider>> {
        let provider = match account_to_reauthorize(link) {
            Some(id) => {
                let account = self.0.uses.accounts.load(id).await?;
                if account.profile.integration != begin.integration || account.method() != begin.format {
                    let message = "This link reauthorizes an account with its current integration and method. Connect a new account to use another.";
                    return Err(Error::invalid("link_for_another_integration", message));
                }
                self.0.uses.providers.get(account.profile.environment_integration_id)?
            }
            None => self.0.uses.providers.named(&begin.integration)?,
        };
        if !provider.definition.methods().contains(&begin.format) {
            let message = format!("{} can't be connected with {}.", provider.label(), begin.format.as_str());
            return Err(Error::invalid("unknown_method", message));
        }
        // Check again: the integration may have been added or changed since the link was created.
        reject_credentials_in_context(&link.options.context, &Some(&*provider))?;
        Ok(provider)
    }

    /// Makes sure that the tokens can be stored, before a sign-in begins. The person is present, so this may prompt.
    async fn ensure_keychain_open(&self, provider: &Provider) -> Result<()> {
        match self.0.uses.keychain.get(&Key::Integration(provider.id())).await {
            Ok(_) | Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => Ok(()),
            Err(KeychainError::Locked) => Ok(self.0.uses.keychain.unlock().await?),
            Err(error) => Err(error.into()),
        }
    }

    async fn begin_oauth(
        &self,
        caller: &Caller,
        link: PresentedLink,
        provider: Arc<Provider>,
        wanted: Option<RedirectKind>,
    ) -> Result<BegunFlow> {
        if let Some(message) = self.0.uses.providers.client_secret_to_enter_again(&provider).await {
            return Err(Error::conflict("integration_not_ready", message));
        }
        let has_secret = self.0.uses.providers.client_secret(&provider).await?.is_some();
        let port = self.0.uses.address.port()?;
        if let Some(not_ready) = provider.definition.not_ready(AuthenticationMethod::Oauth2, has_secret, port) {
            return Err(Error::conflict("integration_not_ready", not_ready.message));
        }
        let Some(oauth2) = provider.definition.oauth2() else {
            return Err(Error::invalid("unknown_method", format!("{} doesn't use OAuth 2.0.", provider.label())));
        };
        let redirect = self.redirect_for(&oauth2.redirects, wanted, provider.label())?;
        let redirect_uri = provider.definition.redirect_uri(redirect, port);
        let scopes = link.link.options.scopes.as_ref().unwrap_or(&oauth2.scopes);
        let authorization = oauth::authorize(oauth2, &redirect_uri, scopes).map_err(|error| {
            Error::conflict("integration_broken", format!("The provider's URL isn't valid: {error}"))
        })?;
        let request = AuthorizationRequest {
            authorize_url: authorization.url.to_string(),
            redirect,
            redirect_uri,
            verifier: authorization.verifier,
            kept: BTreeMap::new(),
        };
        self.insert_flow(
            caller,
            link,
            provider,
            AuthenticationMethod::Oauth2,
            Phase::Waiting(request),
            Some(&authorization.state),
        )
        .map(|(_, begun)| begun)
    }

    fn begin_with_fields(
        &self,
        caller: &Caller,
        link: PresentedLink,
        provider: Arc<Provider>,
        begin: &BeginFlow,
    ) -> Result<BegunFlow> {
        let fields = provider.definition.fields(begin.format);
        let entered = match fields.map(|fields| fields.validate(&begin.fields)) {
            Some(Ok(values)) => EnteredFields::from(values),
            Some(Err(problems)) => {
                let Some(problem) = problems.into_iter().next() else { return Err(Error::Stopping) };
                return Err(Error::invalid_field("field_invalid", problem.field, problem.message));
            }
            None => EnteredFields::default(),
        };
        let phase = Phase::Working(FlowStep::Checking);
        let (flow, started) = self.insert_flow(caller, link, provider, begin.format, phase, None)?;
        let connections = self.clone();
        self.0.uses.tasks.spawn(async move { connections.complete_with_fields(&flow, entered).await });
        Ok(started)
    }

    fn insert_flow(
        &self,
        caller: &Caller,
        link: PresentedLink,
        provider: Arc<Provider>,
        format: AuthenticationMethod,
        phase: Phase,
        state: Option<&Secret>,
    ) -> Result<(Arc<Flow>, BegunFlow)> {
        let key = random_token()?;
        let PresentedLink { link, page, opened_in } = link;
        let is_begun_in_app = *caller == Caller::Person || opened_in == Some(OpenedIn::Window);
        let flow = Arc::new(Flow {
            id: FlowId::from_uuid(Uuid::now_v7()),
            key_hash: hash_of(key.expose()),
            confirmed_key: OnceLock::new(),
            page,
            needs_return_key: !is_begun_in_app,
            caller: caller.clone(),
            link,
            provider: BoundProvider::for_sign_in(provider),
            format,
            began_at: self.now(),
            phase: phase.into(),
            version: watch::Sender::new(1),
        });
        self.0.flows.insert(Arc::clone(&flow), state);
        let begun = BegunFlow { flow: flow.view(), key };
        Ok((flow, begun))
    }
}
