//! Who is signed in, read from the provider's response.

use serde_json::Value;

use super::{
    address::Address,
    error::quoted,
    json_node::{JsonKind, JsonNode},
};
use crate::account::Identity;

/// A path into a JSON document: `data.user.id`, `emails.0.value`. A name with a dot stands as it is, or as in JSONata between
/// backticks: `@odata.nextLink`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(Vec<String>);

/// Why a text is not a [`JsonPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a path into the response, such as \"id\" or \"data.user.id\"")]
pub struct JsonPathError(String);

impl JsonPath {
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let mut is_quoted = false;
        let steps = text.split(|c| {
            is_quoted ^= c == '`';
            c == '.' && !is_quoted
        });
        let unquote = |step: &str| {
            let inside = step.strip_prefix('`').and_then(|step| step.strip_suffix('`'));
            let is_name = |name: &str| !name.is_empty() && !name.contains('`');
            let is_bare = |name: &str| is_name(name) && !name.contains(char::is_whitespace);
            inside.filter(|name| is_name(name)).or_else(|| Some(step).filter(|name| is_bare(name))).map(str::to_owned)
        };
        let steps: Option<Vec<String>> = steps.map(unquote).collect();
        match steps {
            Some(steps) if text.len() <= 256 => Ok(Self(steps)),
            _ => Err(JsonPathError(quoted(text))),
        }
    }

    /// The value at the path.
    pub fn find<N: JsonNode>(&self, body: N) -> Option<N> {
        find(&self.0, body)
    }

    /// The object or list that has the value at the path.
    pub fn find_parent<'b>(&self, body: &'b Value) -> Option<&'b Value> {
        let parent = self.0.split_last().map(|(_, parent)| Self(parent.to_vec()))?;
        parent.find(body)
    }

    /// The string or number at the path, unless it is empty.
    pub fn read(&self, body: &Value) -> Option<String> {
        let found = self.find(body)?;
        plain(found).filter(|text| !found.is_boolean() && !text.is_empty())
    }
}

fn find<N: JsonNode>(steps: &[String], node: N) -> Option<N> {
    let Some((step, below)) = steps.split_first() else { return Some(node) };
    match node.kind() {
        JsonKind::Scalar => None,
        JsonKind::List => find(below, node.item(step.parse().ok()?)?),
        JsonKind::Object => {
            let found = node.member(step).and_then(|member| find(below, member));
            // A dot may be part of a name.
            found.or_else(|| {
                (2..=steps.len()).find_map(|length| find(&steps[length..], node.member(&steps[..length].join("."))?))
            })
        }
    }
}

/// Where an account's identity is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProbe {
    pub source: IdentitySource,
    /// The id that never changes.
    pub id: JsonPath,
    /// What a person recognizes, the preferred one first.
    pub label: Vec<JsonPath>,
}

/// The document that contains the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// The claims of the ID token (OpenID Connect Core 1.0, section 2).
    IdToken,
    /// The response to the probe, which is called anyway.
    Probe,
    /// The response to a GET of this URL.
    Call(Address),
}

impl IdentityProbe {
    /// The identity in a document. Without a label, the id serves as one.
    pub fn read(&self, body: &Value) -> Option<Identity> {
        let id = self.id.read(body)?;
        let label = self.label.iter().find_map(|path| path.read(body)).unwrap_or_else(|| id.clone());
        Some(Identity { id, label })
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn probe(id: &str, label: &str) -> IdentityProbe {
        let path = |text| JsonPath::parse(text).expect("a path");
        IdentityProbe { source: IdentitySource::Probe, id: path(id), label: vec![path(label)] }
    }

    #[test]
    fn an_identity_is_read_from_its_paths() {
        let body = json!({"id": 583_231, "login": "octo-acme", "data": {"users": [{"id": "u-1"}]}});
        let identity = |id: &str, label: &str| Identity { id: id.into(), label: label.into() };
        assert_eq!(probe("id", "login").read(&body), Some(identity("583231", "octo-acme")));
        assert_eq!(probe("data.users.0.id", "nothing").read(&body), Some(identity("u-1", "u-1")));
    }

    #[test]
    fn only_non_empty_strings_and_numbers_are_identities() {
        let body = json!({"a": null, "b": "", "c": {}, "d": true, "e": []});
        for path in ["a", "b", "c", "d", "e", "e.0", "f", "a.b"] {
            assert_eq!(probe(path, "label").read(&body), None, "{path}");
        }
        for text in ["", ".", "a.", "a..b", "a b"] {
            assert!(JsonPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_may_have_dots() {
        let body = json!({"@odata.nextLink": "u", "a.b": {"c.d": 1, "c": 2}, "a": {"x": 3}, "two words": {"e": 4}});
        for (path, expected) in [
            ("@odata.nextLink", json!("u")),
            ("`@odata.nextLink`", json!("u")),
            ("a.b.c.d", json!(1)),
            ("a.b.c", json!(2)),
            ("`a.b`.c", json!(2)),
            ("a.x", json!(3)),
            ("`two words`.e", json!(4)),
        ] {
            assert_eq!(JsonPath::parse(path).expect("a path").find(&body), Some(&expected), "{path}");
        }
        assert_eq!(JsonPath::parse("`a`.b.c").expect("a path").find(&json!({"a": {"b": 1}})), None);
        for text in ["`a", "``", "a`b", "`a`b`", "`a.b"] {
            assert!(JsonPath::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_and_reading_never_panic(text in "[a-z0-9.`]{0,20}", number in any::<f64>()) {
            if let Ok(path) = JsonPath::parse(&text) {
                let _ = path.read(&json!({"a": [number, {"b": number}]}));
            }
        }
    }

    #[test]
    fn strings_numbers_and_booleans_have_a_text() {
        let texts = [json!("a"), json!(7), json!(true), json!(null), json!([1]), json!({})].map(|value| plain(&value));
        assert_eq!(texts, [Some("a".into()), Some("7".into()), Some("true".into()), None, None, None]);
    }
}
