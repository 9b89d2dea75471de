//! Starts flows.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use relink_contract::connect::{self, FlowStep};
use relink_domain::{
    FlowId, Secret,
    account::AuthenticationMethod,
    caller::Caller,
    integration::{AddressError, Fields, OAuth2, RedirectKind},
    link::{LinkOptions, LinkToken, Purpose},
    template::Scope,
};
use serde_json::{Map, Value};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Connections,
    flow::{AuthorizationRequest, Flow, Phase, account_to_reauthorize},
    openings::{OpenedIn, PresentedLink},
    staged::EnteredFields,
};
use crate::{
    error::{Error, Result},
    keychain::{Item, Key, KeychainError},
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
    /// Whether no `RapidForm` follows.
    pub skips_form: bool,
}

/// A link that somebody signs in with.
struct SignInLink {
    presented: PresentedLink,
    purpose: Purpose,
    skips_form: bool,
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
        let mut link = self.usable_link(token).await?;
        if let Some(uri) = &link.link.options.redirect_uri {
            // It may have been removed from the list since the link was created.
            self.ensure_redirect_is_listed(uri).await?;
        }
        let purpose = link.link.purpose.sign_in().ok_or_else(|| {
            Error::invalid("link_for_form", "This link opens a form of an account. Nothing is connected with it.")
        })?;
        let provider = self.provider_for(&link.link, &purpose, &begin).await?;
        self.ensure_keychain_open(&provider).await?;
        let options = &mut link.link.options;
        if options.scopes.is_none() {
            let scopes = self.0.uses.unified_models.scopes_of(&options.unified_models, &begin.integration);
            options.scopes = Some(scopes).filter(|scopes| !scopes.is_empty());
        }
        let link = SignInLink { presented: link, purpose, skips_form: begin.skips_form };
        match begin.format {
            AuthenticationMethod::Oauth2 => {
                self.begin_oauth(caller, link, provider, begin.redirect, &begin.fields).await
            }
            AuthenticationMethod::ApiKey | AuthenticationMethod::Oauth2ClientCredentials => {
                self.begin_with_fields(caller, link, provider, &begin)
            }
        }
    }

    async fn provider_for(&self, link: &LinkToken, purpose: &Purpose, begin: &BeginFlow) -> Result<Arc<Provider>> {
        let provider = match account_to_reauthorize(purpose) {
            Some(id) => {
                let account = self.0.uses.accounts.load(id).await?;
                if account.profile.integration != begin.integration || account.method() != begin.format {
                    let message = "This link reauthorizes an account with its current integration and method. Connect a new account to use another.";
                    return Err(Error::invalid("link_for_another_integration", message));
                }
                self.0.uses.providers.of(&account)?
            }
            None if !self.is_for(link, &begin.integration) => {
                let message = "This link is for integrations of a unified model only, and this one isn't mapped to it.";
                return Err(Error::invalid("link_for_unified_model", message));
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

    /// Whether an integration can be connected with a link: all can, unless it is for those that are mapped to unified models.
    pub(super) fn is_for(&self, link: &LinkToken, integration: &str) -> bool {
        let models = &link.options.unified_models;
        models.is_empty() || models.iter().any(|model| self.0.uses.unified_models.is_mapped(*model, integration))
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
        link: SignInLink,
        provider: Arc<Provider>,
        wanted: Option<RedirectKind>,
        fields: &BTreeMap<String, Secret>,
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
        let (redirect, redirect_uri) = if link.presented.opened_in == Some(OpenedIn::PublicAddress) {
            (RedirectKind::Loopback, self.public_redirect_uri(&oauth2.redirects, &provider)?)
        } else {
            let redirect = self.redirect_for(&oauth2.redirects, wanted, provider.label())?;
            (redirect, provider.definition.redirect_uri(redirect, port))
        };
        let options = &link.presented.link.options;
        let scopes = options.scopes.as_ref().unwrap_or(&oauth2.scopes);
        // One click must do: what wasn't typed is what the link or the account already has.
        let entered = self.entered(&link.purpose, options, &oauth2.fields, fields).await?;
        let present = self.present_context(&link.purpose).await?;
        let context = options.context_after(&present, &entered.public);
        let broken = |problem: String| Error::conflict("integration_broken", problem);
        let url = oauth2.authorize_url.resolve(&context).map_err(|error| unresolved(oauth2, &error))?;
        let optional: Vec<_> =
            oauth2.fields.iter().filter(|field| !field.required).map(|field| field.name.as_str()).collect();
        let no_secrets = BTreeMap::new();
        let scope = Scope { optional: &optional, ..Scope::new(&context, &no_secrets, None) };
        let params = oauth2
            .authorize_params
            .fill(&scope)
            .map_err(|error| broken(format!("A parameter of the provider's URL can't be made: {error}.")))?;
        let authorization = oauth::authorize(oauth2, &url, &params, &redirect_uri, scopes)
            .map_err(|error| broken(format!("The provider's URL isn't valid: {error}")))?;
        let request = AuthorizationRequest {
            authorize_url: authorization.url.to_string(),
            redirect,
            redirect_uri,
            verifier: authorization.verifier,
            entered,
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

    /// The context of the account that is reauthorized.
    async fn present_context(&self, purpose: &Purpose) -> Result<Map<String, Value>> {
        Ok(match account_to_reauthorize(purpose) {
            Some(id) => self.0.uses.accounts.load(id).await?.profile.context,
            None => Map::new(),
        })
    }

    /// The values of a form. What wasn't typed is what the link's context or the account that is reauthorized already has.
    pub(super) async fn entered(
        &self,
        purpose: &Purpose,
        options: &LinkOptions,
        form: &Fields,
        typed: &BTreeMap<String, Secret>,
    ) -> Result<EnteredFields> {
        if form.iter().next().is_none() {
            return Ok(EnteredFields::default());
        }
        let present = self.present_context(purpose).await?;
        let kept = match account_to_reauthorize(purpose) {
            Some(id) if form.iter().any(|field| field.secret) => {
                self.0.uses.keychain.get(&Key::Account(id)).await?.unwrap_or_default()
            }
            Some(_) | None => Item::default(),
        };
        let (mut values, mut known) = (typed.clone(), EnteredFields::default());
        for field in form.iter().filter(|field| !typed.contains_key(&field.name)) {
            let in_context = || options.context.get(&field.name).or_else(|| present.get(&field.name)).and_then(text_of);
            let found =
                if field.secret { kept.secrets.get(&field.name).cloned() } else { in_context().map(Secret::new) };
            let Some(value) = found else { continue };
            if field.secret {
                known.secret.insert(field.name.clone(), value.clone());
            } else {
                known.public.insert(field.name.clone(), value.expose().into());
            }
            values.insert(field.name.clone(), value);
        }
        let mut entered = validated(form, &values)?;
        // What is known was transformed when it was entered.
        entered.secret.extend(known.secret);
        entered.public.extend(known.public);
        Ok(entered)
    }

    fn begin_with_fields(
        &self,
        caller: &Caller,
        link: SignInLink,
        provider: Arc<Provider>,
        begin: &BeginFlow,
    ) -> Result<BegunFlow> {
        let fields = provider.definition.fields(begin.format);
        let entered = fields.map(|form| validated(form, &begin.fields)).transpose()?.unwrap_or_default();
        let phase = Phase::Working(FlowStep::Checking);
        let (flow, started) = self.insert_flow(caller, link, provider, begin.format, phase, None)?;
        let connections = self.clone();
        self.0.uses.tasks.spawn(async move { connections.complete_with_fields(&flow, entered).await });
        Ok(started)
    }

    fn insert_flow(
        &self,
        caller: &Caller,
        link: SignInLink,
        provider: Arc<Provider>,
        format: AuthenticationMethod,
        phase: Phase,
        state: Option<&Secret>,
    ) -> Result<(Arc<Flow>, BegunFlow)> {
        let key = random_token()?;
        let SignInLink { presented: PresentedLink { link, page, opened_in }, purpose, skips_form } = link;
        let is_begun_in_app = *caller == Caller::Person || opened_in == Some(OpenedIn::Window);
        let flow = Arc::new(Flow {
            id: FlowId::from_uuid(Uuid::now_v7()),
            key_hash: hash_of(key.expose()),
            confirmed_key: OnceLock::new(),
            page,
            needs_return_key: !is_begun_in_app,
            caller: caller.clone(),
            link: Some(link.id),
            purpose,
            options: link.options,
            skips_form,
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

fn validated(form: &Fields, typed: &BTreeMap<String, Secret>) -> Result<EnteredFields> {
    form.validate(typed).map(EnteredFields::from).map_err(|problems| match problems.into_iter().next() {
        Some(problem) => Error::invalid_field("field_invalid", problem.field, problem.message),
        None => Error::Stopping,
    })
}

pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// At the field of the form whose value leads nowhere, if there is one.
fn unresolved(oauth2: &OAuth2, error: &AddressError) -> Error {
    let placeholders = oauth2.authorize_url.placeholders();
    let field = placeholders.iter().flat_map(|it| it.fields()).find_map(|name| oauth2.fields.get(name));
    match field {
        Some(field) => {
            let message = format!("{} doesn't fit into the provider's address: {error}.", field.label);
            Error::invalid_field("field_invalid", field.name.clone(), message)
        }
        None => Error::conflict("address_unresolved", format!("The provider's address can't be made: {error}.")),
    }
}
