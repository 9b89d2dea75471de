//! How a call carries a credential: the `authorization` section.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    available::Available,
    error::{DefinitionError, quoted},
    format::PerFormat,
    header::{Header, HeaderError, HeaderName},
    node::{Node, Object},
    signing::SigningExpression,
};
use crate::{
    Secret,
    template::{FillError, Placeholder, Reference, Scope, TextTemplate},
};

/// The access token's name in a context.
const ACCESS_TOKEN: &str = "access_token";

/// The header that carries the credential of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    header: HeaderName,
    scheme: Scheme,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scheme {
    /// RFC 6750 §2.1.
    Bearer(TextTemplate),
    /// The whole value of the header.
    Value(TextTemplate),
    /// RFC 7617.
    Basic { username: TextTemplate, password: TextTemplate },
    /// Headers that JSONata gives for each request.
    Signed(Box<SigningExpression>),
}

impl Authorization {
    /// `Authorization: Bearer` and the access token.
    pub fn access_token() -> Self {
        let token = TextTemplate::parse("{{oauth.token.access_token}}");
        Self { header: HeaderName::authorization(), scheme: Scheme::Bearer(token) }
    }

    /// The header for an account's call. `None`: it is left out, because an optional field of the form was left empty, or
    /// because the definition says that it may be; or because an expression gives headers ([`Authorization::signing`]).
    pub fn apply(&self, scope: &Scope<'_>) -> Result<Option<Header>, HeaderError> {
        let value = match &self.scheme {
            Scheme::Bearer(token) => {
                credential(token, scope)?.map(|token| Secret::new(format!("Bearer {}", token.expose())))
            }
            Scheme::Value(template) => credential(template, scope)?,
            Scheme::Basic { username, password } => basic(username, password, scope)?,
            Scheme::Signed(_) => None,
        };
        value.map(|value| Header::new(&self.header, value)).transpose()
    }

    /// The expression that gives the headers of each request, if there is one.
    pub fn signing(&self) -> Option<&SigningExpression> {
        if let Scheme::Signed(signing) = &self.scheme { Some(signing) } else { None }
    }

    /// The names of the form's fields that it may contain, in its order.
    pub fn fields(&self) -> Vec<&str> {
        match &self.scheme {
            Scheme::Signed(signing) => signing.names().collect(),
            _ => self.placeholders().into_iter().flat_map(Placeholder::fields).collect(),
        }
    }

    /// Whether it contains the secret with this name: of a field, or the access token.
    pub fn contains(&self, secret: &str) -> bool {
        if let Scheme::Signed(signing) = &self.scheme {
            return signing.names().any(|name| name == secret);
        }
        self.placeholders().into_iter().flat_map(Placeholder::references).any(|reference| match reference {
            Reference::AccessToken => secret == ACCESS_TOKEN,
            Reference::Field { name, .. } => name == secret,
            Reference::RefreshToken
            | Reference::SecretVariable
            | Reference::Protected
            | Reference::Root(_)
            | Reference::Other => false,
        })
    }

    /// Whether it names a secret environment variable.
    pub fn names_secret_variable(&self) -> bool {
        let mut references = self.placeholders().into_iter().flat_map(Placeholder::references);
        references.any(|reference| reference == Reference::SecretVariable)
    }

    fn placeholders(&self) -> Vec<&Placeholder> {
        match &self.scheme {
            Scheme::Bearer(template) | Scheme::Value(template) => template.placeholders().collect(),
            Scheme::Basic { username, password } => username.placeholders().chain(password.placeholders()).collect(),
            Scheme::Signed(_) => Vec::new(),
        }
    }

    fn decode(node: &Node<'_>, available: &Available<'_>) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        let kinds = [("bearer", Kind::Bearer), ("header", Kind::Header), ("basic", Kind::Basic)];
        let kind = object.need("format", "\"bearer\"")?.one_of(&kinds)?;
        if let (Kind::Bearer, None) = (kind, object.filled("config")) {
            return default_authorization(available).map_err(|problem| object.fail(problem));
        }
        let config = object.need("config", "{\"username\": \"{{credentials.api_key}}\"}")?.object()?;
        match kind {
            Kind::Bearer => Self::decode_bearer(&config, available),
            Kind::Header => {
                if let Some(node) = config.filled("expression") {
                    if config.has("header_name") || config.has("header_value") {
                        return Err(config.fail("has both an \"expression\" and a header; keep one"));
                    }
                    let signing = SigningExpression::new(node.text()?, available);
                    return Ok(Self { header: HeaderName::authorization(), scheme: Scheme::Signed(Box::new(signing)) });
                }
                let header = config.need("header_name", "\"X-Api-Key\"")?.parse(HeaderName::parse)?;
                let node = config.need("header_value", "\"{{credentials.api_key}}\"")?;
                let template = available.template(&node)?;
                if template.placeholders().next().is_none() {
                    node.fail_if_written("names no credential; write one such as {{credentials.api_key}}")?;
                }
                Ok(Self { header, scheme: Scheme::Value(template) })
            }
            Kind::Basic => Self::decode_basic(&config, available),
        }
    }

    /// `token`, a template; or `path`, as Relink's own files have it; or neither.
    fn decode_bearer(config: &Object<'_>, available: &Available<'_>) -> Result<Self, DefinitionError> {
        let header = HeaderName::authorization();
        match (config.filled("token"), config.filled("path")) {
            (Some(node), None) => {
                let token = available.template(&node)?;
                Ok(Self { header, scheme: Scheme::Bearer(token) })
            }
            (None, Some(node)) => {
                let token = node.parse(path_template)?;
                available.check(&node, &token)?;
                Ok(Self { header, scheme: Scheme::Bearer(token) })
            }
            (None, None) => default_authorization(available).map_err(|problem| config.fail(problem)),
            (Some(_), Some(_)) => Err(config.fail("has both \"token\" and \"path\"; keep one")),
        }
    }

    fn decode_basic(config: &Object<'_>, available: &Available<'_>) -> Result<Self, DefinitionError> {
        let part = |key: &str| config.map(key, |node| available.template(&node));
        // Either may be empty: some providers expect the key as the user name, others as the password.
        let empty = || TextTemplate::parse("");
        let username = part("username")?.unwrap_or_else(empty);
        let password = part("password")?.unwrap_or_else(empty);
        if username.placeholders().chain(password.placeholders()).next().is_none() {
            config
                .fail_if_written("names no credential; write one such as \"username\": \"{{credentials.api_key}}\"")?;
        }
        Ok(Self { header: HeaderName::authorization(), scheme: Scheme::Basic { username, password } })
    }
}

/// A path without braces, as in `authorization.config.path`: `oauth.token.access_token`. A bare name is a field of the form,
/// which Truto keeps in the context.
fn path_template(text: &str) -> Result<TextTemplate, String> {
    let text = text.trim();
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !text.split('.').all(is_name) || matches!(text, "oauth" | "credentials" | "context") {
        return Err(format!("{} is not the path of a value, such as \"oauth.token.access_token\"", quoted(text)));
    }
    let in_context = if text.contains('.') { "" } else { "context." };
    Ok(TextTemplate::parse(&format!("{{{{{in_context}{text}}}}}")))
}

/// A text that is nothing without its credential: null is none, unless the definition says what to do then.
fn credential(template: &TextTemplate, scope: &Scope<'_>) -> Result<Option<Secret>, FillError> {
    let filled = FillError::unless_optional(template.fill_secret(scope).and_then(|filled| {
        let without = template.placeholders().find(|placeholder| filled.is_none() && !placeholder.has_fallback());
        match without {
            Some(placeholder) => Err(placeholder.missing(scope).into()),
            None => Ok(filled),
        }
    }))?;
    Ok(filled)
}

/// RFC 7617 §2. A part whose optional field was left empty is empty; if no part has a value, there is nothing to send.
fn basic(username: &TextTemplate, password: &TextTemplate, scope: &Scope<'_>) -> Result<Option<Secret>, FillError> {
    let parts = [(username, credential(username, scope)?), (password, credential(password, scope)?)];
    if !parts.iter().any(|(part, value)| value.is_some() && part.placeholders().next().is_some()) {
        return Ok(None);
    }
    let [username, password] = parts.map(|(_, value)| value.unwrap_or_else(|| Secret::new("")));
    let pair = Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
    Ok(Some(Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))))
}

#[derive(Clone, Copy)]
enum Kind {
    Bearer,
    Header,
    Basic,
}

/// What a definition without `authorization` means (contract section 4.4): the access token, or the key named `api_key`.
fn default_authorization(available: &Available<'_>) -> Result<Authorization, String> {
    const KEY: &str = "api_key";
    if available.has_token() {
        return Ok(Authorization::access_token());
    }
    if !available.fields.contains(&KEY) {
        return Err(format!(
            "doesn't say how {format} is sent, and there is no field named {KEY:?}, which would be sent as a bearer token; \
             name one of its fields, such as {{\"format\": \"bearer\", \"config\": {{\"token\": \"{{{{{KEY}}}}}\"}}}}",
            format = available.format.as_str()
        ));
    }
    let scheme = Scheme::Bearer(TextTemplate::parse("{{credentials.api_key}}"));
    Ok(Authorization { header: HeaderName::authorization(), scheme })
}

/// Decodes the section for the formats of the definition: one object for all of them, or a map by format.
pub(super) fn decode(
    node: Option<&Node<'_>>,
    formats: &[Available<'_>],
    root: &Object<'_>,
) -> Result<PerFormat<Authorization>, DefinitionError> {
    let mut found = PerFormat::default();
    let shared = match node {
        Some(node) if node.object()?.has("format") => Some(node),
        _ => None,
    };
    let by_format = node.filter(|_| shared.is_none()).map(Node::object).transpose()?;
    for available in formats {
        let own = by_format.as_ref().and_then(|object| object.get(available.format.as_str()));
        let authorization = if let Some(node) = shared.or(own.as_ref()) {
            Authorization::decode(node, available)?
        } else {
            let problem = |problem| root.fail(format_args!("\"authorization\" {problem}"));
            default_authorization(available).map_err(problem)?
        };
        found.put(available.format, authorization);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::template::MissingValue;

    fn template(text: &str) -> TextTemplate {
        TextTemplate::parse(text)
    }

    fn applied(scheme: Scheme, key: &str) -> Result<String, HeaderError> {
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new(key))]);
        let token = Secret::new("at-1");
        let context = json!({"nothing": null});
        let context = context.as_object().expect("an object");
        let scope = Scope { optional: &["other"], ..Scope::new(context, &fields, Some(&token)) };
        let authorization = Authorization { header: HeaderName::authorization(), scheme };
        let header = authorization.apply(&scope)?;
        Ok(header.map_or_else(|| "left out".to_owned(), |header| header.value.expose().to_owned()))
    }

    #[test]
    fn an_optional_field_that_was_left_empty_leaves_its_header_out() {
        let basic = |username, password| Scheme::Basic { username: template(username), password: template(password) };
        let bearer = |path| Scheme::Bearer(path_template(path).expect("a path"));
        for (scheme, header) in [
            (bearer("credentials.other"), Ok("left out")),
            (bearer("nothing"), Err("context.nothing")),
            (Scheme::Value(template("Key {{credentials.other}}")), Ok("left out")),
            (Scheme::Value(template("{{credentials.api_key}} {{context.other}}")), Ok("left out")),
            (Scheme::Value(template("{{nothing}}")), Err("nothing")),
            (Scheme::Value(template("{{nothing:str:null}}")), Ok("left out")),
            (Scheme::Value(template("{{gone:str:undefined}}")), Ok("left out")),
            (basic("{{credentials.api_key}}", "{{credentials.other}}"), Ok("Basic azo=")),
            (basic("{{credentials.other}}", "{{credentials.api_key}}"), Ok("Basic Oms=")),
            (basic("{{credentials.other}}", "{{credentials.other}}"), Ok("left out")),
            (basic("{{credentials.other}}", "X"), Ok("left out")),
            (basic("{{api_key}}/token", "{{gone ?: x}}"), Ok("Basic ay90b2tlbjogeA==")),
            (basic("{{credentials.other}}", "{{credentials.gone}}"), Err("credentials.gone")),
            (Scheme::Value(template("Key {{credentials.gone}}")), Err("credentials.gone")),
        ] {
            let missing = |name: &str| {
                HeaderError::Fill(MissingValue { placeholder: name.to_owned(), is_optional: false }.into())
            };
            assert_eq!(applied(scheme.clone(), "k"), header.map(str::to_owned).map_err(missing), "{scheme:?}");
        }
    }

    #[test]
    fn each_scheme_writes_the_header_of_its_standard() {
        let token = Authorization::access_token().scheme;
        assert_eq!(applied(token, "k").as_deref(), Ok("Bearer at-1"));
        assert_eq!(applied(Scheme::Value(template("Key {{api_key}}")), "k").as_deref(), Ok("Key k"));
        let basic = Scheme::Basic { username: template("{{context.api_key}}"), password: template("X") };
        assert_eq!(applied(basic, "k").as_deref(), Ok("Basic azpY"));
    }

    #[test]
    fn a_bare_name_in_a_path_is_a_field() {
        for (path, template) in [
            (" api_key ", "{{context.api_key}}"),
            ("id", "{{context.id}}"),
            ("oauth.token.access_token", "{{oauth.token.access_token}}"),
            ("credentials.a-b_C9", "{{credentials.a-b_C9}}"),
        ] {
            assert_eq!(path_template(path), Ok(TextTemplate::parse(template)), "{path}");
        }
        for path in ["oauth", "credentials", "context", "", "a b", "a..b", "a:int", "a|b", "{{a}}", "a.", "ä"] {
            assert!(path_template(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_value_cannot_add_a_header() {
        let scheme = Scheme::Value(template("{{credentials.api_key}}"));
        assert_eq!(
            applied(scheme, "k\r\nhost: evil.example"),
            Err(HeaderError::Unfit { name: "authorization".into() })
        );
    }
}
