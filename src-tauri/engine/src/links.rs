//! Links: the right to connect or mend, on this machine, once.

use relink_domain::{
    LinkTokenId, Secret, Timestamp,
    account::{AuthenticationMethod, TimelineEvent},
    integration::{Field, RedirectKind, WebUrl},
    link::{LIFETIME_SECS, LinkError, LinkOptions, LinkToken, Purpose},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    Engine, Error,
    engine::hash_of,
    error::Result,
    provider::{Provider, no_credentials},
    store::{accounts, integrations, links, settings, timeline},
};

const REDIRECT_URIS: &str = "link_redirect_uris";

/// A link token that has just been made: the only time that it can be seen.
#[derive(Debug)]
pub struct NewLink {
    /// The token.
    pub token: Secret,
    /// When it ends, unused.
    pub expires_at: Timestamp,
}

/// What the connect UI needs to know of a link.
#[derive(Debug, Serialize)]
pub struct LinkSession {
    /// `connect` or `reauthorize`.
    pub purpose: &'static str,
    /// The tenant.
    pub tenant_id: String,
    /// The account to mend.
    pub account: Option<SessionAccount>,
    /// What can be connected.
    pub integrations: Vec<SessionIntegration>,
    /// The ways back that work here, best first.
    pub redirects: Vec<RedirectKind>,
    /// When the link ends.
    pub expires_at: Timestamp,
}

/// The account that a link mends.
#[derive(Debug, Serialize)]
pub struct SessionAccount {
    /// Its id.
    pub id: relink_domain::AccountId,
    /// What the person calls it.
    pub name: String,
    /// Who was signed in.
    pub identity: Option<String>,
}

/// An integration that a link can connect.
#[derive(Debug, Serialize)]
pub struct SessionIntegration {
    /// Its name.
    pub name: String,
    /// What a person calls it.
    pub label: String,
    /// What kind of provider it is.
    pub category: String,
    /// Its picture.
    pub logo: Option<String>,
    /// Its colour.
    pub color: Option<String>,
    /// The ways to sign in.
    pub methods: Vec<SessionMethod>,
}

/// A way to sign in.
#[derive(Debug, Serialize)]
pub struct SessionMethod {
    /// Which.
    pub format: AuthenticationMethod,
    /// Where the person signs in.
    pub host: Option<String>,
    /// What is asked for.
    pub scopes: Vec<SessionScope>,
    /// The ways back that the provider allows.
    pub redirects: Vec<RedirectKind>,
    /// The form.
    pub fields: Vec<Field>,
    /// Where the person finds what to type.
    pub documentation_link: Option<String>,
    /// Whether what is typed is tried with the provider before it is kept.
    pub is_tried: bool,
    /// What is lacking before anybody can sign in this way, and what to do.
    pub not_ready: Option<String>,
}

/// A scope.
#[derive(Debug, Serialize)]
pub struct SessionScope {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub description: Option<String>,
}

impl Engine {
    /// Makes a link token.
    pub async fn create_link(&self, purpose: Purpose, options: LinkOptions) -> Result<NewLink> {
        if let Some(uri) = &options.redirect_uri {
            self.redirect_is_listed(uri).await?;
        }
        no_credentials(&options.context, &self.may_be_used_by(&purpose).await?)?;
        let token = Secret::new(Uuid::new_v4().to_string());
        let now = self.now();
        let link =
            LinkToken { id: LinkTokenId::from_uuid(Uuid::now_v7()), purpose, options, created_at: now, used_at: None };
        let expires_at = link.expires_at();
        let hash = hash_of(token.expose());
        let found = self
            .0
            .store
            .write(move |tx| {
                if let Purpose::Reauthorize { account_id } = link.purpose {
                    if accounts::get(tx, account_id)?.is_none() {
                        return Ok(Err(account_id));
                    }
                    timeline::add(tx, Some(account_id), now, &TimelineEvent::LinkCreated { expires_at })?;
                }
                links::insert(tx, &hash, &link)?;
                // Long over; kept until then so that the page can say which it was.
                links::forget_before(tx, now.plus_secs(-8 * LIFETIME_SECS))?;
                Ok(Ok(()))
            })
            .await?;
        found.map_err(|id| Error::not_found("account", &id))?;
        Ok(NewLink { token, expires_at })
    }

    /// The integrations that a link of this purpose may be used with, as they are now.
    async fn may_be_used_by(&self, purpose: &Purpose) -> Result<Vec<Provider>> {
        let account = match *purpose {
            Purpose::Reauthorize { account_id } => self.0.store.read(move |c| accounts::get(c, account_id)).await?,
            Purpose::Connect { .. } => None,
        };
        let only = account.map(|account| account.profile.environment_integration_id);
        let installed = self.0.store.read(integrations::all_installed).await?.into_iter();
        let installed = installed.filter(|installed| only.is_none_or(|only| installed.id == only));
        // Nobody can sign in with a definition that can't be read.
        Ok(installed.filter_map(|installed| Provider::of(installed).ok()).collect())
    }

    /// Where links may send the browser after their flow.
    pub async fn redirect_uris(&self) -> Result<Vec<String>> {
        let listed = self.0.store.read(|c| settings::get(c, REDIRECT_URIS)).await?;
        Ok(listed.unwrap_or_default())
    }

    /// Sets where links may send the browser after their flow. Each is compared to the letter, so it is kept as it was given.
    pub async fn set_redirect_uris(&self, uris: Vec<String>) -> Result<Vec<String>> {
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
        let set = kept.clone();
        self.0.store.write(move |tx| settings::set(tx, REDIRECT_URIS, &set)).await?;
        Ok(kept)
    }

    /// Open redirect, session fixation: what is not listed, to the letter, is nowhere to be sent to.
    async fn redirect_is_listed(&self, uri: &str) -> Result<()> {
        if self.redirect_uris().await?.iter().any(|allowed| allowed == uri) {
            return Ok(());
        }
        Err(Error::invalid_field(
            "redirect_uri_not_listed",
            "redirect_uri",
            "This redirect_uri isn't allowed. Add it to the allowed redirect URLs in Relink's settings; it must match exactly.",
        ))
    }

    /// The link of a token, if it may still be used.
    pub(crate) async fn usable_link(&self, token: &str) -> Result<LinkToken> {
        let hash = hash_of(token);
        let now = self.now();
        let link = self.0.store.read(move |c| links::find(c, &hash)).await?.ok_or(LinkError::Unknown)?;
        link.usable(now)?;
        if let Purpose::Reauthorize { account_id } = link.purpose
            && self.0.store.read(move |c| accounts::get(c, account_id)).await?.is_none()
        {
            return Err(LinkError::AccountDeleted.into());
        }
        Ok(link)
    }

    /// What the connect UI needs to know of a link.
    pub async fn link_session(&self, token: &str) -> Result<LinkSession> {
        let link = self.usable_link(token).await?;
        let expires_at = link.expires_at();
        let redirects = self.redirects();
        match &link.purpose {
            Purpose::Connect { tenant_id } => {
                let mut integrations = Vec::new();
                for installed in self.0.store.read(integrations::all_installed).await? {
                    if installed.is_enabled && installed.show_in_catalog {
                        // A definition that can't be read must not hide the others; the catalogue says what is wrong with it.
                        if let Ok(provider) = Provider::of(installed) {
                            integrations.push(self.session_integration(&provider, &link, None).await);
                        }
                    }
                }
                Ok(LinkSession {
                    purpose: "connect",
                    tenant_id: tenant_id.clone(),
                    account: None,
                    integrations,
                    redirects,
                    expires_at,
                })
            }
            Purpose::Reauthorize { account_id } => {
                let account = self.load(*account_id).await?;
                let provider = self.provider(account.profile.environment_integration_id).await?;
                Ok(LinkSession {
                    purpose: "reauthorize",
                    tenant_id: account.profile.tenant_id.clone(),
                    integrations: vec![self.session_integration(&provider, &link, Some(account.method())).await],
                    account: Some(SessionAccount {
                        id: account.id(),
                        name: account.profile.name.clone(),
                        identity: account.profile.identity.map(|identity| identity.label),
                    }),
                    redirects,
                    expires_at,
                })
            }
        }
    }

    async fn session_integration(
        &self,
        provider: &Provider,
        link: &LinkToken,
        only: Option<AuthenticationMethod>,
    ) -> SessionIntegration {
        let definition = &provider.definition;
        let mut methods = Vec::new();
        for format in definition.methods() {
            if only.is_none_or(|only| only == format) {
                methods.push(self.session_method(provider, link, format).await);
            }
        }
        SessionIntegration {
            name: definition.name().to_owned(),
            label: definition.label().to_owned(),
            category: definition.category().to_owned(),
            logo: definition.logo().map(|logo| logo.as_str().to_owned()),
            color: definition.color().map(|color| color.as_str().to_owned()),
            methods,
        }
    }

    async fn session_method(
        &self,
        provider: &Provider,
        link: &LinkToken,
        format: AuthenticationMethod,
    ) -> SessionMethod {
        let definition = &provider.definition;
        let fields = definition.fields(format).map(|fields| fields.iter().cloned().collect()).unwrap_or_default();
        let documentation_link = match format {
            AuthenticationMethod::Oauth2 => None,
            AuthenticationMethod::ApiKey => definition.api_key().and_then(|it| it.documentation_link.as_ref()),
            AuthenticationMethod::Oauth2ClientCredentials => {
                definition.client_credentials().and_then(|it| it.documentation_link.as_ref())
            }
        };
        let oauth2 = definition.oauth2().filter(|_| format == AuthenticationMethod::Oauth2);
        let scopes =
            oauth2.map(|oauth2| link.options.scopes.as_ref().unwrap_or(&oauth2.scopes).clone()).unwrap_or_default();
        SessionMethod {
            format,
            host: oauth2.map(|oauth2| oauth2.authorize_url.host().to_owned()),
            scopes: scopes
                .into_iter()
                .map(|name| SessionScope { description: definition.scope_description(&name).map(str::to_owned), name })
                .collect(),
            redirects: oauth2.map(|oauth2| oauth2.redirects.clone()).unwrap_or_default(),
            fields,
            documentation_link: documentation_link.map(|url| url.as_str().to_owned()),
            // A token that is fetched with it is a trial as well.
            is_tried: format != AuthenticationMethod::ApiKey || definition.probe().is_some(),
            not_ready: self.not_ready(provider, format).await,
        }
    }

    /// What is lacking before anybody can sign in this way, and what to do.
    pub(crate) async fn not_ready(&self, provider: &Provider, format: AuthenticationMethod) -> Option<String> {
        // A keychain that can't be asked now is said when it is needed.
        let has_secret = self.client_secret(provider).await.map_or(true, |secret| secret.is_some());
        let port = self.port().ok()?;
        provider.definition.not_ready(format, has_secret, port).map(|not_ready| not_ready.message)
    }
}
