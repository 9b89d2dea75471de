//! Link tokens. Each grants the right to connect or reauthorize an account on this machine, once.

use std::sync::Arc;

use relink_domain::{
    LinkTokenId, Secret, Timestamp,
    account::TimelineEvent,
    caller::Caller,
    integration::WebUrl,
    link::{LIFETIME_SECS, LinkError, LinkOptions, LinkPurpose, LinkToken, REGIONS},
    name::{self, MAX_SCOPES, MAX_TENANT_ID},
};
use uuid::Uuid;

use super::{
    Connections,
    openings::{Presented, PresentedLink},
};
use crate::{
    accounts::tenant_id_invalid,
    error::{Error, Result},
    provider::{Provider, reject_credentials_in_context},
    random::hash_of,
    store::{
        accounts, api_tokens, links, settings,
        timeline::{self, NewEntry},
    },
};

const REDIRECT_URIS: &str = "link_redirect_uris";

/// The maximum number of allowed redirect URLs.
const MAX_REDIRECT_URIS: usize = 100;

/// Checks what a link stores: every text is bounded and without control characters.
pub(super) fn check_texts(purpose: &LinkPurpose, options: &LinkOptions) -> Result<()> {
    if let LinkPurpose::Connect { tenant_id } = purpose
        && !name::is_line(tenant_id, MAX_TENANT_ID)
    {
        return Err(tenant_id_invalid());
    }
    if let Some(scopes) = &options.scopes
        && (scopes.len() > MAX_SCOPES || !scopes.iter().all(|scope| name::is_scope(scope)))
    {
        let message =
            format!("scopes must be at most {MAX_SCOPES} scopes, each without spaces, quotes and backslashes.");
        return Err(Error::invalid_field("scopes_invalid", "scopes", message));
    }
    if let Some(region) = &options.region
        && !REGIONS.contains(&region.as_str())
    {
        let message = format!("region must be one of {}.", REGIONS.join(", "));
        return Err(Error::invalid_field("region_invalid", "region", message));
    }
    name::check_context(&options.context)
        .map_err(|fault| Error::invalid_field("context_invalid", "context", fault.to_string()))
}

/// A new link token. The token itself is returned only here.
#[derive(Debug)]
pub struct NewLink {
    pub token: Secret,
    pub expires_at: Timestamp,
}

impl Connections {
    /// Creates a link. One that an API token or an account token creates ends with that token. The person's link to a form takes
    /// the place of those that they made before, so that opening a form again and again leaves one.
    pub async fn create_link(
        &self,
        caller: &Caller,
        purpose: impl Into<LinkPurpose>,
        options: LinkOptions,
    ) -> Result<NewLink> {
        let purpose = purpose.into();
        match purpose.account() {
            Some(account_id) => self.0.uses.accounts.require(caller, account_id).await?,
            // Whoever opens it chooses the integration.
            None => caller.require_all_accounts()?,
        }
        check_texts(&purpose, &options)?;
        if let Some(uri) = &options.redirect_uri {
            self.ensure_redirect_is_listed(uri).await?;
        }
        if let LinkPurpose::PostConnectForm { account_id } = purpose {
            self.require_form(account_id).await?;
        }
        let providers = self.providers_for(&purpose).await?;
        reject_credentials_in_context(&options.context, &providers.iter().map(|provider| &**provider))?;
        let token = Secret::new(Uuid::new_v4().to_string());
        let now = self.now();
        let creator = caller.api_token_behind();
        let token_ends_at = match creator {
            Some(id) => {
                let token = self.0.uses.store.read(move |c| api_tokens::get(c, id)).await?;
                token.ok_or(Error::TokenEnded)?.expires_at
            }
            None => None,
        };
        let token_ends_at = token_ends_at.into_iter().chain(caller.account_token_ends_at()).min();
        let id = LinkTokenId::from_uuid(Uuid::now_v7());
        let link = LinkToken { id, purpose, options, created_at: now, used_at: None, revoked_at: None, token_ends_at };
        let expires_at = link.expires_at();
        let hash = hash_of(token.expose());
        let entry = |account_id| {
            let event = TimelineEvent::LinkCreated { expires_at };
            Ok::<_, Error>((account_id, NewEntry::of(Some(account_id), now, &event, Some(caller))?))
        };
        let of_account = link.purpose.account().map(entry).transpose()?;
        let replaces_forms = *caller == Caller::Person && matches!(link.purpose, LinkPurpose::PostConnectForm { .. });
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if !api_tokens::is_valid(tx, creator, now)? {
                return Ok(Err(Error::TokenEnded));
            }
            if let Some((account_id, entry)) = of_account {
                if accounts::get(tx, account_id)?.is_none() {
                    return Ok(Err(Error::not_found("account", &account_id)));
                }
                timeline::add(tx, &entry)?;
                if replaces_forms {
                    links::revoke_forms(tx, account_id, now)?;
                }
            }
            links::insert(tx, &hash, &link, creator)?;
            // Expired links are kept for a while, so that the page can tell them from unknown ones.
            links::forget_before(tx, now.plus_secs(-8 * LIFETIME_SECS))?;
            Ok(Ok(()))
        };
        self.0.uses.store.write(write).await??;
        tracing::info!(link = %id, ?caller, "link token made");
        Ok(NewLink { token, expires_at })
    }

    /// The integrations that a link of this purpose can currently be used with. Those whose definition can't be used
    /// are left out.
    async fn providers_for(&self, purpose: &LinkPurpose) -> Result<Vec<Arc<Provider>>> {
        let only = match purpose.account() {
            Some(account_id) => {
                let account = self.0.uses.store.read(move |c| accounts::get(c, account_id)).await?;
                account.map(|account| account.profile.environment_integration_id)
            }
            None => None,
        };
        let installed = self.0.uses.providers.all().into_iter();
        let installed = installed.filter(|entry| only.is_none_or(|only| entry.installed.id == only));
        Ok(installed.filter_map(|entry| entry.provider.ok()).collect())
    }

    /// The caller that holds this link token or page token, if it may still be used.
    pub async fn link_caller(&self, token: &str) -> Result<Caller> {
        Ok(Caller::Link { id: self.usable_link(token).await?.link.id })
    }

    /// The redirect URLs to which links may send the browser after their flow.
    pub async fn redirect_uris(&self, _caller: &Caller) -> Result<Vec<String>> {
        self.listed_redirect_uris().await
    }

    async fn listed_redirect_uris(&self) -> Result<Vec<String>> {
        let listed = self.0.uses.store.read(|c| settings::get(c, REDIRECT_URIS)).await?;
        Ok(listed.unwrap_or_default())
    }

    /// Sets the redirect URLs to which links may send the browser. They are compared exactly, so each is stored as
    /// given.
    pub async fn set_redirect_uris(&self, caller: &Caller, uris: Vec<String>) -> Result<Vec<String>> {
        let mut kept: Vec<String> = Vec::new();
        for uri in uris {
            let uri = uri.trim();
            if uri.is_empty() || kept.iter().any(|known| known == uri) {
                continue;
            }
            WebUrl::parse(uri)
                .map_err(|error| Error::invalid_field("redirect_uri_unfit", "redirect_uris", error.to_string()))?;
            kept.push(uri.to_owned());
        }
        if kept.len() > MAX_REDIRECT_URIS {
            let message = format!("At most {MAX_REDIRECT_URIS} redirect URLs can be allowed.");
            return Err(Error::invalid_field("redirect_uris_too_many", "redirect_uris", message));
        }
        let set = kept.clone();
        self.0.uses.store.write(move |tx| settings::set(tx, REDIRECT_URIS, &set)).await?;
        tracing::info!(?caller, count = kept.len(), "the allowed redirect URLs were set");
        Ok(kept)
    }

    /// Prevents open redirects and session fixation: the browser is only sent to a URL that is listed exactly.
    pub(super) async fn ensure_redirect_is_listed(&self, uri: &str) -> Result<()> {
        if self.listed_redirect_uris().await?.iter().any(|allowed| allowed == uri) {
            return Ok(());
        }
        Err(Error::invalid_field(
            "redirect_uri_not_listed",
            "redirect_uri",
            "This redirect_uri isn't allowed. Add it to the allowed redirect URLs in Relink's settings; it must match exactly.",
        ))
    }

    /// The link that a link token or a page token belongs to. Fails if it can no longer be used.
    pub(super) async fn usable_link(&self, token: &str) -> Result<PresentedLink> {
        let Presented { link: hash, page } = self.0.openings.link_of(token)?;
        let now = self.now();
        let link = self.0.uses.store.read(move |c| links::find(c, &hash)).await?.ok_or(LinkError::Unknown)?;
        link.usable(now)?;
        if let Some(account_id) = link.purpose.account()
            && self.0.uses.store.read(move |c| accounts::get(c, account_id)).await?.is_none()
        {
            return Err(LinkError::AccountDeleted.into());
        }
        Ok(PresentedLink { link, page: page.map(|(page, _)| page), opened_in: page.map(|(_, opened_in)| opened_in) })
    }
}
