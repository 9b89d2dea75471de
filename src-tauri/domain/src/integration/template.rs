//! Strings with placeholders: `Bearer {{credentials.api_key}}`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::quoted;
use crate::Secret;

/// The values of an account.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// For OAuth.
    pub access_token: Option<&'a Secret>,
    /// The secret values of the integration's fields.
    pub fields: &'a BTreeMap<String, Secret>,
    pub context: &'a Map<String, Value>,
    /// The names of the form's fields that may be left empty.
    pub optional: &'a [&'a str],
}

/// A reference to a value of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// `oauth.token.access_token`
    AccessToken,
    /// `credentials.x`
    Credential(String),
    /// `context.x.y`
    Context(Vec<String>),
}

/// Why a text is not a placeholder or a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("a placeholder that begins with {{{{ doesn't end with }}}}")]
    Unclosed,
    #[error(
        "the placeholder {0} is not known; use oauth.token.access_token, credentials.FIELD or context.KEY, such as \
         {{{{credentials.api_key}}}}"
    )]
    Unknown(String),
}

/// The account has no value for a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the account has no value for {placeholder}")]
pub struct MissingValue {
    pub placeholder: String,
    /// Whether it is a field of the form that may be left empty.
    pub is_optional: bool,
}

impl MissingValue {
    /// `None` in place of a value that may be missing.
    pub(super) fn unless_optional<T>(result: Result<T, Self>) -> Result<Option<T>, Self> {
        match result {
            Err(missing) if missing.is_optional => Ok(None),
            result => result.map(Some),
        }
    }
}

impl Placeholder {
    /// Parses the text between `{{` and `}}`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let unknown = || TemplateError::Unknown(quoted(text));
        let segments: Vec<&str> = text.trim().split('.').collect();
        if !segments.iter().all(|segment| is_name(segment)) {
            return Err(unknown());
        }
        match segments.as_slice() {
            ["oauth", "token", "access_token"] | ["context", "oauth", "token", "access_token"] => Ok(Self::AccessToken),
            ["credentials", field] => Ok(Self::Credential((*field).to_owned())),
            // Only the access token can be named: refresh tokens and keys never get into a request.
            ["oauth" | "credentials", ..] | ["context"] | [] => Err(unknown()),
            ["context", keys @ ..] => Ok(Self::Context(keys.iter().map(|key| (*key).to_owned()).collect())),
            _ => Err(unknown()),
        }
    }

    /// Parses a path without braces, as in `authorization.config.path`. A bare name is a field of the form, which Truto
    /// keeps in the context.
    pub fn parse_path(text: &str) -> Result<Self, TemplateError> {
        let text = text.trim();
        let bare = is_name(text) && !matches!(text, "oauth" | "credentials" | "context");
        if bare { Ok(Self::Context(vec![text.to_owned()])) } else { Self::parse(text) }
    }

    /// The field of the form that it may refer to: `credentials.x`, or `context.x`, where Truto keeps the fields.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Credential(field) => Some(field),
            Self::Context(keys) => match keys.as_slice() {
                [field] => Some(field),
                _ => None,
            },
            Self::AccessToken => None,
        }
    }

    pub fn value(&self, values: &Values<'_>) -> Result<Secret, MissingValue> {
        let found = match self {
            Self::AccessToken => values.access_token.cloned(),
            Self::Credential(field) => {
                values.fields.get(field).cloned().or_else(|| plain(values.context.get(field)?).map(Secret::new))
            }
            // The keychain wins over the context, which anybody with an API token can change.
            Self::Context(keys) => self
                .field()
                .and_then(|field| values.fields.get(field).cloned())
                .or_else(|| from_context(values.context, keys)),
        };
        found.ok_or_else(|| MissingValue {
            placeholder: self.to_string(),
            is_optional: self.field().is_some_and(|field| values.optional.contains(&field)),
        })
    }
}

impl std::fmt::Display for Placeholder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AccessToken => f.write_str("oauth.token.access_token"),
            Self::Credential(field) => write!(f, "credentials.{field}"),
            Self::Context(keys) => write!(f, "context.{}", keys.join(".")),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn from_context(context: &Map<String, Value>, keys: &[String]) -> Option<Secret> {
    let (first, rest) = keys.split_first()?;
    let found = rest.iter().try_fold(context.get(first)?, |value, key| value.get(key))?;
    plain(found).map(Secret::new)
}

/// A string, number or boolean as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A string with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

impl Template {
    /// Parses a template. A text without placeholders is one, too.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, behind) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Value(Placeholder::parse(inside)?));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(placeholder),
            Part::Text(_) => None,
        })
    }

    /// Fills the placeholders with an account's values. A value is never parsed for placeholders.
    pub fn fill(&self, values: &Values<'_>) -> Result<Secret, MissingValue> {
        let mut text = zeroize::Zeroizing::new(String::new());
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Value(placeholder) => text.push_str(placeholder.value(values)?.expose()),
            }
        }
        Ok(Secret::new(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn filled(template: &str) -> Result<String, MissingValue> {
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new("{{context.region}}"))]);
        let context = json!({"region": "eu", "site": {"id": 7}, "list": [1], "api_key": "smuggled"});
        let token = Secret::new("at-1");
        let values = Values {
            access_token: Some(&token),
            fields: &fields,
            context: context.as_object().expect("an object"),
            optional: &[],
        };
        let template = Template::parse(template).expect("a template");
        template.fill(&values).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn the_keychain_wins_over_the_context() {
        for template in ["{{context.api_key}}", "{{credentials.api_key}}"] {
            assert_eq!(filled(template).as_deref(), Ok("{{context.region}}"), "{template}");
        }
    }

    #[test]
    fn names_have_up_to_64_letters_digits_underscores_and_hyphens() {
        let context = |key: &str| Placeholder::parse(&format!("context.{key}"));
        for key in ["a-b_C9", &"x".repeat(64)] {
            assert_eq!(context(key), Ok(Placeholder::Context(vec![key.to_owned()])));
        }
        for key in ["x".repeat(65), "a+b".to_owned()] {
            assert!(context(&key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_bare_name_in_a_path_is_a_field() {
        assert_eq!(Placeholder::parse_path(" api_key "), Ok(Placeholder::Context(vec!["api_key".into()])));
        assert_eq!(Placeholder::parse_path("oauth.token.access_token"), Ok(Placeholder::AccessToken));
        assert_eq!(Placeholder::parse_path("context.oauth.token.access_token"), Ok(Placeholder::AccessToken));
        for reserved in ["oauth", "credentials", "context", "", "a b"] {
            assert!(Placeholder::parse_path(reserved).is_err(), "{reserved}");
        }
    }

    #[test]
    fn a_placeholder_may_refer_to_a_field() {
        for (path, field) in [
            ("credentials.api_key", Some("api_key")),
            ("context.region", Some("region")),
            ("context.site.id", None),
            ("oauth.token.access_token", None),
        ] {
            let placeholder = Placeholder::parse(path).expect("a placeholder");
            assert_eq!((placeholder.field(), placeholder.to_string().as_str()), (field, path));
        }
    }

    #[test]
    fn strings_numbers_and_booleans_have_a_text() {
        let texts = [json!("a"), json!(7), json!(true), json!(null), json!([1]), json!({})].map(|value| plain(&value));
        assert_eq!(texts, [Some("a".into()), Some("7".into()), Some("true".into()), None, None, None]);
    }

    #[test]
    fn a_field_that_is_not_secret_comes_from_the_context() {
        assert_eq!(filled("{{credentials.region}}").as_deref(), Ok("eu"));
    }

    #[test]
    fn placeholders_are_filled_once() {
        assert_eq!(filled("Bearer {{oauth.token.access_token}}").as_deref(), Ok("Bearer at-1"));
        assert_eq!(filled("{{ credentials.api_key }}!").as_deref(), Ok("{{context.region}}!"));
        assert_eq!(filled("{{context.site.id}}-{{context.region}}").as_deref(), Ok("7-eu"));
        assert_eq!(filled("{{context.api_key}}").as_deref(), Ok("{{context.region}}"));
        assert_eq!(filled("no placeholder }}").as_deref(), Ok("no placeholder }}"));
    }

    #[test]
    fn a_missing_value_is_named() {
        for (template, missing) in [
            ("{{context.nothing}}", "context.nothing"),
            ("{{context.list}}", "context.list"),
            ("{{credentials.password}}", "credentials.password"),
        ] {
            assert_eq!(filled(template), Err(MissingValue { placeholder: missing.to_owned(), is_optional: false }));
        }
    }

    #[test]
    fn unknown_placeholders_are_refused() {
        for text in [
            "{{}}",
            "{{id}}",
            "{{oauth.token.refresh_token}}",
            "{{context}}",
            "{{credentials.a.b}}",
            "{{context..a}}",
            "{{context.a b}}",
            "{{context.ä}}",
            "{{credentials}}",
            "{{ {{context.a}} }}",
        ] {
            assert!(matches!(Template::parse(text), Err(TemplateError::Unknown(_))), "{text}");
        }
        assert_eq!(Template::parse("Bearer {{context.a"), Err(TemplateError::Unclosed));
    }

    proptest! {
        #[test]
        fn a_text_without_placeholders_stays_the_same(text in "[^{]{0,40}") {
            prop_assert_eq!(filled(&text), Ok(text));
        }

        #[test]
        fn parsing_never_panics(text in "[{}a-z. ]{0,30}") {
            let _ = Template::parse(&text);
            let _ = Placeholder::parse_path(&text);
        }
    }
}
