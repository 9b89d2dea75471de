//! Accounts for programs' calls: how they are prepared, once, and what the answers to the calls change.

use std::{collections::BTreeMap, sync::Arc};

use relink_domain::{
    AccountId, Secret,
    account::{Account, AuthenticationMethod, CallOutcome, Credential, Input, Rejected, ResourceMethod},
    caller::Caller,
    provider_text::KnownSecrets,
};

use super::Refresher;
use crate::{
    error::{Error, Result},
    keychain::{Item, Key},
    provider::{
        ACCESS_TOKEN, BoundProvider, CallCredentials, PreparedAccount, REFRESH_TOKEN, Refusal, Report, Reported,
    },
};

/// How often an account is read whose credentials change at the same time.
const MAX_READS: u32 = 4;

/// What an account's calls are signed with, and for which provider.
pub(super) struct Material {
    pub(super) account: Account,
    pub(super) provider: BoundProvider,
    /// The generation of the credential.
    pub(super) generation: u64,
    /// The access token, if it can be renewed.
    pub(super) renewable: Option<Secret>,
    /// The access token, if it can't.
    kept: Option<Secret>,
    /// The secret values of the integration's form.
    fields: BTreeMap<String, Secret>,
    /// The secret environment variables of the integration.
    variables: BTreeMap<String, Secret>,
    known: KnownSecrets,
}

impl Material {
    pub(super) fn credentials(&self) -> CallCredentials<'_> {
        CallCredentials {
            method: self.account.method(),
            access_token: self.renewable.as_ref().or(self.kept.as_ref()),
            of_refresh: None,
            fields: &self.fields,
            variables: &self.variables,
            context: &self.account.profile.context,
            tenant_id: Some(&self.account.profile.tenant_id),
            known: &self.known,
        }
    }
}

impl Refresher {
    /// Reads what an account's calls are signed with. An access token that has run out is refreshed first.
    pub(super) async fn material(&self, caller: &Caller, account: &Account) -> Result<Material> {
        let id = account.id();
        let (renewable, item, generation) = match account.state.credential() {
            Credential::Renewing(_) => {
                if *caller != Caller::Person && self.fresh_in_memory(id).is_none() {
                    self.refuse_by_final_failure(account)?;
                }
                let (token, generation) = self.fresh_token_and_generation(caller, id).await?;
                (Some(token), Item::default(), generation)
            }
            Credential::Fixed(fixed) => (None, self.item_of(caller, account).await?, fixed.generation),
        };
        // The credentials may have been replaced since the account was read, and be bound to other addresses.
        let account = self.0.uses.accounts.load(id).await?;
        if account.state.credential().generation() != generation {
            return Err(Rejected::Stale { got: generation }.into());
        }
        let provider = self.0.uses.accounts.provider_for(&account).await?;
        let Item { mut secrets, .. } = item;
        let method = account.method();
        let is_named = |name: &str| provider.definition.form_passwords().any(|password| password == name);
        let has_secrets = method == AuthenticationMethod::Oauth2
            && provider.definition.fields(method).into_iter().flatten().any(|field| field.secret);
        if renewable.is_some() && (has_secrets || provider.definition.form_passwords().next().is_some()) {
            let item = self.0.uses.keychain.get(&Key::Account(id)).await?.unwrap_or_default();
            if item.generation > generation {
                self.0.uses.accounts.wait_for_replacement(id).await;
                return Err(Rejected::Stale { got: generation }.into());
            }
            secrets = item.secrets;
            secrets.remove(REFRESH_TOKEN);
            secrets.retain(|name, _| has_secrets || is_named(name));
        }
        let kept = secrets.remove(ACCESS_TOKEN);
        // What is never renewed was read above.
        let unread = renewable.is_some().then_some(id);
        let known = self.0.uses.providers.known_secrets(&provider, unread).await;
        let variables = self.0.uses.providers.variables(&provider).await?;
        Ok(Material { account, provider, generation, renewable, kept, fields: secrets, variables, known })
    }

    /// An account, ready for calls of programs. Nothing is read while nothing has changed.
    pub async fn prepared(&self, caller: &Caller, id: AccountId) -> Result<Arc<PreparedAccount>> {
        let prepared = self.0.uses.tokens.prepared();
        if let Some(known) = prepared.get(id).filter(|known| self.is_current(known)) {
            caller.require_account(id, known.provider().name())?;
            self.record_use(id);
            return Ok(known);
        }
        Box::pin(self.make_prepared(caller, id)).await
    }

    async fn make_prepared(&self, caller: &Caller, id: AccountId) -> Result<Arc<PreparedAccount>> {
        let read = self.0.uses.tokens.prepared().begin(id);
        let account = self.0.uses.accounts.load(id).await?;
        caller.require_account(id, &account.profile.integration)?;
        self.0.uses.accounts.refuse_if_moved(&account).await?;
        if matches!(account.state.credential(), Credential::Renewing(_)) && self.fresh_in_memory(id).is_none() {
            self.obey_retry_after(&account)?;
            // Whoever calls: only what is asked for as a refresh is tried at any time.
            self.refuse_by_final_failure(&account)?;
        }
        let material = Box::pin(self.material_unless_replaced(caller, account)).await?;
        let account = &material.account;
        let (renewable, unproven) = (material.renewable.clone(), self.0.uses.tokens.unproven(id));
        let standing = self.0.uses.tokens.standing(account);
        let (provider, credentials) = (&material.provider, material.credentials());
        let made = PreparedAccount::new(account, provider, &credentials, renewable, unproven, standing)?;
        let made = Arc::new(made);
        // While new credentials are being written, the keychain item changes without a commit.
        let made = if account.replacement.is_none() { read.keep(made) } else { made };
        self.record_use(id);
        Ok(made)
    }

    /// [`Self::material`], read again if the credentials are replaced meanwhile.
    async fn material_unless_replaced(&self, caller: &Caller, mut account: Account) -> Result<Material> {
        for _ in 1..MAX_READS {
            match self.material(caller, &account).await {
                Err(Error::Rejected(Rejected::Stale { .. })) => {
                    account = self.0.uses.accounts.load(account.id()).await?;
                }
                read => return read,
            }
        }
        self.material(caller, &account).await
    }

    fn is_current(&self, prepared: &PreparedAccount) -> bool {
        let is_fresh = |token| self.0.uses.tokens.is_fresh(prepared.id(), token, self.now());
        let has_fresh_token = prepared.access_token().is_none_or(is_fresh);
        let provider = self.0.uses.providers.get(prepared.provider().id());
        has_fresh_token && provider.is_ok_and(|provider| prepared.is_of(&provider.installed))
    }

    /// The account with another access token than the one that the provider refused: one refresh, which all calls wait for.
    pub async fn renewed(&self, caller: &Caller, refused: &PreparedAccount) -> Result<Arc<PreparedAccount>> {
        if let Some(token) = refused.access_token() {
            self.0.uses.tokens.renew_refused(refused.id(), token);
        }
        self.prepared(caller, refused.id()).await
    }

    /// A call was accepted. Nobody waits for what follows, and nothing does while the account is well.
    pub fn call_accepted(&self, caller: &Caller, account: &PreparedAccount) {
        if account.follows_refusal() {
            self.0.uses.tokens.accepted_after_refusal(account.id());
        }
        let reported = account.standing().report_success(self.now(), || report(caller, account, CallOutcome::Accepted));
        self.commit_reports(account, reported);
    }

    /// A call was answered with 401 or what means the same, also after a refresh where there can be one.
    pub fn call_refused(&self, caller: &Caller, account: &PreparedAccount, refusal: &Refusal<'_>) {
        // First the report, for which a refresh waits that the missing token leads to.
        // A step that is refused fails its action, which says so (contract section 6): that is not the account's trouble.
        let reported = if *caller == Caller::Internal {
            Reported::Not
        } else {
            account.standing().report_refusal(self.now(), || {
                let (status, said) = (refusal.status, account.said(refusal));
                report(caller, account, CallOutcome::Unauthorized { status, said })
            })
        };
        // A new token that is refused as well is dead, too: it is not handed out.
        if let Some(token) = account.access_token() {
            self.0.uses.tokens.remove_refused(account.id(), token);
        }
        self.commit_reports(account, reported);
    }

    /// A call was answered with 403.
    pub fn call_forbidden(&self, caller: &Caller, account: &PreparedAccount, refusal: &Refusal<'_>) {
        let reported = account.standing().report_forbidden(self.now(), || {
            let (said, missing_scopes) = (account.said(refusal), account.missing_scopes(refusal));
            let method = refusal
                .method
                .map(|(resource, method)| ResourceMethod { resource: resource.to_owned(), method: method.to_owned() });
            report(caller, account, CallOutcome::Forbidden { said, missing_scopes, method })
        });
        self.commit_reports(account, reported);
    }

    /// Commits the reports of an account, if nobody does already.
    fn commit_reports(&self, account: &PreparedAccount, reported: Reported) {
        if reported != Reported::First {
            return;
        }
        let (refresher, id, standing) = (self.clone(), account.id(), Arc::clone(account.standing()));
        self.0.uses.tasks.spawn(async move {
            while let Some(Report { caller, generation, outcome }) = standing.next_report() {
                if let Err(error) = refresher.call_answered(&caller, id, generation, outcome).await {
                    tracing::warn!(account = %id, "the answer to a call could not be recorded: {error}");
                }
            }
        });
    }

    /// Records what a call's answer shows of the account's credential.
    pub(super) async fn call_answered(
        &self,
        caller: &Caller,
        id: AccountId,
        generation: u64,
        outcome: CallOutcome,
    ) -> Result<()> {
        let accounts = &self.0.uses.accounts;
        let lock = accounts.lock_of(id);
        let _guard = lock.lock().await;
        match accounts.commit(caller, id, Input::CallAnswered { generation, outcome }).await {
            // The credentials were replaced meanwhile, so the result says nothing about the current ones.
            Ok(_) | Err(Error::Rejected(Rejected::Stale { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn report(caller: &Caller, account: &PreparedAccount, outcome: CallOutcome) -> Report {
    Report { caller: caller.clone(), generation: account.generation(), outcome }
}
