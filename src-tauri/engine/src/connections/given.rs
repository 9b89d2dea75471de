//! Credentials that a program gives (contract section 3): the import of an account, and new credentials for one. They take the way of a
//! sign-in, without its page: the provider is asked first, and nothing is saved that it refuses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use relink_contract::connect::{FlowOutcome, FlowStep};
use relink_domain::{
    AccountId, EnvironmentIntegrationId, FlowId, Secret, Timestamp,
    account::AuthenticationMethod,
    caller::Caller,
    failure::{Cause, Failure, provider_words},
    integration::Fields,
    link::{LinkOptions, Purpose},
    provider_text::KnownSecrets,
    schedule::TokenLifetime,
};
use serde_json::{Map, Value};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{
    Connections,
    begin::text_of,
    complete::Target,
    flow::{Flow, Phase},
    links::check_texts,
    staged::{EnteredFields, ensure_resolved},
    view::FlowFailure,
};
use crate::{
    accounts::AccountView,
    error::{Error, Result},
    keychain::{Key, KeychainError},
    oauth::Tokens,
    provider::{AccountValues, BoundProvider, ProbeResult, Provider, reject_credentials_in_context},
    random::{hash_of, random_token},
};

/// An account that a program has the credentials of.
#[derive(Debug)]
pub struct Import {
    pub environment_integration_id: EnvironmentIntegrationId,
    pub tenant_id: String,
    /// `None`: the only one that the integration has.
    pub method: Option<AuthenticationMethod>,
    /// See [`LinkOptions::region`].
    pub region: Option<String>,
    /// The credentials, and what else goes into the context.
    pub context: Map<String, Value>,
}

/// What a context gives.
#[derive(Debug, Default)]
struct Given {
    /// Of the form's fields.
    fields: BTreeMap<String, Secret>,
    tokens: GivenTokens,
    /// All else.
    rest: Map<String, Value>,
}

/// `oauth` of a context.
#[derive(Debug, Default)]
struct GivenTokens {
    access: Option<Secret>,
    refresh: Option<Secret>,
    expires_at: Option<Timestamp>,
    scopes: Option<Vec<String>>,
}

impl Connections {
    /// Adds an account with credentials that a program has. The provider must accept them.
    pub async fn import(&self, caller: &Caller, import: Import) -> Result<AccountView> {
        caller.require_all_accounts()?;
        let provider = self.0.uses.providers.get(import.environment_integration_id)?;
        let methods = provider.definition.methods();
        let method = match (import.method, methods.as_slice()) {
            (Some(method), _) if methods.contains(&method) => method,
            (None, [only]) => *only,
            (Some(_) | None, _) => return Err(no_such_method(&provider, &methods)),
        };
        let given = Given::of(import.context, form_of(&provider, method), method, self.now())?;
        let purpose = Purpose::Connect { tenant_id: import.tenant_id };
        let options = LinkOptions { context: given.rest.clone(), region: import.region, ..LinkOptions::default() };
        check_texts(&purpose.clone().into(), &options)?;
        reject_credentials_in_context(&options.context, &Some(&*provider))?;
        self.sign_in(caller, provider, method, (purpose, options), given).await
    }

    /// Replaces an account's credentials by those that a program has. What isn't given stays. The provider must accept them first.
    pub async fn change_credentials(
        &self,
        caller: &Caller,
        id: AccountId,
        context: Map<String, Value>,
    ) -> Result<AccountView> {
        self.0.uses.accounts.require(caller, id).await?;
        let account = self.0.uses.accounts.load(id).await?;
        let (provider, method) = (self.0.uses.providers.of(&account)?, account.method());
        let given = Given::of(context, form_of(&provider, method), method, self.now())?;
        if let Some(key) = given.rest.keys().next() {
            let message = format!(
                "{key:?} is no credential of {}. Change it with PATCH /integrated-account/{id}.",
                provider.label()
            );
            return Err(Error::invalid_field("not_a_credential", format!("context.{key}"), message));
        }
        if given.fields.is_empty() && method != AuthenticationMethod::Oauth2 {
            return Err(Error::invalid_field("credentials_missing", "context", "There is no credential in it."));
        }
        let options = LinkOptions { persist_previous_context: true, ..LinkOptions::default() };
        self.sign_in(caller, provider, method, (Purpose::Reauthorize { account_id: id }, options), given).await
    }

    async fn sign_in(
        &self,
        caller: &Caller,
        provider: Arc<Provider>,
        format: AuthenticationMethod,
        (purpose, mut options): (Purpose, LinkOptions),
        given: Given,
    ) -> Result<AccountView> {
        let none = Fields::default();
        let form = form_of(&provider, format).unwrap_or(&none);
        let entered = self.entered(&purpose, &options, form, &given.fields).await?;
        options.scopes.clone_from(&given.tokens.scopes);
        // Before anything is spent. No program makes the system ask for the keychain's password.
        match self.0.uses.keychain.get(&Key::Integration(provider.id())).await {
            Ok(_) | Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let flow = Arc::new(Flow {
            id: FlowId::from_uuid(Uuid::now_v7()),
            // Nobody has the key.
            key_hash: hash_of(random_token()?.expose()),
            confirmed_key: OnceLock::new(),
            page: None,
            needs_return_key: true,
            caller: caller.clone(),
            link: None,
            purpose,
            skips_form: true,
            options,
            provider: BoundProvider::for_sign_in(provider),
            format,
            began_at: self.now(),
            phase: Mutex::new(Phase::Working(FlowStep::Checking)),
            version: watch::Sender::new(1),
        });
        let connections = self.clone();
        // It goes on when the request is cancelled: a refresh token may be spent already.
        let (ended, end) = oneshot::channel();
        self.0.uses.tasks.spawn(async move {
            let outcome = match format {
                AuthenticationMethod::Oauth2 => Box::pin(connections.try_tokens(&flow, entered, given.tokens)).await,
                AuthenticationMethod::ApiKey | AuthenticationMethod::Oauth2ClientCredentials => {
                    Box::pin(connections.try_fields(&flow, entered)).await
                }
            };
            // Nobody waits any more if the request was cancelled.
            let _ = ended.send(outcome);
        });
        let outcome = end.await.map_err(|_| Error::Stopping)?.map_err(FlowFailure::into_error)?;
        self.0.uses.accounts.get(caller, outcome.account.id).await
    }

    /// The access token is tried as it is, so that a refresh token that works isn't spent without need. One that has expired or is
    /// refused is refreshed first.
    async fn try_tokens(
        &self,
        flow: &Arc<Flow>,
        entered: EnteredFields,
        given: GivenTokens,
    ) -> Result<FlowOutcome, FlowFailure> {
        let now = self.now();
        let target = self.target(flow).await.map_err(|error| FlowFailure::of_error(&error))?;
        ensure_resolved(&flow.provider, &target.context(flow, &entered.public))?;
        let known = self.known_secrets(flow).await.and(&given.access).and(&given.refresh).and(entered.secret.values());
        let lives = given.expires_at.is_none_or(|at| at > now);
        let mut probed = None;
        if let Some(access) = given.access.filter(|_| lives || given.refresh.is_none()) {
            let tokens = Tokens {
                access,
                refresh: given.refresh.clone(),
                id: None,
                lifetime: TokenLifetime::new(now, given.expires_at),
                scopes: None,
                kept: Map::new(),
            };
            let answer = Box::pin(self.probe_tokens(flow, &target, &tokens, &entered, &known)).await?;
            probed = Some((tokens, answer));
        }
        let is_refused = |probed: &Option<(Tokens, ProbeResult)>| {
            matches!(probed, None | Some((_, ProbeResult::Unauthorized { .. })))
        };
        if let Some(refresh) = given.refresh.filter(|_| is_refused(&probed)) {
            let tokens = self.refreshed(flow, &target, &entered, (refresh, &known)).await?;
            let answer = Box::pin(self.probe_tokens(flow, &target, &tokens, &entered, &known)).await?;
            // The refresh itself has shown that they work, and the old one may be spent.
            let answer = match answer {
                ProbeResult::Inconclusive(_) if flow.account_to_reauthorize().is_none() => ProbeResult::NoProbe,
                other => other,
            };
            probed = Some((tokens, answer));
        }
        let Some((tokens, answer)) = probed else {
            let message =
                "An access token is needed in context.oauth.token.access_token, or a refresh token in refresh_token.";
            let error = Error::invalid_field("credentials_missing", "context.oauth.token", message);
            return Err(FlowFailure::of_error(&error));
        };
        let found = self.judge(flow, answer, None).await?;
        Box::pin(self.save_tokens(flow, target, tokens, entered, found)).await
    }

    async fn refreshed(
        &self,
        flow: &Flow,
        target: &Target,
        entered: &EnteredFields,
        (refresh, known): (Secret, &KnownSecrets),
    ) -> Result<Tokens, FlowFailure> {
        let (provider, uses) = (&flow.provider, &self.0.uses);
        if provider.definition.actions().refresh().is_some() {
            return Err(FlowFailure::of_error(&needs_access_token(provider.label())));
        }
        let failed = |failure| FlowFailure::of_failure(&failure, provider.label(), None);
        let secret = uses.providers.client_secret(provider).await;
        let secret = secret.map_err(|error| FlowFailure::of_error(&error.into()))?;
        let context = target.context(flow, &entered.public);
        let values = AccountValues::of(&context, &entered.secret);
        let endpoint = provider.refresh_endpoint(secret, &values).map_err(failed)?.knowing(known.clone());
        let tokens = endpoint.refresh(&uses.outbound, &refresh, Vec::new(), self.now()).await;
        let tokens = tokens.map_err(|failure| match failure.cause {
            Cause::InvalidGrant => FlowFailure::of_error(&dead_refresh_token(&failure, provider.label())),
            _ => failed(failure),
        })?;
        Ok(Tokens { refresh: tokens.refresh.or(Some(refresh)), ..tokens })
    }
}

/// The form of a method's values.
fn form_of(provider: &Provider, method: AuthenticationMethod) -> Option<&Fields> {
    match method {
        AuthenticationMethod::Oauth2 => provider.definition.oauth2().map(|oauth2| &oauth2.fields),
        AuthenticationMethod::ApiKey | AuthenticationMethod::Oauth2ClientCredentials => {
            provider.definition.fields(method)
        }
    }
}

fn no_such_method(provider: &Provider, methods: &[AuthenticationMethod]) -> Error {
    let names: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    let message = format!("{} can be connected with: {}. Name one of them.", provider.label(), names.join(", "));
    Error::invalid_field("unknown_method", "authentication_method", message)
}

fn dead_refresh_token(failure: &Failure, label: &str) -> Error {
    let said = provider_words(failure.provider_code.as_deref(), failure.provider_message.as_deref());
    let said = said.map(|said| format!(" The provider said: {said}.")).unwrap_or_default();
    let message = format!("{label} doesn't accept this refresh token. Nothing was saved.{said}");
    Error::invalid_field("credentials_refused", "context.oauth.token.refresh_token", message)
}

fn needs_access_token(label: &str) -> Error {
    let message = format!(
        "{label} renews tokens by steps of its integration (the action refresh_token), which run only with an account. Give an access \
         token that works in context.oauth.token.access_token, with the refresh token beside it. Nothing was saved."
    );
    Error::invalid_field("credentials_refused", "context.oauth.token.access_token", message)
}

impl Given {
    /// The values of the form are texts, numbers or flags.
    fn of(
        context: Map<String, Value>,
        form: Option<&Fields>,
        method: AuthenticationMethod,
        now: Timestamp,
    ) -> Result<Self> {
        let mut given = Self::default();
        for (key, value) in context {
            if form.is_some_and(|form| form.get(&key).is_some()) {
                let text = text_of(&value).ok_or_else(|| {
                    let message = format!("The value of {key} must be a text.");
                    Error::invalid_field("field_invalid", format!("context.{key}"), message)
                })?;
                given.fields.insert(key, Secret::new(text));
            } else if key == "oauth" && method == AuthenticationMethod::Oauth2 {
                given.tokens = GivenTokens::of(&value, now)?;
            } else {
                given.rest.insert(key, value);
            }
        }
        Ok(given)
    }
}

impl GivenTokens {
    /// `{"token": {"access_token", "refresh_token", "expires_in"}, "scope"}`, in seconds, or `expires_at` as a time (RFC 3339).
    fn of(oauth: &Value, now: Timestamp) -> Result<Self> {
        let token = &oauth["token"];
        let invalid = |key: &str, what: &str| {
            let field = format!("context.oauth.{key}");
            Error::invalid_field("credentials_invalid", field.clone(), format!("{field} must be {what}."))
        };
        if !token.is_object() {
            return Err(invalid("token", "an object with access_token or refresh_token"));
        }
        let text = |key: &str| match &token[key] {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            Value::String(text) => Ok(Some(Secret::new(text.trim()))),
            _ => Err(invalid(&format!("token.{key}"), "a text")),
        };
        let in_seconds = match &token["expires_in"] {
            Value::Null => None,
            Value::Number(seconds) => seconds.as_f64(),
            Value::String(text) => Some(text.parse().map_err(|_| invalid("token.expires_in", "a number of seconds"))?),
            _ => return Err(invalid("token.expires_in", "a number of seconds")),
        };
        let at = match &token["expires_at"] {
            Value::Null => None,
            Value::String(text) => Some(text.parse().map_err(|_| invalid("token.expires_at", "a time (RFC 3339)"))?),
            _ => return Err(invalid("token.expires_at", "a time (RFC 3339)")),
        };
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        let expires_at = at.or_else(|| in_seconds.map(|seconds| now.plus_millis((seconds * 1000.0) as i64)));
        let scopes = match oauth.get("scope").or_else(|| token.get("scope")) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                Some(text.split([' ', ',']).filter(|it| !it.is_empty()).map(str::to_owned).collect())
            }
            Some(Value::Array(items)) => {
                let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                Some(texts.ok_or_else(|| invalid("scope", "an array of texts"))?)
            }
            Some(_) => return Err(invalid("scope", "an array of texts")),
        };
        Ok(Self { access: text("access_token")?, refresh: text("refresh_token")?, expires_at, scopes })
    }
}
