//! A refresh by the steps of the integration's action `refresh_token`, in place of that of RFC 6749 §6 (contract section 4.8).
//!
//! **Invariant:** what the steps send and find is in memory only, and recorded nowhere: it may all be tokens. Of what they leave in the
//! context, only `oauth.token` is kept, in the way of any refresh.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use relink_domain::{
    Secret, Timestamp,
    account::{Account, AccountState, Attempt, Credential, Renewal, Renewing},
    failure::{Cause, Failure},
    integration::{actions::REFRESH_ACTION, is_credential_name},
    provider_text::KnownSecrets,
    schedule,
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use url::Url;

use super::{Refresher, refresh::RefreshCredentials};
use crate::{
    access_tokens::AccessToken,
    crash::CrashPoint,
    error::Result,
    keychain::Item,
    oauth::{self, Tokens},
    outbound::DEADLINE,
    provider::{
        ACCESS_TOKEN, AccountValues, BoundProvider, CallCredentials, OfRefresh, PreparedAccount, REFRESH_TOKEN,
    },
    step_runner::{FailedRequest, StepCall, StepError, StepRunner},
    steps::{self, Action, Failed, StepHost},
    sync::lock,
};

/// Characters of an error that are kept.
const MAX_ERROR: usize = 1000;
/// Texts of the answers that errors must not repeat. With more, nothing free of an error is kept.
const MAX_TEXTS: usize = 1000;
/// A shorter text is no token.
const MIN_TOKEN_CHARS: usize = 8;

/// The definition had steps that renew the account, and has none any more.
pub(super) fn no_steps() -> Failure {
    step_failure("The integration has no action refresh_token any more, and the account no refresh token.".to_owned())
}

fn step_failure(error: String) -> Failure {
    Failure { step_error: Some(error), ..Failure::new(Cause::RefreshStepFailed) }
}

impl Refresher {
    /// Who runs the steps, if a refresh is one of steps.
    pub(super) fn step_runner(&self, provider: &BoundProvider) -> Result<Option<Arc<dyn StepRunner>>> {
        provider.definition.actions().refresh().map(|_| self.0.uses.runners.required()).transpose()
    }

    /// Takes the access token out of the keychain after a start: one that steps renew may not be renewable before its time.
    pub(super) fn restore_access_token(&self, account: &Account, item: &Item) {
        let (id, tokens) = (account.id(), &self.0.uses.tokens);
        let AccountState::Working { credential: Credential::Renewing(renewing) } = &account.state else { return };
        let is_current = item.generation == renewing.generation
            && renewing.attempt == Attempt::Idle
            && account.replacement.is_none()
            && schedule::is_fresh(renewing.lifetime, self.now());
        if !is_current || tokens.get(id).is_some() {
            return;
        }
        // One that was refused has left memory, and is not to come back.
        if let Some(token) = item.secrets.get(ACCESS_TOKEN).filter(|token| !tokens.was_refused(id, token)) {
            tokens.insert(id, AccessToken::new(token.clone(), renewing.lifetime));
        }
    }

    /// Runs the steps.
    pub(super) async fn run_refresh_steps(
        &self,
        runner: &dyn StepRunner,
        provider: &BoundProvider,
        renewing: &Renewing,
        RefreshCredentials { item, client_secret, variables }: &RefreshCredentials,
        account: &Account,
    ) -> StepsEnded {
        let Some(action) = provider.definition.actions().refresh() else { return StepsEnded::before_any(no_steps()) };
        let has_credential = match renewing.by {
            Renewal::RefreshToken => item.secrets.contains_key(REFRESH_TOKEN),
            Renewal::Action => item.secrets.contains_key(ACCESS_TOKEN),
            Renewal::ClientCredentials => !item.secrets.is_empty(),
        };
        if !has_credential {
            return StepsEnded::before_any(Failure::new(Cause::CredentialMissing));
        }
        let held = self.0.uses.tokens.get(account.id()).map(|held| held.token);
        let access = held.as_ref().or_else(|| item.secrets.get(ACCESS_TOKEN));
        let known = KnownSecrets::default().and(item.secrets.values()).and(&held).and(client_secret);
        let host = Host {
            runner,
            account,
            provider,
            fields: AccountValues::of(&account.profile.context, &item.secrets).into_secrets(),
            variables,
            known: known.and(variables.values()),
            found: Mutex::default(),
        };
        let refresh = item.secrets.get(REFRESH_TOKEN);
        let context = context_of(account, renewing, (access, refresh));
        let (query, body) = (Map::new(), Value::Null);
        let action = Action { name: REFRESH_ACTION, steps: &action.steps, query: &query, body: &body };
        // As long as any refresh may take: a quit waits for it.
        let error = match timeout(DEADLINE, Box::pin(steps::run(runner, &host, account, context, &action))).await {
            Ok(Ok(ran)) => ran.error,
            Ok(Err(error)) => Some(StepError::new(error.to_string())),
            Err(_) => Some(late()),
        };
        let found = std::mem::take(&mut *lock(&host.found));
        let definition = &provider.definition;
        let default_expires_in = match renewing.by {
            Renewal::ClientCredentials => definition.client_credentials().and_then(|it| it.default_expires_in),
            Renewal::RefreshToken | Renewal::Action => definition.oauth2().and_then(|it| it.default_expires_in),
        };
        let is_refreshed_daily = !definition.refresh().only_before_expiry;
        let tokens = Tokens::of_steps(&found.tokens, default_expires_in, is_refreshed_daily, self.now());
        let is_as_before =
            |tokens: &Tokens| [held.as_ref(), item.secrets.get(ACCESS_TOKEN)].contains(&Some(&tokens.access));
        let failure = match (tokens, error) {
            // Programs get the access token, and no refresh token.
            (Ok(Some(tokens)), _) if refresh.is_some_and(|it| tokens.access.expose().contains(it.expose())) => {
                step_failure("The access token at oauth.token.access_token contains the refresh token.".to_owned())
            }
            (Ok(Some(tokens)), Some(error)) if is_as_before(&tokens) => host.failure(error, &found, self.now()),
            (Ok(Some(tokens)), error) => {
                if let Some(error) = error {
                    // The tokens that there are may have replaced the former ones.
                    tracing::warn!(account = %account.id(), "a step after the new tokens failed: {error}");
                }
                return StepsEnded { tokens: Ok(tokens), rotated: None };
            }
            (Ok(None), Some(error)) => host.failure(error, &found, self.now()),
            (Ok(None), None) => {
                step_failure("No step left an access token, as a text at oauth.token.access_token.".to_owned())
            }
            (Err(failure), _) => failure,
        };
        let rotated = oauth::refresh_token_of_steps(&found.tokens).filter(|token| Some(token) != refresh);
        StepsEnded { tokens: Err(Failure { follows_success: found.has_succeeded, ..failure }), rotated }
    }
}

/// What the steps of a refresh came to.
#[derive(Debug)]
pub(super) struct StepsEnded {
    /// The tokens that they left.
    pub(super) tokens: Result<Tokens, Failure>,
    /// If they failed: the refresh token that they left before that. The old one may be used up.
    pub(super) rotated: Option<Secret>,
}

impl StepsEnded {
    const fn before_any(failure: Failure) -> Self {
        Self { tokens: Err(failure), rotated: None }
    }
}

fn late() -> StepError {
    let message = format!("The steps didn't end within {} seconds.", DEADLINE.as_secs());
    StepError::new(message).failed(FailedRequest::Unanswered { cause: Cause::Timeout, retry_after_secs: None })
}

/// What expressions and templates see: the account's context, with the current tokens.
fn context_of(
    account: &Account,
    renewing: &Renewing,
    (access, refresh): (Option<&Secret>, Option<&Secret>),
) -> Map<String, Value> {
    let mut token = Map::new();
    let named = [(ACCESS_TOKEN, access), (REFRESH_TOKEN, refresh)];
    token.extend(named.into_iter().filter_map(|(name, secret)| Some((name.to_owned(), json!(secret?.expose())))));
    token.extend(renewing.lifetime.expires_at.map(|at| ("expires_at".to_owned(), json!(at.to_string()))));
    let mut context = account.profile.context.clone();
    *token_in(&mut context) = token;
    context
}

/// `oauth.token` of a context.
fn token_in(context: &mut Map<String, Value>) -> &mut Map<String, Value> {
    object_in(object_in(context, "oauth"), "token")
}

fn object_in<'m>(map: &'m mut Map<String, Value>, key: &str) -> &'m mut Map<String, Value> {
    let value = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it was made one"),
    }
}

struct Host<'a> {
    runner: &'a dyn StepRunner,
    account: &'a Account,
    provider: &'a BoundProvider,
    /// The secret values of the integration's form.
    fields: BTreeMap<String, Secret>,
    variables: &'a BTreeMap<String, Secret>,
    known: KnownSecrets,
    found: Mutex<Found>,
}

/// What the steps found so far.
#[derive(Default)]
struct Found {
    /// What they put at `oauth.token`.
    tokens: Map<String, Value>,
    /// The texts of the answers and of what the steps put into the context, each of which may be a token, and the credentials of refusals.
    texts: Vec<Secret>,
    /// Where the latest request went, without what the step adds to it.
    asked: Option<Url>,
    has_succeeded: bool,
}

impl Found {
    fn note(&mut self, value: &Value) {
        match value {
            // One more than that says that there were too many.
            Value::String(text) if text.len() >= MIN_TOKEN_CHARS && self.texts.len() <= MAX_TEXTS => {
                self.texts.push(Secret::new(text.as_str()));
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Object(members) => members.values().for_each(|value| self.note(value)),
            _ => {}
        }
    }
}

impl Host<'_> {
    /// What errors must not repeat.
    fn known(&self, found: &Found) -> KnownSecrets {
        let known = self.known.clone().and(&found.texts);
        if found.texts.len() > MAX_TEXTS { known.incomplete() } else { known }
    }

    /// The texts of a value that its names, or the definition, call credentials.
    fn credentials_in(&self, value: &Value) -> Vec<Secret> {
        let definition = &self.provider.definition;
        oauth::credentials_in("", value, &|name| is_credential_name(name) || definition.is_credential(name))
    }

    fn failure(&self, error: StepError, found: &Found, now: Timestamp) -> Failure {
        match (error.failed.map(|failed| *failed), &found.asked) {
            (Some(FailedRequest::Unanswered { cause, retry_after_secs }), _) => {
                Failure { retry_after_secs, ..Failure::new(cause) }
            }
            (Some(FailedRequest::Refused(answer)), Some(asked)) => {
                let definition = &self.provider.definition;
                let own_codes = self.provider.own_codes();
                oauth::failure_of_step(&answer, asked, definition, &own_codes, self.known(found), now)
            }
            (None | Some(FailedRequest::Refused(_)), _) => step_failure(error.message),
        }
    }

    /// Where a step's request goes, without what the step adds to it.
    fn address_of(&self, call: StepCall<'_>, prepared: &PreparedAccount) -> Option<Url> {
        let definition = &self.provider.definition;
        let method = match call {
            StepCall::Own { action, step, .. } => definition.actions().request(action, step),
            StepCall::Named { call, .. } => {
                definition.resources().get(&call.resource).and_then(|resource| resource.get(&call.method))
            }
        };
        match method.and_then(|method| method.base_url.as_ref()) {
            Some(own) => prepared.resolve(own).ok().map(|url| url.as_url().clone()),
            None => prepared.base_url().cloned(),
        }
    }
}

impl StepHost for Host<'_> {
    async fn call(&self, context: &Map<String, Value>, call: StepCall<'_>) -> Result<Value, Failed> {
        let mut context = context.clone();
        let mut tokens = std::mem::take(token_in(&mut context));
        let mut secret = |name: &str| match tokens.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(Secret::new(text)),
            _ => None,
        };
        let (access, refresh) = (secret(ACCESS_TOKEN), secret(REFRESH_TOKEN));
        let credentials = CallCredentials {
            method: self.account.method(),
            access_token: access.as_ref(),
            of_refresh: Some(OfRefresh { refresh_token: refresh.as_ref() }),
            fields: &self.fields,
            variables: self.variables,
            context: &context,
            tenant_id: Some(&self.account.profile.tenant_id),
            known: &self.known,
        };
        let prepared = PreparedAccount::in_refresh(self.account, self.provider, &credentials);
        let prepared = prepared.map_err(|error| StepError::new(error.to_string()))?;
        lock(&self.found).asked = self.address_of(call, &prepared);
        let answer = self.runner.call_in_refresh(Arc::new(prepared), call).await;
        CrashPoint::RefreshStepAnswered.here(&self.known).await;
        let mut found = lock(&self.found);
        let answer = answer.inspect_err(|error| {
            if let Some(FailedRequest::Refused(answer)) = error.failed.as_deref()
                && let Ok(body) = serde_json::from_slice(&answer.body)
            {
                found.texts.extend(self.credentials_in(&body));
            }
        })?;
        found.has_succeeded = true;
        found.note(&answer);
        Ok(answer)
    }

    /// `oauth` is merged deeper, and so what isn't given stays (contract section 3).
    async fn put(&self, values: Map<String, Value>, context: &mut Map<String, Value>) -> Result<Value, Failed> {
        let mut rest = values.clone();
        if let Some(Value::Object(mut oauth)) = rest.remove("oauth") {
            if let Some(Value::Object(token)) = oauth.remove("token") {
                token_in(context).extend(token.clone());
                lock(&self.found).tokens.extend(token);
            }
            object_in(context, "oauth").extend(oauth);
        }
        let put = Value::Object(values.clone());
        let mut found = lock(&self.found);
        found.note(&put);
        // A short token, too.
        found.texts.extend(self.credentials_in(&put));
        drop(found);
        context.extend(rest);
        Ok(Value::Object(values))
    }

    async fn without_secrets(&self, text: &str) -> String {
        self.known(&lock(&self.found)).filter([]).clean(text, MAX_ERROR)
    }
}
