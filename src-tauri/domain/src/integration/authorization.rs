//! How a call carries a credential: the `authorization` section.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    error::DefinitionError,
    format::PerFormat,
    header::{Header, HeaderError, HeaderName},
    node::{Node, Object},
    template::{MissingValue, Placeholder, Template, Values},
};
use crate::{Secret, account::AuthenticationMethod};

/// The header that carries the credential of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    header: HeaderName,
    scheme: Scheme,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scheme {
    /// RFC 6750 §2.1.
    Bearer(Placeholder),
    /// The whole value of the header.
    Value(Template),
    /// RFC 7617.
    Basic { username: Template, password: Template },
}

impl Authorization {
    /// `Authorization: Bearer` and the access token.
    pub fn access_token() -> Self {
        Self { header: HeaderName::authorization(), scheme: Scheme::Bearer(Placeholder::AccessToken) }
    }

    /// The header for an account's call. `None`: it is left out, because an optional field of the form was left empty.
    pub fn apply(&self, values: &Values<'_>) -> Result<Option<Header>, HeaderError> {
        let value = match &self.scheme {
            Scheme::Bearer(placeholder) => MissingValue::unless_optional(placeholder.value(values))?
                .map(|token| Secret::new(format!("Bearer {}", token.expose()))),
            Scheme::Value(template) => MissingValue::unless_optional(template.fill(values))?,
            Scheme::Basic { username, password } => basic(username, password, values)?,
        };
        value.map(|value| Header::new(&self.header, value)).transpose()
    }

    /// The values that it needs from the account.
    pub fn placeholders(&self) -> Vec<&Placeholder> {
        match &self.scheme {
            Scheme::Bearer(placeholder) => vec![placeholder],
            Scheme::Value(template) => template.placeholders().collect(),
            Scheme::Basic { username, password } => username.placeholders().chain(password.placeholders()).collect(),
        }
    }

    fn decode(node: &Node<'_>, available: &Available<'_>) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        let kinds = [("bearer", Kind::Bearer), ("header", Kind::Header), ("basic", Kind::Basic)];
        let kind = object.need("format", "\"bearer\"")?.one_of(&kinds)?;
        let config = object.need("config", "{\"path\": \"oauth.token.access_token\"}")?.object()?;
        match kind {
            Kind::Bearer => {
                let node = config.need("path", "\"oauth.token.access_token\"")?;
                let placeholder = node.parse(Placeholder::parse_path)?;
                available.check(&node, &placeholder)?;
                Ok(Self { header: HeaderName::authorization(), scheme: Scheme::Bearer(placeholder) })
            }
            Kind::Header => {
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

    fn decode_basic(config: &Object<'_>, available: &Available<'_>) -> Result<Self, DefinitionError> {
        let part = |key: &str| config.map(key, |node| available.template(&node));
        // Either may be empty: some providers expect the key as the user name, others as the password.
        let empty = || Template::parse("").map_err(|error| config.fail(error));
        let username = part("username")?.map_or_else(empty, Ok)?;
        let password = part("password")?.map_or_else(empty, Ok)?;
        if username.placeholders().chain(password.placeholders()).next().is_none() {
            config
                .fail_if_written("names no credential; write one such as \"username\": \"{{credentials.api_key}}\"")?;
        }
        Ok(Self { header: HeaderName::authorization(), scheme: Scheme::Basic { username, password } })
    }
}

/// RFC 7617 §2. A part whose optional field was left empty is empty; if no part has a value, there is nothing to send.
fn basic(username: &Template, password: &Template, values: &Values<'_>) -> Result<Option<Secret>, MissingValue> {
    let filled = |part: &Template| MissingValue::unless_optional(part.fill(values));
    let parts = [(username, filled(username)?), (password, filled(password)?)];
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

/// The placeholders that an account of one format can fill.
pub(super) struct Available<'a> {
    pub(super) format: AuthenticationMethod,
    pub(super) fields: Vec<&'a str>,
}

impl Available<'_> {
    const fn has_token(&self) -> bool {
        !matches!(self.format, AuthenticationMethod::ApiKey)
    }

    /// Parses a template. When the definition is written, checks that an account can fill it; otherwise filling it fails.
    pub(super) fn template(&self, node: &Node<'_>) -> Result<Template, DefinitionError> {
        let template = node.parse(Template::parse)?;
        for placeholder in template.placeholders() {
            self.check(node, placeholder)?;
        }
        Ok(template)
    }

    fn check(&self, node: &Node<'_>, placeholder: &Placeholder) -> Result<(), DefinitionError> {
        let format = self.format.as_str();
        match placeholder {
            Placeholder::AccessToken if !self.has_token() => {
                node.fail_if_written(format_args!("an {format} account has no access token; name one of its fields"))
            }
            Placeholder::Credential(field) if !self.fields.contains(&field.as_str()) => {
                node.fail_if_written(format_args!(
                    "{format} has no field named {field:?}; {}",
                    match self.fields.as_slice() {
                        [] => "it asks for none".to_owned(),
                        fields => format!("it asks for {}", fields.join(", ")),
                    }
                ))
            }
            _ => Ok(()),
        }
    }
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
        let authorization = match shared.or(own.as_ref()) {
            Some(node) => Authorization::decode(node, available)?,
            None if available.has_token() => Authorization::access_token(),
            None => {
                return Err(root.fail(
                    "\"authorization\" is missing for api_key; add one, such as {\"format\": \"bearer\", \"config\": \
                     {\"path\": \"api_key\"}}",
                ));
            }
        };
        found.put(available.format, authorization);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Map;

    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    fn applied(scheme: Scheme, key: &str) -> Result<String, HeaderError> {
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new(key))]);
        let token = Secret::new("at-1");
        let values = Values { access_token: Some(&token), fields: &fields, context: &Map::new(), optional: &["other"] };
        let authorization = Authorization { header: HeaderName::authorization(), scheme };
        let header = authorization.apply(&values)?;
        Ok(header.map_or_else(|| "left out".to_owned(), |header| header.value.expose().to_owned()))
    }

    #[test]
    fn an_optional_field_that_was_left_empty_leaves_its_header_out() {
        let basic = |username, password| Scheme::Basic { username: template(username), password: template(password) };
        for (scheme, header) in [
            (Scheme::Bearer(Placeholder::Credential("other".to_owned())), Ok("left out")),
            (Scheme::Value(template("Key {{credentials.other}}")), Ok("left out")),
            (Scheme::Value(template("{{credentials.api_key}} {{context.other}}")), Ok("left out")),
            (basic("{{credentials.api_key}}", "{{credentials.other}}"), Ok("Basic azo=")),
            (basic("{{credentials.other}}", "{{credentials.api_key}}"), Ok("Basic Oms=")),
            (basic("{{credentials.other}}", "{{credentials.other}}"), Ok("left out")),
            (basic("{{credentials.other}}", "X"), Ok("left out")),
            (basic("{{credentials.other}}", "{{credentials.gone}}"), Err("credentials.gone")),
            (Scheme::Value(template("Key {{credentials.gone}}")), Err("credentials.gone")),
        ] {
            let missing =
                |name: &str| HeaderError::Missing(MissingValue { placeholder: name.to_owned(), is_optional: false });
            assert_eq!(applied(scheme.clone(), "k"), header.map(str::to_owned).map_err(missing), "{scheme:?}");
        }
    }

    #[test]
    fn each_scheme_writes_the_header_of_its_standard() {
        assert_eq!(applied(Scheme::Bearer(Placeholder::AccessToken), "k").as_deref(), Ok("Bearer at-1"));
        assert_eq!(applied(Scheme::Value(template("Key {{credentials.api_key}}")), "k").as_deref(), Ok("Key k"));
        let basic = Scheme::Basic { username: template("{{context.api_key}}"), password: template("X") };
        assert_eq!(applied(basic, "k").as_deref(), Ok("Basic azpY"));
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
