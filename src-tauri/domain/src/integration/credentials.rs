//! How an account signs in: the `credentials` section.

use super::{
    authorize_params,
    error::{DefinitionError, quoted},
    fields::Fields,
    format,
    node::{Node, Object},
    relink::{Additions, ClientSecretNeed, RedirectKind, Revocation},
    web_url::{UrlPath, WebUrl},
};
use crate::account::AuthenticationMethod;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) oauth2: Option<OAuth2>,
    pub(super) api_key: Option<ApiKey>,
    pub(super) own_client: Option<ClientCredentials>,
}

/// OAuth 2.0 with an authorization code (RFC 6749 §4.1). PKCE is always S256 (RFC 7636 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// Opened in the browser.
    pub authorize_url: WebUrl,
    /// For exchanging a code.
    pub token_url: WebUrl,
    /// For exchanging a refresh token.
    pub refresh_url: WebUrl,
    /// RFC 7009.
    pub revocation_url: Option<WebUrl>,
    /// The client that is registered at the provider. Empty: not yet registered.
    pub client_id: String,
    /// The scopes to request, unless the link token names others.
    pub scopes: Vec<String>,
    /// Between two scopes. A space by the standard.
    pub scope_separator: String,
    /// For a client with a secret, see [`OAuth2::client_auth`].
    pub client_auth: ClientAuth,
    pub client_secret: ClientSecretNeed,
    pub body_format: BodyFormat,
    /// The redirects that the provider allows, the preferred one first.
    pub redirects: Vec<RedirectKind>,
    /// The value that `iss` must have (RFC 9207 §2.4), in the redirect and in an ID token.
    pub issuer: Option<String>,
    /// Whether a redirect without `iss` is refused. A provider has to be said not to send it: otherwise another one could
    /// answer in its place by leaving it out.
    pub requires_iss: bool,
    /// Additional parameters of the authorization request.
    pub authorize_params: Vec<(String, String)>,
}

/// A form whose values are the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub fields: Fields,
    /// Where the person finds the values.
    pub documentation_link: Option<WebUrl>,
}

/// OAuth 2.0 client credentials (RFC 6749 §4.4). The person types them into the fields `client_id` and `client_secret`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    pub fields: Fields,
    /// Where the person finds the values.
    pub documentation_link: Option<WebUrl>,
    pub token_url: WebUrl,
    pub scopes: Vec<String>,
    /// See [`OAuth2::scope_separator`].
    pub scope_separator: String,
    pub client_auth: ClientAuth,
    pub body_format: BodyFormat,
}

/// How a client authenticates at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
    /// `none`: a public client, which sends only its id.
    None,
}

/// The body of a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as the standard demands.
    Form,
    /// `application/json`.
    Json,
}

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

impl OAuth2 {
    /// How the client authenticates. Without a secret it can only be a public client.
    pub const fn client_auth(&self, has_secret: bool) -> ClientAuth {
        if has_secret { self.client_auth } else { ClientAuth::None }
    }
}

impl Credentials {
    pub(super) fn decode(node: &Node<'_>, own: &Additions) -> Result<Self> {
        let object = node.object()?;
        let mut all = Self::default();
        if object.has("format") {
            let method = object.need("format", "\"oauth2\"")?.one_of(&format::WORDS)?;
            all.add(method, &object, own)?;
            return Ok(all);
        }
        for (key, node) in object.entries() {
            let Some((_, method)) = format::WORDS.iter().find(|(name, _)| *name == key) else {
                node.fail_if_written(format_args!(
                    "{} is not known here; use \"oauth2\", \"api_key\" or \"oauth2_client_credentials\"",
                    quoted(key)
                ))?;
                continue;
            };
            let entry = node.object()?;
            let format = entry.describing("format", |node| node.one_of(&format::WORDS).map(|format| (format, node)))?;
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
                self.own_client = Some(ClientCredentials::decode(&config)?);
            }
        }
        Ok(())
    }

    /// The form of a format, if it has one.
    pub(super) fn fields(&self, method: AuthenticationMethod) -> Option<&Fields> {
        match method {
            AuthenticationMethod::Oauth2 => None,
            AuthenticationMethod::ApiKey => self.api_key.as_ref().map(|it| &it.fields),
            AuthenticationMethod::Oauth2ClientCredentials => self.own_client.as_ref().map(|it| &it.fields),
        }
    }

    pub(super) const fn fields_mut(&mut self, method: AuthenticationMethod) -> Option<&mut Fields> {
        match method {
            AuthenticationMethod::Oauth2 => None,
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

    pub(super) const fn has(&self, method: AuthenticationMethod) -> bool {
        match method {
            AuthenticationMethod::Oauth2 => self.oauth2.is_some(),
            AuthenticationMethod::ApiKey => self.api_key.is_some(),
            AuthenticationMethod::Oauth2ClientCredentials => self.own_client.is_some(),
        }
    }
}

impl OAuth2 {
    fn decode(config: &Object<'_>, own: &Additions) -> Result<Self> {
        let client_id = match config.get("client") {
            Some(node) => client_id(&node)?,
            None => String::new(),
        };
        config.map("pkce", |node| pkce(&node))?;
        config.map("params", |node| authorize_params::check(&node))?;
        let auth = config.need("auth", "{\"tokenHost\": \"https://…\", \"tokenPath\": \"/token\"}")?.object()?;
        let endpoints = Endpoints::decode(&auth)?;
        let options = Options::decode(config.get("options").as_ref())?;
        let (authorize_url, refresh_url) = (endpoints.authorize_url(&auth)?, endpoints.refresh_url(&auth)?);
        Ok(Self {
            authorize_url,
            refresh_url,
            revocation_url: own.revocation.as_ref().map(|revocation| match revocation {
                Revocation::Path(path) => endpoints.token_host.append(path),
                Revocation::Url(url) => url.clone(),
            }),
            token_url: endpoints.token_url,
            client_id,
            scopes: scopes(config)?,
            scope_separator: options.scope_separator,
            client_auth: if own.client_secret == ClientSecretNeed::Never {
                ClientAuth::None
            } else {
                options.client_auth
            },
            client_secret: own.client_secret,
            body_format: options.body_format,
            redirects: if own.redirects.is_empty() {
                vec![RedirectKind::DeepLink, RedirectKind::Loopback]
            } else {
                own.redirects.clone()
            },
            issuer: own.issuer.clone(),
            requires_iss: own.issuer.is_some() && own.sends_iss,
            authorize_params: own.authorize_params.clone(),
        })
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
        Ok(Self { fields, documentation_link: documentation_link(config)? })
    }
}

impl ClientCredentials {
    fn decode(config: &Object<'_>) -> Result<Self> {
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
        config.map("client", |node| client_id(&node))?;
        let auth = config.need("auth", "{\"tokenHost\": \"https://…\", \"tokenPath\": \"/token\"}")?.object()?;
        let options = Options::decode(config.get("options").as_ref())?;
        Ok(Self {
            fields,
            documentation_link: documentation_link(config)?,
            token_url: Endpoints::decode(&auth)?.token_url,
            scopes: scopes(config)?,
            scope_separator: options.scope_separator,
            client_auth: options.client_auth,
            body_format: options.body_format,
        })
    }
}

/// `auth`, with the keys of simple-oauth2.
struct Endpoints {
    token_host: WebUrl,
    token_url: WebUrl,
}

impl Endpoints {
    fn decode(auth: &Object<'_>) -> Result<Self> {
        let token_host = host(&auth.need("tokenHost", "\"https://github.com\"")?)?;
        let path = auth.need("tokenPath", "\"/oauth/token\"")?.parse(UrlPath::parse)?;
        Ok(Self { token_url: token_host.append(&path), token_host })
    }

    fn authorize_url(&self, auth: &Object<'_>) -> Result<WebUrl> {
        let own = auth.map("authorizeHost", |node| host(&node))?;
        let path = authorize_params::path(&auth.need("authorizePath", "\"/oauth/authorize\"")?)?;
        Ok(own.as_ref().unwrap_or(&self.token_host).append(&path))
    }

    fn refresh_url(&self, auth: &Object<'_>) -> Result<WebUrl> {
        let path = auth.map("refreshPath", |node| node.parse(UrlPath::parse))?;
        Ok(path.map_or_else(|| self.token_url.clone(), |path| self.token_host.append(&path)))
    }
}

/// simple-oauth2 resolves the path against the host and would drop a path of the host, so a host with a path is refused.
fn host(node: &Node<'_>) -> Result<WebUrl> {
    let url = node.web_url()?;
    if url.is_bare_origin() {
        return Ok(url);
    }
    Err(node.fail(format_args!("must end after the host ({}); put the rest into the path", url.origin())))
}

/// `options`, with the keys of simple-oauth2.
struct Options {
    client_auth: ClientAuth,
    body_format: BodyFormat,
    scope_separator: String,
}

impl Options {
    fn decode(node: Option<&Node<'_>>) -> Result<Self> {
        let mut options =
            Self { client_auth: ClientAuth::Basic, body_format: BodyFormat::Form, scope_separator: " ".to_owned() };
        let Some(node) = node else { return Ok(options) };
        let object = node.object()?;
        let methods = [("header", ClientAuth::Basic), ("body", ClientAuth::Post)];
        if let Some(method) = object.map("authorizationMethod", |node| node.one_of(&methods))? {
            options.client_auth = method;
        }
        let formats = [("form", BodyFormat::Form), ("json", BodyFormat::Json)];
        if let Some(format) = object.map("bodyFormat", |node| node.one_of(&formats))? {
            options.body_format = format;
        }
        let separators = [(" ", " "), (",", ",")];
        if let Some(separator) = object.map("scopeSeparator", |node| node.one_of(&separators))? {
            separator.clone_into(&mut options.scope_separator);
        }
        Ok(options)
    }
}

/// The most characters of a client ID.
pub const MAX_CLIENT_ID_CHARS: usize = 512;

/// Whether this can be the ID of an OAuth client (RFC 6749 §2.2).
pub fn is_client_id(text: &str) -> bool {
    let length = text.chars().count();
    (1..=MAX_CLIENT_ID_CHARS).contains(&length) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The client's id. Its secret was removed before (see `secrets.rs`).
fn client_id(node: &Node<'_>) -> Result<String> {
    let client = node.object()?;
    client.get("secret").map(|node| node.text()).transpose()?;
    let Some(node) = client.get("id") else { return Ok(String::new()) };
    let id = node.literal()?;
    if !id.is_empty() && !is_client_id(id) {
        return Err(node.fail(format_args!(
            "is not a client ID: it contains a space or is longer than {MAX_CLIENT_ID_CHARS} characters"
        )));
    }
    Ok(id.to_owned())
}

fn pkce(node: &Node<'_>) -> Result<()> {
    let object = node.object()?;
    // `plain` would show the verifier to whoever sees the request (RFC 9700 §2.1.1).
    object.need("method", "\"S256\"")?.one_of(&[("S256", ())])
}

/// A list, or one string with spaces in between. Each is a `scope-token` (RFC 6749 §3.3).
fn scopes(config: &Object<'_>) -> Result<Vec<String>> {
    let Some(node) = config.get("scope") else { return Ok(Vec::new()) };
    let scope = |node: &Node<'_>, text: &str| {
        let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\');
        if fits {
            Ok(text.to_owned())
        } else {
            Err(node.fail("is not one scope; write each as its own string in the list"))
        }
    };
    match node.text() {
        Ok(_) => node.literal()?.split_whitespace().map(|text| scope(&node, text)).collect(),
        Err(_) => node.array()?.iter().map(|node| scope(node, node.literal()?)).collect(),
    }
}

fn documentation_link(config: &Object<'_>) -> Result<Option<WebUrl>> {
    config.describing("documentation_link", |node| node.web_url())
}
