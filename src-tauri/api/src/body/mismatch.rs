//! What of a body isn't as its route needs it (contract section 0.4).

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::Path;

use crate::error::ApiError;

/// No body of a route has more fields. In a larger one, a field whose path serde has lost isn't looked for.
const MAX_FIELDS: usize = 64;

/// The first field of a body that is missing, unknown or has a wrong value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// `None`: it is the body itself, or the path is lost.
    path: Option<String>,
    problem: Problem,
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Missing,
    Unknown,
    /// What it must be, as far as serde says.
    Wrong(Option<String>),
}

impl Mismatch {
    /// `path` leads to the value at which reading a `T` from the bytes ended with the error.
    pub(super) fn new<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error, path: &Path) -> Self {
        let text = text_of(error);
        let parent = Some(path.to_string()).filter(|path| path != ".");
        let below =
            |name: &str| Some(parent.as_ref().map_or_else(|| name.to_owned(), |parent| format!("{parent}.{name}")));
        if let Some(name) = named(&text, "missing field") {
            return Self { path: below(name), problem: Problem::Missing };
        }
        if let Some(name) = named(&text, "unknown field") {
            // The path ends with the unknown field already, unless serde has lost it.
            let path = parent.clone().filter(|path| path.ends_with(name)).or_else(|| below(name));
            return Self { path, problem: Problem::Unknown };
        }
        let path = parent.or_else(|| field_at_fault::<T>(&serde_json::from_slice(bytes).ok()?, &text));
        Self { path, problem: Problem::Wrong(expected(&text)) }
    }

    pub(super) fn into_error(self) -> ApiError {
        let Self { path, problem } = self;
        let subject = path.as_deref().unwrap_or("The body");
        let message = match problem {
            Problem::Missing => format!("{subject} is missing."),
            Problem::Unknown => format!("{subject} is unknown here."),
            Problem::Wrong(Some(expected)) => format!("{subject} must be {expected}."),
            Problem::Wrong(None) => format!("{subject} has a value that isn't valid."),
        };
        let error = ApiError::bad_request("body_invalid", &message);
        match path {
            Some(path) => error.about(&path),
            None => error,
        }
    }
}

/// serde's message without its position.
fn text_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// The name in "missing field `name`", or after another beginning.
fn named<'t>(text: &'t str, beginning: &str) -> Option<&'t str> {
    Some(text.strip_prefix(beginning)?.strip_prefix(" `")?.split_once('`')?.0)
}

/// What serde expected. The rest of its message isn't used, because it may contain the value, which may be a secret.
fn expected(text: &str) -> Option<String> {
    let is_serdes = ["invalid type: ", "invalid value: ", "unknown variant `"].iter().any(|it| text.starts_with(it));
    let (_, expected) = text.rsplit_once(", expected ").filter(|_| is_serdes)?;
    Some(match expected {
        "a map" => "an object".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        number if is_integer(number) => "a whole number".to_owned(),
        rust if rust.starts_with("struct ") => "an object".to_owned(),
        rust if ["enum ", "tuple "].iter().any(|it| rust.starts_with(it)) => return None,
        words => words.to_owned(),
    })
}

/// Whether it is the name of one of Rust's types of integers.
fn is_integer(name: &str) -> bool {
    ["i8", "i16", "i32", "i64", "isize", "u8", "u16", "u32", "u64", "usize"].contains(&name)
}

/// Some value of each kind that a field may have.
fn samples() -> [Value; 7] {
    [json!(""), json!("00000000-0000-0000-0000-000000000000"), json!(0), json!(true), json!([]), json!({}), Value::Null]
}

/// The field of the body that the error is about: without it, or with another value, there is none, or another one. Serde loses the
/// path to fields of a flattened struct. A field that must be there is tried last: without it there is always another error.
fn field_at_fault<T: DeserializeOwned>(body: &Map<String, Value>, error: &str) -> Option<String> {
    if body.len() > MAX_FIELDS {
        return None;
    }
    let is_at_fault = |name: &str, is_required: bool| {
        let mut others = body.clone();
        others.shift_remove(name);
        let other = serde_json::from_value::<T>(Value::Object(others)).err().map(|error| text_of(&error));
        let is_missing = other.as_deref().and_then(|text| named(text, "missing field")) == Some(name);
        is_missing == is_required && other.as_deref() != Some(error)
    };
    let can_be_mended = |name: &&String| {
        samples().into_iter().any(|sample| {
            let mut corrected = body.clone();
            corrected.insert((*name).clone(), sample);
            serde_json::from_value::<T>(Value::Object(corrected)).is_ok()
        })
    };
    let first = |is_required| body.keys().find(|name| is_at_fault(name, is_required));
    first(false).or_else(|| body.keys().find(can_be_mended)).or_else(|| first(true)).cloned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::{body, response::IntoResponse};
    use serde::Deserialize;

    use super::{super::parse, *};

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Sample {
        text: String,
        number: Option<u16>,
        share: Option<f64>,
        entries: Option<Vec<Entry>>,
        by_name: Option<BTreeMap<String, Entry>>,
        account: Option<relink_domain::AccountId>,
        #[serde(flatten)]
        more: More,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Entry {
        method: Method,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Method {
        Get,
        List,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct More {
        is_active: Option<bool>,
        is_enabled: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Numbered {
        id: String,
        #[serde(flatten)]
        names: Names,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Names {
        name: String,
        kind: String,
    }

    async fn refusal(body: &Value) -> Value {
        refusal_of::<Sample>(body).await
    }

    async fn refusal_of<T: DeserializeOwned + std::fmt::Debug>(body: &Value) -> Value {
        let error = parse::<T>(body.to_string().as_bytes()).expect_err("refused");
        let bytes = body::to_bytes(error.into_response().into_body(), 4096).await.expect("a body");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[tokio::test]
    async fn each_field_that_is_missing_or_wrong_is_named_without_its_value() {
        for (body, path, message) in [
            (json!({}), "text", "text is missing."),
            (json!({ "text": null }), "text", "text must be a text."),
            (json!({ "text": ["canary"] }), "text", "text must be a text."),
            (json!({ "text": "", "number": "canary, expected canary" }), "number", "number must be a whole number."),
            (json!({ "text": "", "number": 1.5 }), "number", "number must be a whole number."),
            (json!({ "text": "", "share": "canary" }), "share", "share must be a number."),
            (json!({ "text": "", "entries": {} }), "entries", "entries must be an array."),
            (json!({ "text": "", "entries": ["canary"] }), "entries[0]", "entries[0] must be an object."),
            (json!({ "text": "", "entries": [{}] }), "entries[0].method", "entries[0].method is missing."),
            (
                json!({ "text": "", "entries": [{ "method": "get" }, { "method": "canary" }] }),
                "entries[1].method",
                "entries[1].method must be `get` or `list`.",
            ),
            (
                json!({ "text": "", "entries": [{ "method": "get", "mode": "canary" }] }),
                "entries[0].mode",
                "entries[0].mode is unknown here.",
            ),
            (
                json!({ "text": "", "entries": [{ "method": 1 }] }),
                "entries[0].method",
                "entries[0].method has a value that isn't valid.",
            ),
            (json!({ "text": "", "by_name": { "a": {} } }), "by_name.a.method", "by_name.a.method is missing."),
            (
                json!({ "text": "", "account": "canary, expected canary" }),
                "account",
                "account has a value that isn't valid.",
            ),
            (json!({ "text": "", "is_enabled": "canary" }), "is_enabled", "is_enabled must be true or false."),
            (
                json!({ "is_active": 1, "text": "", "is_enabled": true }),
                "is_active",
                "is_active must be true or false.",
            ),
        ] {
            let refused = refusal(&body).await;
            assert_eq!((&refused["code"], &refused["message"]), (&json!("body_invalid"), &json!(message)), "{body}");
            assert_eq!(refused["field"], path, "{body}");
            assert_eq!(refused["details"], json!({ "failures": [{ "path": path, "message": message }] }), "{body}");
            assert!(!refused.to_string().contains("canary"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_field_that_must_be_there_is_named_beside_others_that_must() {
        for (body, field) in [
            (json!({ "id": "x", "name": ["canary"], "kind": "x" }), "name"),
            (json!({ "id": "x", "name": "x", "kind": ["canary"] }), "kind"),
            (json!({ "id": ["canary"], "name": "x", "kind": "x" }), "id"),
        ] {
            let refused = refusal_of::<Numbered>(&body).await;
            assert_eq!(
                (&refused["field"], &refused["message"]),
                (&json!(field), &json!(format!("{field} must be a text.")))
            );
        }
    }

    #[tokio::test]
    async fn a_body_that_is_no_object_has_no_field() {
        for body in [json!("canary"), json!(1), json!(null), json!(true)] {
            let refused = refusal(&body).await;
            assert_eq!(refused["message"], "The body must be an object.", "{body}");
            assert_eq!(refused.get("details"), None, "{body}");
        }
        let many: Map<String, Value> = (0..100).map(|n| (n.to_string(), n.into())).collect();
        let refused = refusal(&json!({ "text": "", "is_active": "canary", "more": many })).await;
        assert_eq!(refused["field"], "is_active", "only the body's own fields count");
    }
}
