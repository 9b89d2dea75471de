//! Request headers that a definition names.

use super::error::quoted;
use crate::{
    Secret,
    template::{FillError, Scope, TextTemplate},
};

/// A header name (RFC 9110 §5.1), in lowercase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(String);

/// Why a text is not a [`HeaderName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HeaderNameError(String);

/// Headers of the connection and of the message framing. A definition that set them could smuggle requests.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl HeaderName {
    pub fn authorization() -> Self {
        Self("authorization".to_owned())
    }

    pub fn parse(text: &str) -> Result<Self, HeaderNameError> {
        let name = text.to_ascii_lowercase();
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(token) {
            return Err(HeaderNameError(format!("{} is not a header name, such as Authorization", quoted(text))));
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(HeaderNameError(format!("the header {} is set by Relink itself; remove it", quoted(text))));
        }
        Ok(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A header as it goes into a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: HeaderName,
    /// It may contain a credential.
    pub value: Secret,
}

/// Why a header can't be filled for an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error(transparent)]
    Fill(#[from] FillError),
    /// A value would end the header or is not allowed in one (RFC 9110 §5.5).
    #[error("a value for the header {name} contains a line break or another control character")]
    Unfit { name: String },
}

impl Header {
    pub(super) fn new(name: &HeaderName, value: Secret) -> Result<Self, HeaderError> {
        if value.expose().contains(|c: char| c.is_control()) {
            return Err(HeaderError::Unfit { name: name.as_str().to_owned() });
        }
        Ok(Self { name: name.clone(), value })
    }
}

/// A header of a definition, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    pub name: HeaderName,
    pub value: TextTemplate,
}

impl HeaderTemplate {
    /// The header for an account. `None`: it is left out, because an optional field of the form was left empty, or because
    /// its placeholder gives null or nothing.
    pub fn fill(&self, scope: &Scope<'_>) -> Result<Option<Header>, HeaderError> {
        let value = FillError::unless_optional(self.value.fill_secret(scope))?;
        value.map(|value| Header::new(&self.name, value)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    proptest! {
        #[test]
        fn no_value_ends_a_header(
            parts in prop::collection::vec(prop_oneof![
                "\\{\\{(a|b|c.0|gone)(:[a-z]{3,4})?( \\?:[ a-z\n]{0,3})?\\}\\}",
                "[ -~]{0,4}",
            ], 1..4),
            text in any::<String>(),
            secret in "[a-z\r\n\0]{0,4}",
        ) {
            let context = Map::from_iter([("a".to_owned(), Value::from(text.as_str())), ("c".to_owned(), json!([text]))]);
            let fields = BTreeMap::from([("b".to_owned(), Secret::new(secret))]);
            let name = HeaderName::authorization();
            let header = HeaderTemplate { name, value: TextTemplate::parse(&parts.concat()) };
            if let Ok(Some(header)) = header.fill(&Scope::new(&context, &fields, None)) {
                prop_assert!(!header.value.expose().contains(['\r', '\n', '\0']));
            }
        }
    }

    #[test]
    fn a_header_name_is_a_token_of_up_to_128_characters() {
        for name in ["X-Api-Key", "x", "a!#$%&'*+-.^_`|~9", &"x".repeat(128)] {
            assert_eq!(HeaderName::parse(name).map(|it| it.as_str().to_owned()), Ok(name.to_ascii_lowercase()));
        }
        for name in ["", "a b", "a:b", "a\r\nb", "ä", "a(b)", &"x".repeat(129)] {
            assert!(HeaderName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn headers_of_the_connection_are_refused_in_every_case() {
        for name in RESERVED {
            assert!(
                HeaderName::parse(name).is_err() && HeaderName::parse(&name.to_ascii_uppercase()).is_err(),
                "{name}"
            );
        }
    }
}
