//! How a client introduces itself at a token endpoint, and how it writes its requests: `client` and `options`, with the keys
//! and defaults of the npm library simple-oauth2 (contract section 4.3).

use super::{
    error::DefinitionError,
    node::{Node, Object},
    oauth2::Client,
};

/// How token requests are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// For a client with a secret.
    pub client_auth: ClientAuth,
    pub encoding: CredentialsEncoding,
    pub body_format: BodyFormat,
    /// Between two scopes. A space by the standard.
    pub scope_separator: String,
    /// The parameter with the client's ID, also of the authorization request: `client_id` by the standard.
    pub id_param: String,
    /// The parameter with the client's secret: `client_secret` by the standard.
    pub secret_param: String,
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

/// How the ID and the secret are written into a Basic header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CredentialsEncoding {
    /// Form-encoded first, as RFC 6749 §2.3.1 demands.
    #[default]
    Strict,
    /// As they are (RFC 7617).
    Loose,
}

/// The body of a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as the standard demands.
    Form,
    /// `application/json`.
    Json,
}

const DEFAULT_ID_PARAM: &str = "client_id";
const DEFAULT_SECRET_PARAM: &str = "client_secret";
const MAX_SEPARATOR_CHARS: usize = 3;

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            client_auth: ClientAuth::Basic,
            encoding: CredentialsEncoding::Strict,
            body_format: BodyFormat::Form,
            scope_separator: " ".to_owned(),
            id_param: DEFAULT_ID_PARAM.to_owned(),
            secret_param: DEFAULT_SECRET_PARAM.to_owned(),
        }
    }
}

impl ClientOptions {
    pub(super) fn decode(config: &Object<'_>, client: &Client) -> Result<Self, DefinitionError> {
        let mut options = Self::default();
        if let Some(name) = &client.id_param {
            options.id_param.clone_from(name);
        }
        if let Some(name) = &client.secret_param {
            options.secret_param.clone_from(name);
        }
        let Some(node) = config.get("options") else { return Ok(options) };
        let object = node.object()?;
        let methods = [("header", ClientAuth::Basic), ("body", ClientAuth::Post)];
        if let Some(method) = object.map("authorizationMethod", |node| node.one_of(&methods))? {
            options.client_auth = method;
        }
        let encodings = [("strict", CredentialsEncoding::Strict), ("loose", CredentialsEncoding::Loose)];
        if let Some(encoding) = object.map("credentialsEncodingMode", |node| node.one_of(&encodings))? {
            options.encoding = encoding;
        }
        let formats = [("form", BodyFormat::Form), ("json", BodyFormat::Json)];
        if let Some(format) = object.map("bodyFormat", |node| node.one_of(&formats))? {
            options.body_format = format;
        }
        if let Some(separator) = object.map("scopeSeparator", |node| separator(&node))? {
            options.scope_separator = separator;
        }
        Ok(options)
    }
}

/// Any that can't be a part of a scope that contains none of it. Most are a space or a comma.
fn separator(node: &Node<'_>) -> Result<String, DefinitionError> {
    let text = node.text()?;
    let fits = |c: char| c == ' ' || c.is_ascii_punctuation();
    if text.chars().count() <= MAX_SEPARATOR_CHARS && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(node.fail("is not a separator; write a space, a comma or other punctuation"))
}
