//! Integrations, as the window shows and changes them.

use relink_domain::{
    Secret, callback,
    integration::{ClientSecretNeed, Definition, RedirectKind, parse},
};
use relink_engine::CatalogueEntry;
use serde_json::json;

use crate::{
    App, Result, error_view, refused,
    types::{Added, Integration, NewIntegration, RedirectUri},
};

impl App {
    /// The catalogue, and what is installed of it.
    pub async fn integrations(&self) -> Result<Vec<Integration>> {
        let engine = &self.0.engine;
        let entries = engine.catalogue().await.map_err(error_view)?;
        let accounts = engine.account_counts().await.map_err(error_view)?;
        let accounts_of = |entry: &CatalogueEntry| {
            entry.installed.as_ref().and_then(|installed| accounts.get(&installed.id)).copied().unwrap_or(0)
        };
        Ok(entries.iter().map(|entry| self.integration(entry, accounts_of(entry))).collect())
    }

    fn integration(&self, entry: &CatalogueEntry, accounts: u32) -> Integration {
        let document = &entry.integration.document;
        let color = document.pointer("/config/relink/color").and_then(|color| color.as_str());
        // What is stored was parsed before; what a later Relink reads otherwise is shown without its particulars.
        let definition = parse(&document.to_string()).ok().map(|parsed| parsed.definition);
        let definition = match (&definition, &entry.installed) {
            (Some(definition), Some(installed)) => {
                definition.with_override(&installed.r#override).ok().map(|parsed| parsed.definition)
            }
            _ => definition,
        };
        let oauth2 = definition.as_ref().and_then(|definition| definition.oauth2());
        let kinds = oauth2.map(|oauth2| oauth2.redirects.clone()).unwrap_or_default();
        Integration {
            name: entry.integration.name.clone(),
            label: relink_engine::wire::label(&entry.integration),
            color: color.map(str::to_owned),
            category: document.get("category").and_then(|category| category.as_str()).map(str::to_owned),
            built_in: entry.integration.built_in,
            is_sandbox: definition.as_ref().is_some_and(Definition::is_sandbox),
            installed: entry.installed.is_some(),
            accounts,
            methods: definition.as_ref().map(Definition::methods).unwrap_or_default(),
            not_ready: entry.not_ready.clone(),
            documented: definition.as_ref().is_some_and(|definition| definition.docs().url.is_some()),
            wants_client: oauth2
                .is_some_and(|oauth2| oauth2.client_secret != ClientSecretNeed::Never || oauth2.client_id.is_empty()),
            client_id: oauth2.map(|oauth2| oauth2.client_id.clone()).filter(|id| !id.is_empty()),
            redirect_uris: kinds.iter().map(|kind| self.redirect_uri(*kind, &entry.integration.name)).collect(),
        }
    }

    fn redirect_uri(&self, kind: RedirectKind, name: &str) -> RedirectUri {
        match kind {
            RedirectKind::DeepLink => RedirectUri { kind: "deep_link".to_owned(), uri: callback::deep_link_uri(name) },
            RedirectKind::Loopback => {
                RedirectUri { kind: "loopback".to_owned(), uri: format!("{}/oauth/callback/{name}", self.base_url()) }
            }
        }
    }

    /// The page where a provider explains how to register a client, if its definition names one.
    pub async fn documentation(&self, name: &str) -> Result<Option<url::Url>> {
        let entries = self.0.engine.catalogue().await.map_err(error_view)?;
        let entry = entries.iter().find(|entry| entry.integration.name == name);
        let definition = entry.and_then(|entry| parse(&entry.integration.document.to_string()).ok());
        let page = definition.and_then(|parsed| parsed.definition.docs().url.as_ref().map(ToString::to_string));
        Ok(page.and_then(|page| url::Url::parse(&page).ok()))
    }

    /// Installs an integration of the catalogue.
    pub async fn install(&self, name: &str) -> Result<()> {
        self.0.engine.install(name).await.map_err(error_view)?;
        self.sandbox_follows(name, true).await;
        Ok(())
    }

    /// Uninstalls an integration that has no accounts.
    pub async fn uninstall(&self, name: &str) -> Result<()> {
        self.0.engine.uninstall(name).await.map_err(error_view)?;
        self.sandbox_follows(name, false).await;
        Ok(())
    }

    /// Sets the client that is registered at the provider.
    pub async fn set_client(&self, name: &str, id: String, secret: Option<String>) -> Result<()> {
        let secret = secret.filter(|secret| !secret.is_empty()).map(Secret::new);
        self.0.engine.set_client(name, id, secret).await.map_err(error_view)?;
        Ok(())
    }

    /// Adds an integration from a file's text.
    pub async fn add_integration(&self, text: &str) -> Result<Added> {
        let added = self.0.engine.add_integration(text).await.map_err(error_view)?;
        Ok(Added { name: added.installed.integration.name, warnings: added.warnings })
    }

    /// Adds an integration from a form: it becomes the file that somebody could have written.
    pub async fn make_integration(&self, form: NewIntegration) -> Result<Added> {
        let secret = form.client_secret.clone();
        let text = document_of(&form)?;
        let added = self.add_integration(&text).await?;
        if let Some(secret) = secret {
            self.0.engine.set_client(&added.name, form.client_id, Some(secret)).await.map_err(error_view)?;
        }
        Ok(added)
    }
}

/// The form as a definition in Truto's `config` shape.
fn document_of(form: &NewIntegration) -> Result<String> {
    let authorize = endpoint("authorize_url", &form.authorize_url)?;
    let token = endpoint("token_url", &form.token_url)?;
    let redirects = match form.redirect.as_deref() {
        None | Some("") => json!(["deep_link", "loopback"]),
        Some(kind) => json!([kind]),
    };
    let scopes: Vec<&str> = form.scopes.split_whitespace().collect();
    let client_secret = if form.client_secret.is_some() { "required" } else { "optional" };
    let document = json!({
        "name": form.name,
        "category": "own",
        "config": {
            "label": form.label,
            "base_url": form.base_url,
            "credentials": { "oauth2": { "format": "oauth2", "config": {
                "client": { "id": form.client_id, "secret": "" },
                "auth": {
                    "tokenHost": token.0, "tokenPath": token.1,
                    "authorizeHost": authorize.0, "authorizePath": authorize.1
                },
                "scope": scopes,
                "pkce": { "method": "S256" }
            } } },
            "authorization": { "oauth2": { "format": "bearer", "config": { "path": "oauth.token.access_token" } } },
            "relink": {
                "client_secret": client_secret,
                "redirects": redirects,
                // Somebody who types an address of this machine or its network means it.
                "allow_local": leads_here(&form.base_url) || leads_here(&form.token_url)
            }
        }
    });
    Ok(document.to_string())
}

/// An address as Truto's shape has it: its origin, and its path.
fn endpoint(field: &str, text: &str) -> Result<(String, String)> {
    let url = url::Url::parse(text.trim())
        .map_err(|_| refused(field, "This isn’t a valid URL. It must start with https://."))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(field, "The URL must not contain ? or #."));
    }
    Ok((url.origin().ascii_serialization(), url.path().to_owned()))
}

fn leads_here(text: &str) -> bool {
    use relink_domain::integration::{Reach, reach};
    let Ok(url) = url::Url::parse(text.trim()) else { return false };
    let is_local = |address| reach(address) == Reach::Local;
    match url.host() {
        Some(url::Host::Ipv4(address)) => is_local(address.into()),
        Some(url::Host::Ipv6(address)) => is_local(address.into()),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
