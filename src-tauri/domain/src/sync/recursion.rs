//! Requests that are made again for their own records (contract section 9.2, `recurse`).

use serde_json::{Map, Value};

use super::node::Recursion;
use crate::merge::merge;

/// What a request is made with, all templates filled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filled {
    pub resource: String,
    pub method: String,
    /// The id of the account.
    pub account: Option<String>,
    pub id: Option<String>,
    pub query: Map<String, Value>,
    pub body: Option<Value>,
    pub response_format: Option<String>,
}

impl Recursion {
    /// Recursions within each other: a provider's tree isn't deeper, and one that leads back to itself has an end.
    pub const MAX_DEPTH: u32 = 50;

    /// What is wrong with one that leads deeper.
    pub fn too_deep() -> String {
        format!("recurse has led {} levels deep. Narrow recurse.if, so that it ends.", Self::MAX_DEPTH)
    }

    /// Whether the request is made again, by what `if` has become.
    pub fn holds(condition: Option<&Value>) -> bool {
        match condition {
            Some(Value::Bool(holds)) => *holds,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }
}

impl Filled {
    /// Merges what `config` has become over it. An error says what is wrong with it.
    pub fn merge(&mut self, config: Option<Value>) -> Result<(), &'static str> {
        let Some(Value::Object(mut over)) = config else { return Err("recurse.config must become an object.") };
        let mut text = |key: &str| Self::text_of(over.remove(key));
        self.resource = text("resource").unwrap_or_else(|| std::mem::take(&mut self.resource));
        self.method = text("method").unwrap_or_else(|| std::mem::take(&mut self.method));
        self.account = text("integrated_account_id").or_else(|| self.account.take());
        self.response_format = text("response_format").or_else(|| self.response_format.take());
        self.id = text("id").or_else(|| self.id.take());
        merge(&mut self.query, &Self::query_of(over.remove("query"))?);
        match (&mut self.body, over.remove("body")) {
            (Some(Value::Object(body)), Some(Value::Object(over))) => merge(body, &over),
            (body, Some(over)) => *body = Some(over),
            (_, None) => {}
        }
        Ok(())
    }

    /// The query that a template or an expression has given. Nothing and null are an empty one.
    pub fn query_of(query: Option<Value>) -> Result<Map<String, Value>, &'static str> {
        match query {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(query)) => Ok(query),
            Some(_) => Err("query must become an object."),
        }
    }

    /// An id, which a template may have made a number. Nothing, null and an empty text are none.
    pub fn text_of(value: Option<Value>) -> Option<String> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
            Some(other) => Some(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_made_again_for_what_is_true() {
        for (value, holds) in [
            (json!(true), true),
            (json!("true"), true),
            (json!(false), false),
            (json!("yes"), false),
            (json!(1), false),
            (json!(null), false),
        ] {
            assert_eq!(Recursion::holds(Some(&value)), holds, "{value}");
        }
        assert!(!Recursion::holds(None));
    }

    #[test]
    fn what_the_config_does_not_name_stays() {
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let first = Filled {
            resource: "pages".to_owned(),
            method: "list".to_owned(),
            account: Some("a".to_owned()),
            id: Some("1".to_owned()),
            query: object(json!({"limit": 2, "of": {"a": 1, "b": 2}})),
            body: Some(json!({"x": 1, "y": 2})),
            response_format: Some("raw".to_owned()),
        };
        let merged = |config: Value| {
            let mut request = first.clone();
            request.merge(Some(config)).map(|()| request)
        };
        assert_eq!(merged(json!({})), Ok(first.clone()));
        let given = merged(json!({
            "resource": "below", "method": "search", "id": 7, "query": {"of": {"b": null, "c": 3}}, "body": {"y": 3},
            "integrated_account_id": "b", "response_format": "unified",
        }));
        let expected = Filled {
            resource: "below".to_owned(),
            method: "search".to_owned(),
            account: Some("b".to_owned()),
            id: Some("7".to_owned()),
            query: object(json!({"limit": 2, "of": {"a": 1, "c": 3}})),
            body: Some(json!({"x": 1, "y": 3})),
            response_format: Some("unified".to_owned()),
        };
        assert_eq!(given, Ok(expected));
        assert_eq!(merged(json!({"body": [1], "id": ""})), Ok(Filled { body: Some(json!([1])), ..first.clone() }));
        assert_eq!(merged(json!({"query": 1})), Err("query must become an object."));
        assert_eq!(merged(json!([])), Err("recurse.config must become an object."));
    }
}
