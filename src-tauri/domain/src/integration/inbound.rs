//! `webhook`: how what the provider sends to Relink is checked and turned into events (contract section 4.7), in a checked
//! form.

use std::sync::Arc;

use super::{
    error::{DefinitionError, quoted},
    node::{Node, Object},
};
use crate::{template::TextTemplate, webhook::SignatureFormat};

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

/// How a request of the provider is answered, checked and understood, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundWebhook {
    /// JSONata that gives the answer to a request that is no event, or null.
    pub handle_verification: Option<Arc<str>>,
    /// Without one, nothing is accepted (**ours**): whoever reaches the route could make up events.
    pub signature: Option<SignatureCheck>,
    /// JSONata that gives the events.
    pub payload_transform: Option<Arc<str>>,
    /// How the accounts are found that a request to the whole integration is for.
    pub lookup: Option<ContextLookup>,
}

/// Accounts whose context has a value of the request (`context_lookup_field_name` and `_value`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextLookup {
    /// The key at the top of the context.
    pub field: String,
    /// A template over `body`, `headers` and `query`.
    pub value: TextTemplate,
}

/// How it is known that a request is the provider's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureCheck {
    Hmac(HmacCheck),
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        username: TextTemplate,
        password: TextTemplate,
    },
    /// `Authorization: Bearer` with this token (RFC 6750 §2.1).
    Bearer(TextTemplate),
    Jwt(JwtCheck),
    /// As Clerk's webhooks are signed, by Svix: Standard Webhooks, with a secret in base64 behind `whsec_`.
    Clerk(TextTemplate),
    /// Relink doesn't know how, so nothing passes.
    Unknown,
}

/// A JSON Web Token that is signed with a shared secret (RFC 7519, RFC 7515 appendix A.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtCheck {
    pub algorithm: HmacAlgorithm,
    pub secret: TextTemplate,
    /// Where the token is, behind a scheme such as `Bearer` or not.
    pub token: RequestText,
}

/// An HMAC (RFC 2104) of parts of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacCheck {
    pub algorithm: HmacAlgorithm,
    pub secret: TextTemplate,
    /// What is signed, joined.
    pub parts: Vec<RequestText>,
    /// What the request says the HMAC is.
    pub compare_with: RequestText,
    pub string_type: SignatureFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// For HMAC alone, which SHA-1's collisions don't break (RFC 6194 §3.3).
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// A text that belongs to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestText {
    /// `$body`: the raw body.
    Body,
    /// `$header.x-name`, in lower case.
    Header(String),
    Template(TextTemplate),
}

impl RequestText {
    fn parse(text: &str) -> Self {
        match (text, text.strip_prefix("$header.")) {
            ("$body", _) => Self::Body,
            (_, Some(name)) => Self::Header(name.to_ascii_lowercase()),
            (_, None) => Self::Template(TextTemplate::parse(text)),
        }
    }
}

impl InboundWebhook {
    /// None: the section says nothing that has an effect.
    pub(super) fn decode(node: &Node<'_>) -> Result<Option<Self>> {
        if !node.json().is_object() {
            node.warn("must be an object in { }; this has no effect");
            return Ok(None);
        }
        let object = node.object()?;
        object.warn_unknown_keys(&[
            "handle_verification",
            "signature_verification",
            "payload_transform",
            "context_lookup_field_name",
            "context_lookup_field_value",
        ]);
        let expression = |key| object.map(key, |node| node.text().map(Arc::from));
        let found = Self {
            handle_verification: expression("handle_verification")?,
            signature: object.map("signature_verification", |node| SignatureCheck::decode(&node))?,
            payload_transform: expression("payload_transform")?,
            lookup: ContextLookup::decode(&object)?,
        };
        if found.payload_transform.is_some() && found.signature.is_none() {
            node.warn("has no \"signature_verification\", so Relink accepts no events: anybody could send them");
        }
        Ok(Some(found))
    }
}

impl SignatureCheck {
    fn decode(node: &Node<'_>) -> Result<Self> {
        let object = node.object()?;
        let Some(format) = object.filled("format") else {
            node.warn(format_args!("has no \"format\", so Relink accepts no events; use {FORMATS}"));
            return Ok(Self::Unknown);
        };
        let config = || object.need("config", "{\"secret\": \"{{webhook_secret}}\"}")?.object();
        match format.text()? {
            "hmac" => HmacCheck::decode(&config()?),
            "basic" => {
                let config = config()?;
                let username = template(&config.need("username", "\"{{webhook_username}}\"")?)?;
                let password = template(&config.need("password", "\"{{webhook_password}}\"")?)?;
                Ok(Self::Basic { username, password })
            }
            "bearer" => Ok(Self::Bearer(template(&config()?.need("secret", "\"{{webhook_secret}}\"")?)?)),
            "jwt" => JwtCheck::decode(&config()?),
            "clerk" => Ok(Self::Clerk(template(&config()?.need("secret", "\"{{webhook_secret}}\"")?)?)),
            other => {
                format.warn(format_args!(
                    "{} can't be checked by Relink, so it accepts no events; use {FORMATS}",
                    quoted(other)
                ));
                Ok(Self::Unknown)
            }
        }
    }
}

/// The formats that Relink checks, for people.
const FORMATS: &str = "\"hmac\", \"jwt\", \"clerk\", \"basic\" or \"bearer\"";

impl ContextLookup {
    fn decode(webhook: &Object<'_>) -> Result<Option<Self>> {
        let (field, value) = ("context_lookup_field_name", "context_lookup_field_value");
        match (webhook.filled(field), webhook.filled(value)) {
            (Some(field), Some(value)) => Ok(Some(Self { field: field.text()?.to_owned(), value: template(&value)? })),
            (Some(alone), None) => {
                alone.warn(format_args!("has no effect without {value:?}, such as \"{{{{body.team_id}}}}\""));
                Ok(None)
            }
            (None, Some(alone)) => {
                alone.warn(format_args!("has no effect without {field:?}, such as \"team_id\""));
                Ok(None)
            }
            (None, None) => Ok(None),
        }
    }
}

impl JwtCheck {
    /// `verification_content` or `compare_with` says where the token is (**ours**); else `Authorization` has it.
    fn decode(config: &Object<'_>) -> Result<SignatureCheck> {
        let algorithm = match config.filled("algorithm") {
            None => HmacAlgorithm::Sha256,
            Some(node) => match node.text()?.to_ascii_uppercase().as_str() {
                "HS256" => HmacAlgorithm::Sha256,
                "HS384" => HmacAlgorithm::Sha384,
                "HS512" => HmacAlgorithm::Sha512,
                other => {
                    node.warn(format_args!(
                        "{} can't be checked by Relink, so it accepts no events: it would need the provider's public keys, which \
                         Relink doesn't fetch; use \"HS256\", \"HS384\" or \"HS512\", with a shared secret",
                        quoted(other)
                    ));
                    return Ok(SignatureCheck::Unknown);
                }
            },
        };
        let token = config.filled("verification_content").or_else(|| config.filled("compare_with"));
        let token = token.map(|node| node.text().map(RequestText::parse)).transpose()?;
        Ok(SignatureCheck::Jwt(Self {
            algorithm,
            secret: template(&config.need("secret", "\"{{webhook_secret}}\"")?)?,
            token: token.unwrap_or_else(|| RequestText::Header("authorization".to_owned())),
        }))
    }
}

impl HmacCheck {
    fn decode(config: &Object<'_>) -> Result<SignatureCheck> {
        let algorithm = match config.filled("algorithm") {
            None => HmacAlgorithm::Sha256,
            Some(node) => match node.text()?.to_ascii_lowercase().replace('-', "").as_str() {
                "sha1" => HmacAlgorithm::Sha1,
                "sha256" => HmacAlgorithm::Sha256,
                "sha384" => HmacAlgorithm::Sha384,
                "sha512" => HmacAlgorithm::Sha512,
                other => {
                    node.warn(format_args!("{} can't be checked by Relink, so it accepts no events", quoted(other)));
                    return Ok(SignatureCheck::Unknown);
                }
            },
        };
        let string_type = config.map("string_type", |node| {
            node.one_of(&[("hex", SignatureFormat::Hex), ("base64", SignatureFormat::Base64)])
        })?;
        let parts = config.map("parts", |node| {
            node.array()?.iter().map(|part| Ok(RequestText::parse(part.text()?))).collect::<Result<Vec<_>>>()
        })?;
        Ok(SignatureCheck::Hmac(Self {
            algorithm,
            secret: template(&config.need("secret", "\"{{webhook_secret}}\"")?)?,
            parts: parts.unwrap_or_else(|| vec![RequestText::Body]),
            compare_with: RequestText::parse(config.need("compare_with", "\"$header.x-signature\"")?.text()?),
            string_type: string_type.unwrap_or(SignatureFormat::Hex),
        }))
    }
}

fn template(node: &Node<'_>) -> Result<TextTemplate> {
    node.text().map(TextTemplate::parse)
}
