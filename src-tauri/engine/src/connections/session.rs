//! What the connect UI needs to know about a link.

use relink_contract::connect::{
    self, FieldSpec, Session, SessionAccount, SessionIntegration, SessionMethod, SessionScope,
};
use relink_domain::{
    account::{Account, AuthenticationMethod},
    caller::Caller,
    integration::Field,
    link::{LinkPurpose, LinkToken},
};

use serde_json::{Map, Value};

use super::{Connections, openings::PresentedLink};
use crate::{error::Result, provider::Provider};

impl Connections {
    pub async fn link_session(&self, _caller: &Caller, token: &str) -> Result<Session> {
        let PresentedLink { link, opened_in, .. } = self.usable_link(token).await?;
        let expires_at = link.expires_at();
        let redirects = self.redirects_in(opened_in);
        let requested_by = self.requester(&link).await?;
        match &link.purpose {
            LinkPurpose::Connect { tenant_id } => {
                let mut integrations = Vec::new();
                for entry in self.0.uses.providers.all() {
                    let is_offered = entry.installed.is_enabled
                        && entry.installed.show_in_catalog
                        && self.is_for(&link, &entry.installed.integration.name);
                    // Skip a definition that can't be used. The catalog shows what is wrong with it.
                    if let (true, Ok(provider)) = (is_offered, &entry.provider) {
                        integrations.push(self.session_integration(provider, &link, None, &Map::new()).await);
                    }
                }
                Ok(Session {
                    purpose: connect::LinkPurpose::Connect,
                    tenant_id: tenant_id.clone(),
                    requested_by,
                    account: None,
                    integrations,
                    redirects,
                    expires_at,
                })
            }
            LinkPurpose::Reauthorize { account_id } => {
                let account = self.0.uses.accounts.load(*account_id).await?;
                let provider = self.0.uses.providers.of(&account)?;
                Ok(Session {
                    purpose: connect::LinkPurpose::Reauthorize,
                    tenant_id: account.profile.tenant_id.clone(),
                    requested_by,
                    integrations: vec![
                        self.session_integration(&provider, &link, Some(account.method()), &account.profile.context)
                            .await,
                    ],
                    account: Some(session_account(&account)),
                    redirects,
                    expires_at,
                })
            }
            LinkPurpose::PostConnectForm { account_id } => {
                let account = self.0.uses.accounts.load(*account_id).await?;
                Ok(Session {
                    purpose: connect::LinkPurpose::PostConnectForm,
                    tenant_id: account.profile.tenant_id.clone(),
                    requested_by,
                    integrations: vec![],
                    account: Some(session_account(&account)),
                    redirects: vec![],
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
        present: &Map<String, Value>,
    ) -> SessionIntegration {
        let definition = &provider.definition;
        let mut methods = Vec::new();
        for format in definition.methods() {
            if only.is_none_or(|only| only == format) {
                methods.push(self.session_method(provider, link, format, present).await);
            }
        }
        SessionIntegration {
            name: definition.name().to_owned(),
            label: definition.label().to_owned(),
            category: definition.category().to_owned(),
            logo: definition.logo().and_then(|logo| logo.embedded()).map(str::to_owned),
            color: definition.color().map(|color| color.as_str().to_owned()),
            methods,
        }
    }

    async fn session_method(
        &self,
        provider: &Provider,
        link: &LinkToken,
        format: AuthenticationMethod,
        present: &Map<String, Value>,
    ) -> SessionMethod {
        let definition = &provider.definition;
        let fields =
            definition.fields(format).into_iter().flatten().map(|field| field_spec(field, link, present)).collect();
        let api_key = definition.api_key().filter(|_| format == AuthenticationMethod::ApiKey);
        let oauth2 = definition.oauth2().filter(|_| format == AuthenticationMethod::Oauth2);
        let scopes =
            oauth2.map(|oauth2| link.options.scopes.as_ref().unwrap_or(&oauth2.scopes).clone()).unwrap_or_default();
        SessionMethod {
            format,
            host: oauth2.map(|oauth2| oauth2.authorize_url.shown_host()),
            scopes: scopes
                .into_iter()
                .map(|name| SessionScope { description: definition.scope_description(&name).map(str::to_owned), name })
                .collect(),
            redirects: oauth2.map(|oauth2| oauth2.redirects.clone()).unwrap_or_default(),
            fields,
            documentation_link: definition.documentation_link(format).map(|url| url.as_str().to_owned()),
            permissions_text: api_key.and_then(|key| key.permissions_text.clone()),
            // The other methods are tried by fetching a token, even without a probe.
            is_tried: format != AuthenticationMethod::ApiKey || definition.probe().is_some(),
            not_ready: self.0.uses.providers.not_ready(provider, format).await,
        }
    }
}

/// An account, as its person recognizes it.
pub(super) fn session_account(account: &Account) -> SessionAccount {
    SessionAccount {
        id: account.id(),
        name: account.profile.name.clone(),
        identity: account.profile.identity.as_ref().map(|identity| identity.label.clone()),
    }
}

/// A field of the form. What isn't secret shows the value that the link or the account already has.
fn field_spec(field: &Field, link: &LinkToken, present: &Map<String, Value>) -> FieldSpec {
    let mut spec = FieldSpec::from(field);
    let known = link.options.context.get(&field.name).or_else(|| present.get(&field.name)).and_then(Value::as_str);
    if let Some(known) = known.filter(|_| !field.secret) {
        spec.default = Some(known.to_owned());
    }
    spec
}
