//! Magic links. The page gets only an id of each; the link itself, which contains a token, stays in this process.

use std::future::{Ready, ready};

use relink_contract::window::{
    ErrorView, IssuedLink, IssuedLinkStatus, LinkFor, LinkSettings, LinkSettingsState, MagicLink, OpenIn,
};
use relink_domain::{
    FlowId, LinkTokenId, Secret,
    caller::Caller,
    link::{LinkOptions, LinkPurpose},
};
use relink_engine::OpenedIn;
use url::Url;

use crate::{
    App, Result,
    error::{desktop_error, invalid_field},
    error_view, lock,
};

/// The maximum number of remembered links. Older ones are forgotten; the user can create new ones.
const MAX_LINKS: usize = 100;

impl App {
    pub async fn get_connection_link(&self, purpose: LinkFor) -> Result<MagicLink> {
        self.open_base_url()?;
        let purpose = match purpose {
            LinkFor::Account(account_id) => LinkPurpose::Reauthorize { account_id },
            LinkFor::Tenant(tenant_id) => LinkPurpose::Connect { tenant_id },
            LinkFor::Form(account_id) => LinkPurpose::PostConnectForm { account_id },
        };
        let link = self
            .0
            .engine
            .connections()
            .create_link(&Caller::Person, purpose, LinkOptions::default())
            .await
            .map_err(error_view)?;
        let page = self.connect_page("")?;
        let shown = format!("{page}…");
        let mut links = lock(&self.0.links);
        if links.len() >= MAX_LINKS {
            links.clear();
        }
        // The id may be guessable: it has no meaning outside this process.
        let id = format!("link-{}-{}", links.len() + 1, self.0.engine.now().as_millis());
        links.insert(id.clone(), link.token);
        Ok(MagicLink { id, shown, expires_at: link.expires_at, is_public: self.public_address().is_some() })
    }

    /// Opens a link's page, with this integration chosen if one is named.
    pub async fn open_link(&self, id: String, target: OpenIn, integration: Option<String>) -> Result<()> {
        let token = self.link(&id)?;
        let opened_in = match target {
            OpenIn::Window => OpenedIn::Window,
            OpenIn::Browser => OpenedIn::Browser,
        };
        let url = self.link_page(&token, opened_in, integration.as_deref()).await?;
        match target {
            OpenIn::Window => {
                self.0.desktop.open_connect_window(&url).map_err(|reason| desktop_error("window", &reason))
            }
            OpenIn::Browser => self.open_in_browser(&url).await,
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a command's arguments are owned")]
    pub fn copy_link(&self, id: String) -> Ready<Result<()>> {
        let link = self.link(&id).and_then(|token| Ok(Secret::new(self.connect_page(token.expose())?)));
        ready(link.and_then(|link| self.copy_secret(&link)))
    }

    /// The URL that opens this link's page once, within a minute. Another program may get it: it contains no link token.
    pub(crate) async fn link_page(
        &self,
        token: &Secret,
        opened_in: OpenedIn,
        integration: Option<&str>,
    ) -> Result<Url> {
        let connections = self.0.engine.connections();
        let nonce =
            connections.prepare_opening(&Caller::Person, token.expose(), opened_in).await.map_err(error_view)?;
        let mut url = self.page(&format!("/connect-account/open/{}", nonce.expose()))?;
        if let Some(integration) = integration {
            url.query_pairs_mut().append_pair("integration", integration);
        }
        Ok(url)
    }

    /// The page that continues a flow after the return from the provider. `kind` says which key of the flow this is. The
    /// fragment contains it, so the URL must stay within the app.
    pub(crate) fn return_page(&self, flow: FlowId, kind: &str, key: &Secret) -> Result<Secret> {
        let base_url = self.open_base_url()?;
        Ok(Secret::new(format!("{base_url}/connect-account/return?flow={flow}#{kind}={}", key.expose())))
    }

    fn page(&self, path: &str) -> Result<Url> {
        let url = format!("{}{path}", self.open_base_url()?);
        Url::parse(&url).map_err(|_| invalid_field("id", "The link isn’t a valid URL."))
    }

    fn link(&self, id: &str) -> Result<Secret> {
        let link = lock(&self.0.links).get(id).cloned();
        link.ok_or_else(|| ErrorView {
            code: "not_found".to_owned(),
            title: "This link is no longer available".to_owned(),
            message: "Relink was restarted after it was created, or many newer links were created.".to_owned(),
            hint: Some("Get a new connection link.".to_owned()),
            field: None,
        })
    }

    /// The magic link with this token.
    fn connect_page(&self, link_token: &str) -> Result<String> {
        let own = self.open_base_url()?;
        let public = self.public_address();
        Ok(format!("{}/connect-account?link_token={link_token}", public.as_deref().unwrap_or(&own)))
    }

    pub(crate) fn public_address(&self) -> Option<String> {
        self.0.engine.connections().link_settings(&Caller::Person).public_address
    }

    pub async fn redirect_uris(&self) -> Result<Vec<String>> {
        self.0.engine.connections().redirect_uris(&Caller::Person).await.map_err(error_view)
    }

    pub async fn set_redirect_uris(&self, uris: Vec<String>) -> Result<Vec<String>> {
        self.0.engine.connections().set_redirect_uris(&Caller::Person, uris).await.map_err(error_view)
    }

    pub async fn usable_links(&self) -> Result<Vec<IssuedLink>> {
        let mut links = self.0.engine.connections().issued_links(&Caller::Person).await.map_err(error_view)?;
        links.retain(|link| link.status == IssuedLinkStatus::Usable);
        Ok(links)
    }

    pub async fn revoke_link(&self, id: LinkTokenId) -> Result<()> {
        self.0.engine.connections().revoke_link(&Caller::Person, id).await.map_err(error_view)
    }

    pub async fn link_settings(&self) -> Result<LinkSettingsState> {
        Ok(self.state_of(self.0.engine.connections().link_settings(&Caller::Person)).await)
    }

    pub async fn set_link_settings(&self, settings: LinkSettings) -> Result<LinkSettingsState> {
        let connections = self.0.engine.connections();
        let settings = connections.set_link_settings(&Caller::Person, settings).await.map_err(error_view)?;
        Ok(self.state_of(settings).await)
    }

    async fn state_of(&self, settings: LinkSettings) -> LinkSettingsState {
        let also_listen_problem = self.api_port().second_listener().problem(&settings).await;
        LinkSettingsState { settings, also_listen_problem }
    }
}
