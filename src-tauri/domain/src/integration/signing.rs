//! Authorization by JSONata, which gives the headers of each request (contract section 4.4).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    available::Available,
    header::{Header, HeaderError, HeaderName, HeaderNameError},
};
use crate::{Secret, template::Template};

/// JSONata over `url`, `requestOptions` and `context`, which gives an object of headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningExpression {
    pub text: Arc<str>,
    /// The account's context with the values of its form and its access token, for nothing but this expression.
    pub context: Template,
}

/// Why what an expression gave isn't headers. It quotes no value: one may be the credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    #[error("it gives no object of headers, such as {{\"X-Signature\": \"…\"}}")]
    NoHeaders,
    #[error("{0}")]
    Name(#[from] HeaderNameError),
    #[error("{0}")]
    Value(#[from] HeaderError),
}

impl SigningExpression {
    pub(super) fn new(text: &str, available: &Available<'_>) -> Self {
        let mut context = Map::new();
        let value = |path: &str| Value::from(format!("{{{{{path}:any:undefined}}}}"));
        for field in &available.fields {
            context.insert((*field).to_owned(), value(&format!("credentials.{field}")));
        }
        if available.has_token() {
            let token = value("oauth.token.access_token");
            context.insert("access_token".to_owned(), token.clone());
            context.insert("oauth".to_owned(), json!({"token": {"access_token": token}}));
        }
        // The rest of the context, which holds no secret.
        context.insert("$truto_merge".to_owned(), value("context"));
        Self { text: text.into(), context: Template::compile(&Value::Object(context)) }
    }

    /// The words of the expression, among them the names of what it takes from the context.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.text
            .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
            .filter(|word| !word.is_empty())
    }

    /// The headers that the expression gave. None are as good as an empty object.
    pub fn headers(given: Option<&Value>) -> Result<Vec<Header>, SigningError> {
        let given = match given {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(given)) => given,
            Some(_) => return Err(SigningError::NoHeaders),
        };
        let mut headers = Vec::new();
        for (name, value) in given {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => return Err(SigningError::NoHeaders),
            };
            headers.push(Header::new(&HeaderName::parse(name)?, Secret::new(text))?);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{account::AuthenticationMethod, template::Scope};

    #[test]
    fn the_context_has_what_the_account_has_and_the_credential() {
        let fields = vec!["api_key", "region"];
        let context = json!({"region": "eu", "org": {"id": 7}, "oauth": {"scope": ["read"]}});
        let context = context.as_object().expect("an object");
        let secrets = BTreeMap::from([("api_key".to_owned(), Secret::new("k-1"))]);
        let token = Secret::new("at-1");
        for (format, token, expected) in [
            (
                AuthenticationMethod::ApiKey,
                None,
                json!({"api_key": "k-1", "region": "eu", "oauth": {"scope": ["read"]}, "org": {"id": 7}}),
            ),
            (
                AuthenticationMethod::Oauth2,
                Some(&token),
                json!({"api_key": "k-1", "region": "eu", "access_token": "at-1",
                    "oauth": {"token": {"access_token": "at-1"}, "scope": ["read"]}, "org": {"id": 7}}),
            ),
        ] {
            let available = Available { format, fields: fields.clone(), has_call: true, is_refresh: false };
            let signing = SigningExpression::new("{'X-Key': context.api_key}", &available);
            let filled = signing.context.fill(&Scope::new(context, &secrets, token)).expect("filled");
            assert_eq!(filled.expose(), Some(&expected));
            assert!(signing.names().any(|name| name == "api_key") && !signing.names().any(|name| name == "region"));
        }
    }

    #[test]
    fn only_an_object_of_texts_is_headers() {
        let given = json!({"X-Signature": "abc", "x-time": 17, "x-none": null});
        let headers = SigningExpression::headers(Some(&given)).expect("headers");
        let headers: Vec<_> = headers.iter().map(|it| (it.name.as_str(), it.value.expose())).collect();
        assert_eq!(headers, [("x-signature", "abc"), ("x-time", "17")]);
        assert_eq!(SigningExpression::headers(None), Ok(Vec::new()));
        for (given, problem) in [
            (json!("Bearer x"), "it gives no object"),
            (json!([{"x": "y"}]), "it gives no object"),
            (json!({"x": {"y": 1}}), "it gives no object"),
            (json!({"Host": "evil.example"}), "the header \"Host\" is set by Relink itself"),
            (json!({"x": "a\r\nhost: evil.example"}), "contains a line break"),
        ] {
            let error = SigningExpression::headers(Some(&given)).expect_err(&given.to_string()).to_string();
            assert!(error.contains(problem), "{given}: {error}");
        }
    }
}
