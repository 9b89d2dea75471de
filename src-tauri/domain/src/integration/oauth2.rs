//! OAuth 2.0 with an authorization code: `credentials` of the format `oauth2` (contract section 4.3).

use super::{
    address::Address,
    answer::{AnswerPaths, Kept},
    client_options::{ClientAuth, ClientOptions},
    credentials::documentation_link,
    error::DefinitionError,
    fields::Fields,
    node::{Node, Object},
    params::{self, Params},
    relink::{Additions, ClientSecretNeed, RedirectKind, Revocation},
    web_url::WebUrl,
};
use crate::callback;

/// OAuth 2.0 with an authorization code (RFC 6749 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// The form that is filled in before the redirect. Its values are part of addresses and parameters.
    pub fields: Fields,
    /// Where the person finds the form's values.
    pub documentation_link: Option<WebUrl>,
    /// Opened in the browser.
    pub authorize_url: Address,
    /// For exchanging a code.
    pub token_url: Address,
    /// For exchanging a refresh token.
    pub refresh_url: Address,
    /// RFC 7009.
    pub revocation_url: Option<Address>,
    /// The client that is registered at the provider. Empty: not yet registered.
    pub client_id: String,
    /// The scopes to request, unless the link token names others.
    pub scopes: Vec<String>,
    /// The authorization request's parameter with the scopes: `scope` by the standard, `user_scope` for a Slack user's token.
    pub scope_param: String,
    pub options: ClientOptions,
    pub client_secret: ClientSecretNeed,
    pub pkce: Pkce,
    /// The redirects that the provider allows, the preferred one first.
    pub redirects: Vec<RedirectKind>,
    /// The value that `iss` must have (RFC 9207 §2.4), in the redirect and in an ID token.
    pub issuer: Option<String>,
    /// Whether a redirect without `iss` is refused. A provider has to be said not to send it: otherwise another one could
    /// answer in its place by leaving it out.
    pub requires_iss: bool,
    /// Further parameters of the authorization request.
    pub authorize_params: Params,
    /// Whether the authorization request has no `response_type`: some providers refuse it.
    pub leaves_out_response_type: bool,
    /// Further parameters of the code's exchange.
    pub token_params: Params,
    /// Further parameters of a refresh.
    pub refresh_params: Params,
    /// The redirect's parameter with the code: `code` by the standard.
    pub code_param: String,
    /// Parameters of the redirect that are kept in the account's context.
    pub keep_from_callback: Vec<Kept<String>>,
    pub answer: AnswerPaths,
    /// The access token's lifetime in seconds, for a response without one.
    pub default_expires_in: Option<u32>,
}

/// Proof Key for Code Exchange (RFC 7636). `plain` doesn't exist here: it would show the verifier to whoever sees the request
/// (RFC 9700 §2.1.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pkce {
    #[default]
    S256,
    /// For providers that refuse it.
    Off,
}

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

impl OAuth2 {
    /// How the client authenticates. Without a secret it can only be a public client.
    pub const fn client_auth(&self, has_secret: bool) -> ClientAuth {
        if has_secret { self.options.client_auth } else { ClientAuth::None }
    }

    pub(super) fn decode(config: &Object<'_>, own: &Additions) -> Result<Self> {
        let client = Client::decode(config)?;
        let mut options = ClientOptions::decode(config, &client)?;
        if own.client_secret == ClientSecretNeed::Never {
            options.client_auth = ClientAuth::None;
        }
        let endpoints = Endpoints::decode(config, own)?;
        let authorization = config.map("params", |node| params::of_authorization(&node))?.unwrap_or_default();
        let authorize_params = own.authorize_params.params.clone().with(authorization.params);
        let named_by_client = [options.id_param.as_str(), options.secret_param.as_str()];
        let fields = config.map("fields", |node| fields(&node))?.unwrap_or_default();
        Ok(Self {
            fields,
            documentation_link: documentation_link(config)?,
            authorize_url: endpoints.authorize_url(config, own)?,
            refresh_url: endpoints.refresh_url(config, own)?,
            revocation_url: endpoints.revocation_url(config, own)?,
            token_url: endpoints.token_url,
            client_id: client.id,
            scopes: scopes(config)?,
            scope_param: own.scope_param.clone().unwrap_or_else(|| DEFAULT_SCOPE_PARAM.to_owned()),
            client_secret: own.client_secret,
            pkce: config.map("pkce", |node| pkce(&node, own))?.unwrap_or_default(),
            redirects: if own.redirects.is_empty() {
                vec![RedirectKind::DeepLink, RedirectKind::Loopback]
            } else {
                own.redirects.clone()
            },
            issuer: own.issuer.clone(),
            requires_iss: own.issuer.is_some() && own.sends_iss,
            authorize_params: params::without(authorize_params, &named_by_client, config)?,
            leaves_out_response_type: authorization.leaves_out_response_type
                || own.authorize_params.leaves_out_response_type,
            token_params: token_params(config, "tokenParams", &options)?,
            refresh_params: token_params(config, "refreshParams", &options)?,
            code_param: own.code_param.clone().unwrap_or_else(|| callback::DEFAULT_CODE_PARAM.to_owned()),
            keep_from_callback: own.from_answers.keep_from_callback.clone(),
            answer: own.from_answers.paths.clone(),
            default_expires_in: token_expiry(config, own)?,
            options,
        })
    }
}

/// `client`. Its secret was removed before (see `secrets.rs`).
#[derive(Debug, Default)]
pub(super) struct Client {
    id: String,
    pub(super) id_param: Option<String>,
    pub(super) secret_param: Option<String>,
}

impl Client {
    pub(super) fn decode(config: &Object<'_>) -> Result<Self> {
        let Some(node) = config.get("client") else { return Ok(Self::default()) };
        let client = node.object()?;
        client.get("secret").map(|node| node.text()).transpose()?;
        let id = client.get("id").map(|node| client_id(&node)).transpose()?.unwrap_or_default();
        let param = |key: &str| client.map(key, |node| node.parse(param_name));
        Ok(Self { id, id_param: param("idParamName")?, secret_param: param("secretParamName")? })
    }
}

/// The most characters of a client ID.
pub const MAX_CLIENT_ID_CHARS: usize = 512;

/// Whether this can be the ID of an OAuth client (RFC 6749 §2.2).
pub fn is_client_id(text: &str) -> bool {
    let length = text.chars().count();
    (1..=MAX_CLIENT_ID_CHARS).contains(&length) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn client_id(node: &Node<'_>) -> Result<String> {
    let id = node.literal()?;
    if !id.is_empty() && !is_client_id(id) {
        return Err(node.fail(format_args!(
            "is not a client ID: it contains a space or is longer than {MAX_CLIENT_ID_CHARS} characters"
        )));
    }
    Ok(id.to_owned())
}

const DEFAULT_SCOPE_PARAM: &str = "scope";
const MAX_PARAM_CHARS: usize = 64;

/// The name of a parameter that takes the place of one of the standard's. It can't be another one that Relink sets.
pub(super) fn param_name(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if text.is_empty() || text.len() > MAX_PARAM_CHARS || !text.chars().all(fits) {
        return Err("is not the name of a parameter; use letters, digits, _, - and .");
    }
    let taken = [
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "error",
        "error_description",
        "grant_type",
        "iss",
        "nonce",
        "redirect_uri",
        "refresh_token",
        "response_type",
        "scope",
        "state",
    ];
    if taken.contains(&text) {
        return Err("is the name of another parameter of OAuth 2.0; use the one that the provider documents");
    }
    Ok(text.to_owned())
}

/// `auth`.
pub(super) struct Endpoints {
    token_host: Address,
    pub(super) token_url: Address,
}

const AUTH_EXAMPLE: &str = "{\"tokenHost\": \"https://…\", \"tokenPath\": \"/token\"}";

impl Endpoints {
    pub(super) fn decode(config: &Object<'_>, own: &Additions) -> Result<Self> {
        let node = config.need("auth", AUTH_EXAMPLE)?;
        let auth = node.object()?;
        let token_host = Address::decode_host(&auth.need("tokenHost", "\"https://github.com\"")?, &own.origins)?;
        let token_url = below(&token_host, &auth, "tokenPath")?;
        Ok(Self { token_url: token_url.map_or_else(|| token_host.append("/oauth/token", &node), Ok)?, token_host })
    }

    fn authorize_url(&self, config: &Object<'_>, own: &Additions) -> Result<Address> {
        let node = config.need("auth", AUTH_EXAMPLE)?;
        let auth = node.object()?;
        let host = auth.map("authorizeHost", |node| Address::decode_host(&node, &own.origins))?;
        let host = host.as_ref().unwrap_or(&self.token_host);
        match auth.filled("authorizePath") {
            Some(node) => host.append(&params::authorize_path(&node)?, &node),
            None => host.append("/oauth/authorize", &node),
        }
    }

    fn refresh_url(&self, config: &Object<'_>, own: &Additions) -> Result<Address> {
        let node = config.need("auth", AUTH_EXAMPLE)?;
        let auth = node.object()?;
        let path = below(&self.token_host, &auth, "refreshPath")?;
        match (path, &own.refresh_url) {
            (Some(_), Some(_)) => Err(auth.fail("has \"refreshPath\", and \"relink\" has \"refresh_url\"; keep one")),
            (Some(url), None) => Ok(url),
            (None, Some(url)) => Ok(url.clone()),
            (None, None) => Ok(self.token_url.clone()),
        }
    }

    /// Without any of the three keys there is none. The default of simple-oauth2 (contract section 4.3) isn't taken: a live token would be
    /// sent to a path that most providers don't have, while an account is revoked only where RFC 7009 is offered (section 3).
    fn revocation_url(&self, config: &Object<'_>, own: &Additions) -> Result<Option<Address>> {
        let node = config.need("auth", AUTH_EXAMPLE)?;
        let auth = node.object()?;
        let path = below(&self.token_host, &auth, "revokePath")?;
        match (path, &own.revocation) {
            (Some(_), Some(_)) => {
                Err(auth
                    .fail("has \"revokePath\", and \"relink\" has \"revocation_path\" or \"revocation_url\"; keep one"))
            }
            (Some(url), None) => Ok(Some(url)),
            (None, Some(Revocation::Path(path))) => Ok(Some(self.token_host.append(path, &node)?)),
            (None, Some(Revocation::Url(url))) => Ok(Some(url.clone())),
            (None, None) => Ok(None),
        }
    }
}

/// The address with the path under this key of `auth`.
fn below(host: &Address, auth: &Object<'_>, key: &str) -> Result<Option<Address>> {
    auth.map(key, |node| host.append(node.text()?, &node))
}

const NAMES_OF_TOKENS: [&str; 2] = ["refresh_token", "access_token"];

/// The form before the redirect. Its secrets are kept beside the tokens, so none may have a token's name.
fn fields(node: &Node<'_>) -> Result<Fields> {
    let fields = Fields::decode(node)?;
    match fields.iter().find(|field| NAMES_OF_TOKENS.contains(&field.name.as_str())) {
        Some(field) => Err(node.fail(format_args!("has a field named {:?}, which is a token's name", field.name))),
        None => Ok(fields),
    }
}

fn pkce(node: &Node<'_>, own: &Additions) -> Result<Pkce> {
    let object = node.object()?;
    let node = object.need("method", "\"S256\"")?;
    let pkce = node.one_of(&[("S256", Pkce::S256), ("none", Pkce::Off)])?;
    if pkce == Pkce::Off && own.client_secret == ClientSecretNeed::Never {
        node.fail_if_written(
            "leaves a client without a secret unprotected: another program could exchange its code (RFC 9700 §2.1.1); \
             use \"S256\"",
        )?;
    }
    Ok(pkce)
}

/// Parameters of a token request.
pub(super) fn token_params(config: &Object<'_>, key: &str, options: &ClientOptions) -> Result<Params> {
    let params = params::of_token_request(config, key)?;
    params::without(params, &[options.id_param.as_str(), options.secret_param.as_str()], config)
}

/// `tokenExpiryDuration`: seconds, as text. Earlier versions of Relink had their own key.
pub(super) fn token_expiry(config: &Object<'_>, own: &Additions) -> Result<Option<u32>> {
    let seconds = config.map("tokenExpiryDuration", |node| match node.text() {
        Ok(text) => text.trim().parse().map_err(|_| node.fail("must be a whole number of seconds, such as \"3600\"")),
        Err(_) => node.seconds(),
    })?;
    if seconds.is_some() && own.refresh.default_expires_in.is_some() {
        config.fail_if_written(
            "has \"tokenExpiryDuration\", and \"relink.refresh\" has \"default_expires_in\"; keep one",
        )?;
    }
    Ok(seconds.or(own.refresh.default_expires_in))
}

/// A list, or one string with spaces in between. Each is a `scope-token` (RFC 6749 §3.3).
pub(super) fn scopes(config: &Object<'_>) -> Result<Vec<String>> {
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

#[cfg(test)]
#[path = "oauth2_tests.rs"]
mod tests;
