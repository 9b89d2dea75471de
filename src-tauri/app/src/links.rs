//! Magic links. The page knows them by name; what opens one is kept here.

use relink_domain::{
    Secret,
    link::{LinkOptions, Purpose},
};

use crate::{
    App, Result, error_view, lock,
    types::{ErrorView, LinkFor, MagicLink},
};

/// Links that are remembered; whoever makes more has forgotten the first.
const MOST: usize = 100;

impl App {
    /// Makes a magic link.
    pub async fn get_connection_link(&self, purpose: LinkFor) -> Result<MagicLink> {
        let purpose = match purpose {
            LinkFor::Account(account_id) => Purpose::Reauthorize { account_id },
            LinkFor::Tenant(tenant_id) => Purpose::Connect { tenant_id },
        };
        let link = self.0.engine.create_link(purpose, LinkOptions::default()).await.map_err(error_view)?;
        let page = format!("{}/connect-account?link_token=", self.base_url());
        let shown = format!("{page}…");
        let mut links = lock(&self.0.links);
        if links.len() >= MOST {
            links.clear();
        }
        // A name is only a name: it opens nothing outside this process.
        let id = format!("link-{}-{}", links.len() + 1, self.0.engine.now().as_millis());
        links.insert(id.clone(), Secret::new(format!("{page}{}", link.token.expose())));
        Ok(MagicLink { id, shown, expires_at: link.expires_at })
    }

    /// A link's address, for the browser or the clipboard; for this integration, if one is named.
    pub fn link(&self, id: &str, integration: Option<&str>) -> Result<Secret> {
        let links = lock(&self.0.links);
        let link = links.get(id).ok_or_else(|| ErrorView {
            code: "not_found".to_owned(),
            title: "This link is no longer available".to_owned(),
            message: "Relink was restarted after it was created, or many newer links were created.".to_owned(),
            hint: Some("Get a new connection link.".to_owned()),
            field: None,
        })?;
        let Some(integration) = integration else { return Ok(link.clone()) };
        let mut url =
            url::Url::parse(link.expose()).map_err(|_| crate::refused("id", "The link isn’t a valid URL."))?;
        url.query_pairs_mut().append_pair("integration", integration);
        Ok(Secret::new(String::from(url)))
    }
    /// Where links may send the browser after their flow.
    pub async fn redirect_uris(&self) -> Result<Vec<String>> {
        self.0.engine.redirect_uris().await.map_err(error_view)
    }

    /// Sets them, all at once.
    pub async fn set_redirect_uris(&self, uris: Vec<String>) -> Result<Vec<String>> {
        self.0.engine.set_redirect_uris(uris).await.map_err(error_view)
    }
}
