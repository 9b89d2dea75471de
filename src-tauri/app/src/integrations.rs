//! Integrations, as the window shows and changes them.

use relink_contract::window::{AddedIntegration, Integration, NewIntegration, RedirectUri, SecretInput};
use relink_domain::{
    callback,
    caller::Caller,
    integration::{Definition, RedirectKind},
};
use relink_engine::{Added, CatalogEntry};
use url::Url;

use crate::{App, Result, error_view, integration_form};

impl App {
    /// The catalog, installed or not.
    pub async fn integrations(&self) -> Result<Vec<Integration>> {
        let engine = &self.0.engine;
        let entries = engine.catalog().list(&Caller::Person).await.map_err(error_view)?;
        let accounts = engine.accounts().counts(&Caller::Person).await.map_err(error_view)?;
        let accounts_of = |entry: &CatalogEntry| {
            entry.installed.as_ref().and_then(|installed| accounts.get(&installed.id)).copied().unwrap_or(0)
        };
        Ok(entries.iter().map(|entry| self.integration(entry, accounts_of(entry))).collect())
    }

    fn integration(&self, entry: &CatalogEntry, accounts: u32) -> Integration {
        // If the definition can't be loaded, show the integration without the details that it would provide.
        let definition = entry.definition.as_deref();
        let oauth2 = definition.and_then(Definition::oauth2);
        let redirects = oauth2.map(|oauth2| oauth2.redirects.clone()).unwrap_or_default();
        Integration {
            name: entry.integration.name.clone(),
            label: entry.label(),
            color: entry.color(),
            category: entry.integration.category(),
            built_in: entry.integration.built_in,
            is_own_sandbox: entry.integration.is_own_sandbox(),
            installed: entry.installed.is_some(),
            accounts,
            methods: definition.map(Definition::methods).unwrap_or_default(),
            not_ready: entry.not_ready.clone(),
            hides_built_in: entry.hides_built_in,
            documented: definition.is_some_and(|definition| definition.docs().url.is_some()),
            wants_client: oauth2.is_some_and(|oauth2| oauth2.client_secret.is_stored() || oauth2.client_id.is_empty()),
            client_id: oauth2.map(|oauth2| oauth2.client_id.clone()).filter(|id| !id.is_empty()),
            // A secret is bound to the addresses that it was given for.
            has_client_secret: oauth2.is_some_and(|oauth2| oauth2.client_secret.is_stored())
                && entry.not_ready.is_none()
                && entry.installed.as_ref().is_some_and(|it| !it.client_secret_origins.clone().of_client().is_empty()),
            redirect_uris: self.redirect_uris_of(&redirects, &entry.integration.name),
        }
    }

    /// Those to register with the provider; at the public address too, if there is one.
    fn redirect_uris_of(&self, kinds: &[RedirectKind], name: &str) -> Vec<RedirectUri> {
        let own = kinds.iter().map(|&kind| {
            let uri = match kind {
                RedirectKind::DeepLink => callback::deep_link_uri(name),
                RedirectKind::Loopback => format!("{}/oauth/callback/{name}", self.base_url()),
            };
            RedirectUri { kind, uri }
        });
        let public = self.public_address().filter(|_| kinds.contains(&RedirectKind::Loopback));
        let public = public
            .map(|address| RedirectUri { kind: RedirectKind::Loopback, uri: callback::public_uri(&address, name) });
        own.chain(public).collect()
    }

    /// Opens the provider's guide to registering an OAuth client, if the definition has a link to one.
    pub async fn open_documentation(&self, integration: String) -> Result<()> {
        let entries = self.0.engine.catalog().list(&Caller::Person).await.map_err(error_view)?;
        let entry = entries.iter().find(|entry| entry.integration.name == integration);
        let definition = entry.and_then(|entry| entry.definition.as_deref());
        let page = definition.and_then(|definition| definition.docs().url.as_ref().map(ToString::to_string));
        match page.and_then(|page| Url::parse(&page).ok()) {
            Some(page) => self.open_in_browser(&page).await,
            None => Ok(()),
        }
    }

    pub async fn install(&self, name: String) -> Result<()> {
        self.0.engine.catalog().install(&Caller::Person, &name).await.map_err(error_view)?;
        self.await_sandbox(&name, true).await;
        Ok(())
    }

    pub async fn uninstall(&self, name: String) -> Result<()> {
        self.0.engine.catalog().uninstall(&Caller::Person, &name).await.map_err(error_view)?;
        self.await_sandbox(&name, false).await;
        Ok(())
    }

    /// Sets the OAuth client that is registered at the provider.
    pub async fn set_client(&self, name: String, id: String, secret: Option<SecretInput>) -> Result<()> {
        let secret = secret.and_then(SecretInput::into_secret);
        self.0.engine.catalog().set_client(&Caller::Person, &name, id, secret).await.map(drop).map_err(error_view)
    }

    /// Adds an integration from the text of a definition file.
    pub async fn add_integration(&self, text: String) -> Result<AddedIntegration> {
        Ok(shown(self.0.engine.catalog().add(&Caller::Person, &text).await.map_err(error_view)?))
    }

    /// Adds an integration from the form, with its client secret.
    pub async fn create_integration(&self, mut form: NewIntegration) -> Result<AddedIntegration> {
        let secret = form.client_secret.take().and_then(SecretInput::into_secret);
        let definition = integration_form::definition(&form, secret.is_some())?;
        let catalog = self.0.engine.catalog();
        Ok(shown(catalog.create(&Caller::Person, &definition, secret).await.map_err(error_view)?))
    }
}

fn shown(added: Added) -> AddedIntegration {
    let replaced_for = added.replaced.then_some(added.accounts);
    AddedIntegration { name: added.installed.integration.name, replaced_for, warnings: added.warnings }
}
