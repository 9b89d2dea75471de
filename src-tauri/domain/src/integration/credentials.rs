//! How an account signs in: the `credentials` section.

use super::{
    address::Address,
    answer::AnswerPaths,
    client_options::ClientOptions,
    error::{DefinitionError, quoted},
    fields::Fields,
    format,
    node::{Node, Object},
    oauth2::{self, Endpoints, OAuth2},
    params::Params,
    relink::Additions,
    web_url::WebUrl,
};
use crate::account::AuthenticationMethod;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) oauth2: Option<OAuth2>,
    pub(super) api_key: Option<ApiKey>,
    pub(super) own_client: Option<ClientCredentials>,
}

/// A form whose values are the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub fields: Fields,
    /// Where the person finds the values.
    pub documentation_link: Option<WebUrl>,
    /// What the key must be allowed to do.
    pub permissions_text: Option<String>,
}

/// OAuth 2.0 client credentials (RFC 6749 §4.4). The person types them into the fields `client_id` and `client_secret`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    pub fields: Fields,
    /// Where the person finds the values.
    pub documentation_link: Option<WebUrl>,
    pub token_url: Address,
    pub scopes: Vec<String>,
    pub options: ClientOptions,
    /// Further parameters of the token request.
    pub token_params: Params,
    pub answer: AnswerPaths,
    /// The access token's lifetime in seconds, for a response without one.
    pub default_expires_in: Option<u32>,
}

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

impl Credentials {
    pub(super) fn decode(node: &Node<'_>, own: &Additions) -> Result<Self> {
        let object = node.object()?;
        let mut all = Self::default();
        if object.has("format") {
            let method = format::format(&object.need("format", "\"oauth2\"")?)?;
            all.add(method, &object, own)?;
            return Ok(all);
        }
        for (key, node) in object.entries() {
            let Some((_, method)) = format::WORDS.iter().find(|(name, _)| *name == key) else {
                if let Some(lacking) = format::lacking(key, &node).filter(|_| node.is_written()) {
                    return Err(lacking);
                }
                node.fail_if_written(format_args!(
                    "{} is not known here; use \"oauth2\", \"api_key\" or \"oauth2_client_credentials\"",
                    quoted(key)
                ))?;
                continue;
            };
            let entry = node.object()?;
            let format = entry.describing("format", |node| format::format(&node).map(|format| (format, node)))?;
            if let Some((format, node)) = format.filter(|(format, _)| format != method) {
                node.fail_if_written(format_args!(
                    "says {:?} under the key {key:?}; make them equal",
                    format.as_str()
                ))?;
            }
            all.add(*method, &entry, own)?;
        }
        if !format::FORMATS.into_iter().any(|method| all.has(method)) {
            return Err(object.fail("is empty; add a way to sign in: oauth2, api_key or oauth2_client_credentials"));
        }
        Ok(all)
    }

    fn add(&mut self, method: AuthenticationMethod, entry: &Object<'_>, own: &Additions) -> Result<()> {
        let config = entry.need("config", "{\"fields\": [...]} or {\"client\": {...}, \"auth\": {...}}")?.object()?;
        match method {
            AuthenticationMethod::Oauth2 => self.oauth2 = Some(OAuth2::decode(&config, own)?),
            AuthenticationMethod::ApiKey => self.api_key = Some(ApiKey::decode(&config)?),
            AuthenticationMethod::Oauth2ClientCredentials => {
                self.own_client = Some(ClientCredentials::decode(&config, own)?);
            }
        }
        Ok(())
    }

    /// The form of a format, if it has one.
    pub(super) fn fields(&self, method: AuthenticationMethod) -> Option<&Fields> {
        match method {
            AuthenticationMethod::Oauth2 => self.oauth2.as_ref().map(|it| &it.fields),
            AuthenticationMethod::ApiKey => self.api_key.as_ref().map(|it| &it.fields),
            AuthenticationMethod::Oauth2ClientCredentials => self.own_client.as_ref().map(|it| &it.fields),
        }
    }

    pub(super) const fn fields_mut(&mut self, method: AuthenticationMethod) -> Option<&mut Fields> {
        match method {
            AuthenticationMethod::Oauth2 => match &mut self.oauth2 {
                Some(it) => Some(&mut it.fields),
                None => None,
            },
            AuthenticationMethod::ApiKey => match &mut self.api_key {
                Some(it) => Some(&mut it.fields),
                None => None,
            },
            AuthenticationMethod::Oauth2ClientCredentials => match &mut self.own_client {
                Some(it) => Some(&mut it.fields),
                None => None,
            },
        }
    }

    /// Where the person finds what a format needs.
    pub(super) fn documentation_link(&self, method: AuthenticationMethod) -> Option<&WebUrl> {
        match method {
            AuthenticationMethod::Oauth2 => self.oauth2.as_ref()?.documentation_link.as_ref(),
            AuthenticationMethod::ApiKey => self.api_key.as_ref()?.documentation_link.as_ref(),
            AuthenticationMethod::Oauth2ClientCredentials => self.own_client.as_ref()?.documentation_link.as_ref(),
        }
    }

    /// The addresses of a format's own requests.
    pub(super) fn addresses(&self, method: AuthenticationMethod) -> Vec<&Address> {
        match (method, &self.oauth2, &self.own_client) {
            (AuthenticationMethod::Oauth2, Some(it), _) => {
                let always = [&it.authorize_url, &it.token_url, &it.refresh_url];
                always.into_iter().chain(&it.revocation_url).collect()
            }
            (AuthenticationMethod::Oauth2ClientCredentials, _, Some(it)) => vec![&it.token_url],
            _ => Vec::new(),
        }
    }

    pub(super) const fn has(&self, method: AuthenticationMethod) -> bool {
        match method {
            AuthenticationMethod::Oauth2 => self.oauth2.is_some(),
            AuthenticationMethod::ApiKey => self.api_key.is_some(),
            AuthenticationMethod::Oauth2ClientCredentials => self.own_client.is_some(),
        }
    }
}

impl ApiKey {
    fn decode(config: &Object<'_>) -> Result<Self> {
        let node =
            config.need("fields", "[{\"name\": \"api_key\", \"label\": \"API key\", \"type\": \"password\"}]")?;
        let fields = Fields::decode(&node)?;
        if fields.iter().next().is_none() {
            return Err(node.fail("is empty; name at least the field that holds the key"));
        }
        let permissions_text = config.text("permissions_text")?.filter(|text| !text.trim().is_empty());
        Ok(Self { fields, documentation_link: documentation_link(config)?, permissions_text })
    }
}

impl ClientCredentials {
    fn decode(config: &Object<'_>, own: &Additions) -> Result<Self> {
        let node = config.need("fields", "one named client_id and one named client_secret")?;
        let mut fields = Fields::decode(&node)?;
        for name in ["client_id", "client_secret"] {
            if fields.get(name).is_none_or(|field| !field.required) {
                return Err(
                    node.fail(format_args!("lacks a required field named {name:?}; it is needed to fetch a token"))
                );
            }
        }
        fields.mark_secret("client_secret");
        let client = oauth2::Client::decode(config)?;
        let options = ClientOptions::decode(config, &client)?;
        Ok(Self {
            fields,
            documentation_link: documentation_link(config)?,
            token_url: Endpoints::decode(config, own)?.token_url,
            scopes: oauth2::scopes(config)?,
            token_params: oauth2::token_params(config, "tokenParams", &options)?,
            answer: own.from_answers.paths.clone(),
            default_expires_in: oauth2::token_expiry(config, own)?,
            options,
        })
    }
}

pub(super) fn documentation_link(config: &Object<'_>) -> Result<Option<WebUrl>> {
    config.describing("documentation_link", |node| node.web_url())
}
