//! OAuth clients, which identify Relink to a provider. The ID is part of the installation's override; the secret is in
//! the keychain.

use relink_domain::{
    Secret,
    account::AuthenticationMethod,
    caller::Caller,
    integration::{MAX_CLIENT_ID_CHARS, WebUrl, is_client_id},
    merge::merge,
};
use serde_json::{Map, Value, json};

use super::{Catalog, SANDBOX, install::changed, secrets::ChangedSecrets};
use crate::{
    error::{Error, Result},
    provider::NewSecrets,
    store::integrations::{Installed, Integration},
};

/// The override that sets this OAuth client.
fn client_override(integration: &Integration, id: &str) -> Map<String, Value> {
    let client = json!({ "config": { "client": { "id": id } } });
    // Truto allows one credentials object, or a map of them by format.
    let is_single = integration.document.pointer("/config/credentials/format").is_some();
    let credentials = if is_single { client } else { json!({ "oauth2": client }) };
    Map::from_iter([("credentials".into(), credentials)])
}

impl Catalog {
    /// Sets the OAuth client that is registered at the provider. The secret goes into the keychain; without one, the
    /// stored secret stays.
    pub async fn set_client(
        &self,
        caller: &Caller,
        name: &str,
        id: String,
        secret: Option<Secret>,
    ) -> Result<Installed> {
        let id = id.trim().to_owned();
        if !is_client_id(&id) {
            let message = format!("A client ID must have 1 to {MAX_CLIENT_ID_CHARS} characters and no spaces.");
            return Err(Error::invalid_field("client_id_invalid", "id", message));
        }
        let entry = self.0.providers.entry_named(name);
        let provider = entry.ok_or_else(|| Error::not_found("installed integration", name))?.usable()?;
        if provider.definition.oauth2().is_none() {
            return Err(Error::invalid("unknown_method", format!("{} doesn't use OAuth 2.0.", provider.label())));
        }
        let installed = Installed::clone(&provider.installed);
        if installed.integration.is_own_sandbox() {
            let message = "The Sandbox has its own OAuth client, which Relink sets itself. Nothing was changed.";
            return Err(Error::conflict("sandbox_client", message));
        }
        let change = move |installed: &mut Installed| {
            let client = client_override(&installed.integration, &id);
            merge(&mut installed.r#override, &client);
            Ok(())
        };
        let secrets = NewSecrets { client: secret, ..NewSecrets::default() };
        // Check the change before anything is written.
        changed(installed.clone(), &change)?;
        let commit = self.change_installed(&installed, change, ChangedSecrets::by(&secrets));
        let installed = self.write_secrets(&installed, false, secrets, commit).await?;
        tracing::info!(integration = name, ?caller, "its OAuth client was set");
        Ok(installed)
    }

    /// What an installed integration still lacks for a sign-in with its OAuth client, and what to do about it.
    pub async fn client_not_ready(&self, _caller: &Caller, name: &str) -> Result<Option<String>> {
        let entry = self.0.providers.entry_named(name);
        let provider = entry.ok_or_else(|| Error::not_found("installed integration", name))?.usable()?;
        Ok(self.0.providers.not_ready(&provider, AuthenticationMethod::Oauth2).await)
    }

    /// Sets the Sandbox's URLs to the address on which its provider listens.
    pub async fn set_sandbox_address(&self, caller: &Caller, base_url: &str) -> Result<()> {
        let installed = self.sandbox()?;
        let url = WebUrl::parse(base_url).map_err(|error| Error::invalid("sandbox_address", error.to_string()))?;
        let built_in =
            relink_domain::integration::built_in(SANDBOX).ok_or_else(|| Error::not_found("integration", SANDBOX))?;
        let moved =
            built_in.at(&url.origin()).map_err(|error| Error::conflict("integration_broken", error.to_string()))?;
        let Value::Object(config) = moved.config().clone() else {
            return Err(Error::conflict("integration_broken", "The Sandbox's definition isn't a JSON object."));
        };
        if installed.r#override == config {
            return Ok(());
        }
        let moved = move |installed: &mut Installed| {
            installed.r#override.clone_from(&config);
            Ok(())
        };
        self.change_installed(&installed, moved, ChangedSecrets::default()).await?;
        tracing::info!(base_url, ?caller, "the Sandbox's address was set");
        Ok(())
    }

    fn sandbox(&self) -> Result<Installed> {
        let entry =
            self.0.providers.entry_named(SANDBOX).ok_or_else(|| Error::not_found("installed integration", SANDBOX))?;
        Ok(Installed::clone(&entry.installed))
    }
}
