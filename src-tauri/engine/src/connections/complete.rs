//! Completes a flow: the exchange, then identity, scopes and probe. Nothing is saved until all of them have passed.

use std::{sync::Arc, time::Duration};

use relink_contract::connect::{FlowOutcome, FlowStep, IdentityChoice, IdentityQuestion};
use relink_domain::{
    Secret,
    account::{
        Account, AuthenticationMethod, Credential, FixedKind, Granted, Identity, NewCredential, Renewal, Renewing,
        TimelineEvent,
    },
    failure::{Cause, Failure},
    link::Purpose,
    provider_text::KnownSecrets,
};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{
    Connections, STATE_LIFETIME_SECS,
    flow::{AuthorizationRequest, Flow, Phase},
    session::session_account,
    staged::{EnteredFields, Staged, ensure_resolved, kept_from_callback},
    view::FlowFailure,
};
use crate::{
    access_tokens::AccessToken,
    error::Error,
    keychain::Item,
    provider::{AccountValues, CallCredentials, Found, ProbeResult, Provider, probe},
    store::timeline::{self, NewEntry},
};

/// The account that a flow reauthorizes; `None` if it connects a new one.
pub(super) struct Target {
    account: Option<Account>,
}

impl Connections {
    /// Completes a flow whose code was claimed.
    pub(super) async fn complete_oauth(&self, flow: &Arc<Flow>, request: &AuthorizationRequest, code: &Secret) {
        // Boxed, because it holds the responses of several requests.
        let outcome = Box::pin(self.try_oauth(flow, request, code)).await;
        self.end(flow, outcome).await;
    }

    /// Completes a flow with a key, or with the ID and secret of the person's own client.
    pub(super) async fn complete_with_fields(&self, flow: &Arc<Flow>, fields: EnteredFields) {
        let outcome = Box::pin(self.try_fields(flow, fields)).await;
        self.end(flow, outcome).await;
    }

    async fn end(&self, flow: &Flow, outcome: Result<FlowOutcome, FlowFailure>) {
        match outcome {
            Ok(outcome) => flow.set(Phase::Succeeded(outcome)),
            Err(error) => {
                // Whatever failed, this is why.
                let is_removed = self.is_removed(flow) && !error.is_of_account();
                let error = if is_removed { FlowFailure::integration_removed(flow.provider.label()) } else { error };
                if !error.is_of_account() {
                    self.note_failure(&flow.caller, flow, &error).await;
                }
                flow.set(Phase::Failed(error));
            }
        }
    }

    async fn try_oauth(
        &self,
        flow: &Arc<Flow>,
        request: &AuthorizationRequest,
        code: &Secret,
    ) -> Result<FlowOutcome, FlowFailure> {
        let provider = &flow.provider;
        let label = provider.label();
        let local = |error: Error| FlowFailure::of_error(&error);
        let target = self.target(flow).await.map_err(local)?;
        let secret = self.0.uses.providers.client_secret(provider).await.map_err(|error| local(error.into()))?;
        let failed = |failure: Failure| FlowFailure::of_failure(&failure, label, Some(&request.redirect_uri));
        let known = self.known_secrets(flow).await.and([code]).and(&request.verifier);
        let known = known.and(request.entered.secret.values());
        // What the callback brought may lead to the token endpoint.
        let mut entered = request.entered.public.clone();
        entered.extend(kept_from_callback(&request.kept, &known));
        let context = target.context(flow, &entered);
        ensure_resolved(provider, &context)?;
        let values = AccountValues::of(&context, &request.entered.secret);
        let endpoint = provider.token_endpoint(secret, &values).map_err(failed)?.knowing(known.clone());
        let tokens = endpoint
            .exchange_code(&self.0.uses.outbound, code, request.verifier.as_ref(), &request.redirect_uri, self.now())
            .await
            .map_err(failed)?;

        flow.set(Phase::Working(FlowStep::Checking));
        let entered = EnteredFields { public: entered, secret: request.entered.secret.clone() };
        let probed = Box::pin(self.probe_tokens(flow, &target, &tokens, &entered, &known)).await?;
        let found = self.judge(flow, probed, None).await?;
        Box::pin(self.save_tokens(flow, target, tokens, entered, found)).await
    }

    pub(super) async fn try_fields(&self, flow: &Arc<Flow>, fields: EnteredFields) -> Result<FlowOutcome, FlowFailure> {
        let provider = &flow.provider;
        let label = provider.label();
        let target = self.target(flow).await.map_err(|error| FlowFailure::of_error(&error))?;
        let context = target.context(flow, &fields.public);
        let item = Item { secrets: fields.secret, ..Item::default() };
        let known = self.known_secrets(flow).await.and(item.secrets.values());
        let tokens = match flow.format {
            AuthenticationMethod::Oauth2ClientCredentials => {
                flow.set(Phase::Working(FlowStep::Exchanging));
                let scopes = flow.client_scopes();
                let endpoint = provider
                    .client_credentials_endpoint(&item, &context)
                    .map_err(|failure| FlowFailure::of_failure(&failure, label, None))?
                    .knowing(known.clone());
                let tokens = endpoint
                    .client_credentials(&self.0.uses.outbound, scopes.clone(), self.now())
                    .await
                    .map_err(|failure| match failure.cause {
                        Cause::InvalidClient => FlowFailure::client_rejected(&failure, label),
                        _ => FlowFailure::of_failure(&failure, label, None),
                    })?;
                Some((tokens, scopes))
            }
            AuthenticationMethod::ApiKey | AuthenticationMethod::Oauth2 => None,
        };
        flow.set(Phase::Working(FlowStep::Checking));
        let variables = self.0.uses.providers.variables(provider).await;
        let variables = variables.map_err(|error| FlowFailure::of_error(&error.into()))?;
        let credentials = CallCredentials {
            method: flow.format,
            access_token: tokens.as_ref().map(|(tokens, _)| &tokens.access),
            of_refresh: None,
            fields: &item.secrets,
            variables: &variables,
            context: &context,
            tenant_id: target.tenant_id(flow),
            known: &known,
        };
        if flow.format == AuthenticationMethod::ApiKey {
            let missing = provider.missing_to_sign(&credentials).map_err(|error| FlowFailure::of_error(&error))?;
            // Without any credential, a test request shows whether the provider wants one. Half of one is a mistake.
            let has_half = missing.len() < provider.authorizing_fields(flow.format).len();
            if !missing.is_empty() && (has_half || provider.definition.probe().is_none()) {
                return Err(FlowFailure::fields_missing(label, &missing));
            }
        }
        let probed = self.probe(flow, &credentials, None).await?;
        let (identity, kept) = parts(self.judge(flow, probed, Some(&credentials)).await?);
        let mut public = fields.public;
        public.extend(kept);
        let context = target.context(flow, &public);
        let (credential, access, requested_scopes, scopes) = match tokens {
            Some((tokens, requested)) => {
                let lifetime = tokens.lifetime.or_assumed(None);
                (
                    NewCredential::Renewing { by: Renewal::ClientCredentials, lifetime },
                    Some(AccessToken::new(tokens.access, lifetime)),
                    requested.clone(),
                    tokens.scopes.unwrap_or(requested),
                )
            }
            None => (NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None }, None, Vec::new(), Vec::new()),
        };
        let origins = provider.origins(flow.format, &context);
        let object_store_context_fields = flow.options.object_store_context_fields();
        let granted =
            Granted { credential, identity, scopes, requested_scopes, context, object_store_context_fields, origins };
        target.keeps_access(provider, &granted)?;
        Box::pin(self.decide(flow, target, Staged { item, granted, access })).await
    }

    /// The secrets of the client and of the account that the flow reauthorizes.
    pub(super) async fn known_secrets(&self, flow: &Flow) -> KnownSecrets {
        let account = flow.account_to_reauthorize();
        let held = account.and_then(|id| self.0.uses.tokens.get(id)).map(|held| held.token);
        self.0.uses.providers.known_secrets(&flow.provider, account).await.and(&held)
    }

    pub(super) async fn target(&self, flow: &Flow) -> Result<Target, Error> {
        Ok(Target {
            account: match flow.account_to_reauthorize() {
                Some(id) => Some(self.0.uses.accounts.load(id).await?),
                None => None,
            },
        })
    }

    /// Makes the probe call, which shows whether the credential works and whose it is.
    pub(super) async fn probe(
        &self,
        flow: &Flow,
        credentials: &CallCredentials<'_>,
        claims: Option<&Value>,
    ) -> Result<ProbeResult, FlowFailure> {
        let probed = probe(&self.0.uses.outbound, &flow.provider, credentials, claims, self.now());
        probed.await.map_err(|error| FlowFailure::of_error(&error))
    }

    /// What the probe call says about the credential.
    pub(super) async fn judge(
        &self,
        flow: &Flow,
        probed: ProbeResult,
        credentials: Option<&CallCredentials<'_>>,
    ) -> Result<Option<Found>, FlowFailure> {
        let label = flow.provider.label();
        match probed {
            ProbeResult::Works(found) => Ok(found),
            ProbeResult::NoProbe => Ok(None),
            ProbeResult::Unauthorized { status, said } => {
                let failure = Failure::new(Cause::Rejected).status(status).said(&said);
                let key = credentials.filter(|_| flow.format == AuthenticationMethod::ApiKey);
                Err(match key.map(|key| flow.provider.missing_to_sign(key)) {
                    Some(Ok(missing)) if !missing.is_empty() => {
                        FlowFailure::unsigned_rejected(&failure, label, &missing)
                    }
                    Some(_) => {
                        FlowFailure::key_rejected(&failure, label, &flow.provider.authorizing_fields(flow.format))
                    }
                    None => FlowFailure::of_failure(&failure, label, None),
                })
            }
            ProbeResult::Forbidden { said, .. } => {
                Err(FlowFailure::forbidden(&Failure::new(Cause::Forbidden).status(403).said(&said), label))
            }
            ProbeResult::Inconclusive(failure) => Err(match (failure.cause, flow.account_to_reauthorize()) {
                (Cause::IdentityMissing, Some(_)) => self.target(flow).await.map_or_else(
                    |error| FlowFailure::of_error(&error),
                    |target| target.identity_unknown(&flow.provider),
                ),
                _ => FlowFailure::of_failure(&failure, label, None),
            }),
        }
    }

    /// Saves the credentials after all checks have passed. If the identity differs from the account's, asks the person
    /// first.
    pub(super) async fn decide(
        &self,
        flow: &Arc<Flow>,
        target: Target,
        staged: Staged,
    ) -> Result<FlowOutcome, FlowFailure> {
        let Some(account) = target.account else {
            return self.save(flow, None, staged, false).await;
        };
        let question = match (&account.profile.identity, &staged.granted.identity) {
            (Some(before), Some(now)) if before.id != now.id => {
                IdentityQuestion { expected: before.label.clone(), actual: now.label.clone() }
            }
            (Some(_) | None, Some(_) | None) => return self.save(flow, Some(account), staged, false).await,
        };
        if flow.link.is_none() {
            return Err(FlowFailure::of_error(&another_identity(flow.provider.label(), &question)));
        }
        let choice = self.ask(flow, question).await;
        if self.is_removed(flow) {
            self.revoke_unused(flow, &staged.item, &staged.granted.context).await;
            return Err(FlowFailure::integration_removed(flow.provider.label()));
        }
        match choice {
            IdentityChoice::Replace => self.save(flow, Some(account), staged, false).await,
            IdentityChoice::Add => self.save(flow, Some(account), staged, true).await,
            IdentityChoice::Keep => Ok(self.keep_old(flow, &account, staged).await),
        }
    }

    /// Asks the person about a different identity. Without an answer, or if Relink stops, the old credentials stay.
    async fn ask(&self, flow: &Flow, question: IdentityQuestion) -> IdentityChoice {
        let (answer, answered) = oneshot::channel();
        flow.set(Phase::Asking { question, answer: Some(answer) });
        let timeout = Duration::from_secs(STATE_LIFETIME_SECS.unsigned_abs());
        let answered = self.0.uses.tasks.unless_stopping(answered);
        match tokio::time::timeout(timeout, answered).await {
            Ok(Ok(Ok(choice))) => choice,
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => IdentityChoice::Keep,
        }
    }

    /// Keeps the old credentials. Revokes the new ones if the provider supports that. The link can be used again.
    async fn keep_old(&self, flow: &Flow, account: &Account, staged: Staged) -> FlowOutcome {
        let identity = staged.granted.identity.map(|identity| identity.label);
        let (id, event) = (account.id(), TimelineEvent::KeptOld { identity });
        let noted = async {
            let entry = NewEntry::of(Some(id), self.now(), &event, Some(&flow.caller))?;
            self.0.uses.store.write(move |tx| timeline::add(tx, &entry)).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(account = %id, "could not be recorded: {error}");
        }
        self.revoke_unused(flow, &staged.item, &staged.granted.context).await;
        FlowOutcome { kept_old: true, ..outcome_of(account, flow, true) }
    }
}

/// Who is signed in, and what goes into the account's context because of it.
pub(super) fn parts(found: Option<Found>) -> (Option<Identity>, Map<String, Value>) {
    found.map_or_else(|| (None, Map::new()), |found| (Some(found.identity), found.kept))
}

impl Target {
    pub(super) fn context(&self, flow: &Flow, typed: &Map<String, Value>) -> Map<String, Value> {
        let none = Map::new();
        let present = self.account.as_ref().map_or(&none, |account| &account.profile.context);
        flow.options.context_after(present, typed)
    }

    pub(super) fn tenant_id<'t>(&'t self, flow: &'t Flow) -> Option<&'t str> {
        match (&self.account, &flow.purpose) {
            (Some(account), _) => Some(&account.profile.tenant_id),
            (None, Purpose::Connect { tenant_id }) => Some(tenant_id),
            (None, Purpose::Reauthorize { .. }) => None,
        }
    }

    pub(super) fn identity_unknown(&self, provider: &Provider) -> FlowFailure {
        let before = self.account.as_ref().and_then(|account| account.profile.identity.as_ref());
        FlowFailure::identity_unknown(provider.label(), before.map(|identity| identity.label.as_str()))
    }

    /// Refuses a reauthorization that would silently lose the identity, scopes or the ability to refresh.
    pub(super) fn keeps_access(&self, provider: &Provider, granted: &Granted) -> Result<(), FlowFailure> {
        let Some(account) = &self.account else { return Ok(()) };
        let label = provider.label();
        // Otherwise anybody could take over the account, without the question, by a response that has no identity.
        if let (Some(_), None, Some(_)) = (&account.profile.identity, &granted.identity, provider.definition.identity())
        {
            return Err(self.identity_unknown(provider));
        }
        let had = &account.profile.scopes;
        let requested = &granted.requested_scopes;
        let missing: Vec<_> =
            requested.iter().filter(|scope| had.contains(scope) && !granted.scopes.contains(scope)).cloned().collect();
        if !missing.is_empty() {
            return Err(FlowFailure::scopes_missing(label, &missing));
        }
        match (account.state.credential(), granted.credential) {
            (Credential::Renewing(_), NewCredential::Fixed { expires_at: Some(_), .. })
            | (
                Credential::Renewing(Renewing { by: Renewal::RefreshToken, .. }),
                NewCredential::Renewing { by: Renewal::Action, .. },
            ) => Err(FlowFailure::not_lasting(label)),
            (Credential::Renewing(_) | Credential::Fixed(_), _) => Ok(()),
        }
    }
}

/// A program can't answer for the person whether the account shall be another's from now on.
fn another_identity(label: &str, IdentityQuestion { expected, actual }: &IdentityQuestion) -> Error {
    let message = format!(
        "These credentials are of {actual} at {label}, but the account is of {expected}. Nothing was changed. Import them as an account \
         of their own, or let the person reauthorize this one."
    );
    Error::conflict("another_identity", message)
}

pub(super) fn outcome_of(account: &Account, flow: &Flow, reauthorized: bool) -> FlowOutcome {
    FlowOutcome {
        account: session_account(account),
        reauthorized,
        kept_old: false,
        is_checked: !flow.provider.leaves_unchecked(account),
        redirect_uri: flow.options.redirect_uri.clone(),
        form_token: None,
    }
}
