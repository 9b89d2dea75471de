//! An account's `RapidForm`: opening it, its options, and submitting it (contract section 2.2).
//!
//! A page has a token for it: of a link that is for a form, of an account token, or of the sign-in that the form follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use relink_contract::{
    WireSecret,
    form::{FilledForm, FormField, FormOptions, FormSession, OptionsRequest, SubmittedForm},
};
use relink_domain::{
    AccountId, FlowId, LinkTokenId, Secret,
    account::{Account, Input},
    caller::Caller,
    integration::actions::{self, Form},
    link::{LinkError, LinkPurpose, LinkToken},
    name,
    permission::Permission,
};
use serde_json::{Map, Value};

use super::{
    Connections,
    flow::{Flow, Phase},
    openings::{OpenedIn, StandsFor},
    session::session_account,
};
use crate::{
    error::{Error, Result},
    keychain::Key,
    provider::{BoundProvider, drop_credentials_in_context},
    random::random_token,
    store::links,
    sync::lock,
};

/// The right of a page to fill in an account's `RapidForm`, which its token stands for.
#[derive(Debug, Clone)]
pub struct FormGrant {
    account: AccountId,
    /// With whose right.
    caller: Caller,
    origin: FormOrigin,
}

/// Why a page has a form.
#[derive(Debug, Clone)]
enum FormOrigin {
    AccountToken,
    /// It follows the sign-in of this flow.
    SignIn(FlowId),
    /// The link is used up by the form. The browser goes to its redirect URI then.
    Link {
        id: LinkTokenId,
        redirect_uri: Option<String>,
    },
}

impl FormGrant {
    /// With whose right the form is filled in. Whether an account token has ended meanwhile, it doesn't say.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// A form that a page may fill in.
struct OpenForm {
    account: Account,
    provider: BoundProvider,
    form: Form,
}

impl Connections {
    /// Makes a nonce that opens the form of the account of an account token once, within a minute.
    pub fn prepare_form_opening(&self, caller: &Caller, opened_in: OpenedIn) -> Result<Secret> {
        caller.require(Permission::OfferForms)?;
        let account = caller.own_account().ok_or_else(token_unknown)?;
        let grant = FormGrant { account, caller: caller.clone(), origin: FormOrigin::AccountToken };
        self.nonce_for(StandsFor::Form(grant), opened_in)
    }

    /// What a token grants: of a page, or of a link for a form.
    pub async fn form_grant(&self, token: &str) -> Result<FormGrant> {
        match self.0.openings.stands_for(token, self.now()) {
            Some(StandsFor::Form(grant)) => {
                self.require_open(&grant).await?;
                Ok(grant)
            }
            Some(StandsFor::Link(_)) | None => {
                let link = match self.usable_link(token).await {
                    Err(Error::Link { refused: LinkError::Unknown }) => return Err(token_unknown()),
                    presented => presented?.link,
                };
                let LinkPurpose::PostConnectForm { account_id: account } = link.purpose else {
                    return Err(token_unknown());
                };
                let origin = FormOrigin::Link { id: link.id, redirect_uri: link.options.redirect_uri };
                Ok(FormGrant { account, caller: Caller::Link { id: link.id }, origin })
            }
        }
    }

    /// What to fill in.
    pub async fn form_session(&self, _caller: &Caller, grant: &FormGrant) -> Result<FormSession> {
        let OpenForm { account, provider, form } = self.open_form(grant).await?;
        let requested_by = match &grant.origin {
            FormOrigin::Link { id, redirect_uri } => {
                if let Some(uri) = redirect_uri {
                    self.ensure_redirect_is_listed(uri).await?;
                }
                Some(self.requester(&self.link_by_id(*id).await?).await?)
            }
            FormOrigin::AccountToken | FormOrigin::SignIn(_) => None,
        };
        let kept = self.kept_passwords(&form, account.id()).await?;
        let definition = &provider.definition;
        let values =
            account.profile.context.iter().filter(|(name, _)| {
                form.field(name).is_some_and(|field| field.kind != actions::FormFieldKind::Password)
            });
        Ok(FormSession {
            integration: definition.name().to_owned(),
            integration_label: definition.label().to_owned(),
            logo: definition.logo().and_then(|logo| logo.embedded()).map(str::to_owned),
            color: definition.color().map(|color| color.as_str().to_owned()),
            account: session_account(&account),
            tenant_id: account.profile.tenant_id.clone(),
            requested_by,
            fields: form.fields.iter().map(FormField::from).collect(),
            values: values.map(|(name, value)| (name.clone(), value.clone())).collect(),
            kept: kept.into_iter().collect(),
        })
    }

    /// The options of a field, which the provider lists.
    pub async fn form_options(
        &self,
        caller: &Caller,
        grant: &FormGrant,
        request: OptionsRequest,
    ) -> Result<FormOptions> {
        let OpenForm { account, provider, form } = self.open_form(grant).await?;
        let field = form.field(&request.field).ok_or_else(|| Error::not_found("field", &request.field))?;
        let options = match &field.options {
            actions::FormOptions::Fetched(fetched) => {
                let mut values = account.profile.context.clone();
                values.extend(accepted_additional_context(caller, request.additional_context, (&form, &provider))?);
                values.extend(request.values.into_iter().filter(|(name, _)| form.field(name).is_some()));
                let asked = (field.label.as_str(), &**fetched);
                Box::pin(self.0.uses.onboarding.form_options(&account, &provider, asked, &values)).await?
            }
            actions::FormOptions::Fixed(_) | actions::FormOptions::None => {
                FormField::from(field).options.unwrap_or_default()
            }
        };
        Ok(FormOptions { options })
    }

    /// Stores what was filled in: passwords in the keychain, all else in the account's context, with the form's event. Uses the link up.
    pub async fn submit_form(&self, caller: &Caller, grant: &FormGrant, filled: FilledForm) -> Result<SubmittedForm> {
        let OpenForm { account, provider, form } = self.open_form(grant).await?;
        let id = account.id();
        let kept = self.kept_passwords(&form, id).await?;
        let secrets = filled.secrets.into_iter().map(|(name, secret)| (name, secret.into_secret())).collect();
        let submission = match form.check(&filled.values, secrets, (&account.profile.context, &kept)) {
            Ok(submission) => submission,
            Err(problems) => return Ok(invalid(problems.into_iter().map(Into::into).collect())),
        };
        let values = form.as_validated(&submission);
        let problems = self.0.uses.onboarding.form_problems(provider.label(), &form, &values).await?;
        if !problems.is_empty() {
            return Ok(invalid(problems));
        }
        let mut context = accepted_additional_context(caller, filled.additional_context, (&form, &provider))?;
        context.extend(submission.context);

        // From here on nothing else of this account is written: what was decided above must still be so.
        let lock = self.0.uses.accounts.lock_of(id);
        let _guard = lock.lock().await;
        self.require_open(grant).await?;
        let OpenForm { account: current, .. } = self.open_form(grant).await?;
        if !is_undisturbed(&current, &account) {
            let message = "New credentials are being saved for this account. Try again in a moment.";
            return Err(Error::conflict("account_changed", message));
        }
        let mut merged = current.profile.context.clone();
        merged.extend(context.clone());
        name::check_context(&merged)
            .map_err(|fault| Error::invalid("form_too_large", format!("This form can't be saved: {fault}")))?;
        self.keep_passwords(&current, &provider, submission.secrets).await?;
        let link = if let FormOrigin::Link { id, .. } = grant.origin { Some(id) } else { None };
        self.commit_form(caller, id, (link, context)).await?;
        tracing::info!(account = %id, ?caller, "a form was submitted");
        let redirect_uri = match &grant.origin {
            // It may have been removed from the list meanwhile.
            FormOrigin::Link { redirect_uri: Some(uri), .. } => {
                self.ensure_redirect_is_listed(uri).await.is_ok().then(|| uri.clone())
            }
            FormOrigin::SignIn(flow) => {
                self.0.flows.get(*flow).inspect(|flow| end_form(flow));
                None
            }
            FormOrigin::Link { redirect_uri: None, .. } | FormOrigin::AccountToken => None,
        };
        Ok(SubmittedForm::Submitted { redirect_uri })
    }

    async fn commit_form(
        &self,
        caller: &Caller,
        id: AccountId,
        (link, context): (Option<LinkTokenId>, Map<String, Value>),
    ) -> Result<()> {
        let now = self.now();
        let use_link = move |tx: &rusqlite::Transaction<'_>| {
            let used_up = link.map_or(Ok(Ok(())), |link| links::use_up(tx, link, now))?;
            Ok(if used_up.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        let committed = self.0.uses.accounts.commit_with(caller, id, Input::SubmitForm { context }, use_link).await?;
        // Another page was quicker.
        committed.map(drop).ok_or_else(|| LinkError::Used.into())
    }

    /// The token of the form that follows a sign-in, if one does.
    pub(super) async fn form_after(&self, flow: &Flow, saved: &Account) -> Option<WireSecret> {
        if flow.link.is_none() || flow.skips_form || !saved.state.is_active() {
            return None;
        }
        let provider = self.0.uses.accounts.provider_for(saved).await.ok()?;
        match self.0.uses.onboarding.form(saved, &provider).await {
            Ok(form) => drop(form?),
            Err(error) => {
                tracing::warn!(account = %saved.id(), code = error.code(), "its form isn't shown: {error}");
                return None;
            }
        }
        let token = random_token().ok()?;
        let grant = FormGrant { account: saved.id(), caller: flow.caller.clone(), origin: FormOrigin::SignIn(flow.id) };
        self.0.openings.add_form(&token, grant, self.now());
        Some(token.into())
    }

    /// Fails if the form can't be filled in any more: with its link, or after its sign-in.
    async fn require_open(&self, grant: &FormGrant) -> Result<()> {
        match grant.origin {
            FormOrigin::AccountToken => Ok(()),
            FormOrigin::SignIn(flow) => self.require_open_form(flow).await,
            FormOrigin::Link { id, .. } => Ok(self.link_by_id(id).await?.usable(self.now())?),
        }
    }

    async fn link_by_id(&self, id: LinkTokenId) -> Result<LinkToken> {
        Ok(self.0.uses.store.read(move |c| links::get(c, id)).await?.ok_or(LinkError::Unknown)?)
    }

    /// Fails if the form that follows a sign-in was submitted, or if the API token has ended whose link it began with.
    async fn require_open_form(&self, flow: FlowId) -> Result<()> {
        let flow = self.0.flows.get(flow).ok_or_else(token_unknown)?;
        let is_open = matches!(&*lock(&flow.phase), Phase::Succeeded(outcome) if outcome.form_token.is_some());
        if !is_open {
            return Err(Error::conflict("form_submitted", "This form was submitted already, perhaps in another tab."));
        }
        let Some(link) = flow.link else { return Ok(()) };
        match self.link_by_id(link).await?.token_ends_at {
            Some(at) if at <= self.now() => Err(LinkError::TokenEnded.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Fails if the account's integration has no form.
    pub(super) async fn require_form(&self, id: AccountId) -> Result<()> {
        let account = self.0.uses.accounts.load(id).await?;
        let provider = self.0.uses.providers.of(&account)?;
        provider.definition.actions().form().map(drop).ok_or_else(|| not_set_up(provider.label()))
    }

    async fn open_form(&self, grant: &FormGrant) -> Result<OpenForm> {
        let account = self.0.uses.accounts.load(grant.account).await?;
        let name = &account.profile.name;
        if !account.state.is_active() {
            let status = account.status().as_str();
            let message =
                format!("{name} isn't active but {status}, so its form can't be filled in. Reauthorize it first.");
            return Err(Error::conflict("account_not_active", message));
        }
        let provider = self.0.uses.accounts.provider_for(&account).await?;
        let Some(form) = self.0.uses.onboarding.form(&account, &provider).await? else {
            return Err(not_set_up(provider.label()));
        };
        Ok(OpenForm { account, provider, form })
    }

    /// The form's password fields that have a value.
    async fn kept_passwords(&self, form: &Form, id: AccountId) -> Result<BTreeSet<String>> {
        if form.passwords().next().is_none() {
            return Ok(BTreeSet::new());
        }
        let item = self.0.uses.keychain.get(&Key::Account(id)).await?.unwrap_or_default();
        Ok(form.passwords().filter(|name| item.secrets.contains_key(*name)).map(str::to_owned).collect())
    }

    /// Adds passwords to what the keychain has of the account, whose lock is held. They are there before the form's event says that it
    /// was submitted.
    async fn keep_passwords(
        &self,
        account: &Account,
        provider: &BoundProvider,
        secrets: BTreeMap<String, Secret>,
    ) -> Result<()> {
        if secrets.is_empty() {
            return Ok(());
        }
        let (keychain, key) = (&self.0.uses.keychain, Key::Account(account.id()));
        let missing = || {
            Error::conflict(
                "credential_missing",
                "The account's credentials aren't in the keychain. Reauthorize it first.",
            )
        };
        let mut item = keychain.get(&key).await?.ok_or_else(missing)?;
        item.secrets.extend(secrets);
        Ok(keychain.set(&key, &provider.item_label(&account.profile.name), &item).await?)
    }
}

/// Whether an account has the credentials that it had before, for the same addresses, and none that wait for the keychain: those would
/// be written over what is written now.
fn is_undisturbed(now: &Account, before: &Account) -> bool {
    let generation = |account: &Account| account.state.credential().generation();
    now.replacement.is_none()
        && now.open_generation().is_err()
        && generation(now) == generation(before)
        && now.profile.origins == before.profile.origins
}

/// Says on the other pages of a flow that its form was submitted.
fn end_form(flow: &Flow) {
    if let Phase::Succeeded(outcome) = &mut *lock(&flow.phase) {
        outcome.form_token = None;
    }
    flow.announce();
}

/// What the app that opened the form adds to the context. It could change that itself, as nobody else who opens a form can. The form's
/// own fields are filled in by the person alone.
fn accepted_additional_context(
    caller: &Caller,
    mut context: Map<String, Value>,
    (form, provider): (&Form, &BoundProvider),
) -> Result<Map<String, Value>> {
    if !context.is_empty() && caller.own_account().is_none() {
        let message = "additional_context is only taken from a form that was opened with an account token.";
        return Err(Error::invalid_field("additional_context_refused", "additional_context", message));
    }
    context.retain(|name, _| form.field(name).is_none());
    drop_credentials_in_context(&mut context, Some(provider));
    Ok(context)
}

fn invalid(problems: Vec<relink_contract::form::FormProblem>) -> SubmittedForm {
    SubmittedForm::Invalid { problems }
}

fn not_set_up(label: &str) -> Error {
    let message = format!(
        "{label} has no form to fill in: its RapidForm isn't set up. A form is the action post_connect_user_form of the \
         integration's definition (docs/api.md, Forms)."
    );
    Error::conflict("form_not_set_up", message)
}

fn token_unknown() -> Error {
    Error::conflict(
        "form_token_unknown",
        "The account token of this form isn't valid or has expired. Whoever asks for this can make a new one.",
    )
}
