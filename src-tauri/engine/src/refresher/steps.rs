//! A refresh by the steps of the integration's action `refresh_token`, in place of that of RFC 6749 §6 (contract section 4.8).
//!
//! **Invariant:** what the steps send and find is in memory only, and recorded nowhere: it may all be tokens. Of what they leave in the
//! context, only `oauth.token` is kept, in the way of any refresh.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use relink_domain::{
    Secret,
    account::{Account, AccountState, Attempt, Credential, Renewal, Renewing},
    failure::{Cause, Failure, ProviderError, TokenErrorResponse},
    integration::actions::REFRESH_ACTION,
    provider_text::{KnownSecrets, SecretFilter},
    schedule,
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{Refresher, refresh::RefreshCredentials};
use crate::{
    access_tokens::AccessToken,
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
/// A longer answer to a refusal isn't kept, in bytes.
const MAX_KEPT_BODY: usize = 4096;
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
            seen: Mutex::default(),
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
        let seen = std::mem::take(&mut *lock(&host.seen));
        let definition = &provider.definition;
        let default_expires_in = match renewing.by {
            Renewal::ClientCredentials => definition.client_credentials().and_then(|it| it.default_expires_in),
            Renewal::RefreshToken | Renewal::Action => definition.oauth2().and_then(|it| it.default_expires_in),
        };
        let is_refreshed_daily = !definition.refresh().only_before_expiry;
        let tokens = Tokens::left_by_steps(&seen.left, default_expires_in, is_refreshed_daily, self.now());
        let is_as_before =
            |tokens: &Tokens| [held.as_ref(), item.secrets.get(ACCESS_TOKEN)].contains(&Some(&tokens.access));
        let failure = match (tokens, error) {
            // Programs get the access token, and no refresh token.
            (Ok(Some(tokens)), _) if refresh.is_some_and(|it| tokens.access.expose().contains(it.expose())) => {
                step_failure("The access token at oauth.token.access_token contains the refresh token.".to_owned())
            }
            (Ok(Some(tokens)), Some(error)) if is_as_before(&tokens) => host.failure(error, &seen),
            (Ok(Some(tokens)), error) => {
                if let Some(error) = error {
                    // The tokens that there are may have replaced the former ones.
                    tracing::warn!(account = %account.id(), "a step after the new tokens failed: {error}");
                }
                return StepsEnded { tokens: Ok(tokens), rotated: None };
            }
            (Ok(None), Some(error)) => host.failure(error, &seen),
            (Ok(None), None) => {
                step_failure("No step left an access token, as a text at oauth.token.access_token.".to_owned())
            }
            (Err(failure), _) => failure,
        };
        let rotated = oauth::refresh_left_by_steps(&seen.left).filter(|left| Some(left) != refresh);
        StepsEnded { tokens: Err(Failure { follows_success: seen.has_succeeded, ..failure }), rotated }
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
    seen: Mutex<Seen>,
}

/// What became of the steps so far.
#[derive(Default)]
struct Seen {
    /// What they left at `oauth.token`.
    left: Map<String, Value>,
    /// The texts of the answers, each of which may be a token, and the tokens of refusals and those that the steps left.
    texts: Vec<Secret>,
    has_succeeded: bool,
}

impl Seen {
    fn note(&mut self, answer: &Value) {
        match answer {
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
    fn filter(&self, seen: &Seen) -> SecretFilter {
        let known = self.known.clone();
        let known = if seen.texts.len() > MAX_TEXTS { known.incomplete() } else { known };
        known.filter(&seen.texts)
    }

    /// As a token endpoint's refusal is judged.
    fn failure(&self, error: StepError, seen: &Seen) -> Failure {
        match error.failed.map(|failed| *failed) {
            None => step_failure(error.message),
            Some(FailedRequest::Unanswered { cause, retry_after_secs }) => {
                Failure { retry_after_secs, ..Failure::new(cause) }
            }
            Some(FailedRequest::Refused { status, body, retry_after_secs }) => {
                let code =
                    self.provider.definition.refresh().error_code_path.as_ref().and_then(|path| path.read(&body));
                let ProviderError { code, message } = ProviderError::read(&body, code);
                let response =
                    TokenErrorResponse { status, code, message, is_html: false, redirect: None, retry_after_secs };
                let filter = self.filter(seen);
                let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
                let kept = (text.len() <= MAX_KEPT_BODY).then(|| filter.clean_whole(&text));
                let body = kept.filter(|body| !body.is_empty());
                Failure { body, ..response.classify(&self.provider.own_codes(), &filter) }
            }
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
        let answer = self.runner.call_in_refresh(Arc::new(prepared), call).await;
        let mut seen = lock(&self.seen);
        let answer = answer.inspect_err(|error| {
            if let Some(FailedRequest::Refused { body, .. }) = error.failed.as_deref() {
                seen.texts.extend(oauth::tokens_in(body));
            }
        })?;
        seen.has_succeeded = true;
        seen.note(&answer);
        Ok(answer)
    }

    /// `oauth` is merged deeper, and so what isn't given stays (contract section 3).
    async fn put(&self, values: Map<String, Value>, context: &mut Map<String, Value>) -> Result<Value, Failed> {
        let mut rest = values.clone();
        if let Some(Value::Object(mut oauth)) = rest.remove("oauth") {
            if let Some(Value::Object(token)) = oauth.remove("token") {
                token_in(context).extend(token.clone());
                let mut seen = lock(&self.seen);
                seen.texts.extend(oauth::tokens_in(&Value::Object(token.clone())));
                seen.left.extend(token);
            }
            object_in(context, "oauth").extend(oauth);
        }
        context.extend(rest);
        Ok(Value::Object(values))
    }

    async fn without_secrets(&self, text: &str) -> String {
        self.filter(&lock(&self.seen)).clean(text, MAX_ERROR)
    }
}
